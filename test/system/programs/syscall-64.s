# SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS in IA-32e mode [SDM 2B; 3A 5.8.7, 5.8.8]: registers, flags, segments, faults.
# expect: SYSCALL from ring 0: ok
# expect: R11: 0000000000000cd7
# expect: flags in the handler: 00000000000008d7
# expect: CS in the handler: 0008
# expect: SS in the handler: 0010
# expect: SYSCALL from ring 3: ok
# expect: RCX less the next instruction: 0000000000000000
# expect: R11 from ring 3: 0000000000003ed7
# expect: flags in the handler, from ring 3: 00000000000038d7
# expect: CS in the handler, from ring 3: 0008
# expect: RSP in the handler, from ring 3: 000000000000e000
# expect: SYSCALL from compatibility mode: #UD
# expect: SYSCALL without EFER.SCE: #UD
# expect: SYSRET without EFER.SCE: #UD
# expect: SYSRETQ with flags 0x0: ok
# expect: flags 0x0 became: 0000000000003002
# expect: SYSRETQ with flags 0x4b5ad7: ok
# expect: flags 0x4b5ad7 became: 0000000000087ad7
# expect: SYSRETQ with flags 0x3302: ok
# expect: flags 0x3302 became: 0000000000003202
# expect: CS: 003b
# expect: SS: 0033
# expect: RSP: 000000000000e000
# expect: SYSRETL: ok
# expect: CS of it: 002b
# expect: SS of it: 0033
# expect: SYSRETL with more than 32 bits: ok
# expect: SYSRETQ to a bad address: #GP(0000)
# expect: raised in: 0008
# expect: SYSRET in ring 3: #GP(0000)
# expect: LSTAR not canonical: #GP(0000)
# expect: CSTAR not canonical: #GP(0000)
# expect: FMASK of more than 32 bits: #GP(0000)
# expect: SYSENTER from ring 3: ok
# expect: SYSENTER from ring 3, CS: 0008
# expect: SYSENTER from ring 3, SS: 0010
# expect: SYSENTER from ring 3, RSP: 000000000000f000
# expect: SYSENTER from ring 3, flags: 0000000000003cd7
# expect: SYSENTER from compatibility mode: ok
# expect: SYSENTER from compatibility mode, CS: 0008
# expect: SYSENTER from compatibility mode, SS: 0010
# expect: SYSENTER from compatibility mode, RSP: 000000000000f000
# expect: SYSENTER from compatibility mode, flags: 0000000000003cd7
# expect: SYSENTER with CS 3: #GP(0000)
# expect: SYSENTER with CS 0Bh: ok
# expect: CS then: 0008
# expect: SYSENTER_EIP not canonical: #GP(0000)
# expect: SYSENTER_ESP not canonical: #GP(0000)
# expect: SYSEXITQ: ok
# expect: CS after SYSEXITQ: 003b
# expect: SS after SYSEXITQ: 0043
# expect: RSP after SYSEXITQ: 000000000000e000
# expect: SYSEXIT: ok
# expect: CS after SYSEXIT: 002b
# expect: SS after SYSEXIT: 0033
# expect: RSP after SYSEXIT: 000000000000e000
# expect: SYSEXITQ to a bad RIP: #GP(0000)
# expect: SYSEXITQ to a bad RSP: #GP(0000)
# expect: SYSEXIT in ring 3: #GP(0000)
# expect: SYSEXIT with CS 0: #GP(0000)
# expect: SYSENTER with CS 0: #GP(0000)
# expect: SWAPGS: ok
# expect: GS base, upper half: 00000022
# expect: KERNEL_GS_BASE, upper half: 00000011
# expect: SWAPGS in ring 3: #GP(0000)
# expect: SWAPGS in compatibility mode: #UD
# qemu: flags in the handler: 0000000000000002 -- it loses the arithmetic flags [SDM 2B "SYSCALL"]
# qemu: flags in the handler, from ring 3: 0000000000003002 -- it loses the arithmetic flags [SDM 2B "SYSCALL"]
# qemu: flags 0x4b5ad7 became: 0000000000037ad7 -- it loads RF and VM, and not VIF [SDM 2B "SYSRET"]
# qemu: raised in: 003b -- it is checked before the transfer [SDM 2B "SYSRET"]
# qemu: LSTAR not canonical: ok -- it checks no addresses in MSRs [SDM 2D "WRMSR"]
# qemu: CSTAR not canonical: ok -- it checks no addresses in MSRs [SDM 2D "WRMSR"]
# qemu: FMASK of more than 32 bits: ok -- bits 63:32 are reserved [SDM 3A figure 5-14]
# qemu: SYSENTER with CS 3: ok -- bits 1:0 do not count [SDM 2B "SYSENTER"]
# qemu: SYSENTER_EIP not canonical: ok -- it checks no addresses in MSRs [SDM 2D "WRMSR"]
# qemu: SYSENTER_ESP not canonical: ok -- it checks no addresses in MSRs [SDM 2D "WRMSR"]
# qemu: SYSEXITQ to a bad RSP: ok -- RCX is checked too [SDM 2B "SYSEXIT"]
# bochs: FMASK of more than 32 bits: ok -- bits 63:32 are reserved [SDM 3A figure 5-14]
.include "system.inc"
.macro msr index, high, low
  mov ecx, \index
  mov edx, \high
  mov eax, offset \low
  wrmsr
