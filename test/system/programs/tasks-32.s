# Task switches [SDM 3A chapter 7]: JMP, CALL, IRET with NT, events through task gates; between TSSs of 32 and 16 bits, to
# virtual-8086 mode and rings; what is saved, what is loaded; faults of the old task and of the new one.
# expect: JMP to a TSS: ok
# expect: after JMP: flags 00000002 aaaa0001 cccc0002 0000f7fc 00000100 00000018 00000010 00000010 TS 8
# expect: saved by JMP: 00000046 0000f000 0010 0018 0010 0010 0000
# expect: busy after JMP: 0089 008b
# expect: JMP to a task gate: ok
# expect: busy after JMP to a gate: 0089 008b
# expect: CALL and IRET: ok
# expect: EAX is back: 12345678
# expect: flags after IRET: 00000046
# expect: TR after IRET: 0058
# expect: flags in the task: 00004002
# expect: link: 0058
# expect: flags saved by IRET: 00000002
# expect: busy after IRET: 008b 0089
# expect: CALL again: ok
# expect: it went on: 0001
# expect: JMP to a 16-bit TSS: ok
# expect: after JMP to 16 bits: flags 00000002 ffff1111 ffff2222 0000f7fc 00000108 00000018 00000050 00000000 TS 8
# expect: JMP to a 16-bit TSS, CALL to a 32-bit one: ok
# expect: saved by the 16-bit task: 0402 1111 2222 f800 0010 0018 0050 0010
# expect: link to the 16-bit task: 0108
# expect: INT through a task gate: ok
# expect: after INT: flags 00004002 aaaa0001 cccc0002 0000f7fc 00000100 00000018 00000010 00000010 TS 8
# expect: INT in ring 3 through a task gate: ok
# expect: after INT in ring 3: flags 00004002 aaaa0001 cccc0002 0000f7fc 00000100 00000018 00000010 00000010 TS 8
# expect: CS saved: 002b
# expect: INT in ring 3 through a task gate of DPL 0: #GP(018a)
# expect: INT through an absent task gate: #NP(018a)
# expect: #GP through a task gate: ok
# expect: error code on the new stack: 00003000
# expect: ESP in the task: 0000f7fc
# expect: #GP through a task gate to a short TSS: #DF(0000)
# expect: busy TSS: #GP(0100)
# expect: absent TSS: #NP(0100)
# expect: short TSS: #TS(0100)
# expect: short 16-bit TSS: #TS(0108)
# expect: JMP to itself: #GP(0058)
# expect: JMP to a TSS in the LDT: #GP(0104)
# expect: JMP to a TSS from ring 3: #GP(0100)
# expect: JMP to a task gate of DPL 0 from ring 3: #GP(0110)
# expect: JMP to a task gate of DPL 3 from ring 3: ok
# expect: CPL's CS: 0018
# expect: JMP to a task gate with RPL 3: #GP(0110)
# expect: absent task gate: #NP(0110)
# expect: task gate to 0: #GP(0000)
# expect: task gate to 0x1f0: #GP(01f0)
# expect: task gate to 0x300: #GP(0300)
# expect: task gate to DATA: #GP(0010)
# expect: task gate to T32+4: #GP(0104)
# expect: IRET to the task 0: #TS(0000)
# expect: IRET to the task 0x300: #TS(0300)
# expect: IRET to the task T32: #TS(0100)
# expect: IRET to the task DATA: #TS(0010)
# expect: IRET to the task T32+4: #TS(0104)
# expect: CS is 0: #TS(0000)
# expect: CS is 4: #TS(0004)
# expect: CS is DATA: #TS(0010)
# expect: CS is UCODE32-3: #TS(0028)
# expect: CS is UCODE32: #TS(0010)
# expect: CS is 0x300: #TS(0300)
# expect: CS is of ring 0 with RPL 3: #TS(0018)
# expect: CS is absent: #NP(0128)
# expect: CS is conforming, DPL 3: #TS(0128)
# expect: SS is 0: #TS(0000)
# expect: SS is CODE32: #TS(0018)
# expect: SS is UDATA: #TS(0030)
# expect: SS is UDATA-3: #TS(0030)
# expect: SS is DATA+3: #TS(0010)
# expect: SS is 0x300: #TS(0300)
# expect: SS is absent: #SS(0128)
# expect: DS is absent: #NP(0128)
# expect: DS is execute-only: #TS(0128)
# expect: GS is 0: ok
# expect: GS is 0x300: #TS(0300)
# expect: GS is DATA+3: #TS(0010)
# expect: GS is TSS: #TS(0058)
# expect: GS is UDATA: ok
# expect: LDT is LDT_B+4: #TS(0124)
# expect: LDT is DATA: #TS(0010)
# expect: LDT is 0x300: #TS(0300)
# expect: LDT is TSS: #TS(0058)
# expect: LDT is absent: #TS(0120)
# expect: GS in the LDT: ok
# expect: LDTR in the task: 0120
# expect: GS beyond the LDT: #TS(000c)
# expect: EIP beyond CS: #GP(0000)
# expect: #UD's task has a bad DS: #TS(0059)
# expect: its TR: 0100
# expect: its link: 0058
# expect: #DE's task has a bad DS: #DF(0000)
# expect: INT's task has a bad DS: #TS(0058)
# expect: #UD's TSS is short: #TS(0101)
# expect: #UD's TSS is busy: #GP(0101)
# expect: task in ring 3: ok
# expect: task in virtual-8086 mode: ok
# expect: flags of virtual-8086 mode: 00023002
# expect: GS of virtual-8086 mode: 0010
# expect: T: #DB
# expect: DR6: 8000
# expect: DR7: 0400
# expect: JMP to another address space: ok
# expect: read there: 22222222
# expect: CR3: 00042000
# expect: TSS in absent page 0x60: #PF(0000) at 00060fd0
# expect: TSS in absent page 0x61: #PF(0000) at 00061037
# expect: CALL to a TSS in a read-only page: #PF(0003) at 00060fd0
# expect: TR after all: 0058
# qemu: after JMP to 16 bits: flags 00000002 89ab1111 76542222 0000f7fc 00000108 00000018 00000050 00000000 TS 8 -- the manual leaves the upper halves open; it keeps them, Bochs sets them
# qemu: task gate to T32+4: #TS(0104) -- only a return has #TS here [SDM 3A table 7-1]
# qemu: SS is absent: #NP(0128) -- an absent stack segment is #SS [SDM 3A table 7-1]
# qemu: #UD's task has a bad DS: #TS(0058) -- it does not set EXT [SDM 3A 6.13]
# qemu: #UD's TSS is short: #TS(0100) -- it does not set EXT [SDM 3A 6.13]
# qemu: #UD's TSS is busy: #GP(0100) -- it does not set EXT [SDM 3A 6.13]
# qemu: T: ok -- it does not know the T bit [SDM 3B 17.3.1.5]
# qemu: DR6: 0000 -- it does not know the T bit [SDM 3B 17.3.1.5]
# qemu: TSS in absent page 0x60: #PF(0000) at 00060fec -- the manual leaves open what is looked up first
# qemu: TSS in absent page 0x61: #PF(0000) at 00061000 -- the manual leaves open what is looked up first
.include "system.inc"
.equ T32,   0x100               # a 32-bit TSS, for `task32`
.equ T16,   0x108               # a 16-bit TSS, for `task16`
.equ GATE,  0x110               # task gate to T32
.equ GATE3, 0x118               # the same with DPL 3
.equ LDT_B, 0x120               # an LDT with one segment
.equ BAD,   0x128               # descriptors for faults
.equ PAGES, 0x40000
.macro jump_task selector
  jump_far \selector, 0
