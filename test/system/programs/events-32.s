# Delivery of events in protected mode [SDM 3A 6.12, 6.13]: gates of every type, presence and DPL from rings 0 and 3; handlers
# in every kind of segment; stacks; error codes with IDT and EXT.
# expect: gates: 01ec of 0200 faulted, checksum 8d73b3be
# expect: handlers' segments: 0760 of 0800 faulted, checksum 72f1d740
# expect: INT through an absent gate: #NP(01c2)
# expect: DIV through an absent gate: #DF(0000)
# expect: INT3 through an absent gate: #NP(001a)
# expect: INT3 in ring 3, gate of DPL 0: #GP(001a)
# expect: INTO in ring 3, gate of DPL 0: #GP(0022)
# expect: INT1 in ring 3, gate of DPL 0: #DB
# expect: INT 0 in ring 3, gate of DPL 0: #GP(0002)
# expect: INT1 through an absent gate: #NP(000b)
# expect: UD2 in ring 3, gate of DPL 0: #UD
# expect: INT beyond the IDT: #GP(0282)
# expect: INT of which the last byte is beyond: #GP(01c2)
# expect: INT that ends at the limit: ok
# expect: handler in null: #GP(0000)
# expect: handler beyond the GDT: #GP(0200)
# expect: handler in an absent segment: #NP(0100)
# expect: handler beyond the segment's limit: #GP(0000)
# expect: #DE's handler beyond the limit: #DF(0000)
# expect: #DE's handler in an absent segment: #DF(0000)
# expect: #DE's handler in null: #DF(0000)
# expect: SS1 is null: #TS(0000)
# expect: SS1 is ring 0's: #TS(0010)
# expect: SS1 is absent: #SS(0100)
# expect: the frame exceeds SS1's limit: #SS(0100)
# expect: the frame fits: ok
# expect: in ring 1: ok
# expect: CS in the handler: 0079
# expect: SS in the handler: 0081
# expect: ESP in the handler: 0000f3ec
# expect: gate of type 0xee: fffffff4 flags 00043cd7 frame 00000018 00043ed7
# expect: gate of type 0xef: fffffff4 flags 00043ed7 frame 00000018 00043ed7
# expect: gate of type 0xe6: fffffffa flags 00043cd7 frame 00003ed7 00000000
# expect: gate of type 0xe7: fffffffa flags 00043ed7 frame 00003ed7 00000000
# qemu: handlers' segments: 0760 of 0800 faulted, checksum dec05b40 -- it does not set the accessed bit of code segments [SDM 3A 3.4.5.1]
# qemu: INT1 in ring 3, gate of DPL 0: #UD -- it does not know INT1 [SDM 2A "INT n"]
# qemu: INT1 through an absent gate: #UD -- it does not know INT1 [SDM 2A "INT n"]
# qemu: handler beyond the segment's limit: ok -- it checks no limits of code and stack segments [SDM 3A 5.3]
# qemu: #DE's handler beyond the limit: ok -- it checks no limits of code and stack segments [SDM 3A 5.3]
# qemu: SS1 is absent: #TS(0100) -- an absent stack segment is #SS [SDM 2A "INT n"]
# qemu: the frame exceeds SS1's limit: ok -- it checks no limits of code and stack segments [SDM 3A 5.3]
.include "system.inc"
.equ N, 0x38                    # the vector under test
.equ GATE, IDT_32 + N * 8
program 32
  # every access byte of a gate, by INT n from rings 0 and 3
  xor ebp, ebp
1:
  call good_gate
  mov eax, ebp
  mov byte ptr [GATE + 5], al
  try
  int N
  quiet
  call weigh
  user asks
  quiet
  call weigh
  inc ebp
  cmp ebp, 0x100
  jb 1b
  show_counts "gates"

  # the handler's segment: every access byte and RPL, from rings 0 and 3
  xor ebp, ebp
1:
  mov dword ptr [gdt + TEST0], 0xffff
  mov eax, ebp
  shl eax, 8
  or eax, 0x00cf0000
  mov [gdt + TEST0 + 4], eax
  mov ecx, 0
