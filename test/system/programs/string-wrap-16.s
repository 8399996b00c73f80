# String instructions at the end of a 16-bit segment [SDM 2B "MOVS", 3A 20.1]: SI and DI wrap between elements, an
# expect: bytes over the end: ok SI 0104 DI 0002 CX 0000 memory 0000
# expect: words up to the end: ok SI 0108 DI 0004 CX 0000 memory 0000
# expect: words over the end: #GP SI 0102 DI ffff CX 0003 memory 0000
# expect: doublewords over the end: #GP SI 0104 DI fffe CX 0003 memory 0000
# expect: STOSB over the end: ok SI 0000 DI 0002 CX 0000 memory 0000
# expect: STOSW at FFFF: #GP SI 0000 DI ffff CX 0001 memory 0000
# expect: STOSW over the end: #GP SI 0000 DI ffff CX 0006 memory 00e0
# expect: a source at the end: #GP SI ffff DI 0100 CX 0002 memory 0000
# expect: a source that wraps: ok SI 0002 DI 0104 CX 0000 memory 4cc8
# expect: CX = 0 at a bad place: ok SI ffff DI ffff CX 0000 memory 0000
# expect: without REP: #GP SI 0100 DI ffff CX 0003 memory 0000
# expect: backwards over the beginning: ok SI 0000 DI fffd CX 0000 memory 0000
# expect: backwards words over the beginning: #GP SI 0000 DI ffff CX 0002 memory 000c
# expect: REPE SCASB over the end: ok SI 0000 DI 0002 CX 0000 memory 0000
# expect: REPNE SCASW over the end: #GP SI 0000 DI ffff CX 0002 memory 0000
# expect: CMPSW with a source at the end: #GP SI ffff DI 0200 CX 0004 memory 0000
# expect: LODSW at the end: #GP SI ffff DI 0000 CX 0004 memory 0000
# expect: ECX and 32-bit addresses: only 64 KiB: #GP SI 0000 DI 0000 CX 0002 memory 0000
# skip qemu: it checks no limits of segments on data accesses
# element that crosses FFFF faults, and what was done before stays done.
.include "system.inc"
program 16
  mov ax, 0x2000
  mov es, ax
  mov fs, ax
  .macro case name, insn, di, si, cx
  call fill
  try
  mov si, \si
  mov di, \di
  mov cx, \cx
  mov ax, 0x2000
  mov es, ax
  cld
  \insn
  quiet
  mov bx, si
  mov dx, di
  mov bp, cx
  print "\name: "
  outcome
  print " SI "
  hex bx, 4
  print " DI "
  hex dx, 4
  print " CX "
  hex bp, 4
  print " memory "
  call digest
  hex ax, 4
  nl
  .endm
  case "bytes over the end", "rep movsb", 0xfffe, 0x100, 4
  case "words up to the end", "rep movsw", 0xfffc, 0x100, 4
  case "words over the end", "rep movsw", 0xfffd, 0x100, 4
  case "doublewords over the end", "rep movsd", 0xfffa, 0x100, 4
  case "STOSB over the end", "rep stosb", 0xfffe, 0, 4
  case "STOSW at FFFF", "rep stosw", 0xffff, 0, 1
  case "STOSW over the end", "rep stosw", 0xfff9, 0, 9
  case "a source at the end", "rep movsw", 0x100, 0xffff, 2
  case "a source that wraps", "rep movsb", 0x100, 0xfffe, 4
  case "CX = 0 at a bad place", "rep movsw", 0xffff, 0xffff, 0
  case "without REP", "movsw", 0xffff, 0x100, 3
  case "backwards over the beginning", "std; rep stosb; cld", 1, 0, 4
  case "backwards words over the beginning", "std; rep stosw", 3, 0, 4
  case "REPE SCASB over the end", "repe scasb", 0xfffe, 0, 4
  case "REPNE SCASW over the end", "repne scasw", 0xfffb, 0, 4
  case "CMPSW with a source at the end", "repe cmpsw", 0x200, 0xffff, 4
  case "LODSW at the end", "lodsw", 0, 0xffff, 4
  case "ECX and 32-bit addresses: only 64 KiB", "mov edi, 0xfffe; mov ecx, 4; .byte 0x67; rep stosb", 0xfffe, 0, 4
done
fill:
  mov ax, 0x2000
  mov es, ax
  xor di, di
  xor ax, ax
  mov cx, 0x8000
  cld
  rep stosw
  ret
digest:
  push cx
  push si
  mov cx, 0x8000
  xor si, si
  xor ax, ax
1:
  rol ax, 1
  add ax, fs:[si]
  add si, 2
  loop 1b
  pop si
  pop cx
  ret
