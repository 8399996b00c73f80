# The preemption timer: 0, saved or not, in HLT; and what comes before it [SDM 3C 25.5.1, 26.7.4].
# expect: timer 0: timer at +0
# expect: its value: 0
# expect: timer 0, with an injected exception: timer at vector 6
# expect: timer 0, a single step pending: timer at vector 1
# expect: timer 0, before the interrupt window: timer at +0
# expect: timer of a second: VMCALL at +1 length 3
# expect: not saved: 2000000
# expect: timer saved: VMCALL at +1 length 3
# expect: its upper bits: 1
# expect: a loop: timer at +0
# expect: the loop's timer: 0
# expect: timer in HLT: timer at +0
# expect: activity: 1
# expect: timer in shutdown: timer at +0
# expect: shutdown: 2
# expect: no timer: VMCALL at +1 length 3
.include "vmx.inc"
.include "apic.inc"
.macro timer name, value, code:vararg
  prepare \code
  w PREEMPTION_TIMER, \value
  run "\name"
.endm
program 64
  vmx_on
  guest64
  pin PIN_TIMER
  timer "timer 0", 0, nop
  show_field "its value", PREEMPTION_TIMER
  prepare nop
  inject EVENT | HARDWARE | 6
  run "timer 0, with an injected exception"
  w ENTRY_INFO, 0
  prepare nop
  w GUEST_RFLAGS, 0x102
  w PENDING_DEBUG, 0x4000
  run "timer 0, a single step pending"
  primary ON_INTERRUPT_WINDOW
  prepare nop
  w GUEST_RFLAGS, 0x202
  run "timer 0, before the interrupt window"
  primary
  timer "timer of a second", 1 << 25, nop
  show_field "not saved", PREEMPTION_TIMER
  on_exit SAVE_TIMER
  timer "timer saved", 1 << 25, nop
  r PREEMPTION_TIMER
  dec eax
  shr eax, 24
  show "its upper bits", rax, 1
  timer "a loop", 100, "88: jmp 88b"
  show_field "the loop's timer", PREEMPTION_TIMER
  prepare nop
  w PREEMPTION_TIMER, 10
  w ACTIVITY, 1
  run "timer in HLT"
  show_field "activity", ACTIVITY
  prepare nop
  w PREEMPTION_TIMER, 10
  w ACTIVITY, 2
  run "timer in shutdown"
  show_field "shutdown", ACTIVITY
  pin
  on_exit
  timer "no timer", 0, nop
done
