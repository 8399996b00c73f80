# The monitor trap flag: after instructions, faults, interrupts, injected events, iterations, under MOV SS, with #DB [SDM 3C 25.5.2, 26.7.8].
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
  run "MTF, in its handler"
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
  exits "MTF, MOV SS", "mov eax, 0x10; mov ss, eax", nop, nop
  run "MTF, MOV SS itself"
  show_field "blocking by it", INTERRUPTIBILITY
  run "MTF, after MOV SS"
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
  run "MTF and #DB that exits"
  exits "MTF, single step again", "push 0x102", popf, nop, nop
  run "MTF, POPF again"
  w EXCEPTION_BITMAP, 0
  run "MTF with #DB pending"
  show_field "pending", PENDING_DEBUG
  run "MTF, #DB is taken"
  show_field "nothing pending", PENDING_DEBUG
done
