# Guests with PAE paging: PDPTEs from memory and from the VMCS, saved at exits, loaded by MOV CR3, whose EPT violations have no linear address [SDM 3A 4.4.1, 3C 26.3.2.4, 27.2.1, 27.3.4].
# expect: memory's PDPTEs: VMCALL at +5 length 3
# expect: MOV CR3: VMCALL at +d length 3
# expect: read at 1 GiB: 00005555
# expect: CR3: 182000
# expect: a PDPTE that is not there: vector e(0) from +0
# expect: MOV CR3 with a reserved bit in a PDPTE: vector d(0) from +a
# expect: the VMCS's PDPTEs: VMCALL at +5 length 3
# expect: read at 1 GiB, EPT: 00005555
# expect: saved PDPTE 0: 14001
# expect: saved PDPTE 1: 14001
# expect: saved PDPTE 3: 0
# expect: one that is 0 in the VMCS: vector e(0) from +0
# expect: MOV CR3, EPT: VMCALL at +8 length 3
# expect: PDPTE after MOV CR3 0: 14001
# expect: PDPTE after MOV CR3 1: 15001
# expect: PDPTE after MOV CR3 3: 17001
# expect: MOV CR4 with another PGE: VMCALL at +b length 3
# expect: PDPTE after MOV CR4 0: 14001
# expect: PDPTE after MOV CR4 1: 15001
# expect: PDPTE after MOV CR4 3: 17001
# expect: MOV CR3, an EPT violation: ept_violation at +5 qualification 1 physical 182000
# expect: CR3 is as it was: 31000
# expect: PDPTE after the violation 0: 14001
# expect: PDPTE after the violation 1: 15001
# expect: PDPTE after the violation 3: 17001
# expect: MOV CR3, an EPT misconfiguration: ept_misconfiguration at +5 physical 182000
# expect: no PAE, wrong fields: VMCALL at +1 length 3
.include "vmx.inc"
.equ OTHER_PDPT, PAGE_C
.macro show_pdptes name
  show_field "\name 0", GUEST_PDPTE0
  show_field "\name 1", GUEST_PDPTE1
  show_field "\name 3", GUEST_PDPTE3
.endm
program 64
  vmx_on
  mov qword ptr [OTHER_PDPT], PD_TABLES + 1
  mov qword ptr [OTHER_PDPT + 8], PD_TABLES + 1   # 1 GiB is 0 again
  mov qword ptr [OTHER_PDPT + 16], PD_TABLES + 0x2001
  mov qword ptr [OTHER_PDPT + 24], PD_TABLES + 0x3000
  mov dword ptr [SCRATCH], 0x5555
  mov rax, 0x400000e7           # what is 1 GiB otherwise
  mov [PD_TABLES + 0x1000], rax
  # ---- without EPT ----
  guest_pae
  exits "memory's PDPTEs", "mov eax, [0x40000000 + SCRATCH]"
  exits "MOV CR3", "mov eax, OTHER_PDPT; mov cr3, eax; mov eax, [0x40000000 + SCRATCH]"
  show_reg "read at 1 GiB", rax, 8
  show_field "CR3", GUEST_CR3
  exits "a PDPTE that is not there", "mov eax, [0xc0000000]"
  exits "MOV CR3 with a reserved bit in a PDPTE", "mov byte ptr [OTHER_PDPT + 16], 3; mov eax, cr3; mov cr3, eax"
  mov qword ptr [OTHER_PDPT + 16], PD_TABLES + 0x2001
  # ---- with EPT: the fields count, not memory ----
  guest_pae
  secondary USE_EPT
  w GUEST_PDPTE1, PD_TABLES + 1
  w GUEST_PDPTE3, 0
  exits "the VMCS's PDPTEs", "mov eax, [0x40000000 + SCRATCH]"
  show_reg "read at 1 GiB, EPT", rax, 8
  show_pdptes "saved PDPTE"
  exits "one that is 0 in the VMCS", "mov eax, [0xc0000000]"
  exits "MOV CR3, EPT", "mov eax, GUEST_PDPT; mov cr3, eax"
  show_pdptes "PDPTE after MOV CR3"
  # PGE, PAE and CR0 load them too
  w GUEST_PDPTE1, PD_TABLES + 1
  exits "MOV CR4 with another PGE", "mov eax, cr4; xor eax, 0x80; mov cr4, eax"
  show_pdptes "PDPTE after MOV CR4"
  w GUEST_CR4, 0x2620
  mov qword ptr [EPT_PT + (OTHER_PDPT >> 9)], 0
  call invalidate_ept
  exits "MOV CR3, an EPT violation", "mov eax, OTHER_PDPT; mov cr3, eax"
  show_field "CR3 is as it was", GUEST_CR3
  show_pdptes "PDPTE after the violation"
  mov qword ptr [EPT_PT + (OTHER_PDPT >> 9)], OTHER_PDPT + 0x32
  call invalidate_ept
  exits "MOV CR3, an EPT misconfiguration", "mov eax, OTHER_PDPT; mov cr3, eax"
  mov qword ptr [EPT_PT + (OTHER_PDPT >> 9)], OTHER_PDPT + 0x37
  call invalidate_ept
  # a guest without PAE has none
  guest32
  secondary USE_EPT
  w GUEST_PDPTE0, 6
  exits "no PAE, wrong fields", nop
done
