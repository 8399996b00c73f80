# PCIDs and INVPCID [SDM 3A 4.10.1, 2A "INVPCID"]: what MOV CR3 with and without bit 63 and each type of INVPCID drop; faults.
# expect: CR4.PCIDE with a PCID in CR3: #GP(0000)
# expect: CR4.PCIDE: ok
# expect: in another PCID: bbbb
# expect: MOV CR3 without bit 63: bbbb
# expect: INVPCID an address: ok
# expect: after INVPCID of the address: aaaa
# expect: INVPCID a PCID: ok
# expect: after INVPCID of the PCID: bbbb
# expect: INVPCID everything: ok
# expect: after INVPCID of everything: aaaa
# expect: INVPCID all but global: ok
# expect: after INVPCID of all but global: bbbb
# expect: INVPCID type 4: #GP(0000)
# expect: INVPCID a PCID of 13 bits: #GP(0000)
# expect: INVPCID an address that is not canonical: #GP(0000)
# expect: INVPCID an unused address that is not canonical: ok
# expect: INVPCID in ring 3: #GP(0000)
# expect: INVPCID in compatibility mode, ring 3: #GP(0000)
# expect: paging off in 64-bit mode: #GP(0000)
# expect: CR3 bit 63: ok
# expect: and it reads as: 0
# expect: CR3 bit 63 without PCIDs: #GP(0000)
# skip qemu: it has no PCIDs
.include "system.inc"
.equ T, 0x40000000
.equ T_PD, 0x18000
.equ T_PT, 0x19000
.equ A, 0x300000
.equ B, 0x301000
.macro read_target name
  mov eax, [T]
  show "\name", rax, 4
.endm
.macro leads_to page, bits=3
  mov qword ptr [T_PT], \page + \bits
.endm
.macro cr n, value
  mov rax, \value
  mov cr\n, rax
.endm
program 64
  mov dword ptr [A], 0xaaaa
  mov dword ptr [B], 0xbbbb
  mov edi, T_PD
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov qword ptr [PDPT_TABLE + 8], T_PD + 7
  mov qword ptr [T_PD], T_PT + 7
  mov dword ptr [A], 0xaaaa
  cr 3, PML4_TABLE+1
  try
  cr 4, 0x20620
  caught "CR4.PCIDE with a PCID in CR3"
  cr 3, PML4_TABLE
  try
  cr 4, 0x206a0
  caught "CR4.PCIDE"
  leads_to A
  invlpg [T]
  cr 3, PML4_TABLE+1
  mov eax, [T]
  leads_to B
  cr 3, PML4_TABLE+2
  read_target "in another PCID"
  cr 3, PML4_TABLE+1
  read_target "MOV CR3 without bit 63"
  # INVPCID
  .macro invpcid_of name, type, pcid, address
  mov qword ptr [operand], \pcid
  mov rax, \address
  mov [operand + 8], rax
  mov ecx, \type
  try
  invpcid rcx, [operand]
  caught "INVPCID \name"
  .endm
  leads_to A
  invpcid_of "an address", 0, 1, T
  read_target "after INVPCID of the address"
  leads_to B
  invpcid_of "a PCID", 1, 1, 0
  read_target "after INVPCID of the PCID"
  leads_to A
  invpcid_of "everything", 2, 0, 0
  read_target "after INVPCID of everything"
  leads_to B
  invpcid_of "all but global", 3, 0, 0
  read_target "after INVPCID of all but global"
  invpcid_of "type 4", 4, 0, 0
  invpcid_of "a PCID of 13 bits", 1, 0x1000, 0
  invpcid_of "an address that is not canonical", 0, 1, 0x800000000000
  invpcid_of "an unused address that is not canonical", 1, 1, 0x800000000000
  user invalidates
  caught "INVPCID in ring 3"
  ring UCODE32, UDATA, invalidates32
  caught "INVPCID in compatibility mode, ring 3"
  try
  cr 3, PML4_TABLE
  mov rax, cr0
  btr rax, 31
  mov cr0, rax
  caught "paging off in 64-bit mode"
  try
  mov rax, (1 << 63) + PML4_TABLE
  mov cr3, rax
  caught "CR3 bit 63"
  mov rax, cr3
  shr rax, 63
  show "and it reads as", rax, 1
  cr 4, 0x620
  try
  mov rax, (1 << 63) + PML4_TABLE
  mov cr3, rax
  caught "CR3 bit 63 without PCIDs"
done
invalidates:
  mov ecx, 2
  invpcid rcx, [operand]
  mode 32
invalidates32:
  mov ecx, 2
  invpcid ecx, [operand]
.data
.balign 16
operand: .quad 0, 0
