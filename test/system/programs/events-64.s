# Delivery of events in IA-32e mode [SDM 3A 6.14]: gates of every type, handlers in every kind of segment, stacks by ring and
# by IST, alignment of the stack, canonical checks, error codes; from 64-bit and compatibility code.
# expect: gates: 02f4 of 0300 faulted, checksum 9fe3f820
# expect: handlers' segments: 1f60 of 2000 faulted, checksum 870b9340
# expect: IST 0, RSP from ring 0: 000000000000efd8
# expect: IST 0, pushed RSP is above the old by: 0000000000000000
# expect: IST 0, RSP from ring 3: 000000000000fed8
# expect: IST 0, SS in the handler: 0000
# expect: IST 0, pushed SS: 0033
# expect: IST 1, RSP from ring 0: 000000000000fbd8
# expect: IST 1, pushed RSP is above the old by: 0000000000000000
# expect: IST 1, RSP from ring 3: 000000000000fbd8
# expect: IST 1, SS in the handler: 0000
# expect: IST 1, pushed SS: 0033
# expect: IST 2, RSP from ring 0: 000000000000fad8
# expect: IST 2, pushed RSP is above the old by: 0000000000000000
# expect: IST 2, RSP from ring 3: 000000000000fad8
# expect: IST 2, SS in the handler: 0000
# expect: IST 2, pushed SS: 0033
# expect: IST 3, RSP from ring 0: 000000000000f9d8
# expect: IST 3, pushed RSP is above the old by: 0000000000000000
# expect: IST 3, RSP from ring 3: 000000000000f9d8
# expect: IST 3, SS in the handler: 0000
# expect: IST 3, pushed SS: 0033
# expect: RSP less by 0: 000000000000edd8
# expect: RSP less by 1: 000000000000edc8
# expect: RSP less by 8: 000000000000edc8
# expect: RSP less by 15: 000000000000edc8
# expect: IST1 = 0000800000000000: #SS(0000)
# expect: IST1 = 0000800000000008: #SS(0000)
# expect: IST1 = 0000800000000010: #SS(0000)
# expect: IST1 = FFFF800000000000: #SS(0000)
# expect: IST1 is not mapped: #PF(0002) at 00001ffffffffff8
# expect: #DE on a stack that is not canonical: #DF(0000)
# expect: handler not canonical: #GP(0000)
# expect: raised at the INT, offset: 0000
# expect: handler not mapped: #PF(0010) at 00002000000031cc
# expect: raised at the handler, upper half: 00002000
# expect: handler in ring 3: #GP(0038)
# expect: handler in 32-bit code: #GP(0018)
# expect: reserved bits in the last quarter: ok
# expect: reserved bits beside IST: ok
# expect: INT beyond the IDT: #GP(0282)
# expect: INT of which the last byte is beyond: #GP(01c2)
# expect: INT that ends at the limit: ok
# expect: to ring 1: ok
# expect: CS in ring 1: 0099
# expect: SS in ring 1: 0001
# expect: RSP in ring 1: 000000000000f3d8
# expect: the TSS ends after RSP0: ok
# expect: the TSS ends before RSP1: #TS(0058)
# qemu: gates: 02f4 of 0300 faulted, checksum 0dfbf820 -- error codes of INT n are 16 times the vector [SDM 3A 6.13]
# qemu: handlers' segments: 1f60 of 2000 faulted, checksum 02657300 -- error codes of INT n, and accessed bits [SDM 3A 6.13, 3.4.5.1]
# qemu: IST1 = FFFF800000000000: #GP(0000) -- a push below the canonical half is #SS [SDM 2A "INT n"]
# qemu: raised at the INT, offset: 04f3 -- a handler that is not canonical is refused before the transfer [SDM 2A "INT n"]
# qemu: INT beyond the IDT: #GP(0502) -- error codes of INT n are 16 times the vector [SDM 3A 6.13]
# qemu: INT of which the last byte is beyond: #GP(0382) -- error codes of INT n are 16 times the vector [SDM 3A 6.13]
# bochs: IST1 = 0000800000000000: #SS(0010) -- the error code is NewSS, which is null, not the old SS [SDM 2A "INT n"]
# bochs: IST1 = 0000800000000008: #SS(0010) -- the error code is NewSS, which is null, not the old SS [SDM 2A "INT n"]
# bochs: IST1 = 0000800000000010: #SS(0010) -- the error code is NewSS, which is null, not the old SS [SDM 2A "INT n"]
.include "system.inc"
.equ N, 0x38                    # the vector under test
.equ GATE, IDT_64 + N * 16
program 64
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
  ring UCODE32, UDATA, asks
  quiet
  call weigh
  inc ebp
  cmp ebp, 0x100
  jb 1b
  show_counts "gates"

  # every access byte, D and L, RPL
  xor ebp, ebp
1:
  mov dword ptr [gdt + TEST0], 0xffff
  mov eax, ebp
  and eax, 0xff
  shl eax, 8
  mov ecx, ebp
  and ecx, 0x300
  shl ecx, 13
  or eax, ecx
  or eax, 0x008f0000
  mov [gdt + TEST0 + 4], eax
  mov r12d, 0
