# CR0, CR3, CR4 and CR8 in the guest: masks, shadows, CLTS, LMSW, SMSW, CR3 targets, fixed bits, qualifications [SDM 3C 25.1.3, 25.3, 27.2.1].
# expect: no mask, CR0.TS set and CLTS: VMCALL at +11 length 3
# expect: CR0 with TS: 80000039
# expect: CR0 after CLTS: 80000031
# expect: no mask, CR0.NE cleared: vector d(0) from +6
# expect: no mask, CR4.VMXE cleared: vector d(0) from +8
# expect: no mask, SMSW: VMCALL at +4 length 3
# expect: SMSW RAX: 80000031
# expect: no mask, LMSW: VMCALL at +b length 3
# expect: CR0 after LMSW: 8000003b
# expect: mask, reading CR0: VMCALL at +f length 3
# expect: CR0 with a mask: c0000019
# expect: SMSW with a mask: c0000019
# expect: SMSW to memory: 00000019
# expect: mask, CR0 as the shadow: VMCALL at +6 length 3
# expect: mask, CR0 with another bit that the guest owns: VMCALL at +c length 3
# expect: CR0.EM set: c000001d
# expect: the real CR0: 80000035
# expect: mask, CR0.TS cleared: CR at +8 length 4 qualification 900
# expect: mask, CLTS, shadow 1: CR at +0 length 2 qualification 20
# expect: mask, CLTS, shadow 0: VMCALL at +2 length 3
# expect: no mask for TS, CLTS: VMCALL at +2 length 3
# expect: CR0 after CLTS by its owner: 80000031
# expect: mask, LMSW as the shadow: VMCALL at +8 length 3
# expect: mask, LMSW clears TS: CR at +5 length 3 qualification 310030
# expect: mask, LMSW sets MP: CR at +5 length 3 qualification fffb0030
# expect: mask, LMSW from memory: CR at +5 length 4 qualification fff20070 linear 3f008
# expect: mask, LMSW sets PE: CR at +5 length 3 qualification 10030
# expect: mask, LMSW does not clear PE: VMCALL at +8 length 3
# expect: mask, CR4 as it reads: VMCALL at +6 length 3
# expect: CR4 with a mask: 000006a0
# expect: mask, CR4.VMXE set: CR at +9 length 4 qualification f04
# expect: mask, CR4.PGE cleared: CR at +8 length 3 qualification 604
# expect: mask, CR4.DE set: VMCALL at +b length 3
# expect: the real CR4: 2628
# expect: mask, CR4 with a reserved bit: vector d(0) from +8
# expect: mask, CR4 with a reserved bit and another VMXE: CR at +d length 3 qualification 604
# expect: CR3, no control: VMCALL at +6 length 3
# expect: CR3 store: CR at +0 length 4 qualification 813
# expect: CR3 load: CR at +5 length 3 qualification 503
# expect: CR3 load of a target: VMCALL at +8 length 3
# expect: CR3 load of one beyond the count: CR at +5 length 3 qualification 503
# expect: CR3 load of the second: VMCALL at +8 length 3
# expect: CR3 load of none: CR at +5 length 3 qualification 503
# expect: CR3 load from RSP: CR at +7 length 3 qualification 403
# expect: CR8, no control: VMCALL at +d length 3
# expect: CR8: 05
# expect: CR8 reserved, no control: vector d(0) from +5
# expect: CR8 load: CR at +6 length 4 qualification a08
# expect: CR8 store: CR at +0 length 4 qualification 718
# expect: CR3 load in ring 3: vector d(0) from +15
# expect: CLTS in ring 3: vector d(0) from +15
# expect: SMSW in ring 3: VMCALL at +18 length 3
# expect: CR1: vector 6 from +0
# expect: CR3 with its high bit, no exit for a reserved bit: CR at +a length 3 qualification 3
.include "vmx.inc"
program 64
  vmx_on
  guest64
  # ---- no mask: the guest owns all ----
  exits "no mask, CR0.TS set and CLTS", "mov rax, cr0", "or eax, 8", "mov cr0, rax", "mov rbx, cr0", "clts", "mov rcx, cr0"
  show_reg "CR0 with TS", rbx, 8
  show_reg "CR0 after CLTS", rcx, 8
  exits "no mask, CR0.NE cleared", "mov rax, cr0", "and eax, ~0x20", "mov cr0, rax"
  exits "no mask, CR4.VMXE cleared", "mov rax, cr4", "and eax, ~0x2000", "mov cr4, rax"
  exits "no mask, SMSW", "smsw rax"
  show_reg "SMSW RAX", rax, 8
  exits "no mask, LMSW", "mov eax, 0x3b", "lmsw ax", "mov rbx, cr0"
  show_reg "CR0 after LMSW", rbx, 8
  w GUEST_CR0, 0x80000031
  # ---- masks ----
  mov word ptr [SCRATCH + 8], 0xfff2
  w CR0_MASK, 0x6000002a        # CD, NW, NE, TS, MP
  w CR0_SHADOW, 0x40000008      # CD, TS as the guest sees them
  exits "mask, reading CR0", "mov rax, cr0", "smsw rbx", "smsw [SCRATCH]"
  show_reg "CR0 with a mask", rax, 8
  show_reg "SMSW with a mask", rbx, 8
  show "SMSW to memory", [SCRATCH], 8
  exits "mask, CR0 as the shadow", "mov rcx, cr0", "mov cr0, rcx"
  exits "mask, CR0 with another bit that the guest owns", "mov rcx, cr0", "or ecx, 4", "mov cr0, rcx", "mov rdx, cr0"
  show_reg "CR0.EM set", rdx, 8
  show_field "the real CR0", GUEST_CR0
  exits "mask, CR0.TS cleared", "mov r9, cr0", "and r9d, ~8", "mov cr0, r9"
  exits "mask, CLTS, shadow 1", "clts"
  w CR0_SHADOW, 0x40000000
  exits "mask, CLTS, shadow 0", "clts"
  w CR0_MASK, 0x60000022
  w GUEST_CR0, 0x80000039
  exits "no mask for TS, CLTS", "clts"
  show_field "CR0 after CLTS by its owner", GUEST_CR0
  w CR0_MASK, 0x6000002a
  w CR0_SHADOW, 0x40000008
  exits "mask, LMSW as the shadow", "mov eax, 8", "lmsw ax"
  exits "mask, LMSW clears TS", "mov eax, 0x31", "lmsw ax"
  exits "mask, LMSW sets MP", "mov eax, 0xfffb", "lmsw ax"
  exits "mask, LMSW from memory", "mov ebx, SCRATCH + 5", "lmsw [rbx + 3]"
  w CR0_MASK, 1
  w CR0_SHADOW, 0
  exits "mask, LMSW sets PE", "mov eax, 1", "lmsw ax"
  w CR0_SHADOW, 1
  exits "mask, LMSW does not clear PE", "mov eax, 0", "lmsw ax"
  w GUEST_CR0, 0x80000031
  w CR0_MASK, 0
  # ---- CR4 ----
  w CR4_MASK, 0x2080            # VMXE, PGE
  w CR4_SHADOW, 0x80
  exits "mask, CR4 as it reads", "mov rax, cr4", "mov cr4, rax"
  show_reg "CR4 with a mask", rax, 8
  exits "mask, CR4.VMXE set", "mov r15, cr4", "bts r15, 13", "mov cr4, r15"
  exits "mask, CR4.PGE cleared", "mov rsi, cr4", "btr rsi, 7", "mov cr4, rsi"
  exits "mask, CR4.DE set", "mov rsi, cr4", "bts rsi, 3", "mov cr4, rsi"
  show_field "the real CR4", GUEST_CR4
  exits "mask, CR4 with a reserved bit", "mov rsi, cr4", "bts rsi, 31", "mov cr4, rsi"
  exits "mask, CR4 with a reserved bit and another VMXE", "mov rsi, cr4", "bts rsi, 31", "bts rsi, 13", "mov cr4, rsi"
  w GUEST_CR4, 0x2620
  w CR4_MASK, 0
  # ---- CR3 ----
  exits "CR3, no control", "mov rax, cr3", "mov cr3, rax"
  primary ON_CR3_LOAD | ON_CR3_STORE
  exits "CR3 store", "mov r8, cr3"
  exits "CR3 load", "mov ebp, PML4_TABLE", "mov cr3, rbp"
  w CR3_TARGET_COUNT, 1
  w CR3_TARGET0, PML4_TABLE
  w CR3_TARGET1, PML4_TABLE+8
  exits "CR3 load of a target", "mov ebp, PML4_TABLE", "mov cr3, rbp"
  exits "CR3 load of one beyond the count", "mov ebp, PML4_TABLE+8", "mov cr3, rbp"
  w CR3_TARGET_COUNT, 4
  exits "CR3 load of the second", "mov ebp, PML4_TABLE+8", "mov cr3, rbp"
  exits "CR3 load of none", "mov ebp, PML4_TABLE+16", "mov cr3, rbp"
  exits "CR3 load from RSP", "mov rsp, 0x12345", "mov cr3, rsp"
  w GUEST_CR3, PML4_TABLE
  # ---- CR8 ----
  primary
  exits "CR8, no control", "mov eax, 5", "mov cr8, rax", "mov rbx, cr8"
  show_reg "CR8", rbx, 2
  exits "CR8 reserved, no control", "mov eax, 16", "mov cr8, rax"
  primary ON_CR8_LOAD
  exits "CR8 load", "mov r10d, 16", "mov cr8, r10"
  primary ON_CR8_STORE
  exits "CR8 store", "mov rdi, cr8"
  xor eax, eax
  mov cr8, rax
  # ---- privilege, undefined registers ----
  primary ON_CR3_LOAD | ON_CR3_STORE
  exits3 "CR3 load in ring 3", "mov cr3, rax"
  exits3 "CLTS in ring 3", "clts"
  exits3 "SMSW in ring 3", "smsw eax"
  exits "CR1", ".byte 0x0f, 0x20, 0xc8"
  exits "CR3 with its high bit, no exit for a reserved bit", "mov rax, 0x8000000000000000", "mov cr3, rax"
done
