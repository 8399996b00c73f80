# The monitor trap flag: after instructions, faults, interrupts, injected events, iterations, with #DB [SDM 3C 25.5.2, 26.7.8].
# expect: MTF: monitor_trap at +1
# expect: MTF, the next: monitor_trap at +2
# expect: MTF, a jump: monitor_trap at +3
# expect: MTF, an exit comes first: CPUID at +0 length 2
# expect: MTF, after a fault: monitor_trap at vector 6
# expect: MTF, a fault that exits: exception at +0 event 306
# expect: MTF, INT 30: monitor_trap at vector 30
# expect: MTF, with an injected exception: monitor_trap at vector 6
# expect: MTF, pending by injection: monitor_trap at +0
# expect: the field is: 700
# expect: injected MTF without the control: monitor_trap at +0
# expect: MTF, REP MOVSB, set up: monitor_trap at +1
# expect: MTF, mov esi: monitor_trap at +6
# expect: MTF, mov edi: monitor_trap at +b
# expect: MTF, mov ecx: monitor_trap at +10
# expect: MTF, one iteration: monitor_trap at +10
# expect: RCX: 2
# expect: MTF, another: monitor_trap at +10
# expect: MTF, the last: monitor_trap at +12
# expect: RCX at last: 0
# expect: MTF, single step: monitor_trap at +5
# expect: MTF, POPF: monitor_trap at +6
# expect: MTF and #DB that would exit: monitor_trap at +7
# expect: MTF, single step again: monitor_trap at +5
# expect: MTF, POPF again: monitor_trap at +6
# expect: MTF with #DB pending: monitor_trap at +7
# expect: pending: 4000
# expect: MTF, #DB is taken: monitor_trap at vector 1
# expect: nothing pending: 0
# expect: other event 1: VMfail 7
# skip bochs: no model of it has this control
.include "vmx.inc"
program 64
  vmx_on
  guest64
  primary USE_MTF
  exits "MTF", nop, nop
  run "MTF, the next"
  exits "MTF, a jump", "jmp 88f", nop, "88: nop"
  exits "MTF, an exit comes first", cpuid
  exits "MTF, after a fault", ud2
  w EXCEPTION_BITMAP, 1 << 6
  exits "MTF, a fault that exits", ud2
  w EXCEPTION_BITMAP, 0
  exits "MTF, INT 30", "int 0x30"
  prepare nop
  inject EVENT | HARDWARE | 6
  run "MTF, with an injected exception"
  w ENTRY_INFO, 0
  prepare nop
  prepare nop
  inject EVENT | 7 << 8
  run "MTF, pending by injection"
  show_field "the field is", ENTRY_INFO
  primary
  prepare nop
  inject EVENT | 7 << 8
  run "injected MTF without the control"
  w ENTRY_INFO, 0
  primary USE_MTF
  exits "MTF, REP MOVSB, set up", "nop; mov esi, SCRATCH; mov edi, SCRATCH + 16; mov ecx, 3", "rep movsb"
  run "MTF, mov esi"
  run "MTF, mov edi"
  run "MTF, mov ecx"
  run "MTF, one iteration"
  show_reg "RCX", rcx, 1
  run "MTF, another"
  run "MTF, the last"
  show_reg "RCX at last", rcx, 1
  exits "MTF, single step", "push 0x102", popf, nop, nop
  run "MTF, POPF"
  w EXCEPTION_BITMAP, 1 << 1
  run "MTF and #DB that would exit"
  exits "MTF, single step again", "push 0x102", popf, nop, nop
  run "MTF, POPF again"
  w EXCEPTION_BITMAP, 0
  run "MTF with #DB pending"
  show_field "pending", PENDING_DEBUG
  run "MTF, #DB is taken"
  show_field "nothing pending", PENDING_DEBUG
  primary
  inject EVENT | 7 << 8 | 1
  run "other event 1"
done
