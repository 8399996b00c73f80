# Capability MSRs and IA32_FEATURE_CONTROL: what every processor with these features says, and what follows from it [SDM 3C 23.7, 23.8, A].
# expect: CPUID.VMX: 1
# expect: IA32_FEATURE_CONTROL after a reset: 00000000
# expect: VMXON, not locked: #GP(0000)
# expect: written when it is locked: #GP(0000)
# expect: locked: 00000005
# expect: bit 31: 0
# expect: the region is a page at most: 0
# expect: addresses of 64 bits, no dual monitor or either, write-back, INS and OUTS information, TRUE MSRs: d8
# expect: written: #GP(0000)
# expect: CR0 fixed 0: 0000000080000021
# expect: CR0 fixed 1: 00000000ffffffff
# expect: CR4 fixed 0: 0000000000002000
# expect: CR4 fixed 1, the bits that are old: 00000000000027ff
# expect: pin, must be 1: 16
# expect: primary, must be 1: 04006172
# expect: exit, must be 1: 00036dfb
# expect: entry, must be 1: 000011fb
# expect: pin, default: 00000016
# expect: primary, default: 0401e172
# expect: exit, default: 00036dff
# expect: entry, default: 000011ff
# expect: 481, must be and may not be: 00000000
# expect: 482, must be and may not be: 00000000
# expect: 483, must be and may not be: 00000000
# expect: 484, must be and may not be: 00000000
# expect: 48b, must be and may not be: 00000000
# expect: 48d, must be and may not be: 00000000
# expect: 48e, must be and may not be: 00000000
# expect: 48f, must be and may not be: 00000000
# expect: 490, must be and may not be: 00000000
# expect: pin, not offered: 00000000
# expect: primary, not offered: 00000000
# expect: secondary, not offered: 00000000
# expect: exit, not offered: 00000000
# expect: entry, not offered: 00000000
# expect: CR3 targets: 004
# expect: IA-32e mode is stored; HLT, shutdown, wait-for-SIPI: f
# expect: MSRs recommended in a list, 512 (N + 1): 0
# expect: the highest index covers VMX-preemption timer: 1
# expect: EPT and VPID, not offered: 00000000000
# expect: EPT's MSR written: #GP(0000)
.include "vmx.inc"
.macro read msr
  mov ecx, \msr
  rdmsr
  shl rdx, 32
  or rax, rdx
.endm
# Bits that must be 1 and may not be, of an MSR of controls
.macro consistent name, msr
  read \msr
  mov rdx, rax
  shr rdx, 32
  not edx
  and eax, edx
  show "\name", rax, 8
.endm
.macro has name, msr, bits
  read \msr
  shr rax, 32
  and eax, \bits
  xor eax, \bits
  show "\name", rax, 8
.endm
program 64
  mov eax, 1
  cpuid
  shr ecx, 5
  and ecx, 1
  show "CPUID.VMX", rcx, 1
  read IA32_FEATURE_CONTROL
  show "IA32_FEATURE_CONTROL after a reset", rax, 8
  mov rax, cr4
  or eax, 0x2000
  mov cr4, rax
  try
  vmxon [pointer_vmxon]
  caught "VMXON, not locked"
  mov ecx, IA32_FEATURE_CONTROL
  mov eax, 5
  xor edx, edx
  wrmsr
  try
  mov eax, 5
  wrmsr
  caught "written when it is locked"
  rdmsr
  show "locked", rax, 8
  # ---- IA32_VMX_BASIC ----
  read IA32_VMX_BASIC
  mov rbx, rax
  shr eax, 31
  show "bit 31", rax, 1
  mov rax, rbx
  shr rax, 32
  and eax, 0x1fff
  dec eax
  shr eax, 12
  show "the region is a page at most", rax, 1
  mov rax, rbx
  shr rax, 48
  and eax, 0xff
  show "addresses of 64 bits, no dual monitor or either, write-back, INS and OUTS information, TRUE MSRs", rax, 2
  try
  mov ecx, IA32_VMX_BASIC
  wrmsr
  caught "written"
  # ---- fixed bits ----
  read IA32_VMX_CR0_FIXED0
  show "CR0 fixed 0", rax, 16
  read IA32_VMX_CR0_FIXED1
  show "CR0 fixed 1", rax, 16
  read IA32_VMX_CR4_FIXED0
  show "CR4 fixed 0", rax, 16
  read IA32_VMX_CR4_FIXED1
  and eax, 0x27ff
  show "CR4 fixed 1, the bits that are old", rax, 16
  # ---- controls ----
  read IA32_VMX_TRUE_PIN
  show "pin, must be 1", rax, 2
  read IA32_VMX_TRUE_PRIMARY
  show "primary, must be 1", rax, 8
  read IA32_VMX_TRUE_EXIT
  show "exit, must be 1", rax, 8
  read IA32_VMX_TRUE_ENTRY
  show "entry, must be 1", rax, 8
  read 0x481
  show "pin, default", rax, 8
  read 0x482
  show "primary, default", rax, 8
  read 0x483
  show "exit, default", rax, 8
  read 0x484
  show "entry, default", rax, 8
  .irp msr, 481, 482, 483, 484, 48b, 48d, 48e, 48f, 490
    consistent "\msr, must be and may not be", 0x\msr
  .endr
  has "pin, not offered", IA32_VMX_TRUE_PIN, PIN_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI | PIN_TIMER
  has "primary, not offered", IA32_VMX_TRUE_PRIMARY, 0xf3f99e8c
  has "secondary, not offered", IA32_VMX_SECONDARY, 0x10ef
  has "exit, not offered", IA32_VMX_TRUE_EXIT, 0x7c8204
  has "entry, not offered", IA32_VMX_TRUE_ENTRY, 0xc204
  # ---- IA32_VMX_MISC, VMCS_ENUM, EPT ----
  read 0x485
  mov rbx, rax
  shr eax, 16
  and eax, 0x1ff
  show "CR3 targets", rax, 3
  mov eax, ebx
  shr eax, 5
  and eax, 0xf
  show "IA-32e mode is stored; HLT, shutdown, wait-for-SIPI", rax, 1
  mov rax, rbx
  shr eax, 25
  and eax, 7
  show "MSRs recommended in a list, 512 (N + 1)", rax, 1
  read 0x48a
  mov ecx, eax
  shr ecx, 1
  and ecx, 0x1ff
  cmp ecx, 0x16
  setae al
  and eax, 1
  show "the highest index covers VMX-preemption timer", rax, 1
  read 0x48c
  mov rbx, 0xf0106334141
  and rax, rbx
  xor rax, rbx
  show "EPT and VPID, not offered", rax, 11
  try
  mov ecx, 0x48c
  wrmsr
  caught "EPT's MSR written"
done
