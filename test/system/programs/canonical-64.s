# Addresses that are not canonical [SDM 1 3.3.7.1, 3A 6.15]: #SS through the stack, #GP else, #PF where they are canonical; the
# edges of both halves, accesses that cross them, and every kind of instruction that uses an address.
# expect: first byte: #GP(0000)
# expect: last byte: #GP(0000)
# expect: below the first: #PF(0000) at 00007fffffffffff
# expect: above the last: #PF(0000) at ffff800000000000
# expect: word across the first: #GP(0000)
# expect: quadword across the first: #GP(0000)
# expect: quadword right before the first: #PF(0000) at 00007ffffffffff8
# expect: quadword across the last: #GP(0000)
# expect: 16 bytes across the first: #GP(0000)
# expect: 16 bytes, aligned, before it: #PF(0000) at 00007ffffffffff0
# expect: write: #GP(0000)
# expect: read-modify-write: #GP(0000)
# expect: by RBP: #SS(0000)
# expect: by RBP and FS: #GP(0000)
# expect: by RBP and an ignored prefix: #SS(0000)
# expect: by RBP as index: #SS(0000)
# expect: 64-bit absolute: #GP(0000)
# expect: LEA: ok
# expect: NOP: ok
# expect: PREFETCH: ok
# expect: CLFLUSH: #GP(0000)
# expect: PUSH of it: #GP(0000)
# expect: POP to it: #GP(0000)
# expect: PUSH through RSP: #PF(0002) at 00007ffffffffff8
# expect: PUSH through RSP + 8: #SS(0000)
# expect: PUSH through RSP + 1: #SS(0000)
# expect: POP through RSP: #SS(0000)
# expect: POP through RSP - 8: #PF(0000) at 00007ffffffffff8
# expect: POP through RSP - 1: #SS(0000)
# expect: [RSP]: #SS(0000)
# expect: CALL through RSP: #PF(0002) at 00007ffffffffff8
# expect: RET through RSP: #SS(0000)
# expect: LEAVE: #SS(0000)
# expect: ENTER: #PF(0002) at 00007ffffffffff8
# expect: PUSHF: #PF(0002) at 00007ffffffffff8
# expect: IRET: #SS(0000)
# expect: JMP: #GP(0000)
# expect: JMP, upper RIP: 000000
# expect: CALL: #GP(0000)
# expect: CALL, upper RIP: 000000
# expect: RET: #GP(0000)
# expect: RET, upper RIP: 000000
# expect: RET 8: #GP(0000)
# expect: JMP through memory: #GP(0000)
# expect: JMP through such memory: #GP(0000)
# expect: JMP far through such memory: #GP(0000)
# expect: MOVSB: #GP(0000)
# expect: STOSB: #GP(0000)
# expect: SCASB: #GP(0000)
# expect: REP STOSB to it: #PF(0002) at 00007fffffffe001
# expect: REP with count 0: ok
# expect: XLAT: #GP(0000)
# expect: FLD: #GP(0000)
# expect: FXSAVE: #GP(0000)
# expect: FNSTENV: #GP(0000)
# expect: LGDT from it: #GP(0000)
# expect: SGDT to it: #GP(0000)
# expect: CMPXCHG16B: #GP(0000)
# expect: BT far away: #GP(0000)
# expect: BT with a wrapping offset: ok
# expect: LGDT of it: #GP(0000)
# expect: LIDT of it: #GP(0000)
# expect: FS base: #GP(0000)
# expect: GS base: #GP(0000)
# expect: KERNEL_GS_BASE: #GP(0000)
# expect: FS, at the edge: #PF(0000) at 00007fffffffffff
# expect: FS, over the edge: #GP(0000)
# expect: FS, over 2^64: ok
# expect: 32-bit address with FS: ok
# expect: running into it: #GP(0000)
# expect: RIP then: 0000800000000000
# expect: an instruction across it: #GP(0000)
# expect: RIP of that: 00007fffffffffff
# expect: JMP SHORT to it: #GP(0000)
# expect: RIP of the JMP: 00007ffffffffffe
# expect: CALL to it: #GP(0000)
# expect: RIP of the CALL: 00007ffffffffffb
# skip qemu: it raises #GP for #SS, and #PF for accesses that begin below the edge; it stops in between
.include "system.inc"
.macro access name, insn
  try
  \insn
  caught "\name"
.endm
# Where it was raised: at the instruction, or at its target?
.macro show_ip name
  mov rax, [trap_ip]
  shr rax, 40
  show "\name, upper RIP", rax, 6