.endm
.macro show_segment name, selector
  print "\name: "
  hex [\selector], 4
  nl
.endm
program 64
  msr 0xc0000081, 0x00280008, 0
  msr 0xc0000082, 0, entered
  msr 0xc0000084, 0, 0x00000600 # FMASK: IF, DF
  try
  mov r11, 0x123456789abcdef0
  push 0x8d7
  popfq
  std
  syscall
  caught "SYSCALL from ring 0"
  call show_entry
  user calls, 0x3ed7
  caught "SYSCALL from ring 3"
  mov rax, [seen_rcx]
  sub rax, offset calls_end
  show "RCX less the next instruction", rax, 16
  call show_entry2
  ring UCODE32, UDATA, calls32
  caught "SYSCALL from compatibility mode"
  # EFER.SCE
  mov ecx, 0xc0000080
  rdmsr
  and eax, ~1
  wrmsr
  user calls
  caught "SYSCALL without EFER.SCE"
  try
  .byte 0x48, 0x0f, 0x07
  caught "SYSRET without EFER.SCE"
  mov ecx, 0xc0000080
  rdmsr
  or eax, 1
  wrmsr

  # SYSRET
  .irp flags, 0x0, 0x4b5ad7, 0x3302
  try
  mov rcx, offset returned
  mov r11, \flags & ~0x100 | 0x3000     # IOPL 3, or what follows could not tell
  mov rsp, USER_STACK
  .byte 0x48, 0x0f, 0x07
  caught "SYSRETQ with flags \flags"
  mov rax, [trap_flags]
  show "flags \flags became", rax, 16
  .endr
  show_segment "CS", trap_cs
  show_segment "SS", trap_ss
  show "RSP", [trap_sp], 16
  try
  mov rcx, offset returned32
  mov r11, 2
  mov rsp, USER_STACK
  .byte 0x0f, 0x07
  caught "SYSRETL"
  show_segment "CS of it", trap_cs
  show_segment "SS of it", trap_ss
  try
  mov rcx, offset returned32
  mov rax, 0x7777777700000000
  or rcx, rax
  mov r11, 2
  mov rsp, USER_STACK
  .byte 0x0f, 0x07
  caught "SYSRETL with more than 32 bits"
  try
  mov rcx, 0x0000800000000000
  mov r11, 2
  mov rsp, USER_STACK
  .byte 0x48, 0x0f, 0x07
  caught "SYSRETQ to a bad address"
  show "raised in", [trap_cs], 4
  user returns
  caught "SYSRET in ring 3"
  # LSTAR not canonical is refused by WRMSR
  try
  msr 0xc0000082, 0x8000, 0
  caught "LSTAR not canonical"
  try
  msr 0xc0000083, 0x8000, 0
  caught "CSTAR not canonical"
  try
  msr 0xc0000084, 1, 0
  caught "FMASK of more than 32 bits"

  # SYSENTER
  msr 0x174, 0, CODE64
  msr 0x175, 0, STACK
  msr 0x176, 0, entered
  .macro enters name, how
  \how
  caught "\name"
  show_segment "\name, CS", seen_cs
  show_segment "\name, SS", seen_ss
  show "\name, RSP", [seen_rsp], 16
  show "\name, flags", [seen_flags], 16
  .endm
  enters "SYSENTER from ring 3", "user enters_kernel, 0x3ed7"
  enters "SYSENTER from compatibility mode", "ring UCODE32, UDATA, enters_kernel32, 0x3ed7"
  msr 0x174, 0, 3
  user enters_kernel
  caught "SYSENTER with CS 3"
  msr 0x174, 0, CODE64 + 3
  user enters_kernel
  caught "SYSENTER with CS 0Bh"
  show_segment "CS then", seen_cs
  try
  msr 0x176, 0x8000, 0
  caught "SYSENTER_EIP not canonical"
  try
  msr 0x175, 0x8000, 0
  caught "SYSENTER_ESP not canonical"
  # SYSEXIT
  msr 0x174, 0, 0x18            # 32-bit: 28, 30; 64-bit: 38, 40
  try
  mov rdx, offset returned
  mov rcx, USER_STACK
  .byte 0x48, 0x0f, 0x35
  caught "SYSEXITQ"
  show_segment "CS after SYSEXITQ", trap_cs
  show_segment "SS after SYSEXITQ", trap_ss
  show "RSP after SYSEXITQ", [trap_sp], 16
  try
  mov rdx, offset returned32
  mov rcx, USER_STACK
  .byte 0x0f, 0x35
  caught "SYSEXIT"
  show_segment "CS after SYSEXIT", trap_cs
  show_segment "SS after SYSEXIT", trap_ss
  show "RSP after SYSEXIT", [trap_sp], 16
  try
  mov rdx, 0x0000800000000000
  mov rcx, USER_STACK
  .byte 0x48, 0x0f, 0x35
  caught "SYSEXITQ to a bad RIP"
  try
  mov rdx, offset returned
  mov rcx, 0x0000800000000000
  .byte 0x48, 0x0f, 0x35
  caught "SYSEXITQ to a bad RSP"
  user exits
  caught "SYSEXIT in ring 3"
  msr 0x174, 0, 0
  try
  .byte 0x0f, 0x35
  caught "SYSEXIT with CS 0"
  user enters_kernel
  caught "SYSENTER with CS 0"

  # SWAPGS
  msr 0xc0000101, 0x11, 0x1000
  msr 0xc0000102, 0x22, 0x2000
  try
  swapgs
  caught "SWAPGS"
  mov ecx, 0xc0000101
  rdmsr
  show "GS base, upper half", rdx, 8
  mov ecx, 0xc0000102
  rdmsr
  show "KERNEL_GS_BASE, upper half", rdx, 8
  user swaps
  caught "SWAPGS in ring 3"
  ring CODE32, DATA, swaps32
  caught "SWAPGS in compatibility mode"