2:
  call good_gate
  lea eax, [TEST0 + r12]
  mov [GATE + 2], ax
  try
  int N
  quiet
  call weigh
  user asks
  quiet
  call weigh
  inc r12d
  cmp r12d, 4
  jb 2b
  inc ebp
  cmp ebp, 0x400
  jb 1b
  show_counts "handlers' segments"

  # IST
  .irp ist, 0, 1, 2, 3
  call good_gate
  mov byte ptr [GATE + 4], \ist
  try
  int N
  quiet
  show "IST \ist, RSP from ring 0", [seen_sp], 16
  show "IST \ist, pushed RSP is above the old by", [old_sp], 16
  call good_gate
  mov byte ptr [GATE + 4], \ist
  user asks
  quiet
  show "IST \ist, RSP from ring 3", [seen_sp], 16
  show "IST \ist, SS in the handler", [seen_ss], 4
  show "IST \ist, pushed SS", [seen + 4 * 8], 4
  .endr
  call good_gate
  # the stack is aligned to 16 bytes first
  .irp by, 0, 1, 8, 15
  try
  mov rsp, STACK - 0x200 - \by
  int N
  quiet
  show "RSP less by \by", [seen_sp], 16
  .endr
  # stacks that are not canonical, and not there
  mov rax, 0x0000800000000000
  mov [tss64 + 0x24], rax               # IST1
  mov byte ptr [GATE + 4], 1
  try
  int N
  caught "IST1 = 0000800000000000"      # the frame is below
  mov rax, 0x0000800000000008
  mov [tss64 + 0x24], rax
  try
  int N
  caught "IST1 = 0000800000000008"
  mov rax, 0x0000800000000010
  mov [tss64 + 0x24], rax
  try
  int N
  caught "IST1 = 0000800000000010"
  mov rax, 0xffff800000000000
  mov [tss64 + 0x24], rax
  try
  int N
  caught "IST1 = FFFF800000000000"
  mov rax, 0x0000200000000000
  mov [tss64 + 0x24], rax
  try
  int N
  caught "IST1 is not mapped"
  mov qword ptr [tss64 + 0x24], IST_STACK
  mov rax, 0x0000800000000010
  mov byte ptr [IDT_64 + 4], 1          # #DE
  mov [tss64 + 0x24], rax
  mov byte ptr [IDT_64 + 8 * 16 + 4], 2 # #DF
  try
  xor eax, eax
  div eax
  caught "#DE on a stack that is not canonical"
  mov byte ptr [IDT_64 + 4], 0
  # handlers
  call good_gate
  mov dword ptr [GATE + 8], 0x8000
  try
1:
  int N
  caught "handler not canonical"
  mov rax, [trap_ip]
  sub rax, offset 1b
  show "raised at the INT, offset", rax, 4
  call good_gate
  mov dword ptr [GATE + 8], 0x2000
  try
  int N
  caught "handler not mapped"
  mov rax, [trap_ip]
  shr rax, 32
  show "raised at the handler, upper half", rax, 8
  call good_gate
  mov word ptr [GATE + 2], UCODE64
  try
  int N
  caught "handler in ring 3"
  mov word ptr [GATE + 2], CODE32
  try
  int N
  caught "handler in 32-bit code"
  call good_gate
  mov byte ptr [GATE + 12], 0x1f        # reserved bits of the last quarter
  try
  int N
  caught "reserved bits in the last quarter"
  call good_gate
  mov byte ptr [GATE + 4], 0xf8
  try
  int N
  caught "reserved bits beside IST"
  try
  int 0x50
  caught "INT beyond the IDT"
  mov word ptr [idt_pointer64], N * 16 + 14
  lidt [idt_pointer64]
  call good_gate
  try
  int N
  caught "INT of which the last byte is beyond"
  mov word ptr [idt_pointer64], N * 16 + 15
  lidt [idt_pointer64]
  try
  int N
  caught "INT that ends at the limit"
  # to ring 1
  call good_gate
  mov word ptr [GATE + 2], CODE1_64
  user asks
  caught "to ring 1"
  show "CS in ring 1", [seen_cs], 4
  show "SS in ring 1", [seen_ss], 4
  show "RSP in ring 1", [seen_sp], 16
  # the TSS's limit
  mov word ptr [gdt + TSS], 11          # RSP0 is at 4..11
  mov byte ptr [gdt + TSS + 5], 0x89
  mov eax, TSS
  ltr ax
  call good_gate
  user asks
  caught "the TSS ends after RSP0"
  mov word ptr [GATE + 2], CODE1_64
  user asks
  caught "the TSS ends before RSP1"
done

good_gate:
  mov word ptr [GATE], offset seeing
  mov word ptr [GATE + 2], CODE64
  mov dword ptr [GATE + 4], 0xee00
  mov qword ptr [GATE + 8], 0
  mov qword ptr [seen_sp], 0
  ret
seeing:
  mov [seen_sp], rsp
  push rax
  mov eax, cs
  mov [seen_cs], eax
  mov eax, ss
  mov [seen_ss], eax
  .irp n, 0, 1, 2, 3, 4
  mov rax, [rsp + 8 + 8 * \n]
  mov [seen + 8 * \n], rax
  .endr
  mov rax, [seen + 24]
  sub rax, [resume_sp]
  mov [old_sp], rax
  pop rax
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
.data
.balign 8
seen_sp: .quad 0
old_sp: .quad 0
seen_cs: .quad 0
seen_ss: .quad 0
seen: .fill 5, 8, 0
