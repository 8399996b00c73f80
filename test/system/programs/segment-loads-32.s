# Loads of DS and SS with every type, presence, DPL and RPL, in every ring [SDM 3A 5.6, 5.7]: faults, the accessed bit.
# For each ring; and error codes of selected cases.
# expect: ring 0: 0778 of 0800 faulted, checksum 6e2d388c
# expect: ring 1: 0782 of 0800 faulted, checksum efb533ac
# expect: ring 2: 0796 of 0800 faulted, checksum 1019d4ac
# expect: ring 3: 07b4 of 0800 faulted, checksum 52fc7d8c
# expect: a data segment that is not present into DS: #NP(0108)
# expect: the same into SS: #SS(0108)
# expect: execute-only code into ES: #GP(0110)
# expect: RPL 3 for DPL 0 into FS: #GP(0100)
# expect: beyond the GDT's limit into GS: #GP(0200)
# expect: the last entry of the GDT, which is null, into GS: #GP(01f8)
# expect: an entry of the empty LDT into GS: #GP(0014)
# expect: null with RPL 3 into GS: ok
# expect: an access through it: #GP(0000)
# expect: null into SS: #GP(0000)
# expect: LES beyond the GDT's limit: #GP(0200)
# expect: EBX after it: 12345678
# expect: POP DS beyond the GDT's limit: #GP(0200)
# expect: an entry of which the last byte is beyond the limit: #GP(0100)
# expect: an entry that ends at the limit: ok
# qemu: an access through it: ok -- it checks neither null segments nor limits on data accesses [SDM 3A 5.4.1]
.include "system.inc"
program 32
  mov edi, offset ring0_cases
  call sweep
  show_counts "ring 0"
  mov edi, offset ring1_cases
  call sweep
  show_counts "ring 1"
  mov edi, offset ring2_cases
  call sweep
  show_counts "ring 2"
  mov edi, offset ring3_cases
  call sweep
  show_counts "ring 3"

  descriptor TEST0, 0, 0xfffff, 0xc093
  descriptor TEST0 + 8, 0, 0xfffff, 0xc013      # not present
  descriptor TEST0 + 0x10, 0, 0xfffff, 0xc099   # execute-only
  mov ebx, TEST0 + 8
  try
  mov ds, bx
  caught "a data segment that is not present into DS"
  try
  mov ss, bx
  caught "the same into SS"
  mov ebx, TEST0 + 0x10
  try
  mov es, bx
  caught "execute-only code into ES"
  mov ebx, TEST0 + 3
  try
  mov fs, bx
  caught "RPL 3 for DPL 0 into FS"
  mov ebx, 0x200
  try
  mov gs, bx
  caught "beyond the GDT's limit into GS"
  mov ebx, 0x1f8
  try
  mov gs, bx
  caught "the last entry of the GDT, which is null, into GS"
  mov ebx, 0x14
  try
  mov gs, bx
  caught "an entry of the empty LDT into GS"
  mov ebx, 3
  try
  mov gs, bx
  caught "null with RPL 3 into GS"
  try
  mov al, gs:[0]
  caught "an access through it"
  xor ebx, ebx
  try
  mov ss, bx
  caught "null into SS"
  try
  mov word ptr [pointer], 0
  mov word ptr [pointer + 4], 0x200
  mov ebx, 0x12345678
  les ebx, [pointer]
  caught "LES beyond the GDT's limit"
  show "EBX after it", ebx, 8
  try
  push 0x200
  pop ds
  caught "POP DS beyond the GDT's limit"
  mov word ptr [gdt_pointer], 0x106
  lgdt [gdt_pointer]
  mov ebx, TEST0
  try
  mov gs, bx
  caught "an entry of which the last byte is beyond the limit"
  mov word ptr [gdt_pointer], 0x107
  lgdt [gdt_pointer]
  try
  mov gs, bx
  caught "an entry that ends at the limit"
done

# Every access byte (type, S, DPL, P) and RPL, by the routines at edi
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
  call [edi]
  call accessed
  call [edi + 4]
  call accessed
  inc ecx
  cmp ecx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x100
  jb 1b
  ret
# What the load left of the descriptor, which is then made whole again
accessed:
  note
  mov eax, [gdt + TEST0 + 4]
  sum eax
  mov eax, ebp
  mov byte ptr [gdt + TEST0 + 5], al
  ret

.macro cases n, cs, ss
ring\n\()_cases: .long 1f, 2f
1:
  ring \cs, \ss, load_ds
  quiet
  ret
2:
  ring \cs, \ss, load_ss
  quiet
  ret
.endm
ring0_cases: .long 1f, 2f
1:
  try
  mov ds, bx
  quiet
  ret
2:
  try
  mov ss, bx
  quiet
  ret
  cases 1, CODE1, DATA1
  cases 2, CODE2, DATA2
  cases 3, UCODE32, UDATA

load_ds:
  mov ds, bx
  back
load_ss:
  mov ss, bx
  back
pointer: .long 0, 0
