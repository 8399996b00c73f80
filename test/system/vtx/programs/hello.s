# The harness itself: exits of a guest in each mode, handlers of the guest, registers.
# expect: VMXON again: VMfail 15
# expect: HLT: HLT at +3 length 1
# expect: RAX: 0000000123456789
# expect: after it: VMCALL at +4 length 3
# expect: CPUID: CPUID at +0 length 2
# expect: UD2: vector 6 from +0
# expect: and back: vector 6 from +0
# expect: page fault: vector e(0) from +0
# expect: OUT: VMCALL at +2 length 3
# expect: HLT in 32-bit mode: HLT at +1 length 1
# expect: GP in 32-bit mode: vector d(fff0) from +5
# expect: CPUID with PAE: CPUID at +0 length 2
# expect: real: CPUID at +3 length 2
# expect: INT 5 real: vector 5 from +2
.include "vmx.inc"
program 64
  vmx_on
  vm "VMXON again", "vmxon [pointer_vmxon]"
  guest64
  primary ON_HLT
  reg rbx, 0x123456789
  exits "HLT", "mov rax, rbx", "hlt"
  show_reg "RAX", rax
  next "after it"
  exits "CPUID", "cpuid"
  exits "UD2", "ud2"
  next "and back"
  exits "page fault", "mov al, [rax*8+0x7fffffff]"
  exits "OUT", "out 0x80, al"
  guest32
  primary ON_HLT
  exits "HLT in 32-bit mode", "inc eax", "hlt"
  exits "GP in 32-bit mode", "mov eax, 0xfff0", "mov ds, eax"
  guest_pae
  exits "CPUID with PAE", "cpuid"
  guest_real
  exits "real", "mov ax, 5", "cpuid"
  exits "INT 5 real", "int 5"
done
