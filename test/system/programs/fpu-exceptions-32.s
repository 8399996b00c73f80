# How x87 and SSE exceptions are raised [SDM 1 8.6 to 8.7, 11.5; 3A 6.15]: deferred #MF with CR0.NE, which instructions report it,
# masked ones, #XM or #UD by CR4.OSXMMEXCPT, priority of #MF over #PF, state images with FIP and the like.
# expect: FNOP: #MF
# expect: FLD: #MF
# expect: FLD from nowhere: #MF
# expect: WAIT: #MF
# expect: FNINIT: ok
# expect: FNCLEX: ok
# expect: FNSTSW: ok
# expect: FNSTCW: ok
# expect: FLDCW: #MF
# expect: FNSTENV: ok
# expect: FNSAVE: ok
# expect: FRSTOR: #MF
# expect: FLDENV: #MF
# expect: FXSAVE: ok
# expect: FXRSTOR: ok
# expect: FFREE: #MF
# expect: FXCH: #MF
# expect: FINCSTP: #MF
# expect: FCMOVE: #MF
# expect: FUCOMI: #MF
# expect: EMMS: #MF
# expect: MOVQ: #MF
# expect: MOVD: #MF
# expect: PADDB: #MF
# expect: CVTPI2PS: #MF
# expect: CVTPI2PS from memory: #MF
# expect: CVTPI2PD from memory: ok
# expect: MOVDQ2Q: #MF
# expect: ADDPS: ok
# expect: FNENI: ok
# expect: FNSETPM: ok
# expect: status: b084
# expect: FIP of the cause: 00000000
# expect: FOP of it, or 0: 6f1
# expect: status after 0/0, popped nothing: b081
# expect: status after 1/0, masked: 3804
# expect: FLDCW that unmasks: ok
# expect: FNOP then: #MF
# expect: ninth FLD: ok
# expect: WAIT after it: #MF
# expect: status of the overflow: 82c1
# expect: DIVSS by zero: #XM
# expect: MXCSR: 1d84
# expect: XMM0 is as it was: 3f800000
# expect: DIVSS without OSXMMEXCPT: #UD
# expect: ADDSS with ZE left over: ok
# expect: DIVPS with IE and ZE: #XM
# expect: MXCSR of it: 1d05
# expect: DIVSS through a null segment: #GP(0000)
# skip qemu: few of its x87 instructions report a pending exception, and none through MMX
# bochs: CVTPI2PS from memory: ok -- it goes over to MMX whatever its source [SDM 2A "CVTPI2PS"]
.include "system.inc"
.macro pending_divide             # ST(0) = 1/0 with ZE unmasked
  fninit
  mov dword ptr [word], 0x37b
  fldcw [word]
  fldz
  fld1
  fdivrp st(1), st
.endm
.macro reports name, insn
  pending_divide
  try
  \insn
  caught "\name"
  fnclex
.endm
program 32
  fninit
  reports "FNOP", "fnop"
  reports "FLD", "fld1"
  reports "FLD from nowhere", "fld dword ptr fs:[0]"
  reports "WAIT", "wait"
  reports "FNINIT", "fninit"
  reports "FNCLEX", "fnclex"
  reports "FNSTSW", "fnstsw ax"
  reports "FNSTCW", "fnstcw [word]"
  reports "FLDCW", "fldcw [word]"
  reports "FNSTENV", "fnstenv [area]"
  reports "FNSAVE", "fnsave [area]"
  reports "FRSTOR", "frstor [area]"
  reports "FLDENV", "fldenv [area]"
  reports "FXSAVE", "fxsave [area]"
  reports "FXRSTOR", "fxrstor [area]"
  reports "FFREE", "ffree st(0)"
  reports "FXCH", "fxch"
  reports "FINCSTP", "fincstp"
  reports "FCMOVE", "fcmove st, st(1)"
  reports "FUCOMI", "fucomi st, st(1)"
  reports "EMMS", "emms"
  reports "MOVQ", "movq mm0, mm1"
  reports "MOVD", "movd mm0, [word]"
  reports "PADDB", "paddb mm0, mm1"
  reports "CVTPI2PS", "cvtpi2ps xmm0, mm0"
  reports "CVTPI2PS from memory", "cvtpi2ps xmm0, [area]"
  reports "CVTPI2PD from memory", "cvtpi2pd xmm0, [area]"
  reports "MOVDQ2Q", "movdq2q mm0, xmm0"
  reports "ADDPS", "addps xmm0, xmm0"
  reports "FNENI", ".byte 0xdb, 0xe0"
  reports "FNSETPM", ".byte 0xdb, 0xe4"
  # its environment: the instruction that caused it, not that which reports it
  pending_divide
  try
  wait
  quiet
  fnstenv [area]
  mov eax, [area + 4]
  and eax, 0xbfff
  show "status", eax, 4
  fninit
  mov dword ptr [word], 0x37b
  fldcw [word]
  fldz
  fld1
