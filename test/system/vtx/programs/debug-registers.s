# MOV DR: the control, its qualifications, what comes before it; DR7 and DR6 across exits [SDM 3C 25.1.3, 27.2.1, 27.3.1, 27.5.1].
# expect: no control: VMCALL at +e length 3
# expect: DR7 in the guest: 00000700
# expect: DR0 in the guest: 00001234
# expect: DR0 after the exit: 00001234
# expect: DR7 after the exit: 00000400
# expect: DR7 written: VMCALL at +8 length 3
# expect: saved DR7: 400
# expect: DR7 of the host: 00000400
# expect: to DR0: DR at +0 length 3
# expect: from DR7: DR at +0 length 3 qualification 317
# expect: to DR6 from R13: DR at +0 length 4 qualification d06
# expect: from DR3 to RSP: DR at +0 length 3 qualification 413
# expect: to DR4 without CR4.DE: DR at +5 length 3 qualification 4
# expect: to DR4 with CR4.DE: DR at +0 length 3 qualification 4
# expect: from DR5 with CR4.DE: DR at +0 length 3 qualification 15
# expect: DR8: vector 6 from +0
# expect: with DR7.GD: DR at +0 length 3 qualification 317
# expect: with DR7.GD, no control: vector 1 from +0
# expect: with DR7.GD, and DR7 saved: vector 1 from +0
# expect: DR7 after #DB: 400
# expect: in ring 3: DR at +15 length 3
# expect: 32-bit, to DR7: DR at +0 length 3 qualification 707
# expect: 32-bit, from DR6: DR at +0 length 3 qualification 416
# expect: real, to DR1: DR at +0 length 3 qualification 501
# bochs: DR8: DR at +0 length 4 qualification 8 -- invalid opcodes come before exits [SDM 3C 25.1.1], and REX.R makes one [SDM 2B "MOV DR"]
.include "vmx.inc"
program 64
  vmx_on
  guest64
  mov rax, 0x700
  mov dr7, rax
  exits "no control", "mov rbx, dr7", "mov eax, 0x1234", "mov dr0, rax", "mov rcx, dr0"
  show_reg "DR7 in the guest", rbx, 8
  show_reg "DR0 in the guest", rcx, 8
  mov rax, dr0
  show "DR0 after the exit", rax, 8
  mov rax, dr7
  show "DR7 after the exit", rax, 8
  exits "DR7 written", "mov eax, 0x155", "mov dr7, rax"
  show_field "saved DR7", GUEST_DR7
  mov rax, dr7
  show "DR7 of the host", rax, 8
  w GUEST_DR7, 0x400
  primary ON_MOV_DR
  exits "to DR0", "mov dr0, rax"
  exits "from DR7", "mov rbx, dr7"
  exits "to DR6 from R13", "mov dr6, r13"
  exits "from DR3 to RSP", "mov rsp, dr3"
  exits "to DR4 without CR4.DE", "mov eax, 1", ".byte 0x0f, 0x23, 0xe0"
  w GUEST_CR4, 0x2628
  exits "to DR4 with CR4.DE", ".byte 0x0f, 0x23, 0xe0"
  exits "from DR5 with CR4.DE", ".byte 0x0f, 0x21, 0xe8"
  w GUEST_CR4, 0x2620
  exits "DR8", ".byte 0x44, 0x0f, 0x23, 0xc0"
  on_entry LOAD_DEBUG
  w GUEST_DR7, 0x2400
  exits "with DR7.GD", "mov rbx, dr7"
  primary
  exits "with DR7.GD, no control", "mov rbx, dr7"
  on_exit SAVE_DEBUG
  exits "with DR7.GD, and DR7 saved", "mov rbx, dr7"
  show_field "DR7 after #DB", GUEST_DR7
  on_exit
  w GUEST_DR7, 0x400
  primary ON_MOV_DR
  exits3 "in ring 3", "mov dr0, rax"
  w GUEST_DR7, 0x400
  guest32
  primary ON_MOV_DR
  exits "32-bit, to DR7", "mov dr7, edi"
  exits "32-bit, from DR6", "mov esp, dr6"
  guest_real
  secondary USE_EPT | UNRESTRICTED, ON_MOV_DR
  exits "real, to DR1", "mov dr1, ebp"
done
