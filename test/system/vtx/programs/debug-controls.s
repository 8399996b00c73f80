# Debug controls: IA32_DEBUGCTL and DR7 loaded at entry, saved and cleared at exit [SDM 3C 26.3.1.1, 26.3.2.1, 27.3.1, 27.5.1].
# skip bochs: it has no IA32_DEBUGCTL
.include "vmx.inc"
.macro msr name, number, digits=8
  mov ecx, \number
  rdmsr
  shl rdx, 32
  or rax, rdx
  show "\name", rax, \digits
.endm
program 64
  vmx_on
  guest64
  primary USE_MSR_BITMAPS
  mov ecx, IA32_DEBUGCTL
  mov eax, 2
  xor edx, edx
  wrmsr
  mov eax, 0x600
  mov dr7, rax
  exits "debug controls, no control", "mov ecx, IA32_DEBUGCTL; rdmsr; mov rbx, rax; mov rsi, dr7"
  show_reg "DEBUGCTL in the guest, no control", rbx, 4
  show_reg "DR7 in the guest, no control", rsi, 4
  msr "DEBUGCTL in the host", IA32_DEBUGCTL, 4
  on_entry LOAD_DEBUG
  on_exit SAVE_DEBUG
  w GUEST_DEBUGCTL, 2
  w GUEST_DR7, 0x700
  exits "debug controls, loaded", "mov ecx, IA32_DEBUGCTL; rdmsr; mov rbx, rax; mov rsi, dr7; xor eax, eax; wrmsr; mov eax, 0x500; mov dr7, rax"
  show_reg "DEBUGCTL in the guest", rbx, 4
  show_reg "DR7 in the guest", rsi, 4
  show_field "DEBUGCTL saved", GUEST_DEBUGCTL
  show_field "DR7 saved", GUEST_DR7
  w GUEST_DR7, 0xffffffff00000400
  run "DR7 with high bits"
  w GUEST_DR7, 0x400
done
