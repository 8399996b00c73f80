# Interrupt-window and NMI-window exiting: with IF, blocking by STI, MOV SS and NMI, in HLT, against injection and each other [SDM 3C 25.2, 26.7.5, 26.7.6].
# expect: IF 1: interrupt_window at +0
# expect: IF 0: VMCALL at +1 length 3
# expect: IF 0, then STI: interrupt_window at +3
# expect: blocking after it: 0
# expect: IF 1, blocking by STI: interrupt_window at +1
# expect: IF 1, blocking by MOV SS: interrupt_window at +1
# expect: IF 1, blocking by NMI: interrupt_window at +0
# expect: MOV SS in the guest: interrupt_window at +2
# expect: POPF: interrupt_window at +6
# expect: with an injected interrupt: vector 31 from +0
# expect: with an injected exception: vector 6 from +0
# expect: STI; CPUID: CPUID at +1 length 2
# expect: blocking at CPUID: 1
# expect: what follows: VMCALL at +3 length 3
# expect: blocking is entered again: 1
# expect: MOV SS; CPUID: CPUID at +4 length 2
# expect: blocking by MOV SS: 2
# expect: NMI window: nmi_window at +0
# expect: NMI window, blocking by NMI: VMCALL at +2 length 3
# expect: virtual-NMI blocking: 8
# expect: NMI window, IRET: nmi_window at +14
# expect: virtual-NMI blocking after IRET: 0
# expect: NMI window, blocking by MOV SS: nmi_window at +1
# expect: both windows: nmi_window at +0
# expect: both windows, blocking by NMI: interrupt_window at +0
# expect: both windows, IF 0: nmi_window at +0
# bochs: blocking at CPUID: 9 -- blocking by NMI is in effect if and only if the field says so [SDM 3C 26.6.1]
# bochs: blocking is entered again: 9 -- blocking by NMI is in effect if and only if the field says so [SDM 3C 26.6.1]
# bochs: blocking by MOV SS: a -- blocking by NMI is in effect if and only if the field says so [SDM 3C 26.6.1]
# bochs: both windows, IF 0: VMCALL at +1 length 3 -- blocking by NMI is in effect if and only if the field says so [SDM 3C 26.6.1]
.include "vmx.inc"
.macro from name, flags, state=0, activity=0, code:vararg
  prepare \code
  w GUEST_RFLAGS, \flags
  w INTERRUPTIBILITY, \state
  w ACTIVITY, \activity
  run "\name"
.endm
program 64
  vmx_on
  guest64
  primary ON_INTERRUPT_WINDOW
  from "IF 1", 0x202, 0, 0, nop
  from "IF 0", 2, 0, 0, nop
  from "IF 0, then STI", 2, 0, 0, nop, sti, nop, nop
  show_field "blocking after it", INTERRUPTIBILITY
  from "IF 1, blocking by STI", 0x202, BY_STI, 0, nop, nop
  from "IF 1, blocking by MOV SS", 0x202, BY_MOV_SS, 0, nop, nop
  from "IF 1, blocking by NMI", 0x202, BY_NMI, 0, nop, nop
  from "MOV SS in the guest", 0x202, BY_STI, 0, "mov eax, ss; mov ss, eax", nop, nop
  from "POPF", 2, 0, 0, "push 0x202", popf, nop
  prepare nop
  w GUEST_RFLAGS, 0x202
  inject EVENT | EXTERNAL | 0x31
  run "with an injected interrupt"
  w ENTRY_INFO, 0
  prepare nop
  w GUEST_RFLAGS, 0x202
  inject EVENT | HARDWARE | 6
  run "with an injected exception"
  # an exit of the first instruction after STI
  from "STI; CPUID", 2, 0, 0, sti, cpuid
  show_field "blocking at CPUID", INTERRUPTIBILITY
  skip
  run "what follows"
  show_field "blocking is entered again", INTERRUPTIBILITY
  primary
  from "MOV SS; CPUID", 2, 0, 0, "mov eax, ss; mov ss, eax", cpuid
  show_field "blocking by MOV SS", INTERRUPTIBILITY
  # ---- NMI window ----
  pin PIN_NMI | PIN_VIRTUAL_NMI
  primary ON_NMI_WINDOW
  from "NMI window", 2, 0, 0, nop
  from "NMI window, blocking by NMI", 2, BY_NMI, 0, nop, nop
  show_field "virtual-NMI blocking", INTERRUPTIBILITY
  from "NMI window, IRET", 2, BY_NMI, 0, nop, "push DATA; push offset guest_stack; push 2; push CODE64; push offset 88f", iretq, nop, "88: nop", nop
  show_field "virtual-NMI blocking after IRET", INTERRUPTIBILITY
  from "NMI window, blocking by MOV SS", 2, BY_MOV_SS, 0, nop, nop
  primary ON_NMI_WINDOW | ON_INTERRUPT_WINDOW
  from "both windows", 0x202, 0, 0, nop
  from "both windows, blocking by NMI", 0x202, BY_NMI, 0, nop
  from "both windows, IF 0", 2, 0, 0, nop
done
