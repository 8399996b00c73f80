# Call gates and far transfers in IA-32e mode [SDM 3A 5.8.3.1, 5.8.5.1]: gates of 16 bytes, every DPL, RPL, target and ring by
# CALL and JMP; stacks; far transfers between 64-bit and compatibility code; what is not canonical.
# expect: ring 0: 00d8 of 0100 faulted, checksum 7bfe7360
# expect: ring 1: 00c1 of 0100 faulted, checksum 37b4d39a
# expect: ring 2: 00ba of 0100 faulted, checksum 7625f5a0
# expect: ring 3: 00cc of 0100 faulted, checksum 189338e8
# expect: CALL from ring 3: ok
# expect: RSP: 000000000000fee0
# expect: SS: 0000
# expect: CS: 0008
# expect: return offset: 0000000000000007
# expect: slot 1: 000000000000003b
# expect: slot 2: 000000000000e000
# expect: slot 3: 0000000000000033
# expect: CALL from 32-bit code of ring 3: ok
# expect: RSP of it: 000000000000fee0
# expect: slot 1 of it: 000000000000002b
# expect: the target is not canonical: #GP(0000)
# expect: the upper half has a type: #GP(0100)
# expect: the upper half has a DPL: ok
# expect: the target is 32-bit code: #GP(0018)
# expect: the target is null: #GP(0000)
# expect: a 16-bit gate: #GP(0100)
# expect: a TSS: #GP(0100)
# expect: a task gate: #GP(0100)
# expect: the gate ends one byte beyond the limit: #GP(0100)
# expect: the gate ends at the limit: ok
# expect: RSP1 is not canonical: #SS(0000)
# expect: RSP1 is not a multiple of 16: ok
# expect: RSP in ring 1: 000000000000f3d8
# expect: SS in ring 1: 0001
# expect: the TSS ends one byte before RSP1 does: #TS(0058)
# expect: the TSS ends with RSP1: ok
# expect: JMP to 32-bit code: ok
# expect: with CS: 0018
# expect: CALL to 32-bit code: ok
# expect: pushed: 0008
# expect: CALL with REX.W: ok
# expect: pushed by it: 0010
# expect: JMP to code with L and D: #GP(0100)
# expect: JMP to an offset that is not canonical: #GP(0000)
# expect: 9A: #UD
# expect: EA: #UD
# qemu: ring 0: 00d8 of 0100 faulted, checksum d8870360 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: ring 1: 00c1 of 0100 faulted, checksum 4239fbc1 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: ring 2: 00ba of 0100 faulted, checksum 9ae98743 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: ring 3: 00cc of 0100 faulted, checksum 74088cf0 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: JMP to code with L and D: ok -- L and D together are #GP [SDM 3A 5.2.1]
# bochs: RSP1 is not canonical: #SS(0030) -- the error code is NewSS, which is null, not the old SS [SDM 2A "CALL"]
.include "system.inc"
program 64
  .irp n, 0, 1, 2, 3
  mov rdi, offset ring\n\()_cases
  call sweep
  show_counts "ring \n"
  .endr

  call make_gate
  user calls
  caught "CALL from ring 3"
  show "RSP", [seen_sp], 16
  show "SS", [seen_ss], 4
  show "CS", [seen_cs], 4
  mov rax, [seen]
  sub rax, offset calls
  show "return offset", rax, 16
  .irp n, 1, 2, 3
  show "slot \n", [seen+8*\n], 16
  .endr
  # from compatibility code: the gate's operand size is 64 bits
  ring UCODE32, UDATA, calls32
  caught "CALL from 32-bit code of ring 3"
  show "RSP of it", [seen_sp], 16
  show "slot 1 of it", [seen+8], 16
  call make_gate
  mov dword ptr [gdt + TEST0 + 8], 0x8000
  user calls
  caught "the target is not canonical"
  call make_gate
  mov dword ptr [gdt + TEST0 + 12], 0x1000
  user calls
  caught "the upper half has a type"
  mov dword ptr [gdt + TEST0 + 12], 0x2000
  user calls
  caught "the upper half has a DPL"
  call make_gate
  mov word ptr [gdt + TEST0 + 2], CODE32
  user calls
  caught "the target is 32-bit code"
  mov word ptr [gdt + TEST0 + 2], 0
  user calls
  caught "the target is null"
  call make_gate
  mov byte ptr [gdt + TEST0 + 5], 0xe4
  user calls
  caught "a 16-bit gate"
  mov byte ptr [gdt + TEST0 + 5], 0xe9
  user calls
  caught "a TSS"
  mov byte ptr [gdt + TEST0 + 5], 0xe5
  user calls
  caught "a task gate"
  call make_gate
  mov word ptr [gdt_pointer], TEST0 + 14
  lgdt [gdt_pointer]
  user calls
  caught "the gate ends one byte beyond the limit"
  mov word ptr [gdt_pointer], TEST0 + 15
  lgdt [gdt_pointer]
  user calls
  caught "the gate ends at the limit"
  mov rax, 0x0000800000000000
  mov [tss64 + 12], rax         # RSP1
  mov word ptr [gdt + TEST0 + 2], CODE1_64
  user calls
  caught "RSP1 is not canonical"
  mov qword ptr [tss64 + 12], STACK1 - 8
  user calls
  caught "RSP1 is not a multiple of 16"
  show "RSP in ring 1", [seen_sp], 16
  show "SS in ring 1", [seen_ss], 4
  mov word ptr [gdt + TSS], 18
  mov byte ptr [gdt + TSS + 5], 0x89
  mov eax, TSS
  ltr ax
  user calls
  caught "the TSS ends one byte before RSP1 does"
  mov word ptr [gdt + TSS], 19
  mov byte ptr [gdt + TSS + 5], 0x89
  mov eax, TSS
  ltr ax
  user calls
  caught "the TSS ends with RSP1"
  mov word ptr [gdt + TSS], 0x8f
  mov byte ptr [gdt + TSS + 5], 0x89
  mov eax, TSS
  ltr ax
  mov word ptr [gdt_pointer], 0x1ff
  lgdt [gdt_pointer]

  # direct far transfers through memory, by operand size
  mov dword ptr [pointer], offset come32
  mov word ptr [pointer + 4], CODE32
  try
  jmp fword ptr [pointer]
  caught "JMP to 32-bit code"
  show "with CS", [seen_cs], 4
  try
  call fword ptr [pointer]
  caught "CALL to 32-bit code"
  mov rax, [resume_sp]
  sub rax, [seen_sp]
  show "pushed", rax, 4
  mov qword ptr [pointer], offset seeing
  mov word ptr [pointer + 8], CODE64
  try
  rex.w call fword ptr [pointer]
  caught "CALL with REX.W"
  mov rax, [resume_sp]
  sub rax, [seen_sp]
  show "pushed by it", rax, 4
  descriptor TEST0, 0, 0xfffff, 0xe09b  # L and D
  mov dword ptr [pointer], offset seeing
  mov word ptr [pointer + 4], TEST0
  try
  jmp fword ptr [pointer]
  caught "JMP to code with L and D"
  mov rax, 0x0000800000000000
  mov qword ptr [pointer], rax
  mov word ptr [pointer + 8], CODE64
  try
  rex.w jmp fword ptr [pointer]
  caught "JMP to an offset that is not canonical"
  try
  .byte 0x9a
  .long 0
  .word 0
  caught "9A"
  try
  .byte 0xea
  .long 0
  .word 0
  caught "EA"
