# What a guest sees through EPT: aliases of a page, code that it changes by another address, two EPTs in turn, devices, the guest's own accessed and dirty flags [SDM 3C 28.2, 28.3].
# expect: code in A: VMCALL at +5 length 3
# expect: EAX of A: aaaa
# expect: code in A, which is B: VMCALL at +5 length 3
# expect: EAX of A, which is B: bbbb
# expect: A changed by its alias B: VMCALL at +c length 3
# expect: code in A, changed: VMCALL at +5 length 3
# expect: EAX of A, changed: 1234
# expect: B changed by its alias A, and called: VMCALL at +16 length 3
# expect: EAX of B, changed: 5678
# expect: as the host sees it: 5678
# expect: code in A, changed by the host: VMCALL at +5 length 3
# expect: EAX of A, changed by the host: 9abc
# expect: code in A of the other EPT: VMCALL at +5 length 3
# expect: EAX of A in the other EPT: cccc
# expect: code in A of the first EPT: VMCALL at +5 length 3
# expect: EAX of A in the first EPT: 9abc
# expect: what the other lacks: ept_violation at +5 qualification 181 linear fee00020 physical fee00020
# expect: the APIC's ID: VMCALL at +7 length 3
# expect: it is: 00000000
# expect: the SVR by another address: VMCALL at +15 length 3
# expect: SVR: 13f
# expect: SVR of the host: 14f
# expect: a read through fresh entries: VMCALL at +c length 3
# expect: PDE after a read: 0a7
# expect: PDPTE after it: 18027
# expect: a write through them: VMCALL at +10 length 3
# expect: PDE after a write: 0e7
.include "vmx.inc"
.include "apic.inc"
.equ OTHER_PML4, 0x32000
.equ OTHER_PDPT, 0x33000
.equ OTHER_PD, 0x34000
.equ OTHER_PT, 0x35000
.equ EPT_PT_A, EPT_PT + (PAGE_A >> 9)
.equ EPT_PT_B, EPT_PT + (PAGE_B >> 9)
# In the page: mov eax, N; vmcall
.macro code_at page, n
  mov byte ptr [\page], 0xb8
  mov dword ptr [\page + 1], \n
  mov dword ptr [\page + 5], 0x90c1010f
.endm
program 64
  vmx_on
  apic_on
  guest64
  secondary USE_EPT
  # ---- aliases ----
  code_at PAGE_A, 0xaaaa
  code_at PAGE_B, 0xbbbb
  code_at PAGE_C, 0xcccc
  run_at "code in A", PAGE_A
  show_reg "EAX of A", rax, 4
  mov qword ptr [EPT_PT_A], PAGE_B + 0x37
  call invalidate_ept
  run_at "code in A, which is B", PAGE_A
  show_reg "EAX of A, which is B", rax, 4
  exits "A changed by its alias B", "mov ebx, PAGE_B; mov dword ptr [rbx + 1], 0x1234"
  run_at "code in A, changed", PAGE_A
  show_reg "EAX of A, changed", rax, 4
  exits "B changed by its alias A, and called", "mov ebx, PAGE_A; mov word ptr [rbx + 1], 0x5678; mov byte ptr [rbx + 5], 0xc3; mov ecx, PAGE_B; call rcx"
  show_reg "EAX of B, changed", rax, 4
  mov eax, [PAGE_B + 1]
  show "as the host sees it", rax, 4
  mov byte ptr [PAGE_B + 5], 0x0f
  mov word ptr [PAGE_B + 1], 0x9abc
  run_at "code in A, changed by the host", PAGE_A
  show_reg "EAX of A, changed by the host", rax, 4
  # ---- another EPT beside it ----
  mov edi, OTHER_PML4
  mov ecx, 0x800
  xor eax, eax
  rep stosq
  mov esi, EPT_PT
  mov edi, OTHER_PT
  mov ecx, 512
  rep movsq
  mov qword ptr [OTHER_PML4], OTHER_PDPT + 7
  mov qword ptr [OTHER_PDPT], OTHER_PD + 7
  mov qword ptr [OTHER_PD], OTHER_PT + 7
  mov qword ptr [OTHER_PT + (PAGE_A >> 9)], PAGE_C + 0x37
  w EPT_POINTER, OTHER_PML4 + 0x1e
  run_at "code in A of the other EPT", PAGE_A
  show_reg "EAX of A in the other EPT", rax, 4
  w EPT_POINTER, EPT_PML4 + 0x1e
  run_at "code in A of the first EPT", PAGE_A
  show_reg "EAX of A in the first EPT", rax, 4
  w EPT_POINTER, OTHER_PML4 + 0x1e
  exits "what the other lacks", "mov ebx, 0xfee00020; mov eax, [rbx]"
  w EPT_POINTER, EPT_PML4 + 0x1e
  # ---- devices ----
  exits "the APIC's ID", "mov ebx, 0xfee00020; mov eax, [rbx]"
  show_reg "it is", rax, 8
  mov eax, 0xfee00000 + 0xb7    # and through another address: 1 GiB
  mov [EPT_PDS + 0x1000], rax
  call invalidate_ept
  mov rax, 0x400000e7
  mov [PD_TABLES + 0x1000], rax
  exits "the SVR by another address", "mov ebx, 0x40000000; mov ecx, [rbx + 0xf0]; mov dword ptr [rbx + 0xf0], 0x14f"
  show_reg "SVR", rcx, 3
  mov eax, APIC_SVR
  mov eax, [rax]
  show "SVR of the host", rax, 3
  # ---- the guest's own flags ----
  mov edi, 0x18000
  mov ecx, 0x200
  xor eax, eax
  rep stosq
  mov qword ptr [PDPT_TABLE + 0x20], 0x18007
  mov qword ptr [0x18000], 0x87
  exits "a read through fresh entries", "mov rbx, 0x100000000; mov eax, [rbx]"
  mov rax, [0x18000]
  show "PDE after a read", rax, 3
  mov rax, [PDPT_TABLE + 0x20]
  show "PDPTE after it", rax, 5
  exits "a write through them", "mov rbx, 0x100000000; mov [rbx + SCRATCH], eax"
  mov rax, [0x18000]
  show "PDE after a write", rax, 3
done
