# Call gates of 32 and 16 bits [SDM 3A 5.8.3 to 5.8.5]: every gate DPL, RPL, target type and ring, by CALL and by JMP;
# the new stack with its parameters; error codes.
# expect: 32 bits, ring 0: 00d8 of 0100 faulted, checksum 79aafa00
# expect: 16 bits, ring 0: 00d8 of 0100 faulted, checksum d79bff50
# expect: 32 bits, ring 1: 00c1 of 0100 faulted, checksum 9a4e6d4a
# expect: 16 bits, ring 1: 00c1 of 0100 faulted, checksum b63e741e
# expect: 32 bits, ring 2: 00ba of 0100 faulted, checksum 1c17d4c0
# expect: 16 bits, ring 2: 00ba of 0100 faulted, checksum ac46cba0
# expect: 32 bits, ring 3: 00cc of 0100 faulted, checksum 724c35e8
# expect: 16 bits, ring 3: 00cc of 0100 faulted, checksum d6b226d8
# expect: CALL to system descriptors that are no gates: 000b of 000b faulted, checksum 2a17c776
# expect: 32 bits: ESP: 0000fee4
# expect: return offset: 00000016
# expect: slot 1: 0000002b
# expect: slot 2: 11111111
# expect: slot 3: 22222222
# expect: slot 4: 33333333
# expect: slot 5: 0000dff4
# expect: slot 6: 00000033
# expect: 16 bits: ESP of 16 bits: 0000fef2
# expect: return offset of 16 bits: 00000016
# expect: slot 1 of 16 bits: 002b
# expect: slot 2 of 16 bits: 1111
# expect: slot 3 of 16 bits: 1111
# expect: slot 4 of 16 bits: 2222
# expect: slot 5 of 16 bits: dff4
# expect: slot 6 of 16 bits: 0033
# expect: ring 1, 31 parameters, ESP: 0000f374
# expect: its SS: 0081
# expect: its CS: 0079
# expect: a gate that is not present: #NP(0100)
# expect: a gate of DPL 2 from ring 3: #GP(0100)
# expect: a gate to null: #GP(0000)
# expect: a gate to beyond the GDT: #GP(0200)
# expect: a gate to a data segment: #GP(0010)
# expect: a gate to a segment that is not present: #NP(0108)
# expect: a gate to beyond the segment's limit: #GP(0000)
# expect: SS1 is null: #TS(0000)
# expect: SS1 is null with RPL 1: #TS(0000)
# expect: SS1 is beyond the GDT: #TS(0200)
# expect: SS1 has RPL 0: #TS(0080)
# expect: SS1 has DPL 0: #TS(0010)
# expect: SS1 is code: #TS(0078)
# expect: SS1 is not present: #SS(0108)
# expect: SS1 is read-only: #TS(0108)
# expect: the frame ends one byte beyond SS1's limit: #SS(0108)
# expect: the frame ends at SS1's limit: #SS(0000)
# expect: the frame begins right above an expand-down SS1's limit: #SS(0000)
# expect: the frame begins at an expand-down SS1's limit: #SS(0108)
# expect: the TSS ends after SS1: ok
# expect: the TSS ends within SS1: #TS(0058)
# qemu: 32 bits, ring 0: 00d8 of 0100 faulted, checksum d6338a00 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 16 bits, ring 0: 00d8 of 0100 faulted, checksum 34248f50 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 32 bits, ring 1: 00c1 of 0100 faulted, checksum a4d39571 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 16 bits, ring 1: 00c1 of 0100 faulted, checksum c0c39c45 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 32 bits, ring 2: 00ba of 0100 faulted, checksum 40db6663 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 16 bits, ring 2: 00ba of 0100 faulted, checksum d10a5d43 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 32 bits, ring 3: 00cc of 0100 faulted, checksum cdc189f0 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: 16 bits, ring 3: 00cc of 0100 faulted, checksum 32277ae0 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: a gate to beyond the segment's limit: ok -- it does not check limits [SDM 3A 5.3]
# qemu: SS1 is not present: #TS(0108) -- a stack segment that is not present is #SS [SDM 2A "CALL"]
# qemu: the frame ends one byte beyond SS1's limit: ok -- it does not check limits [SDM 3A 5.3]
# qemu: the frame ends at SS1's limit: ok -- it does not check limits [SDM 3A 5.3]
# qemu: the frame begins right above an expand-down SS1's limit: ok -- it does not check limits [SDM 3A 5.3]
# qemu: the frame begins at an expand-down SS1's limit: ok -- it does not check limits [SDM 3A 5.3]
# qemu: the TSS ends after SS1: #TS(0058) -- two bytes of SS1 suffice [SDM 2A "CALL", TSSstackAddress + 5]
# bochs: the TSS ends after SS1: #TS(0058) -- two bytes of SS1 suffice [SDM 2A "CALL", TSSstackAddress + 5]
.include "system.inc"
program 32
.macro gate_to selector
  mov word ptr [gdt + TEST0], offset inner
  mov word ptr [gdt + TEST0 + 2], (\selector) & 0xfff8