cause:
  fdivrp st(1), st
  try
  wait
  quiet
  fnstenv [area]
  mov eax, [area + 12]
  sub eax, offset cause
  show "FIP of the cause", eax, 8
  mov eax, [area + 16]
  shr eax, 16
  and eax, 0x7ff
  show "FOP of it, or 0", eax, 3
  fninit
  # an unmasked invalid operation leaves the operands
  mov dword ptr [word], 0x37e
  fldcw [word]
  fldz
  fldz
  fdivp st(1), st
  fnstsw ax
  movzx eax, ax
  show "status after 0/0, popped nothing", eax, 4
  fninit
  fldcw [word]
  fld1
  fldz
  fdivp st(1), st               # masked ZE
  fnstsw ax
  movzx eax, ax
  show "status after 1/0, masked", eax, 4
  # unmasking makes a pending flag count
  fninit
  fldz
  fld1
  fdivrp st(1), st
  mov dword ptr [word], 0x37b
  try
  fldcw [word]
  caught "FLDCW that unmasks"
  try
  fnop
  caught "FNOP then"
  fnclex
  # stack overflow
  fninit
  mov dword ptr [word], 0x37e
  fldcw [word]
  .rept 8
  fld1
  .endr
  try
  fld1
  caught "ninth FLD"
  try
  wait
  caught "WAIT after it"
  fnstsw ax
  movzx eax, ax
  show "status of the overflow", eax, 4
  fninit
  # without CR0.NE the error goes outside: nothing listens here
  # SSE
  mov dword ptr [word], 0x1d80  # ZE unmasked
  ldmxcsr [word]
  mov dword ptr [area], 0x3f800000
  xorps xmm1, xmm1
  movss xmm0, [area]
  try
  divss xmm0, xmm1
  caught "DIVSS by zero"
  stmxcsr [word]
  mov eax, [word]
  show "MXCSR", eax, 4
  movss [area + 4], xmm0
  mov eax, [area + 4]
  show "XMM0 is as it was", eax, 8
  mov eax, cr4
  and eax, ~0x400
  mov cr4, eax
  try
  divss xmm0, xmm1
  caught "DIVSS without OSXMMEXCPT"
  or eax, 0x400
  mov cr4, eax
  # a flag that is set already does not raise
  mov dword ptr [word], 0x1d84
  ldmxcsr [word]
  try
  addss xmm0, xmm0
  caught "ADDSS with ZE left over"
  mov dword ptr [word], 0x1d00  # ZE and IE unmasked
  ldmxcsr [word]
  # packed: one lane divides by zero, one is invalid
  xorps xmm2, xmm2
  movaps xmm3, xmm2
  movss xmm3, [area]            # 1, 0, 0, 0
  try
  divps xmm3, xmm2              # 1/0, 0/0, 0/0, 0/0
  caught "DIVPS with IE and ZE"
  stmxcsr [word]
  mov eax, [word]
  show "MXCSR of it", eax, 4
  mov dword ptr [word], 0x1f80
  ldmxcsr [word]
  # both SSE and x87: an SSE instruction does not report #MF; DIVSS from a missing page faults first
  pending_divide
  mov dword ptr [word], 0x1d80
  ldmxcsr [word]
  try
  divss xmm0, fs:[0]
  caught "DIVSS through a null segment"
  fnclex
done
.data
.balign 16
area: .fill 512, 1, 0
word: .long 0
