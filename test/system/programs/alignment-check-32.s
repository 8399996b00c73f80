# Alignment checks [SDM 3A 6.15, interrupt 17]: by CR0.AM, RFLAGS.AC and ring; every size and offset; what is exempt; #AC against
# #PF and #GP.
# expect: without CR0.AM: 0000 of 0010 faulted, checksum 00000000
# expect: byte: 0000 of 0010 faulted, checksum 00000000
# expect: word: 0008 of 0010 faulted, checksum efb51150
# expect: doubleword: 000c of 0010 faulted, checksum 3008d6e8
# expect: MOVQ: 000e of 0010 faulted, checksum d4b27034
# expect: FLD single: 000c of 0010 faulted, checksum 3008d6e8
# expect: FLD double: 000e of 0010 faulted, checksum d4b27034
# expect: FLD extended: 000e of 0010 faulted, checksum d4b27034
# expect: FBSTP: 000e of 0010 faulted, checksum d4b27034
# expect: FILD: 000e of 0010 faulted, checksum d4b27034
# expect: MOVSS: 000c of 0010 faulted, checksum 3008d6e8
# expect: MOVSD: 000e of 0010 faulted, checksum d4b27034
# expect: write: 000c of 0010 faulted, checksum 3008d6e8
# expect: read-modify-write: 000c of 0010 faulted, checksum 3008d6e8
# expect: PUSH from: 000c of 0010 faulted, checksum 3008d6e8
# expect: POP to: 000c of 0010 faulted, checksum 3008d6e8
# expect: stack: 000c of 0010 faulted, checksum 3008d6e8
# expect: stack of words: 0008 of 0010 faulted, checksum efb51150
# expect: PUSHA: 000c of 0010 faulted, checksum 3008d6e8
# expect: CALL: 000c of 0010 faulted, checksum 3008d6e8
# expect: LES: 000c of 0010 faulted, checksum 3008d6e8
# expect: JMP through: 0010 of 0010 faulted, checksum 99bf5240
# expect: CMPXCHG8B: 000e of 0010 faulted, checksum d4b27034
# expect: BOUND: 0010 of 0010 faulted, checksum 15225eb0
# expect: MOVSD string: 000c of 0010 faulted, checksum 3008d6e8
# expect: SGDT: 000c of 0010 faulted, checksum 596b8ca8
# expect: FXSAVE: 000f of 0010 faulted, checksum 4935dec6
# expect: FNSTENV: 000c of 0010 faulted, checksum 3008d6e8
# expect: FNSTCW: 0008 of 0010 faulted, checksum efb51150
# expect: BT: 000c of 0010 faulted, checksum 3008d6e8
# expect: BT of far away: 000c of 0010 faulted, checksum 3008d6e8
# expect: and AC cleared: ok
# expect: an access through a null segment: #GP(0000)
# expect: ring 2: ok
# expect: ring 0: ok
# expect: with an unaligned stack for the handler: #AC(0000)
# expect: and a missing page: #AC(0000)
# expect: aligned, and a missing page: #PF(0004) at 00400004
# expect: across into a missing page: #AC(0000)
# skip qemu: it has no alignment checks
.include "system.inc"
.macro sweep name, insn
  .pushsection .text
  user\@:
  \insn
  back
  .popsection
  mov ebp, 0
1:
  lea ebx, [0x20000 + ebp]
  user user\@, 0x40002
  quiet
  note
  inc ebp
  cmp ebp, 16
  jb 1b
  show_counts "\name"
.endm
.macro once name, insn
  .pushsection .text
  once\@:
  \insn
  back
  .popsection
  user once\@, 0x40002
  caught "\name"
.endm
program 32
  fninit
  sweep "without CR0.AM", "mov eax, [ebx]"
  mov eax, cr0
  or eax, 0x40000
  mov cr0, eax
  sweep "byte", "mov al, [ebx]"
  sweep "word", "mov ax, [ebx]"
  sweep "doubleword", "mov eax, [ebx]"
  sweep "MOVQ", "movq mm0, [ebx]; emms"
  sweep "FLD single", "fld dword ptr [ebx]; fstp st(0)"
  sweep "FLD double", "fld qword ptr [ebx]; fstp st(0)"
  sweep "FLD extended", "fld tbyte ptr [ebx]; fstp st(0)"
  sweep "FBSTP", "fldz; fbstp tbyte ptr [ebx]"
  sweep "FILD", "fild qword ptr [ebx]; fstp st(0)"
  sweep "MOVSS", "movss xmm0, [ebx]"
  sweep "MOVSD", "movsd xmm0, qword ptr [ebx]"
  sweep "write", "mov [ebx], eax"
  sweep "read-modify-write", "inc dword ptr [ebx]"
  sweep "PUSH from", "push dword ptr [ebx]"
  sweep "POP to", "push eax; pop dword ptr [ebx]"
  sweep "stack", "mov esp, ebx; push eax"
  sweep "stack of words", "mov esp, ebx; push ax"
  sweep "PUSHA", "mov esp, ebx; pusha"
  sweep "CALL", "lea esp, [ebx + 16]; call 1f; 1:"
  sweep "LES", "mov dword ptr [ebx + 4], 0; les eax, [ebx]"
  sweep "JMP through", "jmp [ebx]"
  sweep "CMPXCHG8B", "cmpxchg8b [ebx]"
  sweep "BOUND", "mov dword ptr [0x2000c], -1; bound eax, [ebx]"
  sweep "MOVSD string", "mov esi, ebx; mov edi, 0x20100; movsd"
  sweep "SGDT", "sgdt [ebx]"
  sweep "FXSAVE", "fxsave [ebx]"
  sweep "FNSTENV", "fnstenv [ebx]; fldcw [control]"
  sweep "FNSTCW", "fnstcw [ebx]"
  sweep "BT", "bt dword ptr [ebx], eax"
  sweep "BT of far away", "mov eax, 0x55; bt dword ptr [ebx], eax"
  once "and AC cleared", "push 2; popfd; mov eax, [0x20001]"
  once "an access through a null segment", "xor eax, eax; mov fs, ax; mov eax, fs:[1]"
  ring CODE2, DATA2, reads, 0x40002
  caught "ring 2"
  try
  push 0x40002
  popfd
  mov eax, [0x20001]
  caught "ring 0"
  # delivery uses the supervisor's rights: an unaligned TRAP_STACK is no matter
  mov dword ptr [tss32 + 4], TRAP_STACK - 1
  user reads, 0x40002
  caught "with an unaligned stack for the handler"
  # page faults, with paging on
  mov dword ptr [0x18000], 0x87
  mov dword ptr [0x18004], 0
  mov eax, 0x610
  mov cr4, eax
  mov eax, 0x18000
  mov cr3, eax
  mov eax, 0x80040031
  mov cr0, eax
  once "and a missing page", "mov eax, [0x400001]"
  once "aligned, and a missing page", "mov eax, [0x400004]"
  once "across into a missing page", "mov eax, [0x3fffff]"
done
reads:
  mov eax, [0x20001]
  back
.data
control: .word 0x37f
