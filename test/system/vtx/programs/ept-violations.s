# EPT violations: every combination of rights and access, the walk of the guest's tables, linear addresses, CPL, RF and what was not done [SDM 3C 27.2.1 table 27-7, 28.2.3.2].
# expect: all rights, read: VMCALL at +7 length 3
# expect: all rights, write: VMCALL at +7 length 3
# expect: all rights, fetch: VMCALL at +0 length 3
# expect: none, read: ept_violation at +0 qualification 181 linear 180123 physical 180123
# expect: none, write: ept_violation at +0 qualification 182 linear 180234 physical 180234
# expect: none, fetch: ept_violation at +0 qualification 184 linear 180800 physical 180800
# expect: read only, read: VMCALL at +7 length 3
# expect: read only, write: ept_violation at +0 qualification 18a linear 180234 physical 180234
# expect: read only, fetch: ept_violation at +0 qualification 18c linear 180800 physical 180800
# expect: no execution, read: VMCALL at +7 length 3
# expect: no execution, write: VMCALL at +7 length 3
# expect: no execution, fetch: ept_violation at +0 qualification 19c linear 180800 physical 180800
# expect: no writing, read: VMCALL at +7 length 3
# expect: no writing, write: ept_violation at +0 qualification 1aa linear 180234 physical 180234
# expect: no writing, fetch: VMCALL at +0 length 3
# expect: execute-only is offered: 1
# expect: execute only, read: ept_violation at +0 qualification 1a1 linear 180123 physical 180123
# expect: execute only, write: ept_violation at +0 qualification 1a2 linear 180234 physical 180234
# expect: execute only, fetch: VMCALL at +0 length 3
# expect: over two pages, read: ept_violation at +0 qualification 181 linear 181000 physical 181000
# expect: over two pages, write: ept_violation at +7 qualification 182 linear 181000 physical 181000
# expect: the first part of it: 11111111
# expect: over two pages, fetch: ept_violation at +0 qualification 184 linear 181000 physical 181000
# expect: PDPT of the guest not there, read: ept_violation at +a qualification 81 linear 8000000123 physical 181000
# expect: PDPT of the guest not there, write: ept_violation at +a qualification 81 linear 8000000123 physical 181000
# expect: PDPT of the guest read-only, A to be set: 30
# expect: its qualification: 08a
# expect: PDPT of the guest read-only, A set: VMCALL at +c length 3
# expect: another linear address: ept_violation at +a qualification 181 linear 8000180123 physical 180123
# expect: in ring 3: ept_violation at +1f qualification 181 linear 8000180123 physical 180123
# expect: not there for the guest: vector e(0) from +a
# expect: A again: ept_violation at +0 qualification 181 linear 180000 physical 180000
# expect: A, with rights now: VMCALL at +9 length 3
# expect: REP MOVSB into A: ept_violation at +f qualification 182 linear 180000 physical 180000
# expect: RCX: 3
# expect: RDI: 00180000
# expect: PUSH to A: ept_violation at +5 qualification 182 linear 180000 physical 180000
# expect: RSP: 180008
# expect: POP to A: ept_violation at +6 qualification 182 linear 180000 physical 180000
# expect: RSP after POP: 3f0f8
# expect: CR3 in A: ept_violation at +0 qualification 81 linear 3f800 physical 180000
# expect: a guest-physical address that nothing maps: ept_violation at +5 qualification 181 linear bfe00000 physical 800000000
# bochs: PDPT of the guest read-only, A to be set: 12 -- setting the accessed flag is a write [SDM 3C 28.2.3.2]
# bochs: its qualification: 000 -- setting the accessed flag is a write [SDM 3C 28.2.3.2]
.include "vmx.inc"
.macro page_a rights
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 0x30 + \rights
  call invalidate_ept
.endm
.macro page_b value
  mov qword ptr [EPT_PT + (PAGE_B >> 9)], \value
  call invalidate_ept
.endm
.macro accesses name
  exits "\name, read", "mov eax, [PAGE_A + 0x123]"
  exits "\name, write", "mov [PAGE_A + 0x234], eax"
  run_at "\name, fetch", PAGE_A + 0x800
