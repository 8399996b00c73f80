# The harness itself, in real mode: the console, exceptions as values.
# expect: number: 12ab
# expect: a load: ok
# expect: UD2: #UD
# expect: a word at the end of the segment: #GP
# expect: DIV by zero: #DE
# qemu: a word at the end of the segment: ok -- it checks no limits on data accesses [SDM 3A 20.1.1]
.include "system.inc"
program 16
  mov ax, 0x12ab
  show "number", ax, 4
  try
  mov ax, [0]
  caught "a load"
  try
  ud2
  caught "UD2"
  try
  mov ax, [0xffff]
  caught "a word at the end of the segment"
  xor cx, cx
  try
  div cx
  caught "DIV by zero"
done
