# The harness itself, in 64-bit mode: the console, exceptions as values, ring 3.
# expect: number: 123456789abcdef0
# expect: a load: ok
# expect: a load from a non-canonical address: #GP(0000)
# expect: UD2: #UD
# expect: HLT in ring 3: #GP(0000)
# expect: ring 3: ok
# expect: its CS, SS, RSP: 003b 0033 000000000000dff8
# expect: the checksum of 1, 2: 01000195
.include "system.inc"
program 64
  mov rax, 0x123456789abcdef0
  show "number", rax, 16
  try
  mov al, [0]
  caught "a load"
  try
  mov al, [rax]
  caught "a load from a non-canonical address"
  try
  ud2
  caught "UD2"
  user halt
  caught "HLT in ring 3"
  user return
  caught "ring 3"
  print "its CS, SS, RSP: "
  hex [trap_cs], 4
  print " "
  hex [trap_ss], 4
  print " "
  hex [trap_sp], 16
  nl
  sum 1
  sum 2
  show_checksum "the checksum of 1, 2"
done
halt:
  hlt
return:
  push rax
  back