2:
  call good_gate
  lea eax, [TEST0 + ecx]
  mov [GATE + 2], ax
  try
  int N
  quiet
  call weigh
  user asks
  quiet
  call weigh
  inc ecx
  cmp ecx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x100
  jb 1b
  show_counts "handlers' segments"

  # the same fault by an instruction and by an event that is none's fault
  call good_gate
  mov byte ptr [GATE + 5], 0x6e
  user asks
  caught "INT through an absent gate"
  mov byte ptr [IDT_32 + 0 * 8 + 5], 0x0e
  try
  xor eax, eax
  div eax
  caught "DIV through an absent gate"
  mov byte ptr [IDT_32 + 0 * 8 + 5], 0x8e
  mov byte ptr [IDT_32 + 3 * 8 + 5], 0x6e
  user breaks
  caught "INT3 through an absent gate"
  mov byte ptr [IDT_32 + 3 * 8 + 5], 0x8e
  user breaks
  caught "INT3 in ring 3, gate of DPL 0"
  user overflows
  caught "INTO in ring 3, gate of DPL 0"
  user traps
  caught "INT1 in ring 3, gate of DPL 0"
  user asks_0
  caught "INT 0 in ring 3, gate of DPL 0"
  mov byte ptr [IDT_32 + 1 * 8 + 5], 0x0e
  try
  .byte 0xf1
  caught "INT1 through an absent gate"
  mov byte ptr [IDT_32 + 1 * 8 + 5], 0x8e
  user undefined
  caught "UD2 in ring 3, gate of DPL 0"
  try
  int 0x50
  caught "INT beyond the IDT"
  mov word ptr [idt_pointer32], N * 8 + 6
  lidt [idt_pointer32]
  call good_gate
  try
  int N
  caught "INT of which the last byte is beyond"
  mov word ptr [idt_pointer32], N * 8 + 7
  lidt [idt_pointer32]
  try
  int N
  caught "INT that ends at the limit"
  call good_gate
  mov word ptr [GATE + 2], 0
  try
  int N
  caught "handler in null"
  mov word ptr [GATE + 2], 0x203
  try
  int N
  caught "handler beyond the GDT"
  mov word ptr [GATE + 2], TEST0
  descriptor TEST0, 0, 0xfffff, 0xc01b
  try
  int N
  caught "handler in an absent segment"
  descriptor TEST0, 0, 0x10, 0x409b
  mov word ptr [GATE], 0x11
  mov word ptr [0x11], 0x30cd   # INT BACK, for a machine that goes there
  try
  int N
  caught "handler beyond the segment's limit"
  # the same for an exception: EXT is set
  mov word ptr [IDT_32 + 2], TEST0
  mov word ptr [IDT_32], 0x11
  try
  xor eax, eax
  div eax
  caught "#DE's handler beyond the limit"
  descriptor TEST0, 0, 0xfffff, 0xc01b
  try
  xor eax, eax
  div eax
  caught "#DE's handler in an absent segment"
  mov word ptr [IDT_32 + 2], 0
  try
  xor eax, eax
  div eax
  caught "#DE's handler in null"

  # ring 1's stack
  call good_gate
  mov word ptr [GATE + 2], CODE1
  mov dword ptr [tss32 + 16], 0
  user asks
  caught "SS1 is null"
  mov dword ptr [tss32 + 16], DATA
  user asks
  caught "SS1 is ring 0's"
  mov dword ptr [tss32 + 16], TEST0 + 1
  descriptor TEST0, 0, 0xfffff, 0xc033
  user asks
  caught "SS1 is absent"
  descriptor TEST0, 0, STACK1-20, 0x40b3
  user asks
  caught "the frame exceeds SS1's limit"
  descriptor TEST0, 0, STACK1-1, 0x40b3
  user asks
  caught "the frame fits"
  mov dword ptr [tss32 + 16], DATA1
  user asks
  caught "in ring 1"
  show "CS in the handler", [seen_cs], 4
  show "SS in the handler", [seen_ss], 4
  show "ESP in the handler", [seen_sp], 8

  # frames, flags
  .irp type, 0xee, 0xef, 0xe6, 0xe7
  call good_gate
  mov byte ptr [GATE + 5], \type
  try
  push 0x7ed7 & ~0x4100 | 0x40000      # no TF, no NT; AC
  popfd
  int N
1:
  quiet
  print "gate of type \type: "
  mov eax, [seen_sp]
  sub eax, [resume_sp]
  hex eax, 8
  print " flags "
  hex [seen_flags], 8
  print " frame "
  hex [seen + 4], 8
  print " "
  hex [seen + 8], 8
  nl
  .endr
done

good_gate:
  mov word ptr [GATE], offset seeing
  mov word ptr [GATE + 2], CODE32
  mov dword ptr [GATE + 4], 0xee00
  mov dword ptr [seen_sp], 0
  ret
seeing:
  mov ss:[seen_sp], esp
  pushfd
  pop dword ptr ss:[seen_flags]
  push eax
  mov eax, cs
  mov ss:[seen_cs], eax
  mov eax, ss
  mov ss:[seen_ss], eax
  .irp n, 0, 1, 2
  mov eax, ss:[esp + 4 + 4 * \n]
  mov ss:[seen + 4 * \n], eax
  .endr
  pop eax
  back
weigh:
  note
  .irp what, seen_sp, seen_cs, seen_ss
  mov eax, [\what]
  sum eax
  .endr
  mov eax, [gdt + TEST0 + 4]
  sum eax
  ret
asks:
  int N
asks_0:
  int 0
breaks:
  int3
overflows:
  mov al, 0x7f
  inc al
  into
traps:
  .byte 0xf1
undefined:
  ud2
.data
.balign 4
seen_sp: .long 0
seen_flags: .long 0
seen_cs: .long 0
seen_ss: .long 0
seen: .fill 4, 4, 0
