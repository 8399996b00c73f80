# RDMSR and WRMSR: without bitmaps, with the four of them, outside of their ranges; privilege; what they do in the guest [SDM 3C 24.6.9, 25.1.3].
# expect: RDMSR without bitmaps: RDMSR at +5 length 2
# expect: WRMSR without bitmaps: WRMSR at +5 length 2
# expect: RDMSR of none without bitmaps: RDMSR at +5 length 2
# expect: read low, 174: RDMSR at +5 length 2
# expect: read low, 175: VMCALL at +7 length 3
# expect: read high, EFER: RDMSR at +5 length 2
# expect: read high, STAR: VMCALL at +7 length 3
# expect: read high, the last: RDMSR at +5 length 2
# expect: read beyond the low range: RDMSR at +5 length 2
# expect: read beyond the high range: RDMSR at +5 length 2
# expect: read below the high range: RDMSR at +5 length 2
# expect: write low, 174: RDMSR at +e length 2
# expect: write low, 175: WRMSR at +5 length 2
# expect: write high, STAR: WRMSR at +5 length 2
# expect: write high, LSTAR: VMCALL at +15 length 3
# expect: LSTAR: 00005678
# expect: write of what is not canonical: vector d(0) from +a
# expect: write beyond: WRMSR at +5 length 2
# expect: the high half of RCX is of no interest: RDMSR at +a length 2
# expect: ring 3: vector d(0) from +1a
# expect: no exit and no such MSR: vector d(0) from +5
# expect: IA32_VMX_BASIC in the guest: VMCALL at +7 length 3
# expect: SYSENTER MSRs are the VMCS's: VMCALL at +18 length 3
# expect: SYSENTER_EIP in the VMCS: 777
# expect: SYSENTER_EIP of the host: 00000000
# expect: FS base: VMCALL at +1c length 3
# expect: FS base in the guest: 00004444
# expect: FS base in the VMCS: 4445
# expect: GS base after SWAPGS: 6666
# expect: FS base of the host: 00000000
.include "vmx.inc"
.macro bits_at offset, msr, value
  mov byte ptr [MSR_BITMAP_PAGE + \offset + (\msr) / 8], \value << ((\msr) & 7)
.endm
program 64
  vmx_on
  guest64
  exits "RDMSR without bitmaps", "mov ecx, IA32_EFER", "rdmsr"
  exits "WRMSR without bitmaps", "mov ecx, IA32_PAT", "wrmsr"
  exits "RDMSR of none without bitmaps", "mov ecx, 0x4000", "rdmsr"
  primary USE_MSR_BITMAPS
  bits_at 0, 0x174, 1
  bits_at 0x400, 0x80, 1
  bits_at 0x400, 0x1fff, 1
  bits_at 0x800, 0x175, 1
  bits_at 0xc00, 0x81, 1
  exits "read low, 174", "mov ecx, 0x174", "rdmsr"
  exits "read low, 175", "mov ecx, 0x175", "rdmsr"
  exits "read high, EFER", "mov ecx, IA32_EFER", "rdmsr"
  exits "read high, STAR", "mov ecx, 0xc0000081", "rdmsr"
  exits "read high, the last", "mov ecx, 0xc0001fff", "rdmsr"
  exits "read beyond the low range", "mov ecx, 0x2000", "rdmsr"
  exits "read beyond the high range", "mov ecx, 0xc0002000", "rdmsr"
  exits "read below the high range", "mov ecx, 0xbfffffff", "rdmsr"
  exits "write low, 174", "mov ecx, 0x174", "mov eax, 0x1234", "xor edx, edx", "wrmsr", "rdmsr"
  exits "write low, 175", "mov ecx, 0x175", "wrmsr"
  exits "write high, STAR", "mov ecx, 0xc0000081", "wrmsr"
  exits "write high, LSTAR", "mov ecx, 0xc0000082", "xor edx, edx", "mov eax, 0x5678", "wrmsr", "xor eax, eax", "rdmsr", "mov rbx, rax"
  show_reg "LSTAR", rbx, 8
  exits "write of what is not canonical", "mov ecx, 0xc0000082", "mov edx, 0x8000", "wrmsr"
  exits "write beyond", "mov ecx, 0x40000000", "wrmsr"
  exits "the high half of RCX is of no interest", "mov rcx, 0x100000174", "rdmsr"
  exits3 "ring 3", "mov ecx, 0x174", "rdmsr"
  exits "no exit and no such MSR", "mov ecx, 0x1ffe", "rdmsr"
  # the low MSRs of VMX in the guest
  exits "IA32_VMX_BASIC in the guest", "mov ecx, IA32_VMX_BASIC", "rdmsr"
  w GUEST_SYSENTER_CS, 0x99
  exits "SYSENTER MSRs are the VMCS's", "mov ecx, 0x175", "rdmsr", "mov rbx, rax", "mov ecx, 0x176", "mov eax, 0x777", "xor edx, edx", "wrmsr"
  show_field "SYSENTER_EIP in the VMCS", GUEST_SYSENTER_EIP
  mov ecx, 0x176
  rdmsr
  show "SYSENTER_EIP of the host", rax, 8
  # FS and GS bases
  w GUEST_FS_BASE, 0x4444
  exits "FS base", "mov ecx, 0xc0000100", "rdmsr", "mov ebx, eax", "inc eax", "wrmsr", "mov ecx, 0xc0000102", "mov eax, 0x6666", "wrmsr", "swapgs"
  show_reg "FS base in the guest", rbx, 8
  show_field "FS base in the VMCS", GUEST_FS_BASE
  show_field "GS base after SWAPGS", GUEST_GS_BASE
  mov ecx, 0xc0000100
  rdmsr
  show "FS base of the host", rax, 8
done
