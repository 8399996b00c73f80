# The launch state, VMLAUNCH and VMRESUME with every refusal, MOV SS before them; which of two [SDM 3C 24.11.3, 26.1, 30.4].
# expect: VMRESUME of a clear one: VMfail 5
# expect: first entry: CPUID at +0 length 2
# expect: VMCALL: VMCALL at +1 length 3
# expect: VMLAUNCH of a launched one: VMfail 4
# expect: launched twice: VMfail 4
# expect: VMLAUNCH after MOV SS: VMfail 26
# expect: VMRESUME after MOV SS: VMfail 26
# expect: after VMCLEAR: VMCALL at +1 length 3
# expect: launch state after VMPTRLD: VMfail 4
# expect: the other: CPUID at +0 length 2
# expect: the first again: CPUID at +0 length 2
# expect: the other again: CPUID at +1 length 2
# expect: the first is clear, the other: CPUID at +0 length 2
# expect: VMRESUME of the first: VMfail 5
# expect: VMLAUNCH of the other: VMfail 4
# expect: VM-instruction error: 4
# expect: VMREAD does not clear it: 4
# expect: VMXOFF: ok
.include "vmx.inc"
program 64
  vmx_on
  guest64
  vm "VMRESUME of a clear one", "vmresume"
  exits "first entry", "cpuid"
  exits "VMCALL", "nop"
  vm "VMLAUNCH of a launched one", "vmlaunch"
  mov byte ptr [launched], 0
  run "launched twice"
  vm "VMLAUNCH after MOV SS", "mov eax, ss", "mov ss, eax", "vmlaunch"
  vm "VMRESUME after MOV SS", "mov eax, ss", "mov ss, eax", "vmresume"
  vmclear [pointer_a]
  vmptrld [pointer_a]
  exits "after VMCLEAR", "nop"
  mov byte ptr [launched], 0
  vmptrld [pointer_a]
  run "launch state after VMPTRLD"
  # another one beside it
  vmclear [pointer_b]
  vmptrld [pointer_b]
  mov esi, offset common_fields
  call write_fields
  call write_host
  guest64
  mov byte ptr [launched], 0
  exits "the other", "cpuid"
  vmptrld [pointer_a]
  exits "the first again", "cpuid"
  vmptrld [pointer_b]
  exits "the other again", "nop", "cpuid"
  vmclear [pointer_a]
  exits "the first is clear, the other", "cpuid"
  vmptrld [pointer_a]
  run "VMRESUME of the first"
  vmptrld [pointer_b]
  vm "VMLAUNCH of the other", "vmlaunch"
  show_field "VM-instruction error", INSTRUCTION_ERROR
  r GUEST_RIP
  show_field "VMREAD does not clear it", INSTRUCTION_ERROR
  vmclear [pointer_a]
  vmclear [pointer_b]
  vm "VMXOFF", "vmxoff"
done
