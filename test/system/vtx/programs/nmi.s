# NMIs: exiting, taken by the guest, virtual NMIs, blocking and what IRET does to it, also when IRET faults or exits [SDM 3C 24.4.2, 25.3, 26.6.1, 27.1, 27.2.2, 27.5.5].
# expect: in the guest: vector 2 from +c
# expect: blocking in the handler: 8
# expect: after its IRET: VMCALL at +e length 3
# expect: blocking after IRET: 0
# expect: nothing is pending: ok
# expect: while blocked: VMCALL at +e length 3
# expect: still blocked: 8
# expect: it is pending, and blocked in the host until IRET: #NI
# expect: blocked, IRET unblocks: VMCALL at +14 length 3
# expect: blocking after that IRET: 0
# expect: NMI exiting: exception at +c event 202
# expect: blocking of the guest at the exit: 0
# expect: nothing is pending then: ok
# expect: NMI exiting, blocked: VMCALL at +e length 3
# expect: blocked still: 8
# expect: that one is pending: #NI
# expect: IRET with NMI exiting: VMCALL at +14 length 3
# expect: blocking then: 8
# expect: IRET that faults: exception at +13 event b0d(fff0)
# expect: blocking after the fault: 8
# expect: without NMI exiting, IRET that faults: exception at +13 event b0d(fff0)
# expect: without NMI exiting, blocking after the fault: 0
# expect: NMI unblocking due to IRET 1: 1
# expect: silence: ok
# expect: virtual NMIs: exception at +c event 202
# expect: virtual blocking after a real one: 0
# expect: silence again: ok
# expect: virtual NMIs, virtually blocked: exception at +c event 202
# expect: virtual blocking stays: 8
# expect: silence once more: ok
# expect: injected: vector 2 from +0
# expect: virtual blocking: 8
# expect: injected, after its IRET: VMCALL at +1 length 3
# expect: no virtual blocking: 0
# expect: virtual NMIs, IRET that faults: exception at +13 event b0d(fff0)
# expect: virtual blocking after the fault: 0
# expect: NMI unblocking due to IRET 2: 1
# expect: virtual NMIs, a fault of another instruction: exception at +5 event b0d(fff0)
# expect: NMI unblocking due to IRET 3: 0
# expect: virtual NMIs, an EPT violation of IRET: 1181
# expect: virtual blocking after the violation: 0
# expect: blocked again: VMCALL at +e length 3
# expect: an entry that unblocks: vector 2 from +0
# bochs: blocking of the guest at the exit: 8 -- the NMI blocks others only after the exit [SDM 3C 27.1]
# bochs: an entry that unblocks: VMCALL at +1 length 3 -- blocking by NMI is in effect if and only if the field says so [SDM 3C 26.6.1]
.include "vmx.inc"
.include "apic.inc"
.macro blocked name, state, code:vararg
  prepare \code
  w INTERRUPTIBILITY, \state
  run "\name"
.endm
.macro sends                    # and goes on
  mov eax, APIC_ICR
  mov dword ptr [eax], 0x4400   # to APIC 0: the shorthand "self" is for fixed interrupts only
.endm
.macro sends_and_waits          # when it arrives is the APIC's business
  sends
87:
  jmp 87b
.endm
# What the host takes once it executes IRET; and nothing is blocked afterwards
.macro unblock name
  try
  call iret_here
  caught "\name"
  call iret_here