.endm
.macro call_task selector
  call_far \selector, 0
.endm
program 32
  jmp begin
# T32 as a task of ring 0 that starts at `task32`, idle; T16 likewise; this one busy
fresh:
  pushad
  mov edi, offset t32
  mov ecx, 0x68 / 4
  xor eax, eax
  rep stosd
  mov edi, offset t16
  mov ecx, 0x2c / 4
  rep stosd
  mov dword ptr [t32 + 4], STACK1
  mov dword ptr [t32 + 8], DATA
  mov dword ptr [t32 + 0x20], offset task32
  mov dword ptr [t32 + 0x24], 2
  mov dword ptr [t32 + 0x28], 0xaaaa0001
  mov dword ptr [t32 + 0x2c], 0xcccc0002
  mov dword ptr [t32 + 0x38], STACK2
  mov dword ptr [t32 + 0x3c], 0xbbbb0003
  mov dword ptr [t32 + 0x4c], CODE32
  .irp at, 0x48, 0x50, 0x54, 0x58, 0x5c
  mov dword ptr [t32 + \at], DATA
  .endr
  mov word ptr [t32 + 0x66], 0x68
  mov word ptr [t16 + 0x02], STACK1
  mov word ptr [t16 + 0x04], DATA
  mov word ptr [t16 + 0x0e], offset task16
  mov word ptr [t16 + 0x10], 2
  mov word ptr [t16 + 0x12], 0x1111
  mov word ptr [t16 + 0x14], 0x2222
  mov word ptr [t16 + 0x1a], STACK2
  mov word ptr [t16 + 0x22], DATA
  mov word ptr [t16 + 0x24], CODE32
  mov word ptr [t16 + 0x26], DATA16     # SP only: the upper half of ESP is anything
  mov word ptr [t16 + 0x28], DATA
  descriptor T32, 0, 0x67, 0x89
  descriptor T16, 0, 0x2b, 0x81
  mov eax, offset t32
  mov [gdt + T32 + 2], ax
  mov eax, offset t16
  mov [gdt + T16 + 2], ax
  descriptor GATE, 0, 0, 0x85
  descriptor GATE3, 0, 0, 0xe5
  mov word ptr [gdt + GATE + 2], T32
  mov word ptr [gdt + GATE3 + 2], T32
  descriptor LDT_B, 0, 7, 0x82
  mov eax, offset ldt_b
  mov [gdt + LDT_B + 2], ax
  clts
  popad
  ret
