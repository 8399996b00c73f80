# External interrupts: taken by the guest, exiting with IF 0 and 1, acknowledged or not, blocked, waking HLT, pending at entry, CR8 [SDM 3C 25.2, 26.7.5, 27.2.2].
# expect: IF 1: vector 31 from +c
# expect: IF 0: VMCALL at +e length 3
# expect: pending at the entry: vector 31 from +0
# expect: exiting, IF 1: interrupt at +c
# expect: the host takes it: int 31
# expect: exiting, CLI: interrupt at +d
# expect: the host takes it again: int 31
# expect: exiting, pending at the entry: interrupt at +0
# expect: exiting, pending, blocking by STI: interrupt at +1
# expect: exiting, pending, blocking by MOV SS: interrupt at +1
# expect: exiting, pending, CLI under MOV SS: interrupt at +1
# expect: exiting, pending, with an injected one: interrupt at vector 35
# expect: exiting, pending, blocking by STI, with an injected #UD: interrupt at vector 6
# expect: blocking by STI is over: 0
# expect: and again: int 31
# expect: acknowledged: interrupt at +d event 31
# expect: in service: 00020000
# expect: acknowledged, pending at the entry: interrupt at +0 event 45
# expect: acknowledged, halted: interrupt at +0 event 45
# expect: activity: 1
# expect: halted, exiting: interrupt at +0
# expect: halted, the host takes it: int 31
# expect: halted, IF 1, not exiting: vector 31 from +0
# expect: activity in the handler: 0
# expect: the window and an interrupt: interrupt_window at +0
# expect: after the window: int 31
# expect: masked by CR8: VMCALL at +1 length 3
# expect: unmasked by the guest: interrupt at +6
# expect: unmasked: int 31
# expect: STI, and a store that sends: interrupt at +d
# expect: after that: int 31
# bochs: exiting, pending at the entry: VMCALL at +1 length 3 -- the control makes IF meaningless for external interrupts [SDM 3C 24.6.1]; it believes what was so in the host
# bochs: activity: 0 -- the active state returns after the exit only [SDM 3C 27.1]
.include "vmx.inc"
.include "apic.inc"
.macro guest_sends              # and waits: when the interrupt arrives is the APIC's business
  mov eax, APIC_ICR
  mov dword ptr [eax], 0x40000 | VECTOR
87:
  jmp 87b
.endm
.macro guest_sends_on
  mov eax, APIC_ICR
  mov dword ptr [eax], 0x40000 | VECTOR
.endm
.macro from name, flags, state, activity, code:vararg
  prepare \code
  w GUEST_RFLAGS, \flags
  w INTERRUPTIBILITY, \state
  w ACTIVITY, \activity
  run "\name"
.endm
.macro take name
  try
  sti
  nop
  nop
  nop
  cli
  caught "\name"
  call eoi
.endm
program 64
  vmx_on
  apic_on
  guest64
  # ---- without the control ----
  from "IF 1", 0x202, 0, 0, guest_sends
  call eoi
  from "IF 0", 2, 0, 0, guest_sends_on, nop, nop
  from "pending at the entry", 0x202, 0, 0, nop
  call eoi
  # ---- exiting ----
  pin PIN_INTERRUPT
  from "exiting, IF 1", 0x202, 0, 0, guest_sends
  take "the host takes it"
  from "exiting, CLI", 0x202, 0, 0, cli, guest_sends
  take "the host takes it again"
  send_self
  from "exiting, pending at the entry", 2, 0, 0, nop
  from "exiting, pending, blocking by STI", 0x202, BY_STI, 0, nop, nop
  from "exiting, pending, blocking by MOV SS", 0x202, BY_MOV_SS, 0, nop, nop
  from "exiting, pending, CLI under MOV SS", 0x202, BY_MOV_SS, 0, cli, nop
  prepare nop
  w GUEST_RFLAGS, 0x202
  inject EVENT | EXTERNAL | 0x35
  run "exiting, pending, with an injected one"
  prepare nop
  w GUEST_RFLAGS, 0x202
  w INTERRUPTIBILITY, BY_STI
  inject EVENT | HARDWARE | 6
  run "exiting, pending, blocking by STI, with an injected #UD"
  show_field "blocking by STI is over", INTERRUPTIBILITY
  w ENTRY_INFO, 0
  take "and again"
  # ---- acknowledged ----
  on_exit ACKNOWLEDGE
  from "acknowledged", 0x202, 0, 0, cli, guest_sends
  mov eax, APIC_ISR + 0x10
  mov eax, [rax]
  show "in service", rax, 8
  call eoi
  send_self 0x45
  from "acknowledged, pending at the entry", 0x202, 0, 0, nop
  call eoi
  send_self 0x45
  from "acknowledged, halted", 0x202, 0, 1, nop
  show_field "activity", ACTIVITY
  call eoi
  on_exit
  send_self
  from "halted, exiting", 0x202, 0, 1, nop
  take "halted, the host takes it"
  pin
  send_self
  from "halted, IF 1, not exiting", 0x202, 0, 1, nop
  show_field "activity in the handler", ACTIVITY
  call eoi
  # ---- the window and an interrupt ----
  pin PIN_INTERRUPT
  primary ON_INTERRUPT_WINDOW
  send_self
  from "the window and an interrupt", 0x202, 0, 0, nop
  primary
  take "after the window"
  # ---- what CR8 masks ----
  mov eax, 15
  mov cr8, rax
  send_self
  from "masked by CR8", 0x202, 0, 0, nop
  from "unmasked by the guest", 0x202, 0, 0, "xor eax, eax", "mov cr8, rax", nop
  take "unmasked"
  # ---- HLT in the guest ----
  from "STI, and a store that sends", 0x202, 0, 0, "mov eax, APIC_ICR", "sti; mov dword ptr [eax], 0x40000 | VECTOR; 87: jmp 87b"
  take "after that"
done
eoi:
  end_of_interrupt
  ret
