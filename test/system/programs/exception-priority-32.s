# Which of several exceptions an instruction raises [SDM 3A 6.9, table 6-2; 2A and 2B]: those of the instruction before, fetch,
# decoding, execution, in this order.
# expect: 15 bytes: ok
# expect: 16 bytes: #GP(0000)
# expect: 15 bytes with operands: ok
# expect: 16 bytes of UD2: #GP(0000)
# expect: 15 bytes of UD2: #UD
# expect: LOCK MOV: #UD
# expect: LOCK ADD to a register: #UD
# expect: LOCK ADD to a missing page: #PF(0002) at 00400000
# expect: LOCK HLT in ring 3: #UD
# expect: MOV CR1 in ring 3: #UD
# expect: MOV CR7 in ring 3: #UD
# expect: MOV CR0 in ring 3: #GP(0000)
# expect: LGDT from a missing page in ring 3: #GP(0000)
# expect: LGDT of a register in ring 3: #UD
# expect: INVLPG of a register in ring 3: #UD
# expect: LLDT from a missing page in ring 3: #GP(0000)
# expect: LTR in ring 3: #GP(0000)
# expect: RDMSR of nothing in ring 3: #GP(0000)
# expect: CLI in ring 3: #GP(0000)
# expect: IN in ring 3: #GP(0000)
# expect: INS to a missing page in ring 3: #GP(0000)
# expect: OUTS from a missing page in ring 3: #GP(0000)
# expect: CLTS in ring 3: #GP(0000)
# expect: WBINVD in ring 3: #GP(0000)
# expect: null segment and missing page: #GP(0000)
# expect: MOV SS from a missing page: #PF(0000) at 00400000
# expect: MOV CS from a missing page: #UD
# expect: MOV segment 6 from a missing page: #UD
# expect: LES of a register: #UD
# expect: BOUND from a missing page: #PF(0000) at 00400000
# expect: BOUND of a register: #UD
# expect: JMP far of a register: #UD
# expect: CALL far from a missing page: #PF(0000) at 00400000
# expect: LEA of a register: #UD
# expect: CMPXCHG8B of a register: #UD
# expect: group 5 /7: #UD
# expect: group 11 /1: #UD
# expect: 0F FF: #UD
# expect: 0F 0B: #UD
# expect: 0F B9: #UD
# expect: DIV by a missing page: #PF(0000) at 00400000
# expect: DIV by zero: #DE
# expect: DIV overflow: #DE
# expect: IDIV overflow: #DE
# expect: AAM 0: #DE
# expect: POP to a missing page: #PF(0002) at 00400000
# expect: XCHG with a missing page: #PF(0002) at 00400000
# expect: FLD from a missing page: #PF(0000) at 00400000
# expect: FLD with TS: #NM
# expect: FLD with TS and a null segment: #NM
# expect: D9 D1 with TS: #UD
# expect: DB E5 with TS: #UD
# expect: WAIT with TS, without MP: ok
# expect: MOVUPS with TS: #NM
# expect: MOVAPS unaligned with TS: #NM
# expect: MOVQ with TS: #NM
# expect: EMMS with TS: #NM
# expect: FXSAVE with TS: #NM
# expect: LDMXCSR with TS: #NM
# expect: LOCK MOVUPS with TS: #UD
# expect: PREFETCH with TS: ok
# expect: SFENCE with TS: ok
# expect: PAUSE with TS: ok
# expect: WAIT with TS and MP: #NM
# expect: FLD with EM: #NM
# expect: WAIT with EM: ok
# expect: MOVUPS with EM: #UD
# expect: MOVQ with EM: #UD
# expect: FXSAVE with EM: #NM
# expect: MOVUPS with EM and TS: #UD
# expect: FXSAVE with EM and TS: #NM
# expect: MOVUPS without OSFXSR: #UD
# expect: MOVQ without OSFXSR: ok
# expect: FXSAVE without OSFXSR: ok
# expect: LDMXCSR without OSFXSR: #UD
# expect: MOVNTI without OSFXSR: ok
# expect: LFENCE without OSFXSR: ok
# expect: MOVAPS unaligned: #GP(0000)
# expect: MOVAPS unaligned and missing: #GP(0000)
# expect: MOVAPS unaligned through null: #GP(0000)
# expect: ADDPS unaligned: #GP(0000)
# expect: FXSAVE unaligned: #GP(0000)
# expect: FXSAVE unaligned and missing: #GP(0000)
# expect: LDMXCSR of reserved bits: #GP(0000)
# expect: running over the page's end: #PF(0000) at 00400000
# expect: an instruction over the page's end: #PF(0000) at 00400000
# expect: its EIP: 003fffff
# expect: UD2 at the page's end: #UD
# expect: 0F at the page's end: #PF(0000) at 00400000
# expect: prefixes to the page's end: #PF(0000) at 00400000
# expect: 15 prefixes to the page's end: #GP(0000)
# expect: 14 prefixes to the page's end: #PF(0000) at 00400000
# expect: a breakpoint on a missing page: #DB
# expect: JMP to a missing page: #PF(0000) at 00400000
# expect: EIP of that: 00400000
# expect: CALL to a missing page: #PF(0000) at 00400000
# expect: it pushed first, upper half: 00000000
# expect: MOVSB, both missing: #PF(0000) at 00400010
# expect: CMPSB, both missing: #PF(0000) at 00400010
# expect: PUSH of a missing page to a missing stack: #PF(0000) at 00400000
# expect: INT n of DPL 0 with a missing stack: #GP(0102)
# skip qemu: LOCK and MOV CR are checked for memory and privilege first there, segments not at all; it stops in between
.include "system.inc"
.equ MISSING, 0x400000          # no page there
.macro case name, insn
  try
  \insn
  caught "\name"
