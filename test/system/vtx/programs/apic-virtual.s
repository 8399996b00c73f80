# The TPR shadow and its threshold; the APIC-access page: reads, writes, offsets, during delivery, not through physical addresses of the host [SDM 3C 25.1.3, 29.1.2, 29.3, 29.4, table 27-6].
# expect: MOV from CR8: VMCALL at +4 length 3
# expect: CR8 is the shadow: 03
# expect: MOV to CR8: VMCALL at +9 length 3
# expect: the virtual TPR: 00000090
# expect: the real one: 00
# expect: MOV to CR8, reserved bits: vector d(0) from +5
# expect: at the threshold: VMCALL at +9 length 3
# expect: below the threshold: TPR at +9
# expect: the virtual TPR then: 00000080
# expect: an entry below it: VMfail 7
# expect: CR8 loads exit: CR at +0 length 4 qualification 8
# expect: CR8 stores exit: CR at +0 length 4 qualification 18
# expect: the APIC itself, no virtualization: VMCALL at +7 length 3
# expect: SVR: 013f
# expect: read: apic_access at +5 qualification 30
# expect: write: apic_access at +5 qualification 1300
# expect: write of EOI: apic_access at +5 qualification 10b0
# expect: read of the TPR: VMCALL at +7 length 3
# expect: which is virtual: 00000080
# expect: read of a byte of the TPR: VMCALL at +7 length 3
# expect: write of the TPR: VMCALL at +c length 3
# expect: the virtual TPR by memory: 00000055
# expect: read beyond the TPR: apic_access at +5 qualification 84
# expect: by another guest-physical address: apic_access at +5 qualification 20
# expect: REP MOVSB: apic_access at +f qualification 1310
# expect: a stack there, INT3: apic_access at +5 length 1 qualification 3818 while 603
# expect: a stack there, #UD: apic_access at +5 qualification 3818 while 306
# expect: PUSH: apic_access at +5 qualification 1820
# expect: an entry below the threshold: TPR at +0
# expect: read of the TPR, no shadow: apic_access at +5 qualification 80
# expect: without EPT, read: apic_access at +5 qualification 30
# expect: an EPT violation comes first: ept_violation at +5 qualification 181 linear 180030 physical 180030
.include "vmx.inc"
.include "apic.inc"
program 64
  vmx_on
  apic_on
  guest64
  # ---- the TPR shadow ----
  primary USE_TPR_SHADOW
  mov dword ptr [APIC_PAGE + 0x80], 0x35
  exits "MOV from CR8", "mov rbx, cr8"
  show_reg "CR8 is the shadow", rbx, 2
  exits "MOV to CR8", "mov eax, 9; mov cr8, rax"
  mov eax, [APIC_PAGE + 0x80]
  show "the virtual TPR", rax, 8
  mov rax, cr8
  show "the real one", rax, 2
  exits "MOV to CR8, reserved bits", "mov eax, 0x10; mov cr8, rax"
  w TPR_THRESHOLD, 9
  exits "at the threshold", "mov eax, 9; mov cr8, rax"
  exits "below the threshold", "mov eax, 8; mov cr8, rax"
  mov eax, [APIC_PAGE + 0x80]
  show "the virtual TPR then", rax, 8
  run "an entry below it"
  primary USE_TPR_SHADOW | ON_CR8_LOAD | ON_CR8_STORE
  w TPR_THRESHOLD, 0
  exits "CR8 loads exit", "mov cr8, rax"
  exits "CR8 stores exit", "mov rax, cr8"
  exits "the APIC itself, no virtualization", "mov ebx, APIC_SVR; mov ecx, [rbx]"
  show_reg "SVR", rcx, 4
  # ---- the APIC-access page, by EPT ----
  mov qword ptr [EPT_PT + (PAGE_B >> 9)], PAGE_A + 0x37
  w APIC_ACCESS, PAGE_A
  secondary USE_EPT | USE_APIC_ACCESS, USE_TPR_SHADOW
  exits "read", "mov ebx, PAGE_A + 0x30; mov eax, [rbx]"
  exits "write", "mov ebx, PAGE_A + 0x300; mov [rbx], eax"
  exits "write of EOI", "mov ebx, PAGE_A + 0xb0; mov [rbx], eax"
  exits "read of the TPR", "mov ebx, PAGE_A + 0x80; mov eax, [rbx]"
  show_reg "which is virtual", rax, 8
  exits "read of a byte of the TPR", "mov ebx, PAGE_A + 0x80; mov al, [rbx]"
  exits "write of the TPR", "mov ebx, PAGE_A + 0x80; mov eax, 0x55; mov [rbx], eax"
  mov eax, [APIC_PAGE + 0x80]
  show "the virtual TPR by memory", rax, 8
  exits "read beyond the TPR", "mov ebx, PAGE_A + 0x84; mov eax, [rbx]"
  exits "by another guest-physical address", "mov ebx, PAGE_B + 0x20; mov eax, [rbx]"
  exits "REP MOVSB", "mov edi, PAGE_A + 0x310; mov esi, SCRATCH; mov ecx, 4; rep movsb"
  exits "a stack there, INT3", "mov esp, PAGE_A + 0x820; int3"
  exits "a stack there, #UD", "mov esp, PAGE_A + 0x820; ud2"
  exits "PUSH", "mov esp, PAGE_A + 0x828; push rax"
  w TPR_THRESHOLD, 6
  prepare nop
  run "an entry below the threshold"
  w TPR_THRESHOLD, 0
  # ---- without the TPR shadow ----
  secondary USE_EPT | USE_APIC_ACCESS
  exits "read of the TPR, no shadow", "mov ebx, PAGE_A + 0x80; mov eax, [rbx]"
  # ---- without EPT ----
  secondary USE_APIC_ACCESS
  exits "without EPT, read", "mov ebx, PAGE_A + 0x30; mov eax, [rbx]"
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], 0
  secondary USE_EPT | USE_APIC_ACCESS
  call invalidate_ept
  exits "an EPT violation comes first", "mov ebx, PAGE_A + 0x30; mov eax, [rbx]"
done
