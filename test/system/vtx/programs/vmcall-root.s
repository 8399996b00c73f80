# VMCALL in root operation, without and with a current VMCS: there is no monitor for SMM [SDM 3C "VMCALL", 30.4].
# expect: VMCALL without VMCS: VMfailInvalid
# expect: VMCALL with a clear VMCS: VMfail 1
# expect: VMCALL with a launched VMCS: VMfail 1
# expect: VM-instruction error: 1
# expect: VMCALL in ring 3: #GP(0000)
# skip bochs: it stops: "VMCALL: not implemented yet"
.include "vmx.inc"
program 64
  vmx_on
  vmclear [pointer_a]
  vm "VMCALL without VMCS", "vmcall"
  vmptrld [pointer_a]
  mov esi, offset common_fields
  call write_fields
  call write_host
  guest64
  vm "VMCALL with a clear VMCS", "vmcall"
  prepare "cpuid"
  call enter_guest
  vm "VMCALL with a launched VMCS", "vmcall"
  show_field "VM-instruction error", INSTRUCTION_ERROR
  user user_vmcall
  caught "VMCALL in ring 3"
done
user_vmcall:
  vmcall
