# Interrupt and NMI windows and pending debug exceptions wake a guest that was entered in HLT [SDM 3C 26.7.3, 26.7.5, 26.7.6].
# expect: pending single step: vector 1 from +0
# expect: interrupt window: interrupt_window at +0
# expect: its activity: 1
# expect: NMI window: nmi_window at +0
# expect: NMI window's activity: 1
# skip bochs: it sleeps on
.include "vmx.inc"
program 64
  vmx_on
  guest64
  prepare nop
  w ACTIVITY, 1
  w GUEST_RFLAGS, 0x102
  w PENDING_DEBUG, 0x4000
  run "pending single step"
  primary ON_INTERRUPT_WINDOW
  prepare nop
  w GUEST_RFLAGS, 0x202
  w ACTIVITY, 1
  run "interrupt window"
  show_field "its activity", ACTIVITY
  pin PIN_NMI | PIN_VIRTUAL_NMI
  primary ON_NMI_WINDOW
  prepare nop
  w ACTIVITY, 1
  run "NMI window"
  show_field "NMI window's activity", ACTIVITY
done
