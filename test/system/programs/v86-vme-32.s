# The virtual interrupt flag [SDM 3A 20.3, 20.4]: CR4.VME in virtual-8086 mode with the redirection bitmap of the TSS, CR4.PVI
# in ring 3. Every instruction at every IOPL, with IF, VIF and VIP set and clear.
# skip qemu: it has neither CR4.VME nor CR4.PVI
# expect: without, cli_: 000c of 000c faulted, checksum 8bc33990
# expect: without, sti_: 000c of 000c faulted, checksum 84d40d90
# expect: without, pushf_: 000c of 000c faulted, checksum 6070f2dc
# expect: without, popf_: 000c of 000c faulted, checksum 84bde16a
# expect: without, popf_if: 000c of 000c faulted, checksum 7dceb56a
# expect: without, int_31: 000c of 000c faulted, checksum 8b81e774
# expect: VME, cli_: 000c of 000c faulted, checksum a632d6a0
# expect: VME, sti_: 000c of 000c faulted, checksum ed2777f0
# expect: VME, pushf_: 000c of 000c faulted, checksum 301e20d0
# expect: VME, pushfd_: 000c of 000c faulted, checksum 69ce5bbe
# expect: VME, popf_: 000c of 000c faulted, checksum a0b26a90
# expect: VME, popf_if: 000c of 000c faulted, checksum ba7482ce
# expect: VME, popf_tf: 000c of 000c faulted, checksum 08c6d36a
# expect: VME, popfd_: 000c of 000c faulted, checksum 5aca2d0e
# expect: VME, iret_: 000c of 000c faulted, checksum c4437fd8
# expect: VME, iret_if: 000c of 000c faulted, checksum b39bf610
# expect: VME, iret_tf: 000c of 000c faulted, checksum a01cd1a0
# expect: VME, iretd_: 000c of 000c faulted, checksum 20fe7d48
# expect: VME, int_31: 000c of 000c faulted, checksum 5a796170
# expect: VME, int_32: 000c of 000c faulted, checksum d60109e0
# expect: INT to the program: #BP
# expect: FLAGS that the program sees: 3202
# expect: flags in the handler: 00020046
# expect: INT to the program at IOPL 3: #BP
# expect: FLAGS seen at IOPL 3: 3202
# expect: flags in the handler at IOPL 3: 00023046
# expect: bitmap beyond the limit: #GP(0000)
# expect: bitmap below the TSS: #GP(0000)
# expect: VIF and VIP: #GP(0000)
# expect: VME in ring 3, cli_32: 000c of 000c faulted, checksum dd733990
# expect: VME in ring 3, sti_32: 000c of 000c faulted, checksum d6840d90
# expect: PVI, cli_32: 000c of 000c faulted, checksum f7e2d6a0
# expect: PVI, sti_32: 000c of 000c faulted, checksum 3ed777f0
# expect: PVI, pushf_32: 000c of 000c faulted, checksum 6cb891c0
# expect: PVI, popf_32: 000c of 000c faulted, checksum 1bb524b8
# expect: PVI, CLI in ring 1: #GP(0000)
.include "system.inc"
.equ V_STACK, 0x2800
.equ MAP, 0x88                  # I/O bitmap of our own TSS, 32 bytes above the redirection bitmap
.macro v86 target, flags
  try
  mov eax, \flags
  mov ebx, offset \target
  call to_v86
.endm
# Every combination of IF, VIF, VIP and IOPL: `target` from virtual-8086 mode, or from ring 3
.macro all target, how
  .irp bits, 0, 0x200, 0x80000, 0x80200, 0x100000, 0x100200
  .irp iopl, 0, 3
  v86 \target, \bits | \iopl << 12
  quiet
  call weigh
  .endr
  .endr
.endm
program 32
  jmp begin
to_v86:
  mov dword ptr [seen_word], 0
  mov dword ptr [reached], 0
  mov [began], ebx
  cmp dword ptr [in_ring3], 0
  jne 1f
  push 0x3400
  push 0x3300
  push 0x3000
  push 0x3100
  push V_STACK
  push 0x1000
  or eax, 0x20002
  push eax
  push 0
  push ebx
  iretd
