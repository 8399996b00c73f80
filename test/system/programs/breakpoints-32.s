# Breakpoints of the debug registers [SDM 3B 17.2, 17.3.1]: on execution (a fault, RF), on writes, on reads and writes (traps),
# lengths and alignment, several at once; MOV SS and REP; general detect; DR4 and DR5; DR6 and DR7 themselves.
# expect: kind 1 length 0: de96d20b
# expect: kind 1 length 1: 3f6008f0
# expect: kind 1 length 3: 7b1e4b32
# expect: kind 3 length 0: e9860c44
# expect: kind 3 length 1: 1e627740
# expect: kind 3 length 3: 667e48d8
# expect: write of 4 bytes: 06/0001 flags 00000
# expect: read or write of 4 bytes, global: 06/0001 0c/0001 flags 00000
# expect: not enabled: flags 00000
# expect: two, of 2 bytes: 05/0003 0b/0002 flags 00000
# expect: REP MOVSB over it: 0f/0001 0f/0001 11/0001 flags 00000
# expect: MOV SS from it: 07/0001 flags 00000
# expect: PUSH, INC, XADD: 06/0001 0d/0001 16/0001 flags 00000
# expect: unaligned accesses: 08/0001 11/0001 flags 00000
# expect: wide accesses: 06/0001 0f/0001 1e/0001 flags 00000
# expect: execution: 01/0001 flags 00000
# expect: execution, two: 01/0001 06/0002 flags 00000
# expect: execution, within an instruction: flags 00000
# expect: execution of REP MOVSB: 0f/0001 flags 00000
# expect: execution after MOV SS: flags 00000
# expect: execution of MOV SS: 02/0001 flags 00000
# expect: execution of UD2: 00/0001 flags 00000
# expect: raised: 06
# expect: RF in the frame of #UD: 10000
# expect: execution of LOOP: 05/0001 05/0001 05/0001 flags 00000
# expect: TF and a write: 0b/4001 0c/4000 flags 00100
# expect: TF and execution: 07/4000 08/4000 flags 00100
# expect: MOV from DR0 with GD: #DB
# expect: DR7 in the handler and after it: 00000400
# expect: DR6 after it: ffff2ff0
# expect: MOV to DR7 with GD: #DB
# expect: DR7 of ones but GD: ffff07ff
# expect: DR7 of zeros: 00000400
# expect: DR6 of ones: ffff4fff
# expect: DR6 of zeros: ffff0ff0
# expect: DR3: 12345678
# expect: DR4: ok
# expect: its value: ffff0ff0
# expect: DR5: ok
# expect: the value of DR5: 00000400
# expect: DR4 with DE: #UD
# expect: to DR5 with DE: #UD
# expect: DR0 in ring 3: #GP(0000)
# expect: port 80: 02/0001 0c/0001 flags 00000
# expect: #DE before anything: flags 00000
# skip qemu: its breakpoints compare parts of accesses, do not know MOV SS, RF for REP, GD and the fixed bits of DR7
# bochs: TF and execution: 07/4001 08/4000 flags 00100 -- the trap of the instruction before is taken alone; execution breakpoints have a lower priority [SDM 3A table 6-2]
# bochs: DR7 of ones but GD: ffff0fff -- its model has RTM, bit 11
.include "system.inc"
.equ AT, 0x20000
.macro dr n, value
  mov eax, offset \value
  mov dr\n, eax
.endm
# Runs the instructions between with breakpoints as DR7 says; then shows where #DB came, and DR6
.macro watching seven, flags=2
  dr 7, 0
  dr 6, 0
  dr 7, \seven
  mov dword ptr [count], 0
  try
  mov dword ptr [base], offset 88f
88:
.endm
.macro watched name
  int BACK
  quiet
  dr 7, 0
  print "\name"
  call list
.endm
.macro sweep_kind kind, length
  mov ebp, -9
1:
  dr 7, \kind<<16|\length<<18|1
  lea ebx, [AT + ebp]
  .irp insn, "mov al, [ebx]", "mov ax, [ebx]", "mov eax, [ebx]", "mov [ebx], al", "mov [ebx], ax", "mov [ebx], eax"
  mov dword ptr [count], 0
  \insn
  nop
  mov eax, [count]
  sum eax
  .endr
  inc ebp
  cmp ebp, 9
  jl 1b
  dr 7, 0
  show_checksum "kind \kind length \length"
.endm
program 32
  fninit
  handler 1, debug
  dr 0, AT
  # every kind and length, for accesses of 1, 2 and 4 bytes around it: counts by checksum
  .irp kind, 1, 3
  .irp length, 0, 1, 3
  sweep_kind \kind, \length
  .endr
  .endr

  watching 0x00d0001
  nop
  mov [AT], eax
  nop
  mov eax, [AT]
  nop
  watched "write of 4 bytes"
  watching 0x00f0002
  nop
  mov [AT], eax
  nop
  mov eax, [AT]
  nop
  watched "read or write of 4 bytes, global"
  watching 0x00f0000
  mov [AT], eax
  watched "not enabled"
  dr 1, AT+2
  watching 0x00d50005
  mov [AT], eax
  nop
  mov [AT + 3], al
  nop
  watched "two, of 2 bytes"
  # a breakpoint that is met but not enabled shows in DR6 too, or not: the manual allows both, so it is not shown
  watching 0x00f0001
  mov ecx, 3
  mov esi, AT
  mov edi, AT + 0x100
  rep movsb
  nop
  watched "REP MOVSB over it"
  mov eax, ss
  mov [AT], eax
  watching 0x00f0001
  mov ss, [AT]
  nop
  nop
  watched "MOV SS from it"
  watching 0x00f0001
  push dword ptr [AT]
  nop
  inc dword ptr [AT]
  nop
  lock xadd [AT], eax
  nop
  watched "PUSH, INC, XADD"
  watching 0x00f0001
  mov ebx, AT
  mov eax, [ebx - 3]
  nop
  mov eax, [ebx - 4]
  nop
  mov ax, [ebx + 3]
  nop
  mov ax, [ebx + 4]
  watched "unaligned accesses"
  watching 0x00f0001
  fld qword ptr [AT - 4]
  fstp st(0)
  movups xmm0, [AT - 12]
  nop
  movups xmm0, [AT - 16]
  nop
  fnsave [AT - 100]
  nop
  watched "wide accesses"
  # on execution
  dr 0, 5f
  watching 0x401
  nop
