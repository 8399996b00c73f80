# RETF and IRET in 32-bit code to every ring and type of segment [SDM 2A "IRET", 2B "RET", 3A 5.8.6]: from every ring,
# every access byte and RPL of CS; then of SS; what becomes of data segments; error codes.
# expect: CS from ring 0: 0790 of 0800 faulted, checksum a80850a0
# expect: CS from ring 1: 07a0 of 0800 faulted, checksum 10192740
# expect: CS from ring 2: 07b8 of 0800 faulted, checksum b1d4cae0
# expect: CS from ring 3: 07d8 of 0800 faulted, checksum 59e247c0
# expect: SS from ring 0: 17e8 of 1800 faulted, checksum bcd3ee60
# expect: SS from ring 1: 0ff0 of 1800 faulted, checksum 51029610
# expect: SS from ring 2: 0ff8 of 1800 faulted, checksum ab3ef5b8
# expect: segments of 0010: 0000 0000 0000 0000
# expect: segments of 0081: 0000 0000 0000 0000
# expect: segments of 0092: 0000 0000 0000 0000
# expect: segments of 0033: 0033 0033 0033 0033
# expect: segments of 0018: 0000 0000 0000 0000
# expect: segments of 002b: 002b 002b 002b 002b
# expect: segments of 0108: 0108 0108 0108 0108
# expect: ESP in ring 3 after RETF 12: 0000e00c
# expect: bytes left after RETF 8 in ring 0: 00000000
# expect: RETF with 16-bit operands to ring 3: ok
# expect: its ESP: 0000e000
# expect: IRET with 16-bit operands to ring 3: ok
# expect: its flags: 00003007
# expect: IRET to null: #GP(0000)
# expect: IRET beyond the GDT: #GP(0200)
# expect: IRET to ring 3 with a null SS: #GP(0000)
# expect: IRET to ring 3 beyond the limit: #GP(0000)
# expect: raised in CS: 0018
# expect: IRET to ring 3 with an SS that is not present: #SS(0100)
# expect: IRET to ring 3 with a CS that is not present: #NP(0100)
# expect: RETF from ring 3 to ring 0: #GP(0018)
# expect: IRET from ring 3 to RPL 0: #GP(0018)
# expect: flags by IRET in ring 3 with IOPL 0: 00244cd7
# expect: flags by IRET in ring 3 with IOPL 3: 00247ed7
# qemu: CS from ring 0: 0790 of 0800 faulted, checksum 9b9598a0 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: CS from ring 1: 07a0 of 0800 faulted, checksum e7daf740 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: CS from ring 2: 07b8 of 0800 faulted, checksum 12a3e6e0 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: CS from ring 3: 07d8 of 0800 faulted, checksum 72ae73c0 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: SS from ring 0: 17e8 of 1800 faulted, checksum 7d433d18 -- as for CS, and an absent SS is #NP [SDM 3A 6.15, interrupts 11 and 12]
# qemu: SS from ring 1: 0ff0 of 1800 faulted, checksum cb840be0 -- as for CS, and an absent SS is #NP [SDM 3A 6.15, interrupts 11 and 12]
# qemu: SS from ring 2: 0ff8 of 1800 faulted, checksum 770ea6a0 -- as for CS, and an absent SS is #NP [SDM 3A 6.15, interrupts 11 and 12]
# qemu: IRET to ring 3 beyond the limit: ok -- it checks no limits [SDM 3A 5.3]
# qemu: raised in CS: 0103 -- it checks no limits [SDM 3A 5.3]
# qemu: IRET to ring 3 with an SS that is not present: #NP(0100) -- an absent SS is #NP there; it is #SS whatever loads it [SDM 3A 6.15, interrupts 11 and 12]
# bochs: SS from ring 0: 17e8 of 1800 faulted, checksum 2d247ddc -- an absent SS is #NP there; it is #SS whatever loads it [SDM 3A 6.15, interrupts 11 and 12]
# bochs: SS from ring 1: 0ff0 of 1800 faulted, checksum b097bbb8 -- an absent SS is #NP there; it is #SS whatever loads it [SDM 3A 6.15, interrupts 11 and 12]
# bochs: SS from ring 2: 0ff8 of 1800 faulted, checksum c1baeb8c -- an absent SS is #NP there; it is #SS whatever loads it [SDM 3A 6.15, interrupts 11 and 12]
# bochs: IRET to ring 3 with an SS that is not present: #NP(0100) -- an absent SS is #NP there; it is #SS whatever loads it [SDM 3A 6.15, interrupts 11 and 12]
.include "system.inc"
program 32
  mov dword ptr [which], offset try_cs
  .irp n, 0, 1, 2, 3
  mov edi, offset ring\n\()_cases
  call sweep
  show_counts "CS from ring \n"
  .endr
  mov dword ptr [which], offset try_ss
  .irp n, 0, 1, 2
  mov edi, offset ring\n\()_cases
  call sweep
  show_counts "SS from ring \n"
  .endr

  # data segments of inner rings become null on the way out
  descriptor TEST0+8, 0, 0xfffff, 0xc09f
  mov ebp, offset selectors