.endm
program 64
  vmx_on
  apic_on
  guest64
  # ---- the guest takes it ----
  exits "in the guest", sends_and_waits
  show_field "blocking in the handler", INTERRUPTIBILITY
  r GUEST_RSP, rbx              # out of the loop
  add qword ptr [rbx], 2
  skip
  run "after its IRET"
  show_field "blocking after IRET", INTERRUPTIBILITY
  unblock "nothing is pending"
  blocked "while blocked", BY_NMI, sends, nop, nop
  show_field "still blocked", INTERRUPTIBILITY
  unblock "it is pending, and blocked in the host until IRET"
  blocked "blocked, IRET unblocks", BY_NMI, "push DATA; push offset guest_stack; push 2; push CODE64; push offset 88f", iretq, nop, "88: nop"
  show_field "blocking after that IRET", INTERRUPTIBILITY
  # ---- NMI exiting ----
  pin PIN_NMI
  exits "NMI exiting", sends_and_waits
  show_field "blocking of the guest at the exit", INTERRUPTIBILITY
  unblock "nothing is pending then"
  blocked "NMI exiting, blocked", BY_NMI, sends, nop, nop
  show_field "blocked still", INTERRUPTIBILITY
  unblock "that one is pending"
  blocked "IRET with NMI exiting", BY_NMI, "push DATA; push offset guest_stack; push 2; push CODE64; push offset 88f", iretq, nop, "88: nop"
  show_field "blocking then", INTERRUPTIBILITY
  w EXCEPTION_BITMAP, 1 << 13
  blocked "IRET that faults", BY_NMI, "push DATA; push offset guest_stack; push 2; push 0xfff0; push offset 88f", "88: iretq"
  show_field "blocking after the fault", INTERRUPTIBILITY
  pin
  blocked "without NMI exiting, IRET that faults", BY_NMI, "push DATA; push offset guest_stack; push 2; push 0xfff0; push offset 88f", "88: iretq"
  show_field "without NMI exiting, blocking after the fault", INTERRUPTIBILITY
  call put_unblocking
  w EXCEPTION_BITMAP, 0
  unblock "silence"
  # ---- virtual NMIs ----
  pin PIN_NMI | PIN_VIRTUAL_NMI
  exits "virtual NMIs", sends_and_waits
  show_field "virtual blocking after a real one", INTERRUPTIBILITY
  unblock "silence again"
  blocked "virtual NMIs, virtually blocked", BY_NMI, sends_and_waits
  show_field "virtual blocking stays", INTERRUPTIBILITY
  unblock "silence once more"
  prepare nop
  inject EVENT | NMI | 2
  run "injected"
  show_field "virtual blocking", INTERRUPTIBILITY
  w ENTRY_INFO, 0
  skip
  run "injected, after its IRET"
  show_field "no virtual blocking", INTERRUPTIBILITY
  w EXCEPTION_BITMAP, 1 << 13
  blocked "virtual NMIs, IRET that faults", BY_NMI, "push DATA; push offset guest_stack; push 2; push 0xfff0; push offset 88f", "88: iretq"
  show_field "virtual blocking after the fault", INTERRUPTIBILITY
  call put_unblocking
  blocked "virtual NMIs, a fault of another instruction", BY_NMI, "mov eax, 0xfff0", "mov ds, eax"
  call put_unblocking
  w EXCEPTION_BITMAP, 0
  secondary USE_EPT
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], 0
  call invalidate_ept
  prepare "mov esp, PAGE_A + 0x100", "iretq"
  w INTERRUPTIBILITY, BY_NMI
  call enter_guest
  show_field "virtual NMIs, an EPT violation of IRET", QUALIFICATION
  show_field "virtual blocking after the violation", INTERRUPTIBILITY
  primary
  # ---- pending at an entry that ends the blocking ----
  pin
  blocked "blocked again", BY_NMI, sends, nop, nop
  blocked "an entry that unblocks", 0, nop
done
# After an exit because of an NMI they are blocked until IRET
iret_here:
  mov rax, rsp
  push DATA
  push rax
  push 2
  push CODE64
  push offset 1f
  iretq
1:
  nop
  ret
put_unblocking:
  r EXIT_INFO
  shr eax, 12
  and eax, 1
  inc dword ptr [number]
  print "NMI unblocking due to IRET "
  hex [number], 1
  print ": "
  hex rax, 1
  nl
  ret
.data
.balign 8
number: .quad 0
