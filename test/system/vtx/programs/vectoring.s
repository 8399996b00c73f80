# Exits while an event is delivered: IDT-vectoring information, error code and length, for injected and for real events [SDM 3C 27.2.3, 27.2.4].
# expect: #PF in external: exception at +0 qualification 100000310 event b0e(0) while 31
# expect: #PF in NMI: exception at +0 qualification 100000020 event b0e(0) while 202
# expect: blocking by NMI: 8
# expect: #PF in #UD: exception at +0 qualification 100000060 event b0e(0) while 306
# expect: #PF in #GP: exception at +0 qualification 1000000d0 event b0e(0) while b0d(50)
# expect: #PF in #PF: exception at +0 qualification 1000000e0 event b0e(0) while b0e(50)
# expect: #PF in INT 30: exception at +0 length 2 qualification 100000300 event b0e(0) while 430
# expect: #PF in INT3: exception at +0 length 1 qualification 100000030 event b0e(0) while 603
# expect: #PF in INTO: exception at +0 length 9 qualification 100000040 event b0e(0) while 604
# expect: #PF in ICEBP: exception at +0 length 1 qualification 100000010 event b0e(0) while 501
# expect: #PF in the guest's INT 30: exception at +1 length 2 qualification 100000300 event b0e(0) while 430
# expect: #PF in the guest's INT3: exception at +1 length 1 qualification 100000030 event b0e(0) while 603
# expect: #PF in the guest's ICEBP: exception at +1 length 1 qualification 100000010 event b0e(0) while 501
# expect: #PF in the guest's #UD: exception at +1 qualification 100000060 event b0e(0) while 306
# expect: #DF in #GP: exception at +0 event b08(0)
# expect: #DF in #PF: exception at +0 event b08(0)
# expect: triple fault in #DF: triple_fault at +0
# expect: triple fault: triple_fault at +0
# expect: #PF by the stack of #UD: exception at +a qualification 100000ff8 event b0e(2) while 306
# expect: #PF by the stack of INT 30: exception at +a length 2 qualification 100000ff8 event b0e(2) while 430
# expect: RSP at the exit: 100001000
# expect: #GP in INT 30, not a gate: exception at +0 length 2 event b0d(182) while 430
# expect: #GP in interrupt 30, not a gate: exception at +0 event b0d(183) while 30
# expect: #NP in INT 30, gate not present: exception at +0 length 2 event b0b(182) while 430
# expect: #NP in interrupt 30, gate not present: exception at +0 event b0b(183) while 30
# expect: interrupt 30 beyond the limit, #GP taken: vector d(183) from +0
# expect: INT 30 beyond the limit, #GP taken: vector d(182) from +0
# expect: EPT violation by the IDT, external: ept_violation at +0 qualification 181 while 31 linear 180310 physical 180310
# expect: EPT violation by the IDT, NMI: ept_violation at +0 qualification 181 while 202 linear 180020 physical 180020
# expect: NMI, blocking: 8
# expect: EPT violation by the IDT, #GP: ept_violation at +0 qualification 181 while b0d(50) linear 1800d0 physical 1800d0
# expect: EPT violation by the IDT, the guest's INT 9: ept_violation at +0 length 2 qualification 181 while 409 linear 180090 physical 180090
# expect: EPT violation by the IDT, the guest's #UD: ept_violation at +0 qualification 181 while 306 linear 180060 physical 180060
# expect: EPT violation by the stack, the guest's INT 9: ept_violation at +5 length 2 qualification 182 while 409 linear 1807f8 physical 1807f8
# expect: EPT violation by the stack, INT3: ept_violation at +5 length 1 qualification 182 while 603 linear 1807f8 physical 1807f8
# expect: EPT misconfiguration by the stack, INT3: ept_misconfiguration at +5 length 1 while 603 physical 1807f8
.include "vmx.inc"
.macro injected name, info, code=0, length=0
  prepare nop, nop, nop, nop
  w GUEST_RFLAGS, 0x202
  inject \info, \code, \length
  run "\name"
