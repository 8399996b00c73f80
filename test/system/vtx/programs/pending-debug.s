# Pending debug exceptions: made by an entry, kept under MOV SS and saved by the exit, against injection [SDM 3C 24.4.2, 26.6.3, 27.3.4].
# expect: single step: vector 1 from +0
# expect: breakpoint 0: vector 1 from +0
# expect: DR6: 4001
# expect: breakpoint 0, not enabled: VMCALL at +2 length 3
# expect: single step, exits: exception at +0 qualification 4000 event 301
# expect: breakpoint 0, exits: exception at +0 qualification 1 event 301
# expect: both, exit: exception at +0 qualification 4001 event 301
# expect: under MOV SS: exception at +1 qualification 1 event 301
# expect: under MOV SS, CPUID: CPUID at +0 length 2
# expect: saved: 1001
# expect: and the blocking: 2
# expect: under MOV SS, single step: CPUID at +0 length 2
# expect: saved, single step: 4000
# expect: a data breakpoint of MOV SS, then CPUID: CPUID at +12 length 2
# expect: saved, data: 1001
# expect: with an injected #UD: vector 6 from +0
# expect: with an injected #UD, exits: vector 6 from +0
.include "vmx.inc"
.macro pending name, value, flags=2, state=0, info=0, code:vararg
  prepare \code
  w GUEST_RFLAGS, \flags
  w INTERRUPTIBILITY, \state
  w PENDING_DEBUG, \value
  w ENTRY_INFO, \info
  run "\name"
  w ENTRY_INFO, 0
.endm
.equ BREAKPOINT_0, 0x1001
program 64
  vmx_on
  guest64
  pending "single step", 0x4000, 0x102, 0, 0, nop
  pending "breakpoint 0", BREAKPOINT_0, 2, 0, 0, nop
  mov rax, dr6
  and eax, 0xe00f
  show "DR6", rax, 4
  pending "breakpoint 0, not enabled", 1, 2, 0, 0, nop, nop
  w EXCEPTION_BITMAP, 2
  pending "single step, exits", 0x4000, 0x102, 0, 0, nop
  pending "breakpoint 0, exits", BREAKPOINT_0, 2, 0, 0, nop
  pending "both, exit", 0x4000 | BREAKPOINT_0, 0x102, 0, 0, nop
  # MOV SS holds them back for one instruction
  pending "under MOV SS", BREAKPOINT_0, 2, BY_MOV_SS, 0, nop, nop
  pending "under MOV SS, CPUID", BREAKPOINT_0, 2, BY_MOV_SS, 0, cpuid
  show_field "saved", PENDING_DEBUG
  show_field "and the blocking", INTERRUPTIBILITY
  pending "under MOV SS, single step", 0x4000, 0x102, BY_MOV_SS, 0, cpuid
  show_field "saved, single step", PENDING_DEBUG
  # the guest makes them
  mov word ptr [SCRATCH], DATA
  exits "a data breakpoint of MOV SS, then CPUID", "mov ebx, SCRATCH; mov dr0, rbx; mov eax, 0xf0402; mov dr7, rax; mov ss, [rbx]", cpuid
  show_field "saved, data", PENDING_DEBUG
  xor eax, eax
  mov dr7, rax
  w EXCEPTION_BITMAP, 0
  # another event first
  pending "with an injected #UD", BREAKPOINT_0, 2, 0, EVENT | HARDWARE | 6, nop
  w EXCEPTION_BITMAP, 2
  pending "with an injected #UD, exits", BREAKPOINT_0, 2, 0, EVENT | HARDWARE | 6, nop
done
