# Single-step by TF [SDM 3B 17.3.1.4]: after which instructions a #DB comes, what it pushes, what DR6 says.
# expect: NOPs: 01 02 03 flags 00100 DR6 ffff4ff0
# expect: REP MOVSB of 3: 05 0a 0f 0f 0f 11 12 flags 00100 DR6 ffff4ff0
# expect: REP MOVSB of 0: 05 07 08 flags 00100 DR6 ffff4ff0
# expect: PUSH SS; POP SS; NOP: 01 03 04 flags 00100 DR6 ffff4ff0
# expect: MOV SS twice: 02 06 07 08 flags 00100 DR6 ffff4ff0
# expect: JMP, CALL, RET: 03 0b 08 09 0c flags 00100 DR6 ffff4ff0
# expect: CPUID: 05 07 08 flags 00100 DR6 ffff4ff0
# expect: PUSHF: 01 02 flags 00100 DR6 ffff4ff0
# expect: TF in it: 0100
# expect: POPF that clears TF: 02 03 flags 00000 DR6 ffff4ff0
# expect: POPF that sets TF again: 05 06 07 flags 00100 DR6 ffff4ff0
# expect: IRET that keeps TF: 05 06 0b 0c 0d 0e flags 00100 DR6 ffff4ff0
# expect: IRET that clears TF: 02 03 08 09 flags 00000 DR6 ffff4ff0
# expect: IRET that sets TF: 01 02 flags 00100 DR6 ffff4ff0
# expect: INT and IRET: 01 04 05 flags 00100 DR6 ffff4ff0
# expect: INT again: 01 04 flags 00100 DR6 ffff4ff0
# expect: UD2 and IRET: 01 04 05 flags 00100 DR6 ffff4ff0
# expect: STI, CLI: 01 02 03 04 flags 00100 DR6 ffff4ff0
# expect: MOV CR0, WRMSR: 03 06 0b 0d 0f 10 flags 00100 DR6 ffff4ff0
# expect: INT1: 01 02 03 flags 00100 DR6 ffff4ff0
# expect: MOV DR6: 03 06 07 flags 00100 DR6 ffff4ff0
# expect: LOCK INC, XCHG, IN: 05 08 09 0b flags 00100 DR6 ffff4ff0
# expect: ring 3: 01 04 05 flags 00100 DR6 ffff4ff0
# expect: SYSENTER: fe 00 01 02 flags 00100 DR6 ffff4ff0
# qemu: MOV SS twice: 02 07 08 flags 00100 DR6 ffff4ff0 -- only the first of two loads of SS is sure to hold traps back [SDM 3A 6.8.3]
# qemu: STI, CLI: 02 03 04 flags 00100 DR6 ffff4ff0 -- STI does not hold single-step traps back [SDM 2B "STI"]
# qemu: INT1: 03 flags 00100 DR6 ffff4ff0 -- it does not know INT1 [SDM 2A "INT n"]
.include "system.inc"
# Runs the instructions up to `stepped` with TF set. The handler writes down the offset of each step
.macro step
  try
  mov dword ptr [count], 0
  mov dword ptr [base], offset 88f
  push 0x102
  popfd
88:
.endm
.macro stepped name
  int BACK
  quiet
  print "\name"
  call list
.endm
program 32
  handler 1, debug
  step
  nop
  nop
  nop
  stepped "NOPs"
  step
  mov ecx, 3
  mov esi, 0x20000
  mov edi, 0x20100
  rep movsb
  nop
  stepped "REP MOVSB of 3"
  step
  mov ecx, 0
  rep movsb
  nop
  stepped "REP MOVSB of 0"
  step
  push ss
  pop ss
  nop
  nop
  stepped "PUSH SS; POP SS; NOP"
  step
  mov eax, ss
  mov ss, eax
  mov ss, eax
  nop
  nop
  stepped "MOV SS twice"
  step
  jmp 1f
  nop
1:
  call 2f
  nop
  jmp 3f
2:
  ret