1:
  mov eax, [ebp]
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov esp, STACK
  mov ecx, UDATA
  mov dword ptr ss:[resume], offset 2f
  mov ss:[resume_sp], esp
  push UDATA
  push USER_STACK
  push UCODE32
  push offset store_segments
  retf
2:
  quiet
  call show_segments
  add ebp, 4
  cmp ebp, offset selectors_end
  jb 1b

  # RETF n releases parameters on both stacks
  try
  push UDATA
  push USER_STACK
  .rept 3
  push 0
  .endr
  push UCODE32
  push offset ends
  retf 12
  quiet
  show "ESP in ring 3 after RETF 12", [trap_sp], 8
  try
  push 0
  push 0
  push CODE32
  push offset 3f
  retf 8
3:
  mov eax, [resume_sp]
  sub eax, esp
  quiet
  show "bytes left after RETF 8 in ring 0", eax, 8
  # 16-bit operands
  try
  push UDATA
  push USER_STACK
  pushw UDATA
  pushw (USER_STACK & 0xffff)
  pushw UCODE32
  pushw offset ends
  retfw
  caught "RETF with 16-bit operands to ring 3"
  show "its ESP", [trap_sp], 8
  try
  pushw UDATA
  pushw (USER_STACK & 0xffff)
  pushw 0x3007                  # IOPL 3, CF, PF
  pushw UCODE32
  pushw offset ends
  iretw
  caught "IRET with 16-bit operands to ring 3"
  mov eax, [trap_flags]
  and eax, 0x37d7
  show "its flags", eax, 8

  # faults
  try
  push 2
  push 0
  push offset ends
  iretd
  caught "IRET to null"
  try
  push 2
  push 0x200
  push offset ends
  iretd
  caught "IRET beyond the GDT"
  try
  push 0
  push USER_STACK
  push 2
  push UCODE32
  push offset ends
  iretd
  caught "IRET to ring 3 with a null SS"
  descriptor TEST0, 0, 0x10, 0x40fb
  mov word ptr [0x11], 0x30cd   # INT BACK, for a machine that goes there
  try
  push UDATA
  push USER_STACK
  push 2
  push TEST0 + 3
  push 0x11
  iretd
  caught "IRET to ring 3 beyond the limit"
  show "raised in CS", [trap_cs], 4
  descriptor TEST0, 0, 0xfffff, 0xc073
  try
  push TEST0 + 3
  push USER_STACK
  push 2
  push UCODE32
  push offset ends
  iretd
  caught "IRET to ring 3 with an SS that is not present"
  descriptor TEST0, 0, 0xfffff, 0xc07b
  try
  push UDATA
  push USER_STACK
  push 2
  push TEST0 + 3
  push offset ends
  iretd
  caught "IRET to ring 3 with a CS that is not present"
  user return_inner
  caught "RETF from ring 3 to ring 0"
  user return_small
  caught "IRET from ring 3 to RPL 0"

  # which flags IRET can change in ring 3, by IOPL
  .irp iopl, 0, 3
  try
  push UDATA
  push USER_STACK
  push 0x0002 | \iopl << 12
  push UCODE32
  push offset change_flags
  iretd
  quiet
  mov eax, [trap_flags]
  and eax, 0x247ed7 | 0x7000
  show "flags by IRET in ring 3 with IOPL \iopl", eax, 8
  .endr