.endm
program 64
  .irp vector, 12, 13, 14       # the stack will be spoilt
  mov byte ptr [IDT_64 + \vector * 16 + 4], 1
  .endr
  mov rbx, 0x0000800000000000
  mov rbp, rbx
  mov rdi, 0xffff7fffffffffff
  access "first byte", "mov al, [rbx]"
  access "last byte", "mov al, [rdi]"
  access "below the first", "mov al, [rbx - 1]"
  access "above the last", "mov al, [rdi + 1]"
  access "word across the first", "mov ax, [rbx - 1]"
  access "quadword across the first", "mov rax, [rbx - 4]"
  access "quadword right before the first", "mov rax, [rbx - 8]"
  access "quadword across the last", "mov rax, [rdi - 3]"
  access "16 bytes across the first", "movups xmm0, [rbx - 15]"
  access "16 bytes, aligned, before it", "movaps xmm0, [rbx - 16]"
  access "write", "mov [rbx], al"
  access "read-modify-write", "inc dword ptr [rbx]"
  access "by RBP", "mov al, [rbp]"
  access "by RBP and FS", "mov al, fs:[rbp]"
  access "by RBP and an ignored prefix", ".byte 0x3e; mov al, [rbp]"
  access "by RBP as index", "mov al, [rax * 1 + rbp + 0]"
  access "64-bit absolute", "movabs al, [0x800000000000]"
  access "LEA", "lea rax, [rbx]"
  access "NOP", "nop dword ptr [rbx]"
  access "PREFETCH", "prefetcht0 [rbx]"
  access "CLFLUSH", "clflush [rbx]"
  access "PUSH of it", "push [rbx]"
  access "POP to it", "push 0; pop [rbx]"
  access "PUSH through RSP", "mov rsp, rbx; push rax"
  access "PUSH through RSP + 8", "lea rsp, [rbx + 8]; push rax"
  access "PUSH through RSP + 1", "lea rsp, [rbx + 1]; push rax"
  access "POP through RSP", "mov rsp, rbx; pop rax"
  access "POP through RSP - 8", "lea rsp, [rbx - 8]; pop rax"
  access "POP through RSP - 1", "lea rsp, [rbx - 1]; pop rax"
  access "[RSP]", "mov rsp, rbx; mov rax, [rsp]"
  access "CALL through RSP", "mov rsp, rbx; call far_away"
  access "RET through RSP", "mov rsp, rbx; ret"
  access "LEAVE", "mov rbp, rbx; leave"
  access "ENTER", "mov rsp, rbx; enter 8, 0"
  mov rbp, rbx
  access "PUSHF", "mov rsp, rbx; pushfq"
  access "IRET", "mov rsp, rbx; iretq"
  access "JMP", "jmp rbx"
  show_ip "JMP"
  access "CALL", "call rbx"
  show_ip "CALL"
  access "RET", "push rbx; ret"
  show_ip "RET"
  access "RET 8", "push rbx; ret 8"
  access "JMP through memory", "push rbx; jmp [rsp]"
  access "JMP through such memory", "jmp [rbx]"
  access "JMP far through such memory", "jmp fword ptr [rbx]"
  access "MOVSB", "mov rsi, rbx; movsb"
  mov rsi, 0x20000
  mov rdi, 0x20000
  access "STOSB", "mov rdi, rbx; stosb"
  access "SCASB", "mov rdi, rbx; scasb"
  access "REP STOSB to it", "mov rcx, 3; lea rdi, [rbx - 0x1fff]; rep stosb"
  access "REP with count 0", "xor ecx, ecx; mov rdi, rbx; rep stosb"
  access "XLAT", "push rbx; xlatb"
  access "FLD", "fld tbyte ptr [rbx]"
  access "FXSAVE", "fxsave [rbx]"
  access "FNSTENV", "fnstenv [rbx]"
  access "LGDT from it", "lgdt [rbx]"
  access "SGDT to it", "sgdt [rbx]"
  access "CMPXCHG16B", "cmpxchg16b [rbx]"
  access "BT far away", "mov rax, 0x800000000000 << 3; bt [zero], rax"
  access "BT with a wrapping offset", "mov rax, -8; bt [zero], rax"
  # table registers and bases
  mov [base], rbx
  access "LGDT of it", "lgdt [pointer]"
  access "LIDT of it", "lidt [pointer]"
  access "FS base", "mov ecx, 0xc0000100; xor eax, eax; mov edx, 0x8000; wrmsr"
  access "GS base", "inc ecx; wrmsr"
  access "KERNEL_GS_BASE", "inc ecx; wrmsr"
  # a base and an offset wrap around
  mov ecx, 0xc0000100
  mov edx, 0x7fff
  mov eax, 0xfffff000
  wrmsr
  access "FS, at the edge", "mov al, fs:[0xfff]"
  access "FS, over the edge", "mov al, fs:[0x1000]"
  mov edx, 0xffffffff
  mov eax, 0xfffff000
  wrmsr
  access "FS, over 2^64", "mov al, fs:[0x1000]"
  access "32-bit address with FS", "mov ebx, 0x20000; mov al, fs:[ebx]"
  # execution runs into the hole
  mov rax, [PML4_TABLE]
  mov [PML4_TABLE + 255 * 8], rax       # the same 4 GiB at the end of the lower half
  mov qword ptr [PML4_TABLE + 255 * 8], 0x18000 + 7
  mov qword ptr [0x18000 + 511 * 8], 0x19000 + 7
  mov qword ptr [0x19000 + 511 * 8], 0x200000 + 0x87
  mov word ptr [0x3ffffe], 0x9090
  mov rax, 0x00007ffffffffffe
  access "running into it", "jmp rax"
  show "RIP then", [trap_ip], 16
  mov word ptr [0x3ffffe], 0xb890
  mov rax, 0x00007ffffffffffe
  access "an instruction across it", "jmp rax"
  show "RIP of that", [trap_ip], 16
  mov word ptr [0x3ffffe], 0x00eb
  mov rax, 0x00007ffffffffffe
  access "JMP SHORT to it", "jmp rax"
  show "RIP of the JMP", [trap_ip], 16
  mov dword ptr [0x3ffffb], 0xe8
  mov byte ptr [0x3fffff], 0
  mov rax, 0x00007ffffffffffb
  access "CALL to it", "jmp rax"
  show "RIP of the CALL", [trap_ip], 16
done
far_away:
  back
.data
pointer: .word 0x1ff
base: .quad 0