1:
  push UDATA
  pop ds
  push UDATA
  push USER_STACK
  or eax, 2
  push eax
  push UCODE32
  push ebx
  iretd
weigh:
  note
  mov eax, [trap_flags]
  and eax, ~0x10000
  sum eax
  mov eax, [trap_ip]
  sub eax, [began]
  sum eax
  sum [seen_word]
  sum [reached]
  ret
.macro extensions bits
  mov eax, cr4
  and eax, ~3
  or eax, \bits
  mov cr4, eax
.endm
begin:
  gate 3, 0xee
  gate 0x31, 0xee
  mov word ptr [0x31 * 4], offset program_31
  mov word ptr [0x31 * 4 + 2], 0
  # the redirection bitmap: 31h is the program's, the others are the monitor's
  mov edi, offset tss32 + 0x68
  mov ecx, 8
  mov eax, -1
  rep stosd
  mov byte ptr [tss32 + 0x68 + 6], 0xfd
  mov word ptr [tss32 + 0x66], MAP

  extensions 0
  .irp what, cli_, sti_, pushf_, popf_, popf_if, int_31
  all \what
  show_counts "without, \what"
  .endr
  extensions 1
  .irp what, cli_, sti_, pushf_, pushfd_, popf_, popf_if, popf_tf, popfd_, iret_, iret_if, iret_tf, iretd_, int_31, int_32
  all \what
  show_counts "VME, \what"
  .endr
  v86 int_31, 0x80000
  caught "INT to the program"
  show "FLAGS that the program sees", [seen_word], 4
  show "flags in the handler", [trap_flags], 8
  v86 int_31, 0x3200
  caught "INT to the program at IOPL 3"
  show "FLAGS seen at IOPL 3", [seen_word], 4
  show "flags in the handler at IOPL 3", [trap_flags], 8
  # the bitmap's place
  mov word ptr [tss32 + 0x66], 0x90 + 0x20 - 6
  v86 int_31, 0
  caught "bitmap beyond the limit"
  mov word ptr [tss32 + 0x66], 0x20 - 7
  v86 int_31, 0
  caught "bitmap below the TSS"
  mov word ptr [tss32 + 0x66], MAP
  v86 nothing, 0x180000
  caught "VIF and VIP"

  # CR4.PVI: CLI and STI of ring 3
  mov dword ptr [in_ring3], 1
  extensions 1
  .irp what, cli_32, sti_32
  all \what
  show_counts "VME in ring 3, \what"
  .endr
  extensions 2
  .irp what, cli_32, sti_32, pushf_32, popf_32
  all \what
  show_counts "PVI, \what"
  .endr
  ring CODE1, DATA1, cli_32
  caught "PVI, CLI in ring 1"
done

  mode 16
cli_:
  cli
  int3
sti_:
  sti
  int3
pushf_:
  pushf
  pop ax
  xor bx, bx
  mov ds, bx
  mov [seen_word], ax
  int3
pushfd_:
  pushfd
  int3
popf_:
  push 0x4cd7
  popf
  int3
popf_if:
  push 0x7ed7
  popf
  int3
popf_tf:
  push 0x1d7
  popf
  int3
popfd_:
  pushd 0x202
  popfd
  int3
iret_:
  push 0x4cd7
  push 0
  push offset back_
  iret
iret_if:
  push 0x7ed7
  push 0
  push offset back_
  iret
iret_tf:
  push 0x102
  push 0
  push offset back_
  iret
iretd_:
  pushd 0x202
  pushd 0
  pushd offset back_
  iretd
int_31:
  int 0x31
  int3
int_32:
  int 0x32
  int3
nothing:
  nop
back_:
  int3
program_31:
  xor ax, ax
  mov ds, ax
  mov bp, sp
  mov ax, [bp + 4]
  mov [seen_word], ax
  mov ax, [bp]
  mov [reached], ax
  int3
  mode 32
cli_32:
  cli
  int3
sti_32:
  sti
  int3
pushf_32:
  pushfd
  pop eax
  mov [seen_word], eax
  int3
popf_32:
  push 0x180202
  popfd
  int3
.data
.balign 4
seen_word: .long 0
reached: .long 0
began: .long 0
in_ring3: .long 0