.endm
program 64
  vmx_on
  guest64
  secondary USE_EPT
  mov dword ptr [PAGE_A + 0x800], 0x90c1010f      # VMCALL
  accesses "all rights"
  page_a 0
  accesses "none"
  page_a 1
  accesses "read only"
  page_a 3
  accesses "no execution"
  page_a 5
  accesses "no writing"
  mov ecx, 0x48c
  rdmsr
  and eax, 1
  show "execute-only is offered", rax, 1
  page_a 4
  accesses "execute only"
  # ---- what an access over two pages says ----
  page_a 7
  mov qword ptr [EPT_PT + (PAGE_B >> 9)], 0
  call invalidate_ept
  exits "over two pages, read", "mov rax, [PAGE_A + 0xffc]"
  mov dword ptr [PAGE_A + 0xffc], 0x11111111
  exits "over two pages, write", "mov rax, -1; mov [PAGE_A + 0xffc], rax"
  mov eax, [PAGE_A + 0xffc]
  show "the first part of it", rax, 8
  run_at "over two pages, fetch", PAGE_A + 0xfff
  # ---- the guest's own tables ----
  mov edi, PAGE_B
  mov ecx, 1024
  xor eax, eax
  rep stosd
  mov edi, PAGE_C
  mov ecx, 1024
  rep stosd
  mov qword ptr [PML4_TABLE + 8], PAGE_B + 7      # 512 GiB: PDPT in B
  mov qword ptr [PAGE_B], PAGE_C + 7              # PD in C
  mov qword ptr [PAGE_C], 0xe7                    # 2 MiB at 0
  page_b 0
  exits "PDPT of the guest not there, read", "mov rax, 0x8000000123; mov eax, [rax]"
  exits "PDPT of the guest not there, write", "mov rax, 0x8000000123; mov [rax], eax"
  page_b PAGE_B + 0x31
  prepare "mov rax, 0x8000000123; mov eax, [rax]"
  call enter_guest
  show_field "PDPT of the guest read-only, A to be set", EXIT_REASON
  r QUALIFICATION
  and eax, ~1                   # whether that is a read too is not said
  show "its qualification", rax, 3
  or qword ptr [PAGE_B], 0x20
  exits "PDPT of the guest read-only, A set", "mov rax, 0x8000000123; mov eax, [rax]"
  page_b PAGE_B + 0x37
  # the page is there for the guest, not for the EPT
  mov qword ptr [PAGE_C], 0xe7
  page_a 0
  exits "another linear address", "mov rax, 0x8000180123; mov eax, [rax]"
  exits3 "in ring 3", "mov rax, 0x8000180123; mov eax, [rax]"
  # a fault of the guest's tables comes first
  mov qword ptr [PAGE_C], 0
  exits "not there for the guest", "mov rax, 0x8000180123; mov eax, [rax]"
  mov qword ptr [PML4_TABLE + 8], 0
  # ---- INVEPT is not needed after a violation ----
  exits "A again", "mov eax, [PAGE_A]; inc eax"
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 0x37
  run "A, with rights now"
  # ---- what the instruction had done ----
  page_a 0
  exits "REP MOVSB into A", "mov esi, SCRATCH; mov edi, PAGE_A - 2; mov ecx, 5; rep movsb"
  show_reg "RCX", rcx, 1
  show_reg "RDI", rdi, 8
  exits "PUSH to A", "mov esp, PAGE_A + 8; push rax"
  show_field "RSP", GUEST_RSP
  exits "POP to A", "mov esp, SCRATCH + 0x100; push rax; pop qword ptr [PAGE_A]"
  show_field "RSP after POP", GUEST_RSP
  # ---- CR3 itself ----
  w GUEST_CR3, PAGE_A
  mov dword ptr [SCRATCH + 0x800], 0x90c1010f
  run_at "CR3 in A", SCRATCH + 0x800
  w GUEST_CR3, PML4_TABLE
  # ---- beyond ----
  mov rax, 0x8000000e7
  mov [PD_TABLES + 0x2ff8], rax
  exits "a guest-physical address that nothing maps", "mov ebx, 0xbfe00000; mov eax, [rbx]"
done