# Back to this TSS, whatever the current task is: it and only it is busy; nothing is saved that counts
home:
  mov byte ptr ss:[gdt + TSS + 5], 0x89
  pushd 0
  mov word ptr [esp], TSS
  ltr word ptr [esp]
  pop eax
  xor eax, eax
  lldt ax
  mov fs, eax
  mov gs, eax
  pushfd
  and dword ptr [esp], ~0x4000
  popfd
  clts
  ret
.macro again                    # after `quiet` or `caught`, anywhere
  call home
  call fresh
.endm
# Where tasks tell what they found
.macro state name
  print "\name: "
  call show_state
.endm
begin:
  call fresh
  # JMP
  try
  jump_task T32
  caught "JMP to a TSS"
  state "after JMP"
  call show_saved
  call show_busy
  again
  try
  jump_task GATE
  caught "JMP to a task gate"
  call show_busy2
  again
  # CALL, and IRET back
  mov eax, offset task32_returns
  mov [t32 + 0x20], eax
  try
  mov eax, 0x12345678
  call_task T32
1:
  mov [seen_eax], eax
  pushfd
  pop dword ptr [seen_flags]
  str word ptr [seen_tr]
  back
  caught "CALL and IRET"
  show "EAX is back", [seen_eax], 8
  show "flags after IRET", [seen_flags], 8
  show "TR after IRET", [seen_tr], 4
  show "flags in the task", [task_flags], 8
  movzx eax, word ptr [t32]
  show "link", eax, 4
  mov eax, [t32 + 0x24]
  show "flags saved by IRET", eax, 8
  call show_busy3
  # the task goes on behind its IRET
  try
  call_task GATE
  back
  caught "CALL again"
  show "it went on", [went_on], 4
  again

  # 16 bits
  try
  mov eax, 0x89abcdef
  mov ecx, 0x76543210
  jump_task T16
  caught "JMP to a 16-bit TSS"
  state "after JMP to 16 bits"
  again
  mov word ptr [t16 + 0x0e], offset task16_calls
  try
  jump_task T16
  caught "JMP to a 16-bit TSS, CALL to a 32-bit one"
  print "saved by the 16-bit task:"
  .irp at, 0x10, 0x12, 0x14, 0x1a, 0x22, 0x24, 0x26, 0x28
  movzx eax, word ptr [t16 + \at]
  call space_word
  .endr
  nl
  movzx eax, word ptr [t32]
  show "link to the 16-bit task", eax, 4
  again

  # events
  mov dword ptr [IDT_32 + 0x31 * 8], T32 << 16
  mov dword ptr [IDT_32 + 0x31 * 8 + 4], 0xe500
  try
  int 0x31
  caught "INT through a task gate"
  state "after INT"
  again
  user asks
  caught "INT in ring 3 through a task gate"
  state "after INT in ring 3"
  show "CS saved", [tss32 + 0x4c], 4
  again
  gate 0x31, 0x85
  user asks
  caught "INT in ring 3 through a task gate of DPL 0"
  again
  gate 0x31, 0x65
  user asks
  caught "INT through an absent task gate"
  gate 0x31, 0xe5
  again
  mov eax, [IDT_32 + 13 * 8]
  mov [old_gate], eax
  mov eax, [IDT_32 + 13 * 8 + 4]
  mov [old_gate + 4], eax
  mov dword ptr [IDT_32 + 13 * 8], T32 << 16
  mov dword ptr [IDT_32 + 13 * 8 + 4], 0x8500
  mov dword ptr [t32 + 0x20], offset task32_code
  try
  mov eax, 0x3000
  mov ds, eax
  caught "#GP through a task gate"
  show "error code on the new stack", [task_code], 8
  show "ESP in the task", [task_esp], 8
  again
  mov dword ptr [t32 + 0x20], offset task32_code
  mov word ptr [gdt + T32], 0x66
  try
  mov eax, 0x3000
  mov ds, eax
  caught "#GP through a task gate to a short TSS"
  mov eax, [old_gate]
  mov [IDT_32 + 13 * 8], eax
  mov eax, [old_gate + 4]
  mov [IDT_32 + 13 * 8 + 4], eax
  again

  # faults of the old task
  .macro bad_jump name, what
  \what
  try
  jump_task T32
  caught "\name"
  call home
  call fresh
  .endm
  bad_jump "busy TSS", "mov byte ptr [gdt + T32 + 5], 0x8b"
  bad_jump "absent TSS", "mov byte ptr [gdt + T32 + 5], 0x09"
  bad_jump "short TSS", "mov word ptr [gdt + T32], 0x66"
  mov word ptr [gdt + T16], 0x2a
  try
  jump_task T16
  caught "short 16-bit TSS"
  again
  try
  jump_task TSS
  caught "JMP to itself"
  try
  jump_task (T32 + 4)
  caught "JMP to a TSS in the LDT"
  user jumps
  caught "JMP to a TSS from ring 3"
  user jumps_gate
  caught "JMP to a task gate of DPL 0 from ring 3"
  user jumps_gate3
  caught "JMP to a task gate of DPL 3 from ring 3"
  show "CPL's CS", [task_cs], 4
  again
  try
  jump_task (GATE + 3)
  caught "JMP to a task gate with RPL 3"
  descriptor GATE, 0, 0, 0x05
  try
  jump_task GATE
  caught "absent task gate"
  .irp target, 0, 0x1f0, 0x300, DATA, T32+4
  descriptor GATE, 0, 0, 0x85
  mov word ptr [gdt + GATE + 2], \target
  try
  jump_task GATE
  caught "task gate to \target"
  .endr
  again
  .irp link, 0, 0x300, T32, DATA, T32+4
  mov word ptr [tss32], \link
  try
  pushd 0x4002
  popfd
  iretd
  caught "IRET to the task \link"
  .endr
  pushd 2
  popfd
  mov word ptr [tss32], 0
  again

  # faults of the new task
  .macro bad_task name, what
  \what
  try
  jump_task T32
  caught "\name"
  call show_where
  call home
  call fresh
  .endm
  .irp n, 0, 4, DATA, UCODE32-3, UCODE32, 0x300
  bad_task "CS is \n", "mov word ptr [t32 + 0x4c], \n"
  .endr
  .irp at, 0x48, 0x50, 0x54, 0x58, 0x5c
  mov word ptr [t32 + \at], UDATA
  .endr
  bad_task "CS is of ring 0 with RPL 3", "mov word ptr [t32 + 0x4c], CODE32+3"
  descriptor BAD, 0, 0xfffff, 0xc01b
  bad_task "CS is absent", "mov word ptr [t32 + 0x4c], BAD"
  descriptor BAD, 0, 0xfffff, 0xc0ff
  bad_task "CS is conforming, DPL 3", "mov word ptr [t32 + 0x4c], BAD"
  .irp n, 0, CODE32, UDATA, UDATA-3, DATA+3, 0x300
  bad_task "SS is \n", "mov word ptr [t32 + 0x50], \n"
  .endr
  descriptor BAD, 0, 0xfffff, 0xc013
  bad_task "SS is absent", "mov word ptr [t32 + 0x50], BAD"
  bad_task "DS is absent", "mov word ptr [t32 + 0x54], BAD"
  descriptor BAD, 0, 0xfffff, 0xc099
  bad_task "DS is execute-only", "mov word ptr [t32 + 0x54], BAD"
  .irp n, 0, 0x300, DATA+3, TSS, UDATA
  bad_task "GS is \n", "mov word ptr [t32 + 0x5c], \n"
  .endr
  .irp n, LDT_B+4, DATA, 0x300, TSS
  bad_task "LDT is \n", "mov word ptr [t32 + 0x60], \n"
  .endr
  mov byte ptr [gdt + LDT_B + 5], 0x02
  bad_task "LDT is absent", "mov word ptr [t32 + 0x60], LDT_B"
  mov word ptr [t32 + 0x60], LDT_B
  bad_task "GS in the LDT", "mov word ptr [t32 + 0x5c], 4"
  show "LDTR in the task", [task_ldt], 4
  mov word ptr [t32 + 0x60], LDT_B
  bad_task "GS beyond the LDT", "mov word ptr [t32 + 0x5c], 12"
  mov word ptr [t32 + 0x4c], CODE16
  bad_task "EIP beyond CS", "mov dword ptr [t32 + 0x20], 0x10000"

  # the same through gates: EXT, and double faults
  .irp vector, 6, 0
  mov dword ptr [IDT_32 + \vector * 8], T32 << 16
  mov dword ptr [IDT_32 + \vector * 8 + 4], 0x8500
  .endr
  mov word ptr [t32 + 0x54], TSS
  try
  ud2
  caught "#UD's task has a bad DS"
  str ax
  show "its TR", eax, 4
  mov eax, [t32]
  show "its link", eax, 4
  again
  mov word ptr [t32 + 0x54], TSS
  try
  xor eax, eax
  div eax
  caught "#DE's task has a bad DS"
  again
  mov word ptr [t32 + 0x54], TSS
  try
  int 0x31
  caught "INT's task has a bad DS"
  again
  mov word ptr [gdt + T32], 0x66
  try
  ud2
  caught "#UD's TSS is short"
  mov byte ptr [gdt + T32 + 5], 0x8b
  try
  ud2
  caught "#UD's TSS is busy"
  again

  # a task in ring 3, one in virtual-8086 mode; T
  mov word ptr [t32 + 0x50], UDATA
  .irp at, 0x48, 0x54, 0x58, 0x5c
  mov word ptr [t32 + \at], UDATA
  .endr
  mov dword ptr [t32 + 0x20], offset back_32
  bad_task "task in ring 3", "mov word ptr [t32 + 0x4c], UCODE32"
  mov dword ptr [t32 + 0x24], 0x23002
  mov dword ptr [t32 + 0x20], 0
  mov word ptr [FREE], 0x30cd
  bad_task "task in virtual-8086 mode", "mov word ptr [t32 + 0x4c], FREE / 16"
  mov eax, [STACK1 - 28]        # CS, EFLAGS, ESP, SS, ES, DS, FS, GS end at STACK1
  show "flags of virtual-8086 mode", eax, 8
  mov eax, [STACK1 - 4]
  show "GS of virtual-8086 mode", eax, 4
  mov eax, 0x455
  mov dr7, eax
  bad_task "T", "mov word ptr [t32 + 0x64], 1"
  mov eax, dr6
  and eax, 0xe00f
  show "DR6", eax, 4
  mov eax, dr7
  show "DR7", eax, 4

  # CR3
  mov edi, PAGES
  mov dword ptr [edi], PAGES + 0x1000 + 7
  mov dword ptr [edi + 0x2000], PAGES + 0x3000 + 7
  mov eax, 7
  xor ecx, ecx
