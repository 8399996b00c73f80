# Debug controls: DR7 loaded at entry, saved and set at exit [SDM 3C 26.3.1.1, 26.3.2.1, 27.3.1, 27.5.1].
# expect: no control: VMCALL at +b length 3
# expect: DR7 in the guest, no control: 0600
# expect: DR7 in the VMCS, no control: 400
# expect: DR7 of the host: 0400
# expect: loaded and saved: VMCALL at +b length 3
# expect: DR7 in the guest: 0700
# expect: DR7 saved: 500
# expect: a reserved bit of IA32_DEBUGCTL: entry failed: entry_state
# expect: DR7 with high bits: entry failed: entry_state
# bochs: a reserved bit of IA32_DEBUGCTL: VMCALL at +1 length 3 -- it has no IA32_DEBUGCTL [SDM 3C 26.3.1.1]
.include "vmx.inc"
program 64
  vmx_on
  guest64
  mov eax, 0x600
  mov dr7, rax
  exits "no control", "mov rsi, dr7; mov eax, 0x500; mov dr7, rax"
  show_reg "DR7 in the guest, no control", rsi, 4
  show_field "DR7 in the VMCS, no control", GUEST_DR7
  mov rax, dr7
  show "DR7 of the host", rax, 4
  on_entry LOAD_DEBUG
  on_exit SAVE_DEBUG
  w GUEST_DR7, 0x700
  exits "loaded and saved", "mov rsi, dr7; mov eax, 0x500; mov dr7, rax"
  show_reg "DR7 in the guest", rsi, 4
  show_field "DR7 saved", GUEST_DR7
  mov rax, 1 << 63
  w GUEST_DEBUGCTL, rax
  prepare nop
  run "a reserved bit of IA32_DEBUGCTL"
  w GUEST_DEBUGCTL, 0
  w GUEST_DR7, 0xffffffff00000400
  run "DR7 with high bits"
  w GUEST_DR7, 0x400
done
