# Real mode: limits of 64 KiB and which exception they raise, wrapping addresses, far transfers, software interrupts
# [SDM 3A 20.1]. Where a 16-bit offset would pass FFFF, there is a fault, not a wrap.
# expect: byte at FFFF: ok
# expect: word at FFFF: #GP
# expect: doubleword at FFFD: #GP
# expect: doubleword at FFFC: ok
# expect: word at SS:FFFF: #SS
# expect: byte at 10000: #GP
# expect: byte at FFFF by a 32-bit address: ok
# expect: 16-bit addresses wrap: ok
# expect: POP with SP = FFFF: #SS
# expect: POP with SP = FFFE: ok
# expect: and then SP: 0000
# expect: CALL F000:label: ok
# expect: CS there: f000
# expect: return offset, from there: 0000
# expect: return segment: 0000
# expect: RETF: ok
# expect: IRET with all flags: ok
# expect: the flags: 7ed7
# expect: INT 60: ok
# expect: flags in the handler: 0047
# expect: flags that it pushed: 0247
# expect: INT3: #BP
# expect: INTO: #OF
# expect: INT1: #DB
# expect: BOUND inside: ok
# expect: BOUND above: #BR
# expect: BOUND below: #BR
# expect: STR: #UD
# expect: LAR: #UD
# expect: ARPL: #UD
# expect: MOV DS of anything: ok
# expect: MOV CS: #UD
# expect: IF and TF in the frame of a fault: 0000
# qemu: word at FFFF: ok -- it checks no limits of segments [SDM 3A 5.3, 20.1.1]
# qemu: doubleword at FFFD: ok -- it checks no limits of segments [SDM 3A 5.3, 20.1.1]
# qemu: word at SS:FFFF: ok -- it checks no limits of segments [SDM 3A 5.3, 20.1.1]
# qemu: byte at 10000: ok -- it checks no limits of segments [SDM 3A 5.3, 20.1.1]
# qemu: POP with SP = FFFF: ok -- it checks no limits of segments [SDM 3A 5.3, 20.1.1]
# qemu: INT1: #UD -- it does not know INT1 [SDM 2A "INT n"]
.include "system.inc"
program 16
  # data
  mov bx, 0xffff
  try
  mov al, [bx]
  caught "byte at FFFF"
  try
  mov ax, [bx]
  caught "word at FFFF"
  try
  mov eax, [bx - 2]
  caught "doubleword at FFFD"
  try
  mov eax, [bx - 3]
  caught "doubleword at FFFC"
  try
  mov bp, 0xffff
  mov ax, [bp]
  caught "word at SS:FFFF"
  try
  mov ebx, 0x10000
  mov al, [ebx]
  caught "byte at 10000"
  try
  mov ebx, 0xffff
  mov al, [ebx]
  caught "byte at FFFF by a 32-bit address"
  try
  mov bx, 0xfff0
  mov si, 0x20
  mov al, [bx + si]             # wraps to 10h
  caught "16-bit addresses wrap"
  # the stack
  try
  mov sp, 0xffff
  pop ax
  caught "POP with SP = FFFF"
  try
  mov sp, 0xfffe
  pop ax
  mov bx, sp
  mov sp, [resume_sp]
  caught "POP with SP = FFFE"
  show "and then SP", bx, 4
  # far transfers
  try
  .byte 0x9a
  .word 1f, 0xf000              # the ROM has the same bytes
1:
  mov bx, cs
  mov si, sp
  mov cx, ss:[si]
  sub cx, offset 1b
  mov dx, ss:[si + 2]
  .byte 0xea
  .word 77f, 0
  caught "CALL F000:label"
  show "CS there", bx, 4
  show "return offset, from there", cx, 4
  show "return segment", dx, 4
  try
  push 0
  push offset 77f
  retf
  caught "RETF"
  try
  push 0xfeff                   # flags: TF is elsewhere
  push 0
  push offset 1f
  iret
1:
  pushf
  pop bx
  push 2
  popf
  caught "IRET with all flags"
  show "the flags", bx, 4
  # where INT goes and what it pushes
  mov word ptr [0x60 * 4], offset int60
  mov word ptr [0x60 * 4 + 2], 0
  try
  sti
  stc
  int 0x60
  caught "INT 60"
  show "flags in the handler", bx, 4
  show "flags that it pushed", cx, 4
  try
  mov word ptr [7], 0
  int3
  caught "INT3"
  try
  mov al, 0x7f
  inc al
  into
  caught "INTO"
  try
  int1
  caught "INT1"
  try
  mov ax, 5
  bound ax, [bounds]
  caught "BOUND inside"
  try
  mov ax, 6
  bound ax, [bounds]
  caught "BOUND above"
  try
  mov ax, -6
  bound ax, [bounds]
  caught "BOUND below"
  # what real mode does not have
  try
  str ax
  caught "STR"
  try
  lar ax, ax
  caught "LAR"
  try
  arpl ax, ax
  caught "ARPL"
  try
  mov ds, ax
  caught "MOV DS of anything"
  try
  .byte 0x8e, 0xc8   # MOV CS, AX
  caught "MOV CS"
  try
  mov ax, [0xffff]
  quiet
  mov bx, [trap_flags]
  and bx, 0x0300
  show "IF and TF in the frame of a fault", bx, 4
done
bounds: .word -5, 5

int60:
  pushf
  pop bx
  mov bp, sp
  mov cx, [bp + 4]
  iret