1:
  mov [edi + 0x1000 + ecx * 4], eax
  mov [edi + 0x3000 + ecx * 4], eax
  add eax, 0x1000
  inc ecx
  cmp ecx, 0x400
  jb 1b
  mov dword ptr [edi + 0x1000 + 4 * (FREE >> 12)], 0x50007
  mov dword ptr [edi + 0x3000 + 4 * (FREE >> 12)], 0x51007
  mov dword ptr [0x50000], 0x11111111
  mov dword ptr [0x51000], 0x22222222
  mov eax, PAGES
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov dword ptr [t32 + 0x1c], PAGES + 0x2000
  mov dword ptr [t32 + 0x20], offset task32_reads
  try
  jump_task T32
  caught "JMP to another address space"
  show "read there", [seen_eax], 8
  mov eax, cr3
  show "CR3", eax, 8
  again
  mov eax, PAGES
  mov cr3, eax
  # TSSs in pages that are absent or read-only (for the supervisor too: WP)
  mov eax, cr0
  or eax, 0x10000
  mov cr0, eax
  mov edi, 0x60000              # a TSS across two pages
  mov word ptr [gdt + T32 + 2], 0x0fd0
  mov byte ptr [gdt + T32 + 4], 6
  .irp page, 0x60, 0x61
  mov dword ptr [PAGES + 0x1000 + 4 * \page], 0
  mov eax, PAGES
  mov cr3, eax
  try
  jump_task T32
  caught "TSS in absent page \page"
  mov dword ptr [PAGES + 0x1000 + 4 * \page], \page << 12 | 7
  .endr
  mov eax, PAGES
  mov cr3, eax
  mov dword ptr [PAGES + 0x1000 + 4 * 0x60], 0x60005
  mov eax, PAGES
  mov cr3, eax
  try
  call_task T32
  caught "CALL to a TSS in a read-only page"
  mov dword ptr [PAGES + 0x1000 + 4 * 0x60], 0x60007
  str ax
  show "TR after all", eax, 4