.endm
  .irp n, 0, 1, 2, 3
  mov edi, offset ring\n\()_cases
  mov byte ptr [gate_type], 0x0c
  call sweep
  show_counts "32 bits, ring \n"
  mov byte ptr [gate_type], 0x04
  call sweep
  show_counts "16 bits, ring \n"
  .endr

  # types of system descriptors that are no gates
  mov ebp, 0
1:
  mov eax, ebp
  shl eax, 8
  or eax, 0x8000
  mov [gdt + TEST0 + 4], eax
  mov dword ptr [gdt + TEST0], CODE32 << 16
  cmp ebp, 1                    # tasks: not implemented
  je 2f
  cmp ebp, 5
  je 2f
  cmp ebp, 9
  je 2f
  cmp ebp, 4
  je 2f
  cmp ebp, 12
  je 2f
  try
  call_far TEST0, 0
  quiet
  note
2:
  inc ebp
  cmp ebp, 16
  jb 1b
  show_counts "CALL to system descriptors that are no gates"

  # parameters: 3 from ring 3 to ring 0, 32 and 16 bits
  call make_gate
  mov dword ptr [gdt + TEST0 + 4], 0x0000ec03
  user calls_with_parameters
  quiet
  call show_frame32
  gate_to CODE32
  mov dword ptr [gdt + TEST0 + 4], 0x0000e403
  user calls_with_parameters
  quiet
  call show_frame16
  # to ring 1, on its stack
  gate_to CODE1
  mov dword ptr [gdt + TEST0 + 4], 0x0000ec1f
  user calls_with_parameters
  quiet
  show "ring 1, 31 parameters, ESP", [seen_sp], 8
  show "its SS", [seen_ss], 4
  show "its CS", [seen_cs], 4

  # faults on the way
  call make_gate
  mov byte ptr [gdt + TEST0 + 5], 0x6c
  user calls
  caught "a gate that is not present"
  mov byte ptr [gdt + TEST0 + 5], 0xcc
  user calls
  caught "a gate of DPL 2 from ring 3"
  call make_gate
  mov word ptr [gdt + TEST0 + 2], 0
  user calls
  caught "a gate to null"
  mov word ptr [gdt + TEST0 + 2], 0x203
  user calls
  caught "a gate to beyond the GDT"
  mov word ptr [gdt + TEST0 + 2], DATA
  user calls
  caught "a gate to a data segment"
  descriptor TEST0+8, 0, 0xfffff, 0xc01b
  mov word ptr [gdt + TEST0 + 2], TEST0 + 8
  user calls
  caught "a gate to a segment that is not present"
  descriptor TEST0+8, 0, 0x10, 0x409b
  user calls
  caught "a gate to beyond the segment's limit"
  mov word ptr [gdt + TEST0 + 2], CODE32
  # only ring 1's stack is spoilt: ring 0's is needed for the fault itself
  mov word ptr [gdt + TEST0 + 2], CODE1 & 0xfff8
  .macro stack1 name, selector
  mov dword ptr [tss32 + 16], \selector
  user calls
  caught "\name"
  .endm
  stack1 "SS1 is null", 0
  stack1 "SS1 is null with RPL 1", 1
  stack1 "SS1 is beyond the GDT", 0x201
  stack1 "SS1 has RPL 0", DATA1-1
  stack1 "SS1 has DPL 0", DATA+1
  stack1 "SS1 is code", CODE1
  descriptor TEST0+8, 0, 0xfffff, 0xc033
  stack1 "SS1 is not present", TEST0+9
  descriptor TEST0+8, 0, 0xfffff, 0xc0b1
  stack1 "SS1 is read-only", TEST0+9
  descriptor TEST0+8, 0, STACK1-17, 0x40b3
  stack1 "the frame ends one byte beyond SS1's limit", TEST0+9
  descriptor TEST0+8, 0, STACK1-1, 0x40b3
  stack1 "the frame ends at SS1's limit", TEST0+9
  descriptor TEST0+8, 0, STACK1-17, 0x40b7
  stack1 "the frame begins right above an expand-down SS1's limit", TEST0+9
  descriptor TEST0+8, 0, STACK1-16, 0x40b7
  stack1 "the frame begins at an expand-down SS1's limit", TEST0+9
  mov dword ptr [tss32 + 16], DATA1
  mov word ptr [gdt + TSS], 0x11        # SS1 is at 10h..11h
  mov byte ptr [gdt + TSS + 5], 0x89
  mov eax, TSS
  ltr ax
  user calls
  caught "the TSS ends after SS1"
  mov word ptr [gdt + TSS], 0x10
  mov byte ptr [gdt + TSS + 5], 0x89
  mov eax, TSS
  ltr ax
  user calls
  caught "the TSS ends within SS1"
