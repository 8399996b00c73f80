# TSC offsetting for RDTSC, RDTSCP and RDMSR; RDTSC exiting before it [SDM 3C 24.6.5, 25.3].
# expect: RDTSC, no control: VMCALL at +2 length 3
# expect: RDTSC, no control, upper half: 00000000
# expect: RDTSC: VMCALL at +2 length 3
# expect: RDTSC, upper half: 00012345
# expect: RDMSR: VMCALL at +7 length 3
# expect: RDMSR, upper half: 00012345
# expect: RDTSCP: VMCALL at +3 length 3
# expect: RDTSCP, upper half: 00012345
# expect: RDTSCP, RCX: 00000077
# expect: RDTSC exiting: RDTSC at +0 length 2
# expect: RDMSR with RDTSC exiting: VMCALL at +7 length 3
# expect: RDMSR with RDTSC exiting, upper half: 00012345
# expect: a negative offset: VMCALL at +4 length 3
# expect: it is negative: 1
# expect: the host's upper half: 00000000
.include "vmx.inc"
# The upper half of the guest's time stamp, less the host's
.macro offset_of name, code:vararg
  exits "\name", \code
  rdtsc
  mov eax, [guest_rdx]
  sub eax, edx
  show "\name, upper half", rax, 8
.endm
program 64
  vmx_on
  guest64
  primary USE_MSR_BITMAPS
  mov rax, 0x12345 << 32
  w TSC_OFFSET, rax
  offset_of "RDTSC, no control", rdtsc
  primary USE_TSC_OFFSET | USE_MSR_BITMAPS
  offset_of "RDTSC", rdtsc
  offset_of "RDMSR", "mov ecx, 0x10; rdmsr"
  secondary ENABLE_RDTSCP, USE_TSC_OFFSET | USE_MSR_BITMAPS
  mov ecx, 0xc0000103
  mov eax, 0x77
  xor edx, edx
  wrmsr
  offset_of "RDTSCP", rdtscp
  show_reg "RDTSCP, RCX", rcx, 8
  primary USE_TSC_OFFSET | ON_RDTSC | USE_MSR_BITMAPS
  exits "RDTSC exiting", rdtsc
  offset_of "RDMSR with RDTSC exiting", "mov ecx, 0x10; rdmsr"
  mov rax, -0x12345 << 32
  w TSC_OFFSET, rax
  primary USE_TSC_OFFSET
  exits "a negative offset", "xor eax, eax; rdtsc"
  mov eax, [guest_rdx]
  not eax
  and eax, 0xfffff000
  cmp eax, 0x12000
  sete al
  and eax, 1
  show "it is negative", rax, 1
  # the host's is as it was
  rdtsc
  shr edx, 8
  show "the host's upper half", rdx, 8
done