done

show_state:
  print "flags "
  mov eax, [task_flags]
  hex eax, 8
  .irp what, task_eax, task_ecx, task_esp, task_tr, task_cs, task_ss, task_fs
  print " "
  mov eax, [\what]
  hex eax, 8
  .endr
  print " TS "
  mov eax, [task_cr0]
  and eax, 8
  hex eax, 1
  nl
  ret
show_saved:
  print "saved by JMP:"
  mov eax, [tss32 + 0x24]
  call space_dword
  mov eax, [tss32 + 0x38]
  call space_dword
  .irp at, 0x48, 0x4c, 0x50, 0x54, 0x58
  movzx eax, word ptr [tss32 + \at]
  call space_word
  .endr
  nl
  ret
.macro busy_bits name
  print "\name:"
  movzx eax, byte ptr [gdt + TSS + 5]
  call space_word
  movzx eax, byte ptr [gdt + T32 + 5]
  call space_word
  nl
  ret
.endm
show_busy: busy_bits "busy after JMP"
show_busy2: busy_bits "busy after JMP to a gate"
show_busy3: busy_bits "busy after IRET"
space_dword:
  print " "
  hex eax, 8
  ret
space_word:
  print " "
  hex eax, 4
  ret
# In which task the fault was: the low byte of TR and where it was raised
show_where:
  str ax
  mov [seen_tr], ax
  sum [trap_cs]
  mov eax, [trap_ip]
  sub eax, offset task32
  ret

