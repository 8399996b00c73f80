# Execution at the end of a real-mode code segment: no wrap, but #GP [SDM 3A 20.1, 5.3].
# expect: an instruction over the end of the segment: #GP
# expect: its IP: ffff
# expect: running over the end of the segment: #GP
# expect: IP there: 0000
# expect: to FFFF, one byte: #GP
# expect: and its IP: 0000
# expect: a prefix at FFFF: #GP
# expect: JMP SHORT over the end: ok
# expect: IP of JMP SHORT: 0012
# expect: JMP EBX = 10000: #GP
# expect: JMP of 32 bits beyond FFFF: #GP
# expect: CALL of 32 bits beyond FFFF: #GP
# expect: what it left on the stack: 0000
# expect: RET of 32 bits beyond FFFF: #GP
# skip qemu: it checks no limits of code segments
.include "system.inc"
program 16
  # a code segment ends at FFFF
  mov byte ptr [0xfffe], 0x90   # NOP; then the first byte of a 3-byte instruction
  mov byte ptr [0xffff], 0xb8
  try
  mov bx, 0xfffe
  jmp bx
  caught "an instruction over the end of the segment"
  mov bx, [trap_ip]
  show "its IP", bx, 4
  mov byte ptr [0xffff], 0x90
  try
  mov bx, 0xfffe
  jmp bx
  caught "running over the end of the segment"
  mov bx, [trap_ip]
  show "IP there", bx, 4
  mov ax, 0xffff
  try
  jmp ax
  caught "to FFFF, one byte"
  mov bx, [trap_ip]
  show "and its IP", bx, 4
  mov byte ptr [0xffff], 0x66   # a prefix, and the opcode is beyond
  try
  jmp ax
  caught "a prefix at FFFF"
  mov word ptr [0x10], 0x30cd   # INT BACK
  mov word ptr [0xfffe], 0x10eb # JMP SHORT: its target is cut to 16 bits
  mov ax, 0xfffe
  try
  jmp ax
  caught "JMP SHORT over the end"
  mov bx, [trap_ip]
  show "IP of JMP SHORT", bx, 4
  try
  mov ebx, 0x10000
  jmp ebx
  caught "JMP EBX = 10000"
  mov bx, [trap_ip]
  sub bx, offset 1f
  try
1:
  .byte 0x66
  .byte 0xe9                    # JMP with a 32-bit displacement, beyond FFFF
  .long 0x20000
  caught "JMP of 32 bits beyond FFFF"
  try
  .byte 0x66
  .byte 0xe8
  .long 0x20000
  mov bx, sp
  caught "CALL of 32 bits beyond FFFF"
  mov bx, [trap_sp]
  add bx, 0
  sub bx, [resume_sp]
  show "what it left on the stack", bx, 4
  try
  push 0x10000 >> 16
  push 0
  .byte 0x66
  ret
  caught "RET of 32 bits beyond FFFF"
done