done

make_gate:
  gate_to CODE32
  mov dword ptr [gdt + TEST0 + 4], 0x0000ec00
  ret
calls:
  call_far TEST0, 0
  back
calls_with_parameters:
  push 0x33333333
  push 0x22222222
  push 0x11111111
  call_far TEST0, 0
  back

# What is on the inner stack
inner:
  mov eax, cs
  mov ss:[seen_cs], eax
  mov eax, ss
  mov ss:[seen_ss], eax
  mov ss:[seen_sp], esp
  pushad
  mov esi, esp
  add esi, 32
  mov ecx, 8
  xor ebx, ebx
1:
  mov eax, ss:[esi + ebx * 4]
  mov ss:[seen + ebx * 4], eax
  inc ebx
  loop 1b
  popad
  back
.data
.balign 4
seen_sp: .long 0
seen_cs: .long 0
seen_ss: .long 0
seen: .fill 8, 4, 0
gate_type: .byte 0
.text

show_frame32:
  show "32 bits: ESP", [seen_sp], 8
  mov eax, [seen]
  sub eax, offset calls_with_parameters
  show "return offset", eax, 8
  .irp n, 1, 2, 3, 4, 5, 6
  mov eax, [seen + 4 * \n]
  show "slot \n", eax, 8
  .endr
  ret
show_frame16:
  show "16 bits: ESP of 16 bits", [seen_sp], 8
  mov ax, [seen]
  sub ax, offset calls_with_parameters
  movzx eax, ax
  show "return offset of 16 bits", eax, 8
  .irp n, 1, 2, 3, 4, 5, 6
  movzx eax, word ptr [seen + 2 * \n]
  show "slot \n of 16 bits", eax, 4
  .endr
  ret

# Every gate DPL and RPL; target DPL, conforming or not. DPL of the gate in ebp 1:0, of the target 3:2, conforming 4
sweep:
  mov ebp, 0
1:
  mov ecx, 0
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
  or eax, 0x00cf0000
  mov [gdt + TEST0 + 12], eax
  mov dword ptr [gdt + TEST0 + 8], 0xffff
  gate_to TEST0+8
  mov eax, ebp
  and eax, 3
  shl eax, 5
  or al, [gate_type]
  or al, 0x80
  shl eax, 8
  mov [gdt + TEST0 + 4], eax
  lea eax, [TEST0 + ecx]
  mov [pointer + 4], ax
  mov dword ptr [seen_sp], 0
  mov dword ptr [seen_cs], 0
  mov dword ptr [seen_ss], 0
  call [edi]
  call record
  call [edi + 4]
  call record
  inc ecx
  cmp ecx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x20
  jb 1b
  ret
record:
  note
  .irp what, gdt + TEST0 + 12, seen_cs, seen_ss, seen_sp
  mov eax, [\what]
  sum eax
  .endr
  ret

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
