# JMP and CALL straight to a selector with every access byte and RPL, in every ring [SDM 3A 5.8.1]; nothing through gates.
# expect: ring 0: 03d8 of 0400 faulted, checksum 39762680
# expect: ring 1: 03b0 of 0400 faulted, checksum d3e85500
# expect: ring 2: 0388 of 0400 faulted, checksum cbf4f480
# expect: ring 3: 0360 of 0400 faulted, checksum 9f933e00
# expect: JMP to a segment that is not present: #NP(0100)
# expect: JMP beyond the limit: #GP(0000)
# expect: CALL beyond the limit: #GP(0000)
# expect: CALL to an outer ring: #GP(0110)
# expect: JMP to null: #GP(0000)
# expect: JMP to null with RPL 3: #GP(0000)
# expect: JMP to a data segment: #GP(0010)
# expect: JMP to an LDT: #GP(0068)
# expect: JMP beyond the GDT: #GP(0200)
# expect: JMP with RPL 3 to the own ring: #GP(0018)
# expect: CALL through memory pushed CS: 00000018
# expect: and the offset of the next instruction: 00000000
# qemu: ring 0: 03d8 of 0400 faulted, checksum a913fe80 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: ring 1: 03b0 of 0400 faulted, checksum bdfdc500 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: ring 2: 0388 of 0400 faulted, checksum c599bc80 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: ring 3: 0360 of 0400 faulted, checksum c18d1e00 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: CALL beyond the limit: #GP(0108) -- the error code of an offset beyond the limit is 0 [SDM 2A "CALL"]
.include "system.inc"
program 32
  .irp n, 0, 1, 2, 3
  mov edi, offset ring\n\()_cases
  call sweep
  show_counts "ring \n"
  .endr

  descriptor TEST0, 0, 0xfffff, 0xc01b          # not present
  descriptor TEST0 + 8, 0, 0x10, 0x409b         # limit 10h
  descriptor TEST0 + 0x10, 0, 0xfffff, 0xc0fb   # ring 3
  try
  jump_far TEST0, there
  caught "JMP to a segment that is not present"
  try
  jump_far TEST0+8, 0x11
  caught "JMP beyond the limit"
  try
  call_far TEST0+8, 0x11
  caught "CALL beyond the limit"
  try
  call_far TEST0+0x10, there
  caught "CALL to an outer ring"
  try
  jump_far 0, there
  caught "JMP to null"
  try
  jump_far 3, there
  caught "JMP to null with RPL 3"
  try
  jump_far DATA, there
  caught "JMP to a data segment"
  try
  jump_far LDT, there
  caught "JMP to an LDT"
  try
  jump_far 0x200, there
  caught "JMP beyond the GDT"
  mov dword ptr [pointer], 0x11223344
  mov word ptr [pointer + 4], CODE32 + 3
  try
  jmp fword ptr [pointer]
  caught "JMP with RPL 3 to the own ring"
  mov word ptr [pointer + 4], CODE32
  mov dword ptr [pointer], offset 1f
  try
  call fword ptr [pointer]
1:
  mov eax, [esp + 4]
  mov ebx, [esp]
  sub ebx, offset 1b
  quiet
  show "CALL through memory pushed CS", eax, 8
  show "and the offset of the next instruction", ebx, 8
done

sweep:
  mov ebp, 0
1:
  mov eax, ebp                  # system descriptors of tasks and gates: elsewhere
  and eax, 0x10
  jz 4f
  mov ecx, 0
2:
  mov dword ptr [gdt + TEST0], 0xffff
  mov eax, ebp
  shl eax, 8
  or eax, 0x00cf0000
  mov [gdt + TEST0 + 4], eax
  lea ebx, [TEST0 + ecx]
  mov [pointer + 4], bx
  mov dword ptr [pointer], offset there
  call [edi]
  call accessed
  call [edi + 4]
  call accessed
  inc ecx
  cmp ecx, 4
  jb 2b
4:
  inc ebp
  cmp ebp, 0x100
  jb 1b
  ret
accessed:
  note
  mov eax, [gdt + TEST0 + 4]
  sum eax
  mov eax, [trap_cs]            # where it came from: CS of the INT, or of the fault
  sum eax
  mov eax, ebp
  mov byte ptr [gdt + TEST0 + 5], al
  ret
there:
  back

.macro cases n, cs, ss
ring\n\()_cases: .long 1f, 2f
1:
  ring \cs, \ss, jump
  quiet
  ret
2:
  ring \cs, \ss, do_call
  quiet
  ret
.endm
ring0_cases: .long 1f, 2f
1:
  try
  jmp fword ptr [pointer]
  quiet
  ret
2:
  try
  call fword ptr [pointer]
  quiet
  ret
  cases 1, CODE1, DATA1
  cases 2, CODE2, DATA2
  cases 3, UCODE32, UDATA
jump:
  jmp fword ptr [pointer]
do_call:
  call fword ptr [pointer]
  back
pointer: .long 0, 0