.endm
program 64
  vmx_on
  guest64
  # the IDT is not mapped
  w EXCEPTION_BITMAP, 1 << 14
  w GUEST_IDTR_BASE, UNMAPPED
  injected "#PF in external", EVENT | EXTERNAL | 0x31
  injected "#PF in NMI", EVENT | NMI | 2
  show_field "blocking by NMI", INTERRUPTIBILITY
  injected "#PF in #UD", EVENT | HARDWARE | 6
  injected "#PF in #GP", EVENT | HARDWARE | CODE | 13, 0x50
  injected "#PF in #PF", EVENT | HARDWARE | CODE | 14, 0x50
  injected "#PF in INT 30", EVENT | SOFTWARE_INT | 0x30, 0, 2
  injected "#PF in INT3", EVENT | SOFTWARE | 3, 0, 1
  injected "#PF in INTO", EVENT | SOFTWARE | 4, 0, 9
  injected "#PF in ICEBP", EVENT | PRIVILEGED | 1, 0, 1
  exits "#PF in the guest's INT 30", "nop", "int 0x30"
  exits "#PF in the guest's INT3", "nop", "int3"
  exits "#PF in the guest's ICEBP", "nop", ".byte 0xf1"
  exits "#PF in the guest's #UD", "nop", "ud2"
  w EXCEPTION_BITMAP, 1 << 8
  injected "#DF in #GP", EVENT | HARDWARE | CODE | 13, 0x50
  injected "#DF in #PF", EVENT | HARDWARE | CODE | 14, 0x50
  injected "triple fault in #DF", EVENT | HARDWARE | CODE | 8, 0
  w EXCEPTION_BITMAP, 0
  injected "triple fault", EVENT | EXTERNAL | 0x31
  # the stack is not mapped
  w GUEST_IDTR_BASE, GUEST_IDT_64
  w EXCEPTION_BITMAP, 1 << 14
  exits "#PF by the stack of #UD", "mov rsp, UNMAPPED + 0x1000", "ud2"
  exits "#PF by the stack of INT 30", "mov rsp, UNMAPPED + 0x1000", "int 0x30"
  show_field "RSP at the exit", GUEST_RSP
  # a gate that is not one
  w EXCEPTION_BITMAP, 1 << 13 | 1 << 11
  mov byte ptr [GUEST_IDT_64 + 0x30 * 16 + 5], 0xe0
  injected "#GP in INT 30, not a gate", EVENT | SOFTWARE_INT | 0x30, 0, 2
  injected "#GP in interrupt 30, not a gate", EVENT | EXTERNAL | 0x30
  mov byte ptr [GUEST_IDT_64 + 0x30 * 16 + 5], 0x6e
  injected "#NP in INT 30, gate not present", EVENT | SOFTWARE_INT | 0x30, 0, 2
  injected "#NP in interrupt 30, gate not present", EVENT | EXTERNAL | 0x30
  mov byte ptr [GUEST_IDT_64 + 0x30 * 16 + 5], 0xee
  w EXCEPTION_BITMAP, 0
  # the IDT beyond its limit
  w GUEST_IDTR_LIMIT, 0x2ff
  injected "interrupt 30 beyond the limit, #GP taken", EVENT | EXTERNAL | 0x30
  injected "INT 30 beyond the limit, #GP taken", EVENT | SOFTWARE_INT | 0x30, 0, 2
  w GUEST_IDTR_LIMIT, 0x3ff
  # by EPT
  secondary USE_EPT
  w EXCEPTION_BITMAP, 0
  w GUEST_IDTR_BASE, PAGE_A
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], 0
  call invalidate_ept
  injected "EPT violation by the IDT, external", EVENT | EXTERNAL | 0x31
  injected "EPT violation by the IDT, NMI", EVENT | NMI | 2
  show_field "NMI, blocking", INTERRUPTIBILITY
  injected "EPT violation by the IDT, #GP", EVENT | HARDWARE | CODE | 13, 0x50
  exits "EPT violation by the IDT, the guest's INT 9", "int 9"
  exits "EPT violation by the IDT, the guest's #UD", "ud2"
  w GUEST_IDTR_BASE, GUEST_IDT_64
  exits "EPT violation by the stack, the guest's INT 9", "mov esp, PAGE_A + 0x800", "int 9"
  exits "EPT violation by the stack, INT3", "mov esp, PAGE_A + 0x800", "int3"
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 0x36
  call invalidate_ept
  exits "EPT misconfiguration by the stack, INT3", "mov esp, PAGE_A + 0x800", "int3"
done
