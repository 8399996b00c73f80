# Activity states at entry: HLT, shutdown, wait-for-SIPI, and which events may be injected or end them [SDM 3C 24.4.2, 26.3.1.5, 26.6.2].
# expect: activity 4: entry failed: entry_state
# expect: activity 1, blocking by STI: entry failed: entry_state
# expect: activity 1, blocking by MOV SS: entry failed: entry_state
# expect: HLT and an external interrupt: vector 31 from +0
# expect: activity after it: 0
# expect: HLT and an NMI: vector 2 from +0
# expect: HLT and #DB: vector 1 from +0
# expect: HLT and #MC: vector 12 from +0
# expect: HLT and #UD: entry failed: entry_state
# expect: shutdown and an external interrupt: entry failed: entry_state
# expect: shutdown and an NMI: vector 2 from +0
# expect: shutdown and #MC: vector 12 from +0
# expect: shutdown and #DB: entry failed: entry_state
# expect: wait-for-SIPI and an NMI: entry failed: entry_state
# expect: HLT in ring 3: entry failed: entry_state
# expect: shutdown until the timer: timer at +0
# expect: still shut down: 2
# expect: HLT until the timer: timer at +0
# expect: still halted: 1
# expect: the guest halts: timer at +1
# expect: halted: 1
# bochs: HLT and #UD: vector 6 from +0 -- HLT lets in external interrupts, NMIs, #DB and #MC only [SDM 3C 26.3.1.5]
.include "vmx.inc"
.include "apic.inc"
.macro from name, activity, flags=2, info=0, state=0
  prepare nop
  w ACTIVITY, \activity
  w GUEST_RFLAGS, \flags
  w ENTRY_INFO, \info
  w INTERRUPTIBILITY, \state
  run "\name"
  w ENTRY_INFO, 0
.endm
program 64
  vmx_on
  apic_on
  guest64
  pin PIN_INTERRUPT
  from "activity 4", 4
  from "activity 1, blocking by STI", 1, 0x202, 0, BY_STI
  from "activity 1, blocking by MOV SS", 1, 2, 0, BY_MOV_SS
  # what HLT lets in
  from "HLT and an external interrupt", 1, 0x202, EVENT | EXTERNAL | 0x31
  show_field "activity after it", ACTIVITY
  from "HLT and an NMI", 1, 2, EVENT | NMI | 2
  from "HLT and #DB", 1, 2, EVENT | HARDWARE | 1
  from "HLT and #MC", 1, 2, EVENT | HARDWARE | 18
  from "HLT and #UD", 1, 2, EVENT | HARDWARE | 6
  # shutdown: NMI and machine checks
  from "shutdown and an external interrupt", 2, 0x202, EVENT | EXTERNAL | 0x31
  from "shutdown and an NMI", 2, 2, EVENT | NMI | 2
  from "shutdown and #MC", 2, 2, EVENT | HARDWARE | 18
  from "shutdown and #DB", 2, 2, EVENT | HARDWARE | 1
  from "wait-for-SIPI and an NMI", 3, 2, EVENT | NMI | 2
  # HLT with ring 3
  prepare nop
  w ACTIVITY, 1
  w GUEST_CS, UCODE64
  w GUEST_CS_ACCESS, 0xa0fb
  w GUEST_SS, UDATA
  w GUEST_SS_ACCESS, 0xc0f3
  run "HLT in ring 3"
  # shutdown ends by an NMI exit
  pin PIN_TIMER
  w PREEMPTION_TIMER, 1000
  from "shutdown until the timer", 2
  show_field "still shut down", ACTIVITY
  w PREEMPTION_TIMER, 1000
  from "HLT until the timer", 1
  show_field "still halted", ACTIVITY
  # HLT in the guest, without exiting
  w PREEMPTION_TIMER, 1000
  exits "the guest halts", hlt
  show_field "halted", ACTIVITY
  on_exit
done
