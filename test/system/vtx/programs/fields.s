# VMREAD and VMWRITE: widths, high halves, read-only and absent fields, operands; VMCLEAR and VMPTRLD keep them [SDM 3C 24.11.2, 30.3].
# expect: VMWRITE a 16-bit field: ok
# expect: VMREAD 16 bits: ok
# expect: 16 bits: 000000000000def0
# expect: VMWRITE a 32-bit field: ok
# expect: VMREAD 32 bits: ok
# expect: 32 bits: 000000009abcdef0
# expect: VMWRITE a 64-bit field: ok
# expect: VMREAD 64 bits: ok
# expect: 64 bits: 123456789abcdef0
# expect: VMREAD the upper half: ok
# expect: the upper half: 0000000012345678
# expect: VMWRITE the upper half of it: ok
# expect: VMREAD after that: ok
# expect: after that: 666666669abcdef0
# expect: VMWRITE a natural field: ok
# expect: VMREAD natural: ok
# expect: natural: 923456789abcdef0
# expect: VMREAD the upper half of a natural field: VMfail 12
# expect: the upper half of a natural field: ffffffffffffffff
# expect: VMREAD the upper half of a 32-bit field: VMfail 12
# expect: the upper half of a 32-bit field: ffffffffffffffff
# expect: VMREAD an absent field: VMfail 12
# expect: an absent field: ffffffffffffffff
# expect: VMWRITE an absent field: VMfail 12
# expect: VMREAD a wide encoding: VMfail 12
# expect: a wide encoding: ffffffffffffffff
# expect: VMREAD with bit 32 of the encoding: VMfail 12
# expect: VMREAD to memory: ok
# expect: in memory: 923456789abcdef0
# expect: VMREAD of 16 bits to memory: ok
# expect: 16 bits in memory: 000000000000def0
# expect: VMWRITE from memory: ok
# expect: VMREAD from memory: ok
# expect: from memory: 0000000000000777
# expect: VMREAD to an address that is not canonical: #GP(0000)
# expect: VMREAD of an absent field to an address that is not canonical: VMfail 12
# expect: VMCLEAR of the other: ok
# expect: VMPTRLD of the other: ok
# expect: VMWRITE the other's RSP: ok
# expect: VMPTRLD of the first: ok
# expect: VMREAD the first's RSP: ok
# expect: the first's RSP: 0000000000000777
# expect: VMCLEAR of it: ok
# expect: VMREAD after VMCLEAR: VMfailInvalid
# expect: VMPTRLD of it: ok
# expect: VMREAD RSP after VMCLEAR: ok
# expect: RSP after VMCLEAR: 0000000000000777
# expect: VMCLEAR of the one that is not current: ok
# expect: VMREAD RSP is still there: ok
# expect: RSP is still there: 0000000000000777
# expect: VMPTRLD of what is current: ok
# expect: VMREAD RSP of the other: ok
# expect: RSP of the other: 0000000000000888
# expect: VMXOFF: ok
# expect: VMXON: ok
# expect: VMREAD after VMXON: VMfailInvalid
# expect: VMREAD RSP after VMXOFF: ok
# expect: RSP after VMXOFF: 0000000000000888
.include "vmx.inc"
.macro wr name, field, value
  mov rax, \value
  vm "VMWRITE \name", "mov edx, \field", "vmwrite rdx, rax"
.endm
.macro rd name, field
  mov rax, -1
  vm "VMREAD \name", "mov edx, \field", "vmread rax, rdx"
  show "\name", rax, 16
.endm
program 64
  vmx_on
  wr "a 16-bit field", GUEST_ES, 0x123456789abcdef0
  rd "16 bits", GUEST_ES
  wr "a 32-bit field", EXCEPTION_BITMAP, 0x123456789abcdef0
  rd "32 bits", EXCEPTION_BITMAP
  wr "a 64-bit field", TSC_OFFSET, 0x123456789abcdef0
  rd "64 bits", TSC_OFFSET
  rd "the upper half", TSC_OFFSET+1
  wr "the upper half of it", TSC_OFFSET+1, 0x5555555566666666
  rd "after that", TSC_OFFSET
  wr "a natural field", GUEST_RSP, 0x923456789abcdef0
  rd "natural", GUEST_RSP
  rd "the upper half of a natural field", GUEST_RSP+1
  rd "the upper half of a 32-bit field", EXCEPTION_BITMAP+1
  rd "an absent field", 0x6c18
  wr "an absent field", 0x6c18, 0
  rd "a wide encoding", 0x16c16
  mov rdx, 0x100000000 + GUEST_RSP
  vm "VMREAD with bit 32 of the encoding", "vmread rax, rdx"
  vm "VMREAD to memory", "mov edx, GUEST_RSP", "vmread [stored], rdx"
  show "in memory", [stored], 16
  mov qword ptr [stored], -1
  vm "VMREAD of 16 bits to memory", "mov edx, GUEST_ES", "vmread [stored], rdx"
  show "16 bits in memory", [stored], 16
  mov qword ptr [stored], 0x777
  vm "VMWRITE from memory", "mov edx, GUEST_RSP", "vmwrite rdx, [stored]"
  rd "from memory", GUEST_RSP
  try
  mov rbx, 0x800000000000
  mov edx, GUEST_RSP
  vmread [rbx], rdx
  caught "VMREAD to an address that is not canonical"
  mov rbx, 0x800000000000
  vm "VMREAD of an absent field to an address that is not canonical", "mov edx, 0x6c18", "vmread [rbx], rdx"
  # a VMCS keeps its fields
  vm "VMCLEAR of the other", "vmclear [pointer_b]"
  vm "VMPTRLD of the other", "vmptrld [pointer_b]"
  wr "the other's RSP", GUEST_RSP, 0x888
  vm "VMPTRLD of the first", "vmptrld [pointer_a]"
  rd "the first's RSP", GUEST_RSP
  vm "VMCLEAR of it", "vmclear [pointer_a]"
  vm "VMREAD after VMCLEAR", "mov edx, GUEST_RSP", "vmread rax, rdx"
  vm "VMPTRLD of it", "vmptrld [pointer_a]"
  rd "RSP after VMCLEAR", GUEST_RSP
  vm "VMCLEAR of the one that is not current", "vmclear [pointer_b]"
  rd "RSP is still there", GUEST_RSP
  vm "VMPTRLD of what is current", "vmptrld [pointer_a]"
  vmptrld [pointer_b]
  rd "RSP of the other", GUEST_RSP
  # VMXOFF and VMXON: fields of a VMCS that was made clear stay
  vmclear [pointer_a]
  vmclear [pointer_b]
  vm "VMXOFF", "vmxoff"
  vm "VMXON", "vmxon [pointer_vmxon]"
  vm "VMREAD after VMXON", "mov edx, GUEST_RSP", "vmread rax, rdx"
  vmptrld [pointer_b]
  rd "RSP after VMXOFF", GUEST_RSP
done
.data
.balign 16
stored: .quad 0