done

show_entry:
  show "R11", [seen_r11], 16
  show "flags in the handler", [seen_flags], 16
  show_segment "CS in the handler", seen_cs
  show_segment "SS in the handler", seen_ss
  ret
show_entry2:
  show "R11 from ring 3", [seen_r11], 16
  show "flags in the handler, from ring 3", [seen_flags], 16
  show_segment "CS in the handler, from ring 3", seen_cs
  show "RSP in the handler, from ring 3", [seen_rsp], 16
  ret
entered:
  mov [seen_rsp], rsp
  mov rsp, TRAP_STACK
  pushfq
  pop qword ptr [seen_flags]
  cld
  mov [seen_rcx], rcx
  mov [seen_r11], r11
  mov eax, cs
  mov [seen_cs], eax
  mov eax, ss
  mov [seen_ss], eax
  back
calls:
  syscall
calls_end:
  hlt
returns:
  .byte 0x48, 0x0f, 0x07
enters_kernel:
  sysenter
exits:
  .byte 0x0f, 0x35
swaps:
  swapgs
  back
returned:
  back
  mode 32
calls32:
  syscall
  back
returned32:
  back
enters_kernel32:
  sysenter
swaps32:
  .byte 0x0f, 0x01, 0xf8
  back
.data
.balign 8
seen_rsp: .quad 0
seen_flags: .quad 0
seen_rcx: .quad 0
seen_r11: .quad 0
seen_cs: .quad 0
seen_ss: .quad 0
