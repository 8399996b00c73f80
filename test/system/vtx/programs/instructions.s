# VMX instructions in root operation: faults, operands, VMfail codes in the manual's order, the launch state [SDM 3C 30].
# expect: VMXON without CR4.VMXE: #UD
# expect: VMXOFF outside: #UD
# expect: VMPTRLD outside: #UD
# expect: VMREAD outside: #UD
# expect: VMCALL outside: #UD
# expect: INVEPT outside: #UD
# expect: VMXON in ring 3: #GP(0000)
# expect: VMXON with an odd pointer: VMfailInvalid
# expect: VMXON beyond the physical addresses: VMfailInvalid
# expect: VMXON with another revision: VMfailInvalid
# expect: VMXON with bit 31 of the revision: VMfailInvalid
# expect: VMXON with an operand that is not canonical: #GP(0000)
# expect: VMXON without CR0.NE: #GP(0000)
# expect: VMXON: ok
# expect: VMXON again: VMfailInvalid
# expect: VMREAD without VMCS: VMfailInvalid
# expect: VMWRITE without VMCS: VMfailInvalid
# expect: VMLAUNCH without VMCS: VMfailInvalid
# expect: VMRESUME without VMCS: VMfailInvalid
# expect: VMPTRST: ok
# expect: none is current: ffffffffffffffff
# expect: VMPTRLD of an odd pointer, none current: VMfailInvalid
# expect: CR4.VMXE cleared: #GP(0000)
# expect: CR0.NE cleared: #GP(0000)
# expect: VMCLEAR: ok
# expect: VMPTRLD: ok
# expect: VMPTRST again: ok
# expect: current: 0000000000021000
# expect: VMCLEAR odd: VMfail 2
# expect: VMCLEAR beyond: VMfail 2
# expect: VMCLEAR of the VMXON region: VMfail 3
# expect: VMPTRLD odd: VMfail 9
# expect: VMPTRLD beyond: VMfail 9
# expect: VMPTRLD of the VMXON region: VMfail 10
# expect: VMPTRLD of another revision: VMfail 11
# expect: still current: 0000000000021000
# expect: VMXON with a current VMCS: VMfail 15
# expect: VMXON odd, in root: VMfail 15
# expect: VMPTRST in ring 3: #GP(0000)
# expect: VMREAD in ring 3: #GP(0000)
# expect: VMCALL in ring 3: #GP(0000)
# expect: VMXOFF in ring 3: #GP(0000)
# expect: VMLAUNCH in ring 3: #GP(0000)
# expect: VMPTRST in compatibility mode: #UD
# expect: VMPTRST to a page that is read-only, without CR0.WP: ok
# expect: VMPTRST to a page that is read-only: #PF(0003) at 0000000000200000
# expect: VMPTRLD from a page that is not there: #PF(0000) at 0000000000200000
# expect: INVEPT of one context: ok
# expect: INVEPT of all: ok
# expect: INVEPT type 0: VMfail 28
# expect: INVEPT type 3: VMfail 28
# expect: INVEPT type 100000001h: VMfail 28
# expect: INVEPT with a wrong pointer: VMfail 28
# expect: INVVPID of an address: ok
# expect: INVVPID of one: ok
# expect: INVVPID of all: ok
# expect: INVVPID but global: ok
# expect: INVVPID type 4: VMfail 28
# expect: INVVPID of VPID 0: VMfail 28
# expect: INVVPID of 17 bits: VMfail 28
# expect: INVVPID of an address that is not canonical: VMfail 28
# expect: VMXOFF: ok
# expect: VMXOFF again: #UD
# expect: CR4.VMXE cleared outside: ok
.include "vmx.inc"
program 64
  # ---- before VMXON ----
  try
  vmxon [pointer_vmxon]
  caught "VMXON without CR4.VMXE"
  try
  vmxoff
  caught "VMXOFF outside"
  try
  vmptrld [pointer_a]
  caught "VMPTRLD outside"
  try
  vmread rax, rdx
  caught "VMREAD outside"
  try
  vmcall
  caught "VMCALL outside"
  try
  mov eax, 1
  invept rax, [descriptor_0]
  caught "INVEPT outside"
  call enable_vmx
  user user_vmxon
  caught "VMXON in ring 3"
  vm "VMXON with an odd pointer", "vmxon [pointer_odd]"
  vm "VMXON beyond the physical addresses", "vmxon [pointer_beyond]"
  mov eax, [VMXON_REGION]
  xor dword ptr [VMXON_REGION], 1
  vm "VMXON with another revision", "vmxon [pointer_vmxon]"
  mov [VMXON_REGION], eax
  or dword ptr [VMXON_REGION + 3], 0x80
  vm "VMXON with bit 31 of the revision", "vmxon [pointer_vmxon]"
  mov [VMXON_REGION], eax
  mov rax, 0x123456789abc0000
  try
  vmxon [rax]
  caught "VMXON with an operand that is not canonical"
  mov rax, cr0
  and eax, ~0x20
  mov cr0, rax
  vm "VMXON without CR0.NE", "vmxon [pointer_vmxon]"
  or eax, 0x20
  mov cr0, rax
  vm "VMXON", "vmxon [pointer_vmxon]"
  # ---- no current VMCS ----
  vm "VMXON again", "vmxon [pointer_vmxon]"
  vm "VMREAD without VMCS", "mov edx, GUEST_RIP", "vmread rax, rdx"
  vm "VMWRITE without VMCS", "mov edx, GUEST_RIP", "vmwrite rdx, rax"
  vm "VMLAUNCH without VMCS", "vmlaunch"
  vm "VMRESUME without VMCS", "vmresume"
  vm "VMPTRST", "vmptrst [stored]"
  show "none is current", [stored], 16
  vm "VMPTRLD of an odd pointer, none current", "vmptrld [pointer_odd]"
  try
  mov rax, cr4
  and eax, ~0x2000
  mov cr4, rax
  caught "CR4.VMXE cleared"
  try
  mov rax, cr0
  and eax, ~0x20
  mov cr0, rax
  caught "CR0.NE cleared"
  # ---- VMCLEAR, VMPTRLD, VMPTRST ----
  vm "VMCLEAR", "vmclear [pointer_a]"
  vm "VMPTRLD", "vmptrld [pointer_a]"
  vm "VMPTRST again", "vmptrst [stored]"
  show "current", [stored], 16
  vm "VMCLEAR odd", "vmclear [pointer_odd]"
  vm "VMCLEAR beyond", "vmclear [pointer_beyond]"
  vm "VMCLEAR of the VMXON region", "vmclear [pointer_vmxon]"
  vm "VMPTRLD odd", "vmptrld [pointer_odd]"
  vm "VMPTRLD beyond", "vmptrld [pointer_beyond]"
  vm "VMPTRLD of the VMXON region", "vmptrld [pointer_vmxon]"
  xor dword ptr [VMCS_B], 1
  vm "VMPTRLD of another revision", "vmptrld [pointer_b]"
  xor dword ptr [VMCS_B], 1
  vmptrst [stored]
  show "still current", [stored], 16
  vm "VMXON with a current VMCS", "vmxon [pointer_vmxon]"
  vm "VMXON odd, in root", "vmxon [pointer_odd]"
  user user_vmptrst
  caught "VMPTRST in ring 3"
  user user_vmread
  caught "VMREAD in ring 3"
  user user_vmcall
  caught "VMCALL in ring 3"
  user user_vmxoff
  caught "VMXOFF in ring 3"
  user user_vmlaunch
  caught "VMLAUNCH in ring 3"
  ring UCODE32, UDATA, user_vmptrst32
  caught "VMPTRST in compatibility mode"
  mov qword ptr [PD_TABLES + 8], 0xe5
  invlpg [0x200000]
  try
  vmptrst [0x200000]
  caught "VMPTRST to a page that is read-only, without CR0.WP"
  mov rax, cr0
  bts rax, 16
  mov cr0, rax
  try
  vmptrst [0x200000]
  caught "VMPTRST to a page that is read-only"
  mov qword ptr [PD_TABLES + 8], 0
  invlpg [0x200000]
  try
  vmptrld [0x200000]
  caught "VMPTRLD from a page that is not there"
  # ---- INVEPT and INVVPID ----
  vm "INVEPT of one context", "mov eax, 1", "invept rax, [descriptor_ept]"
  vm "INVEPT of all", "mov eax, 2", "invept rax, [descriptor_0]"
  vm "INVEPT type 0", "xor eax, eax", "invept rax, [descriptor_0]"
  vm "INVEPT type 3", "mov eax, 3", "invept rax, [descriptor_0]"
  vm "INVEPT type 100000001h", "mov rax, 0x100000001", "invept rax, [descriptor_0]"
  vm "INVEPT with a wrong pointer", "mov eax, 1", "invept rax, [descriptor_0]"
  vm "INVVPID of an address", "xor eax, eax", "invvpid rax, [descriptor_vpid]"
  vm "INVVPID of one", "mov eax, 1", "invvpid rax, [descriptor_vpid]"
  vm "INVVPID of all", "mov eax, 2", "invvpid rax, [descriptor_0]"
  vm "INVVPID but global", "mov eax, 3", "invvpid rax, [descriptor_vpid]"
  vm "INVVPID type 4", "mov eax, 4", "invvpid rax, [descriptor_vpid]"
  vm "INVVPID of VPID 0", "mov eax, 1", "invvpid rax, [descriptor_0]"
  vm "INVVPID of 17 bits", "mov eax, 1", "invvpid rax, [descriptor_odd_vpid]"
  vm "INVVPID of an address that is not canonical", "xor eax, eax", "invvpid rax, [descriptor_odd_address]"
  # ---- VMXOFF ----
  vm "VMXOFF", "vmxoff"
  try
  vmxoff
  caught "VMXOFF again"
  try
  mov rax, cr4
  and eax, ~0x2000
  mov cr4, rax
  caught "CR4.VMXE cleared outside"
done
user_vmxon:
  vmxon [pointer_vmxon]
user_vmptrst:
  vmptrst [stored]
user_vmread:
  vmread rax, rdx
user_vmcall:
  vmcall
user_vmxoff:
  vmxoff
user_vmlaunch:
  vmlaunch
.code32
user_vmptrst32:
  vmptrst [stored]
.code64
.data
.balign 16
pointer_odd: .quad VMXON_REGION + 0x10
pointer_beyond: .quad VMXON_REGION + (1 << 52)
stored: .quad 0
descriptor_0: .quad 0, 0
descriptor_ept: .quad EPT_PML4 + 0x1e, 0
descriptor_vpid: .quad 1, 0x1000
descriptor_odd_vpid: .quad 0x10001, 0x1000
descriptor_odd_address: .quad 1, 0x800000000000