3:
  stepped "JMP, CALL, RET"
  step
  mov eax, 0
  cpuid
  nop
  stepped "CPUID"
  step
  pushfd
  pop eax
  stepped "PUSHF"
  and eax, 0x100
  show "TF in it", eax, 4
  step
  push 0x2
  popfd
  nop
  nop
  stepped "POPF that clears TF"
  step
  push 0x102
  popfd
  nop
  stepped "POPF that sets TF again"
  step
  push 0x102
  push cs
  push offset 1f
  iretd
1:
  nop
  nop
  stepped "IRET that keeps TF"
  step
  push 0x2
  push cs
  push offset 1f
  iretd
1:
  nop
  nop
  stepped "IRET that clears TF"
  try
  mov dword ptr [count], 0
  mov dword ptr [base], offset 1f
  push 0x102
  push cs
  push offset 1f
  iretd
1:
  nop
  nop
  stepped "IRET that sets TF"
  mov word ptr [IDT_32 + 0x38 * 8], offset returns
  gate 0x38, 0xee
  step
  nop
  int 0x38
  nop
  nop
  stepped "INT and IRET"
  step
  nop
  int 0x38
  nop
  stepped "INT again"
  handler 6, skips
  step
  nop
  ud2
  nop
  nop
  stepped "UD2 and IRET"
  step
  sti
  nop
  cli
  nop
  stepped "STI, CLI"
  step
  mov eax, cr0
  mov cr0, eax
  mov ecx, 0x174
  rdmsr
  wrmsr
  nop
  stepped "MOV CR0, WRMSR"
  step
  .byte 0xf1
  nop
  nop
  stepped "INT1"
  step
  mov edx, dr6
  mov dr6, edx
  nop
  stepped "MOV DR6"
  step
  mov eax, 0x20000
  lock inc dword ptr [eax]
  xchg eax, ebx
  in al, 0x80
  stepped "LOCK INC, XCHG, IN"
  # in ring 3, to the kernel and back
  mov dword ptr [count], 0
  mov dword ptr [base], offset outer
  user outer, 0x102
  quiet
  print "ring 3"
  call list
  # SYSENTER keeps TF: the trap comes in the kernel
  mov ecx, 0x174
  xor edx, edx
  mov eax, CODE32
  wrmsr
  inc ecx
  mov eax, STACK - 0x400
  wrmsr
  inc ecx
  mov eax, offset entered
  wrmsr
  mov dword ptr [count], 0
  mov dword ptr [base], offset entered
  user enters, 0x102
  quiet
  print "SYSENTER"
  call list
done

debug:                          # eip, cs, eflags
  push eax
  push ebx
  push ds
  mov ax, DATA
  mov ds, ax
  mov ebx, [count]
  cmp ebx, 15
  ja 1f
  mov eax, [esp + 12]
  sub eax, [base]
  mov [steps + ebx * 4], eax
  inc dword ptr [count]
  mov eax, [esp + 20]
  mov [last_flags], eax
  mov eax, dr6
  mov [last_dr6], eax
  mov eax, 0xffff0ff0
  mov dr6, eax
  pop ds
  pop ebx
  pop eax
  iretd
1:
  and dword ptr [esp + 20], ~0x100
  pop ds
  pop ebx
  pop eax
  iretd
returns:
  nop
  iretd
skips:
  add dword ptr [esp], 2
  iretd
outer:
  nop
  int 0x38
  nop
  nop
  back
enters:
  nop
  sysenter
entered:
  nop
  nop
  back
list:
  print ":"
  xor ebx, ebx
1:
  cmp ebx, [count]
  jae 2f
  print " "
  mov eax, [steps + ebx * 4]
  hex eax, 2
  inc ebx
  jmp 1b
2:
  print " flags "
  mov eax, [last_flags]
  and eax, 0x10300
  hex eax, 5
  print " DR6 "
  hex [last_dr6], 8
  nl
  ret
.data
.balign 4
count: .long 0
base: .long 0
last_flags: .long 0
last_dr6: .long 0
steps: .fill 20, 4, 0
