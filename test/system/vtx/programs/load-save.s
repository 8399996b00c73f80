# PAT and EFER: loaded at entry and exit, saved, or kept; SYSENTER's MSRs, bases and limits of the host after an exit [SDM 3C 26.3.2, 27.3.1, 27.5].
# expect: PAT, no control: VMCALL at +a length 3
# expect: PAT in the guest, no control: 01010101
# expect: PAT, loaded at entry: VMCALL at +a length 3
# expect: PAT in the guest: 06060606
# expect: PAT stays: 0606060606060606
# expect: PAT, loaded at exit: VMCALL at +1 length 3
# expect: PAT in the host: 0007040600070406
# expect: PAT, saved: VMCALL at +b length 3
# expect: PAT in the VMCS: 606060606060600
# expect: PAT, a wrong type: entry failed: entry_state
# expect: EFER without SCE and NXE: VMCALL at +a length 3
# expect: EFER in the guest: 00000500
# expect: EFER in the host: 00000d01
# expect: EFER written: VMCALL at +e length 3
# expect: EFER in the VMCS: d01
# expect: the host's EFER without SCE: VMCALL at +1 length 3
# expect: EFER without SCE: 00000d00
# expect: EFER not loaded: VMCALL at +a length 3
# expect: EFER in the guest, not loaded: 00000d00
# expect: the host's bases: VMCALL at +6 length 3
# expect: SYSENTER_CS: 00000123
# expect: SYSENTER_ESP: ffff800000001234
# expect: FS base: ffff800000001234
# expect: GS base: 0000000000004321
# expect: FS: 0010
# expect: DS: 0010
# expect: SS: 0010
# expect: TR: 0058
# expect: LDTR: 0000
# expect: SS of the guest: 0
# expect: SS is unusable, and its DPL: 10000
# expect: limit of the TSS's descriptor: 008f
# expect: its type in the GDT: b
.include "vmx.inc"
.macro msr name, number, digits=8
  mov ecx, \number
  rdmsr
  shl rdx, 32
  or rax, rdx
  show "\name", rax, \digits
.endm
.equ GUEST_PAT_VALUE, 0x0606060606060606
.equ HOST_PAT_VALUE, 0x0007040600070406
program 64
  vmx_on
  guest64
  primary USE_MSR_BITMAPS
  # ---- PAT ----
  mov ecx, IA32_PAT
  mov eax, 0x01010101
  mov edx, 0x01010101
  wrmsr
  mov rax, GUEST_PAT_VALUE
  w GUEST_PAT, rax
  exits "PAT, no control", "mov ecx, IA32_PAT; rdmsr; mov rbx, rax"
  show_reg "PAT in the guest, no control", rbx, 8
  on_entry ENTRY_LOAD_PAT
  exits "PAT, loaded at entry", "mov ecx, IA32_PAT; rdmsr; mov rbx, rax"
  show_reg "PAT in the guest", rbx, 8
  msr "PAT stays", IA32_PAT, 16
  on_exit EXIT_LOAD_PAT
  exits "PAT, loaded at exit", nop
  msr "PAT in the host", IA32_PAT, 16
  on_exit EXIT_LOAD_PAT | SAVE_PAT
  exits "PAT, saved", "mov ecx, IA32_PAT; rdmsr; mov al, 0; wrmsr"
  show_field "PAT in the VMCS", GUEST_PAT
  w GUEST_PAT, 2
  run "PAT, a wrong type"
  w GUEST_PAT, GUEST_PAT_VALUE
  on_entry
  on_exit
  # ---- EFER ----
  w GUEST_EFER, 0x500
  exits "EFER without SCE and NXE", "mov ecx, IA32_EFER; rdmsr; mov rbx, rax"
  show_reg "EFER in the guest", rbx, 8
  msr "EFER in the host", IA32_EFER
  exits "EFER written", "mov ecx, IA32_EFER; rdmsr; or eax, 0x801; wrmsr"
  show_field "EFER in the VMCS", GUEST_EFER
  w HOST_EFER, 0xd00
  exits "the host's EFER without SCE", nop
  msr "EFER without SCE", IA32_EFER
  w HOST_EFER, 0xd01
  # no loading: LMA and LME follow the controls, the rest stays
  mov eax, GUEST_IA32E
  mov ecx, IA32_VMX_TRUE_ENTRY
  mov edx, ENTRY_CONTROLS
  call write_control
  w GUEST_EFER, 0
  exits "EFER not loaded", "mov ecx, IA32_EFER; rdmsr; mov rbx, rax"
  show_reg "EFER in the guest, not loaded", rbx, 8
  on_entry
  w GUEST_EFER, 0xd01
  # ---- what else an exit loads ----
  w HOST_SYSENTER_CS, 0x123
  mov rax, 0xffff800000001234
  w HOST_SYSENTER_ESP, rax
  w HOST_SYSENTER_EIP, rax
  w HOST_FS_BASE, rax
  w HOST_GS_BASE, 0x4321
  w HOST_FS, DATA
  exits "the host's bases", "xor eax, eax; mov ss, eax; mov ds, eax"
  msr "SYSENTER_CS", 0x174
  msr "SYSENTER_ESP", 0x175, 16
  msr "FS base", 0xc0000100, 16
  msr "GS base", 0xc0000101, 16
  mov eax, fs
  show "FS", rax, 4
  mov eax, ds
  show "DS", rax, 4
  mov eax, ss
  show "SS", rax, 4
  str ax
  show "TR", rax, 4
  sldt ax
  show "LDTR", rax, 4
  show_field "SS of the guest", GUEST_SS
  r GUEST_SS_ACCESS
  and eax, 0x10060
  show "SS is unusable, and its DPL", rax, 5
  lsl eax, word ptr [tss_selector]
  show "limit of the TSS's descriptor", rax, 4
  mov ax, [gdt + TSS + 5]
  and eax, 0xf
  show "its type in the GDT", rax, 1
done
.data
tss_selector: .word TSS
