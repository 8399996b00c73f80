# Execution at the limits of code segments of 16 and 32 bits, in bytes and pages [SDM 3A 5.3]. The same code is reached
# through segments that end before, in and after an instruction.
# expect: 32-bit code: 0010 of 0014 faulted, checksum 702ea3eb
# expect: 16-bit code: 0010 of 0014 faulted, checksum 8ded483b
# expect: an offset that wraps over 4 GiB: ok
# expect: JMP: #GP(0000)
# expect: JMP, IP: 0005
# expect: JMP to the last byte: #GP(0000)
# expect: JMP to the last byte, IP: 9c0c
# expect: JZ taken: #GP(0000)
# expect: JZ taken, IP: 0008
# expect: JZ not taken: ok
# expect: JZ not taken, IP: 0010
# expect: CALL: #GP(0000)
# expect: CALL, IP: 0005
# expect: JMP EAX: #GP(0000)
# expect: JMP EAX, IP: 000a
# expect: CALL EAX: #GP(0000)
# expect: CALL EAX, IP: 000a
# expect: RET: #GP(0000)
# expect: RET, IP: 000a
# expect: RET 4: #GP(0000)
# expect: RET 4, IP: 000a
# expect: RETF: #GP(0000)
# expect: RETF, IP: 000b
# expect: IRET: #GP(0000)
# expect: IRET, IP: 000c
# skip qemu: it checks no limits of code segments
.include "system.inc"
program 32
  mov edi, offset code32
  mov ebp, 0x4000
  call sweep
  show_counts "32-bit code"
  mov edi, offset code16
  mov ebp, 0
  call sweep
  show_counts "16-bit code"

  # a limit in pages, and base and limit that wrap
  descriptor TEST0, 0x100000, 0xfffff, 0xc09b
  mov ecx, offset code32
  sub ecx, 0x100000
  mov [pointer], ecx
  mov word ptr [pointer + 4], TEST0
  try
  jmp fword ptr [pointer]
  caught "an offset that wraps over 4 GiB"
  # conditional jumps and calls to beyond the limit
  descriptor TEST0, 0, 0xc000, 0x409b
  .macro beyond name, insn
  try
  jump_far TEST0, 1f
1:
  mov ecx, 0
  \insn
2:
  nop
  caught "\name"
  mov eax, [trap_ip]
  sub eax, offset 1b
  show "\name, IP", eax, 4
  .endm
  beyond "JMP", "jmp 0xc001"
  beyond "JMP to the last byte", "mov byte ptr ds:[0xc000], 0x90; jmp 0xc000"
  beyond "JZ taken", "cmp ecx, 0; jz 0xc001"
  beyond "JZ not taken", "cmp ecx, 1; jz 0xc001; int BACK"
  beyond "CALL", "call 0xc001"
  beyond "JMP EAX", "mov eax, 0xc001; jmp eax"
  beyond "CALL EAX", "mov eax, 0xc001; call eax"
  beyond "RET", "push 0xc001; ret"
  beyond "RET 4", "push 0xc001; ret 4"
  beyond "RETF", "push cs; push 0xc001; retf"
  beyond "IRET", "pushfd; push cs; push 0xc001; iretd"
done

# A segment from `edi` on whose limit is 0, 1, .. beyond the code
sweep:
  xor ebx, ebx
1:
  mov eax, edi
  shl eax, 16
  or eax, ebx
  mov [gdt + TEST0], eax
  lea eax, [ebp + 0x9b]
  shl eax, 8
  mov [gdt + TEST0 + 4], eax
  try
  jump_far TEST0, 0
  quiet
  note
  mov eax, [trap_ip]
  sum eax
  inc ebx
  cmp ebx, 20
  jb 1b
  ret
pointer: .long 0, 0

code32:
  nop
  mov eax, 0x12345678
  .byte 0x66, 0x90
  lea eax, [eax + eax * 2 + 0x1000]
  back
  mode 16
code16:
  nop
  mov ax, 0x1234
  .byte 0x66, 0x90
  lea eax, [eax + eax * 2 + 0x1000]
  int BACK
