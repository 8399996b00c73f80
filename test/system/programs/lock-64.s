# LOCK before every opcode of one and two bytes, with memory and register operands [SDM 2A "LOCK"]: #UD unless the destination
# is memory and the instruction is one of the few. Opcodes that are prefixes apply to what follows them.
# expect: one byte, memory: 0763 of 0800 faulted, checksum b8a11df0
# expect: one byte, register: 0800 of 0800 faulted, checksum e7b74470
# expect: two bytes, memory: 07c4 of 0800 faulted, checksum 7db27429
# expect: two bytes, register: 0800 of 0800 faulted, checksum 3f5e7000
# expect: one byte with REX.W: 0763 of 0800 faulted, checksum b8a11df0
# expect: two bytes with 66: 07c4 of 0800 faulted, checksum 7db27429
# skip qemu: it ignores LOCK before most instructions that do not write memory
.include "system.inc"
.macro sweep name, first, second, modrm
  mov r12d, 0
  mov r13d, \modrm
  mov r14d, \first
  mov r15d, \second
  call all
  show_counts "\name"
.endm
program 64
  .irp vector, 6, 13, 14, BACK  # XCHG and XADD may change RSP
  mov byte ptr [IDT_64 + \vector * 16 + 4], 1
  .endr
  sweep "one byte, memory", 0xf0, 0x90, 0x03
  sweep "one byte, register", 0xf0, 0x90, 0xc1
  sweep "two bytes, memory", 0xf0, 0x0f, 0x03
  sweep "two bytes, register", 0xf0, 0x0f, 0xc1
  sweep "one byte with REX.W", 0xf0, 0x48, 0x03
  sweep "two bytes with 66", 0x66, 0x0f, 0x03
done
# LOCK, then: r14 if it is not LOCK itself, r15 if it is not NOP, the opcode, ModRM r13 with every reg, immediate bytes
all:
1:
  xor ebp, ebp
2:
  mov rdi, 0x20000
  mov al, 0xf0
  stosb
  cmp r14b, 0xf0
  je 3f
  mov al, r14b
  stosb
3:
  cmp r15b, 0x90
  je 3f
  mov al, r15b
  stosb
3:
  mov al, r12b
  stosb
  lea eax, [rbp * 8 + r13]
  stosb
  mov eax, 0x90909090           # immediate operands, or NOPs
  stosd
  stosd
  mov ax, 0x30cd
  stosw
  mov rbx, 0x21000
  xor eax, eax
  xor ecx, ecx
  mov edx, 0x20000
  mov [keep], rbp
  try
  jmp rdx
  quiet
  mov rbp, [keep]
  cmp dword ptr [trap_vector], 6
  je 4f
  mov eax, r12d
  shl eax, 3
  or eax, ebp
  sum eax
4:
  note
  inc ebp
  cmp ebp, 8
  jb 2b
  inc r12d
  cmp r12d, 0x100
  jb 1b
  ret
.data
.balign 8
keep: .quad 0