.endm
.macro in_ring3 name, insn
  .pushsection .text
  user\@:
  \insn
  back
  .popsection
  user user\@
  caught "\name"
.endm
program 32
  # 4 MiB are there, for users too
  mov edi, 0x18000
  mov ecx, 0x400
  xor eax, eax
  rep stosd
  mov dword ptr [0x18000], 0x87
  mov eax, 0x610
  mov cr4, eax
  mov eax, 0x18000
  mov cr3, eax
  mov eax, 0x80040031
  mov cr0, eax
  xor eax, eax
  mov fs, eax                   # null: any access is #GP
  mov ebx, MISSING
  # length
  case "15 bytes", ".fill 14, 1, 0x26; nop"
  case "16 bytes", ".fill 15, 1, 0x26; nop"
  case "15 bytes with operands", ".fill 5, 1, 0x26; lock add dword ptr ss:[ecx * 8 + 0x20000], 1"
  case "16 bytes of UD2", ".fill 14, 1, 0x26; ud2"
  case "15 bytes of UD2", ".fill 13, 1, 0x26; ud2"
  # LOCK
  case "LOCK MOV", ".byte 0xf0; mov eax, [ebx]"
  case "LOCK ADD to a register", ".byte 0xf0; add eax, ebx"
  case "LOCK ADD to a missing page", "lock add [ebx], eax"
  in_ring3 "LOCK HLT in ring 3", ".byte 0xf0; hlt"
  # #UD before #GP of privilege
  in_ring3 "MOV CR1 in ring 3", ".byte 0x0f, 0x20, 0xc8"
  in_ring3 "MOV CR7 in ring 3", ".byte 0x0f, 0x20, 0xf8"
  in_ring3 "MOV CR0 in ring 3", "mov eax, cr0"
  in_ring3 "LGDT from a missing page in ring 3", "lgdt [ebx]"
  in_ring3 "LGDT of a register in ring 3", ".byte 0x0f, 0x01, 0xd0"
  in_ring3 "INVLPG of a register in ring 3", ".byte 0x0f, 0x01, 0xfa"
  in_ring3 "LLDT from a missing page in ring 3", "lldt [ebx]"
  in_ring3 "LTR in ring 3", "ltr ax"
  in_ring3 "RDMSR of nothing in ring 3", "mov ecx, 0x12345678; rdmsr"
  in_ring3 "CLI in ring 3", "cli"
  in_ring3 "IN in ring 3", "in al, 0x80"
  in_ring3 "INS to a missing page in ring 3", "mov edi, ebx; mov edx, 0x80; insb"
  in_ring3 "OUTS from a missing page in ring 3", "mov esi, ebx; mov edx, 0x80; outsb"
  in_ring3 "CLTS in ring 3", "clts"
  in_ring3 "WBINVD in ring 3", "wbinvd"
  # segment against page
  case "null segment and missing page", "mov eax, fs:[ebx]"
  case "MOV SS from a missing page", "mov ss, [ebx]"
  case "MOV CS from a missing page", ".byte 0x8e, 0x0b"
  case "MOV segment 6 from a missing page", ".byte 0x8e, 0x33"
  case "LES of a register", ".byte 0xc4, 0xc0"
  case "BOUND from a missing page", "bound eax, [ebx]"
  case "BOUND of a register", ".byte 0x62, 0xc0"
  case "JMP far of a register", ".byte 0xff, 0xe8"
  case "CALL far from a missing page", "call fword ptr [ebx]"
  case "LEA of a register", ".byte 0x8d, 0xc0"
  case "CMPXCHG8B of a register", ".byte 0x0f, 0xc7, 0xc8"
  case "group 5 /7", ".byte 0xff, 0xff"
  case "group 11 /1", ".byte 0xc6, 0xc8, 0x00"
  case "0F FF", ".byte 0x0f, 0xff, 0xc0"
  case "0F 0B", "ud2"
  case "0F B9", ".byte 0x0f, 0xb9, 0xc0"
  # division: the fetch of the divisor first
  case "DIV by a missing page", "xor eax, eax; div dword ptr [ebx]"
  case "DIV by zero", "xor eax, eax; div eax"
  case "DIV overflow", "mov edx, 5; mov ecx, 5; div ecx"
  case "IDIV overflow", "mov edx, 0x80000000; xor eax, eax; mov ecx, -1; idiv ecx"
  case "AAM 0", "aam 0"
  case "POP to a missing page", "push eax; pop [ebx]"
  case "XCHG with a missing page", "xchg [ebx], eax"
  # #NM, #UD of floating point
  case "FLD from a missing page", "fld dword ptr [ebx]"
  mov eax, cr0
  or eax, 8
  mov cr0, eax
  case "FLD with TS", "fld dword ptr [ebx]"
  case "FLD with TS and a null segment", "fld dword ptr fs:[ebx]"
  case "D9 D1 with TS", ".byte 0xd9, 0xd1"
  case "DB E5 with TS", ".byte 0xdb, 0xe5"
  case "WAIT with TS, without MP", "wait"
  case "MOVUPS with TS", "movups xmm0, [ebx]"
  case "MOVAPS unaligned with TS", "movaps xmm0, [0x20001]"
  case "MOVQ with TS", "movq mm0, [ebx]"
  case "EMMS with TS", "emms"
  case "FXSAVE with TS", "fxsave [ebx]"
  case "LDMXCSR with TS", "ldmxcsr [ebx]"
  case "LOCK MOVUPS with TS", ".byte 0xf0; movups xmm0, [ebx]"
  case "PREFETCH with TS", "prefetcht0 [ebx]"
  case "SFENCE with TS", "sfence"
  case "PAUSE with TS", "pause"
  mov eax, cr0
  or eax, 2
  mov cr0, eax
  case "WAIT with TS and MP", "wait"
  mov eax, cr0
  and eax, ~8
  or eax, 4
  mov cr0, eax
  case "FLD with EM", "fld dword ptr [ebx]"
  case "WAIT with EM", "wait"
  case "MOVUPS with EM", "movups xmm0, [ebx]"
  case "MOVQ with EM", "movq mm0, [ebx]"
  case "FXSAVE with EM", "fxsave [ebx]"
  mov eax, cr0
  or eax, 8
  mov cr0, eax
  case "MOVUPS with EM and TS", "movups xmm0, [ebx]"
  case "FXSAVE with EM and TS", "fxsave [ebx]"
  mov eax, cr0
  and eax, ~14
  mov cr0, eax
  mov eax, 0x10
  mov cr4, eax
  case "MOVUPS without OSFXSR", "movups xmm0, [ebx]"
  case "MOVQ without OSFXSR", "movq mm0, [0x20000]"
  case "FXSAVE without OSFXSR", "fxsave [0x20000]"
  case "LDMXCSR without OSFXSR", "ldmxcsr [0x20000]"
  case "MOVNTI without OSFXSR", "movnti [0x20000], eax"
  case "LFENCE without OSFXSR", "lfence"
  mov eax, 0x610
  mov cr4, eax
  case "MOVAPS unaligned", "movaps xmm0, [0x20001]"
  case "MOVAPS unaligned and missing", "movaps xmm0, [ebx + 1]"
  case "MOVAPS unaligned through null", "movaps xmm0, fs:[1]"
  case "ADDPS unaligned", "addps xmm0, [0x20001]"
  case "FXSAVE unaligned", "fxsave [0x20008]"
  case "FXSAVE unaligned and missing", "fxsave [ebx + 8]"
  case "LDMXCSR of reserved bits", "mov dword ptr [0x20000], 0x10000; ldmxcsr [0x20000]"
  # fetches: over the end of a page, and a missing target
  mov word ptr [MISSING - 2], 0x9090
  case "running over the page's end", "mov eax, MISSING - 2; jmp eax"
  mov word ptr [MISSING - 2], 0xb890
  case "an instruction over the page's end", "mov eax, MISSING - 2; jmp eax"
  show "its EIP", [trap_ip], 8
  mov word ptr [MISSING - 2], 0x0b0f
  case "UD2 at the page's end", "mov eax, MISSING - 2; jmp eax"
  mov word ptr [MISSING - 2], 0x0f90
  case "0F at the page's end", "mov eax, MISSING - 2; jmp eax"
  mov dword ptr [MISSING - 4], 0xf0f0f0f0
  case "prefixes to the page's end", "mov eax, MISSING - 4; jmp eax"
  mov edi, MISSING - 15
  mov al, 0x26
  mov ecx, 15
  rep stosb
  case "15 prefixes to the page's end", "mov eax, MISSING - 15; jmp eax"
  case "14 prefixes to the page's end", "mov eax, MISSING - 14; jmp eax"
  mov word ptr [MISSING - 2], 0x9b9b
  case "a breakpoint on a missing page", "mov eax, MISSING; mov dr0, eax; mov eax, 0x403; mov dr7, eax; mov eax, MISSING - 1; jmp eax"
  mov eax, 0x400
  mov dr7, eax
  case "JMP to a missing page", "jmp ebx"
  show "EIP of that", [trap_ip], 8
  case "CALL to a missing page", "call ebx"
  mov eax, [resume_sp]
  mov eax, [eax - 4]
  and eax, 0xffff0000
  show "it pushed first, upper half", eax, 8
  # two operands: source first
  case "MOVSB, both missing", "mov esi, MISSING + 0x10; mov edi, MISSING + 0x20; movsb"
  case "CMPSB, both missing", "mov esi, MISSING + 0x10; mov edi, MISSING + 0x20; cmpsb"
  case "PUSH of a missing page to a missing stack", "push 0; push dword ptr [ebx]"
  # through a gate
  in_ring3 "INT n of DPL 0 with a missing stack", "mov esp, MISSING; int 0x20"
done
