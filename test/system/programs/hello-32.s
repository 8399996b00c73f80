# The harness itself, in 32-bit protected mode: the console, exceptions as values, ring 3.
# expect: number: 12345678
# expect: a load: ok
# expect: a load through a null segment: #GP(0000)
# expect: UD2: #UD
# expect: HLT in ring 3: #GP(0000)
# expect: ring 3: ok
# expect: its CS, SS, ESP: 002b 0033 0000dffc
# expect: the checksum of 1, 2: 01000195
# qemu: a load through a null segment: ok -- it checks neither null segments nor limits on data accesses [SDM 3A 5.4.1]
.include "system.inc"
program 32
  mov eax, 0x12345678
  show "number", eax, 8
  try
  mov al, [0]
  caught "a load"
  try
  mov al, fs:[0]
  caught "a load through a null segment"
  try
  ud2
  caught "UD2"
  user halt
  caught "HLT in ring 3"
  user return
  caught "ring 3"
  print "its CS, SS, ESP: "
  hex [trap_cs], 4
  print " "
  hex [trap_ss], 4
  print " "
  hex [trap_sp], 8
  nl
  sum 1
  sum 2
  show_checksum "the checksum of 1, 2"
done
halt:
  hlt
return:
  push eax
  back