done

make_gate:
  mov word ptr [gdt + TEST0], offset seeing
  mov word ptr [gdt + TEST0 + 2], CODE64
  mov dword ptr [gdt + TEST0 + 4], 0xec00
  mov qword ptr [gdt + TEST0 + 8], 0
  ret
calls:
  call fword ptr [gate_pointer]
  back
  mode 32
calls32:
  call_far TEST0, 0
  back
come32:
  mov [seen_sp], esp
  mov eax, cs
  mov [seen_cs], eax
  back
  mode 64
seeing:
  mov [seen_sp], rsp
  push rax
  mov eax, cs
  mov [seen_cs], eax
  mov eax, ss
  mov [seen_ss], eax
  .irp n, 0, 1, 2, 3
  mov rax, [rsp + 8 + 8 * \n]
  mov [seen + 8 * \n], rax
  .endr
  pop rax
  back

# DPL of the gate in ebp 1:0, of the target 3:2, conforming 4; RPL in r12
sweep:
  xor ebp, ebp
1:
  xor r12d, r12d
2:
  mov eax, ebp
  shr eax, 2
  and eax, 3
  shl eax, 5
  or eax, 0x9a
  test ebp, 0x10
  jz 3f
  or eax, 4
3:
  shl eax, 8
  or eax, 0x00af0000
  mov [gdt + TEST0 + 20], eax
  mov dword ptr [gdt + TEST0 + 16], 0xffff
  call make_gate
  mov word ptr [gdt + TEST0 + 2], TEST0 + 16
  mov eax, ebp
  and eax, 3
  shl eax, 5
  or al, 0x8c
  mov [gdt + TEST0 + 5], al
  lea eax, [TEST0 + r12]
  mov [pointer + 4], ax
  mov qword ptr [seen_sp], 0
  mov qword ptr [seen_cs], 0
  mov qword ptr [seen_ss], 0
  call [rdi]
  call record
  call [rdi + 8]
  call record
  inc r12d
  cmp r12d, 4
  jb 2b
  inc ebp
  cmp ebp, 0x20
  jb 1b
  ret
record:
  note
  .irp what, gdt + TEST0 + 20, seen_cs, seen_ss, seen_sp
  mov eax, [\what]
  sum eax
  .endr
  ret
.macro cases n, cs, ss
ring\n\()_cases: .quad 1f, 2f
1:
  ring \cs, \ss, jump
  quiet
  ret
2:
  ring \cs, \ss, do_call
  quiet
  ret
.endm
ring0_cases: .quad 1f, 2f
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
  cases 1, CODE1_64, DATA1
  cases 2, CODE2_64, DATA2
  cases 3, UCODE64, UDATA
jump:
  jmp fword ptr [pointer]
do_call:
  call fword ptr [pointer]
  back
.data
.balign 8
pointer: .quad 0, 0
gate_pointer: .long 0
  .word TEST0
.balign 8
seen_sp: .quad 0
seen_cs: .quad 0
seen_ss: .quad 0
seen: .fill 4, 8, 0
