# Interrupts that wait: after which instruction they are taken when IF, the shadow of STI or of MOV SS lets them through
# [SDM 3A 6.8.1, 6.8.3; 2B "STI"]. `sti; nop; cli` must take its interrupt.
# expect: IF clear: ok, then int 31
# expect: STI; NOP: taken at +02
# expect: STI; NOP; CLI: taken at +02
# expect: STI; CLI: ok, then int 31
# expect: STI; STI; CLI: taken at +02
# expect: STI; STI; NOP: taken at +02
# expect: STI; MOV SS; NOP: taken at +05
# expect: MOV SS; STI; NOP: taken at +06
# expect: STI; MOV DS; NOP: taken at +05
# expect: POPF: taken at +06
# expect: POPF; CLI: taken at +06
# expect: IRET: taken at +0c
# expect: POPF; POP SS; NOP: taken at +07
# expect: STI; JMP: taken at +03
# expect: STI; HLT: taken at +02
# expect: STI; INT: ok, then int 31
# expect: STI; UD2: #UD, then int 31
# expect: STI; REP MOVSB: taken at +10
# expect: ECX then: 00000002
# expect: STI; MOV; IN: taken at +06
# expect: STI; NOP; LSS: taken at +0c
# expect: POPF; LSS: taken at +0d
# expect: TPR 30: ok, then ok
# expect: TPR from 30 to 20: taken at +0f
# qemu: MOV SS; STI; NOP: taken at +05 -- of instructions that hold interrupts back only the first is sure to, see [SDM 2B "STI"]
# qemu: STI; REP MOVSB: taken at +12 -- REP after STI is interrupted after one iteration [SDM 2B "REP", "STI"]
# qemu: ECX then: 00000000 -- REP after STI is interrupted after one iteration [SDM 2B "REP", "STI"]
# bochs: STI; MOV SS; NOP: taken at +06 -- of instructions that hold interrupts back only the first is sure to, see [SDM 2B "STI"]
# bochs: TPR from 30 to 20: taken at +0d -- at once; here at the end of the block
.include "system.inc"
.include "apic.inc"
# The instructions between `pending` and `where` run with an interrupt pending; the handler notes after which it came
.macro pending
  send_self
  mov ecx, 100                  # the IPI is on its way for a while in some machines
1:
  loop 1b
  try
88:
.endm
.macro where name
99:
  cli
  quiet
  print "\name: "
  cmp dword ptr [trap_vector], VECTOR
  jne 1f
  mov eax, [trap_ip]
  sub eax, offset 88b
  print "taken at +"
  hex eax, 2
  jmp 2f
1:
  outcome
  try
  sti                           # it is still there
  nop
  nop
  cli
  quiet
  print ", then "
  outcome
2:
  end_of_interrupt
  nl
.endm
program 32
  apic_on
  handler VECTOR, taken
  pending
  nop
  nop
  where "IF clear"
  pending
  sti
  nop
  nop
  nop
  where "STI; NOP"
  pending
  sti
  nop
  cli
  nop
  where "STI; NOP; CLI"
  pending
  sti
  cli
  nop
  nop
  where "STI; CLI"
  pending
  sti
  sti
  cli
  nop
  where "STI; STI; CLI"
  pending
  sti
  sti
  nop
  nop
  where "STI; STI; NOP"
  pending
  mov eax, ss
  sti
  mov ss, eax
  nop
  nop
  where "STI; MOV SS; NOP"
  pending
  mov eax, ss
  mov ss, eax
  sti
  nop
  nop
  where "MOV SS; STI; NOP"
  pending
  mov eax, ds
  sti
  mov ds, eax
  nop
  where "STI; MOV DS; NOP"
  pending
  push 0x202
  popfd
  nop
  nop
  where "POPF"
  pending
  push 0x202
  popfd
  cli
  nop
  where "POPF; CLI"
  pending
  push 0x202
  push cs
  push offset 5f
  iretd
5:
  nop
  cli
  where "IRET"
  pending
  push ss
  push 0x202
  popfd
  pop ss
  nop
  nop
  where "POPF; POP SS; NOP"
  pending
  sti
  jmp 5f
5:
  nop
  nop
  where "STI; JMP"
  pending
  sti
  hlt
  nop
  where "STI; HLT"
  pending
  sti
  int BACK
  where "STI; INT"
  pending
  sti
  ud2
  where "STI; UD2"
  pending
  mov ecx, 3
  mov esi, 0x20000
  mov edi, 0x20000
  sti
  rep movsb
  nop
  nop
  where "STI; REP MOVSB"
  show "ECX then", [seen_ecx], 8
  pending
  sti
  mov edx, 0x80
  in al, dx
  nop
  where "STI; MOV; IN"
  # LSS has no shadow of its own
  mov [far_pointer], esp
  mov [far_pointer + 4], ss
  pending
  mov dword ptr [far_pointer], STACK - 8
  sti
  nop
  lss esp, [far_pointer]
  nop
  where "STI; NOP; LSS"
  mov [far_pointer], esp
  pending
  mov ebx, 0x202
  push ebx
  mov [far_pointer], esp
  popfd
  lss esp, [far_pointer]
  nop
  where "POPF; LSS"
  # priority: the task priority holds back
  mov eax, APIC_TPR
  mov dword ptr [eax], 0x30
  pending
  sti
  nop
  nop
  where "TPR 30"
  mov eax, APIC_TPR
  mov dword ptr [eax], 0x30
  pending
  sti
  mov eax, APIC_TPR
  nop
  mov dword ptr [eax], 0x20
  jmp 5f                        # events that a device causes are taken at the end of a block here
5:
  nop
  nop
  where "TPR from 30 to 20"
done
taken:
  mov [seen_ecx], ecx
  push -1
  push VECTOR
  jmp trap32
.data
.balign 8
seen_ecx: .long 0
far_pointer: .long 0, 0