done
selectors: .long DATA, DATA1, DATA2, UDATA, CODE32, UCODE32
  .long TEST0 + 8               # conforming, DPL 0
selectors_end:

store_segments:
  mov edi, offset seen
  mov ecx, ds
  mov edx, UDATA
  mov ds, edx
  mov [edi], ecx
  mov [edi + 4], es
  mov [edi + 8], fs
  mov [edi + 12], gs
  back
show_segments:
  print "segments of "
  hex [ebp], 4
  print ": "
  .irp n, 0, 1, 2, 3
  mov eax, [seen + 4 * \n]
  hex eax, 4
  print " "
  .endr
  nl
  ret
ends:
  back
return_inner:
  push CODE32
  push offset ends
  retf
return_small:
  push 2
  push CODE32
  push offset ends
  iretd
change_flags:
  push 0x247ed7 & ~0x100 | 0x3000      # all but TF and VM
  push UCODE32
  push offset ends
  iretd

# ---- every access byte and RPL of a selector, by RETF and by IRET ----
sweep:
  mov ebp, 0
1:
  mov ecx, 0
2:
  mov dword ptr [gdt + TEST0], 0xffff
  mov eax, ebp
  shl eax, 8
  or eax, 0x00cf0000
  mov [gdt + TEST0 + 4], eax
  lea ebx, [TEST0 + ecx]
  call [which]
  inc ecx
  cmp ecx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x100
  jb 1b
  ret
# CS under test; SS of the ring that its RPL names
try_cs:
  mov edx, [stacks + ecx * 4]
  call both
  ret
# SS under test; CS of a ring that is not further in
try_ss:
  push ecx
  mov edx, ebx
  .irp ring, 1, 2, 3
  mov ebx, [codes + 4 * \ring]
  call both
  .endr
  pop ecx
  ret
both:
  call [edi]
  call accessed
  call [edi + 4]
  call accessed
  ret
accessed:
  note
  mov eax, [gdt + TEST0 + 4]
  sum eax
  mov eax, [trap_cs]
  sum eax
  mov eax, [trap_ss]
  sum eax
  mov eax, ebp
  mov byte ptr [gdt + TEST0 + 5], al
  ret
stacks: .long DATA, DATA1, DATA2, UDATA
codes: .long CODE32, CODE1, CODE2, UCODE32

.macro cases n, cs, ss
ring\n\()_cases: .long 1f, 2f
1:
  ring \cs, \ss, by_retf
  quiet
  ret
2:
  ring \cs, \ss, by_iret
  quiet
  ret
.endm
ring0_cases: .long 1f, 2f
1:
  try
  jmp by_retf
  quiet
  ret
2:
  try
  jmp by_iret
  quiet
  ret
  cases 1, CODE1, DATA1
  cases 2, CODE2, DATA2
  cases 3, UCODE32, UDATA
by_retf:
  push edx
  push USER_STACK - 64
  push ebx
  push offset ends
  retf
by_iret:
  push edx
  push USER_STACK - 64
  push 2
  push ebx
  push offset ends
  iretd
.data
.balign 4
which: .long 0
seen: .fill 4, 4, 0