5:
  nop
  nop
  watched "execution"
  dr 0, 5f
  dr 1, 6f
  watching 0x405
  nop
5:
  mov eax, 1
6:
  nop
  jmp 7f
7:
  nop
  watched "execution, two"
  dr 0, 5f+1
  watching 0x401
  nop
5:
  mov eax, 1
  nop
  watched "execution, within an instruction"
  dr 0, 5f
  watching 0x401
  mov ecx, 3
  mov esi, AT
  mov edi, AT + 0x100
5:
  rep movsb
  nop
  watched "execution of REP MOVSB"
  dr 0, 5f
  watching 0x401
  mov eax, ss
  mov ss, eax
5:
  nop
  nop
  watched "execution after MOV SS"
  dr 0, 5f
  watching 0x401
  mov eax, ss
5:
  mov ss, eax
  nop
  nop
  watched "execution of MOV SS"
  # RF in the frame of other faults, and by IRET
  dr 0, 5f
  watching 0x401
5:
  ud2
  watched "execution of UD2"
  show "raised", [trap_vector], 2
  mov eax, [trap_flags]
  and eax, 0x10000
  show "RF in the frame of #UD", eax, 5
  # a loop: RF is for one execution
  dr 0, 5f
  watching 0x401
  mov ecx, 3
5:
  loop 5b
  watched "execution of LOOP"
  # TF and a breakpoint at once
  dr 0, AT
  watching 0x00d0001
  push 0x102
  popfd
  mov [AT], eax
  nop
  watched "TF and a write"
  dr 0, 5f
  watching 0x401
  push 0x102
  popfd
  nop
5:
  nop
  watched "TF and execution"
  # general detect
  handler 1, stubs32+16
  dr 7, 0
  dr 6, 0
  dr 7, 0x2000
  try
  mov eax, dr0
  caught "MOV from DR0 with GD"
  mov eax, dr7
  show "DR7 in the handler and after it", eax, 8
  mov eax, dr6
  show "DR6 after it", eax, 8
  dr 6, 0
  dr 7, 0x2000
  try
  dr 7, 0
  caught "MOV to DR7 with GD"
  dr 7, 0
  dr 6, 0
  # the registers
  dr 7, 0xffffdfff
  mov eax, dr7
  push eax
  dr 7, 0
  pop eax
  show "DR7 of ones but GD", eax, 8
  mov eax, dr7
  show "DR7 of zeros", eax, 8
  dr 6, 0xffff4fff
  mov eax, dr6
  show "DR6 of ones", eax, 8
  dr 6, 0
  mov eax, dr6
  show "DR6 of zeros", eax, 8
  mov eax, 0x12345678
  mov dr3, eax
  mov eax, dr3
  show "DR3", eax, 8
  try
  .byte 0x0f, 0x21, 0xe0        # MOV EAX, DR4
  caught "DR4"
  show "its value", eax, 8
  try
  .byte 0x0f, 0x21, 0xe8
  caught "DR5"
  show "the value of DR5", eax, 8
  mov eax, cr4
  or eax, 8
  mov cr4, eax
  try
  .byte 0x0f, 0x21, 0xe0
  caught "DR4 with DE"
  try
  .byte 0x0f, 0x23, 0xe8
  caught "to DR5 with DE"
  user reads_dr
  caught "DR0 in ring 3"
  # ports
  handler 1, debug
  dr 0, 0x80
  watching 0x20401
  in al, 0x80
  nop
  out 0x81, al
  nop
  mov dx, 0x7f
  in ax, dx
  nop
  watched "port 80"
  dr 0, AT
  watching 0x00f0001
  xor eax, eax
  div eax
  watched "#DE before anything"
done
reads_dr:
  mov eax, dr0

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
  or dword ptr [esp + 20], 0x10000
  mov eax, dr6
  and eax, 0xf00f
  mov [sixes + ebx * 4], eax
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
list:
  print ":"
  xor ebx, ebx
1:
  cmp ebx, [count]
  jae 2f
  print " "
  mov eax, [steps + ebx * 4]
  hex eax, 2
  print "/"
  hex [sixes+ebx*4], 4
  inc ebx
  jmp 1b
2:
  print " flags "
  mov eax, [last_flags]
  and eax, 0x10300
  hex eax, 5
  nl
  ret
.data
.balign 4
count: .long 0
base: .long 0
last_flags: .long 0
steps: .fill 20, 4, 0
sixes: .fill 20, 4, 0