asks:
  int 0x31
jumps:
  jump_task T32
jumps_gate:
  jump_task GATE
jumps_gate3:
  jump_task (GATE3 + 3)
back_32:
  back

observe:
  mov [task_eax], eax
  mov [task_ecx], ecx
  mov [task_esp], esp
  pushfd
  pop dword ptr [task_flags]
  mov eax, cr0
  mov [task_cr0], eax
  str word ptr [task_tr]
  sldt word ptr [task_ldt]
  mov [task_cs], cs
  mov [task_ss], ss
  mov [task_fs], fs
  ret
task32:
  call observe
  back
task32_returns:
  call observe
  mov eax, 0xdead
  iretd
  inc dword ptr [went_on]
  iretd
task32_code:
  mov [task_esp], esp
  pop dword ptr [task_code]
  back
task32_reads:
  mov eax, [FREE]
  mov [seen_eax], eax
  back
task16:
  movzx esp, sp                 # the handlers' need
  call observe
  back
task16_calls:
  std
  call_task T32
.data
.balign 8
t32: .fill 0x68, 1, 0
.balign 8
t16: .fill 0x2c, 1, 0
.balign 8
ldt_b: .quad 0x00cf93000000ffff
old_gate: .quad 0
seen_eax: .long 0
seen_flags: .long 0
seen_tr: .long 0
went_on: .long 0
task_eax: .long 0
task_ecx: .long 0
task_esp: .long 0
task_flags: .long 0
task_cr0: .long 0
task_tr: .long 0
task_ldt: .long 0
task_cs: .long 0
task_ss: .long 0
task_fs: .long 0
task_code: .long 0
