# What a guest's TLB keeps across exits and entries with VPIDs, and what INVVPID and INVEPT drop [SDM 3C 28.3.3].
# expect: VPID 1: aaaa
# expect: VPID 2: bbbb
# expect: INVVPID of another VPID: ok
# expect: INVVPID of the address: ok
# expect: VPID 1 after INVVPID of the address: bbbb
# expect: INVVPID of VPID 1: ok
# expect: VPID 1 after INVVPID of it: aaaa
# expect: INVVPID of all: ok
# expect: VPID 1 after INVVPID of all: bbbb
# expect: INVVPID but global: ok
# expect: VPID 1 after INVVPID but global: aaaa
# expect: the guest's own INVLPG: VMCALL at +a length 3
# expect: what it reads then: bbbb
# expect: the guest's own MOV CR3: VMCALL at +d length 3
# expect: what it reads after MOV CR3: aaaa
# expect: no VPID: aaaa
# expect: no VPID, the next entry: bbbb
# expect: the host: bbbb
# expect: EPT: aaaa
# expect: INVEPT of it: ok
# expect: EPT after INVEPT of it: cccc
# expect: INVEPT of all: ok
# expect: EPT after INVEPT of all: bbbb
# expect: VPID in the VMCS: 1
.include "vmx.inc"
.equ T, 0x40000000              # the guest's linear page, by a table of 4 KiB pages
.equ T_PD, 0x18000
.equ T_PT, 0x19000
.macro leads_to page
  mov qword ptr [T_PT], \page + 0x67
.endm
.macro reads name
  prepare "mov ebx, T; mov eax, [rbx]"
  call enter_guest
  show "\name", [guest_rax], 4
.endm
.macro invalidates name, type, vpid, address
  mov qword ptr [operand], \vpid
  mov qword ptr [operand + 8], \address
  vm "INVVPID \name", "mov eax, \type", "invvpid rax, [operand]"
.endm
program 64
  vmx_on
  mov dword ptr [PAGE_A], 0xaaaa
  mov dword ptr [PAGE_B], 0xbbbb
  mov dword ptr [PAGE_C], 0xcccc
  mov edi, T_PD
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov qword ptr [PDPT_TABLE + 8], T_PD + 0x27
  mov qword ptr [T_PD], T_PT + 0x27
  guest64
  secondary USE_VPID
  w VPID, 1
  leads_to PAGE_A
  reads "VPID 1"
  leads_to PAGE_B
  w VPID, 2
  reads "VPID 2"
  invalidates "of another VPID", 1, 2, 0
  invalidates "of the address", 0, 1, T
  w VPID, 1
  reads "VPID 1 after INVVPID of the address"
  leads_to PAGE_A
  invalidates "of VPID 1", 1, 1, 0
  reads "VPID 1 after INVVPID of it"
  leads_to PAGE_B
  invalidates "of all", 2, 0, 0
  reads "VPID 1 after INVVPID of all"
  leads_to PAGE_A
  invalidates "but global", 3, 1, 0
  reads "VPID 1 after INVVPID but global"
  leads_to PAGE_B
  exits "the guest's own INVLPG", "mov ebx, T; invlpg [rbx]; mov eax, [rbx]"
  show_reg "what it reads then", rax, 4
  leads_to PAGE_A
  exits "the guest's own MOV CR3", "mov rax, cr3; mov cr3, rax; mov ebx, T; mov eax, [rbx]"
  show_reg "what it reads after MOV CR3", rax, 4
  # no VPID: an entry and an exit drop everything
  secondary 0
  leads_to PAGE_A
  reads "no VPID"
  leads_to PAGE_B
  reads "no VPID, the next entry"
  mov eax, [T]
  show "the host", rax, 4
  # EPT: INVEPT drops what came of its tables
  secondary USE_EPT | USE_VPID
  leads_to PAGE_A
  reads "EPT"
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_C + 0x37
  vm "INVEPT of it", "mov eax, 1", "invept rax, [eptp]"
  reads "EPT after INVEPT of it"
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_B + 0x37
  vm "INVEPT of all", "mov eax, 2", "invept rax, [two_zeroes]"
  reads "EPT after INVEPT of all"
  show_field "VPID in the VMCS", VPID
done
.data
.balign 16
operand: .quad 0, 0
eptp: .quad EPT_PML4 + 0x1e, 0
