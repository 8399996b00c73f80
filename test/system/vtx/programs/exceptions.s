# Exceptions that exit: bitmap, page-fault mask and match, error codes, software exceptions, #DB's qualification, NMI, double and triple faults [SDM 3C 25.2, 27.2.1, 27.2.2].
# expect: #UD, not wanted: vector 6 from +0
# expect: #UD: exception at +0 event 306
# expect: #UD and RSP as it was: exception at +1 event 306
# expect: #DE: exception at +2 event 300
# expect: #BP: exception at +0 length 1 event 603
# expect: #OF by INT 4: vector 4 from +2
# expect: INT 3 of two bytes: vector 3 from +2
# expect: ICEBP: exception at +0 length 1 event 501
# expect: #GP: exception at +a event b0d(0)
# expect: #GP with a code: exception at +5 event b0d(fff0)
# expect: #NP: exception at +10 event b0b(100)
# expect: #SS: exception at +a event b0c(0)
# expect: #NM: exception at +9 event 307
# expect: #MF: exception at +10 event 310
# expect: #XM: exception at +29 event 313
# expect: #PF: exception at +a qualification 100000123 event b0e(2)
# expect: CR2 stays: 0000000000000000
# expect: #PF, ring 3: exception at +1f qualification 100000456 event b0e(4)
# expect: #PF, mask, a write: exception at +a qualification 100000123 event b0e(2)
# expect: #PF, mask, a read: vector e(0) from +a
# expect: #PF, bit clear, a write: vector e(2) from +a
# expect: #PF, bit clear, a read: exception at +a qualification 100000123 event b0e(0)
# expect: #DB, single step: exception at +7 qualification 4000 event 301
# expect: pending, single step: 0
# expect: #DB, breakpoint: exception at +19 qualification 2 event 301
# expect: #DB, data: exception at +1a qualification 4 event 301
# expect: DR6 is not written: 0000
# expect: #DB, general detect: exception at +0 qualification 2000 event 301
# expect: #DB, general detect, DR7 saved: exception at +0 qualification 2000 event 301
# expect: DR7.GD stays: 2400
# expect: ICEBP with the bit: exception at +0 length 1 event 501
# expect: ICEBP without: vector 1 from +1
# expect: INT3, ring 3: vector 3 from +16
# expect: INT3, ring 3, with the bit: exception at +15 length 1 event 603
# expect: #UD, no gate at all; #DF: exception at +0 event b08(0)
# expect: triple fault: triple_fault at +0
# expect: #UD, no gate; #GP: exception at +0 event b0d(33) while 306
# expect: INT 99h, no gate; #GP: exception at +0 length 2 event b0d(4ca) while 499
# expect: #UD, IDT not mapped; #PF: exception at +0 qualification 100000060 event b0e(0) while 306
# expect: INT3, IDT not mapped; #PF: exception at +0 length 1 qualification 100000030 event b0e(0) while 603
# expect: INT 30h, IDT not mapped; #PF: exception at +0 length 2 qualification 100000300 event b0e(0) while 430
# expect: ICEBP, IDT not mapped; #PF: exception at +0 length 1 qualification 100000010 event b0e(0) while 501
# expect: #GP with a code, IDT not mapped; #PF: exception at +5 qualification 1000000d0 event b0e(0) while b0d(fff0)
# expect: #UD, IDT not mapped; #DF: exception at +0 event b08(0)
# expect: #PF, IDT not mapped; #DF: exception at +a event b08(0)
# expect: #PF, IDT not mapped; triple fault: triple_fault at +a
.include "vmx.inc"
.macro bitmap bits
  w EXCEPTION_BITMAP, \bits
.endm
program 64
  vmx_on
  guest64
  bitmap 0
  exits "#UD, not wanted", "ud2"
  bitmap 1 << 6
  exits "#UD", "ud2"
  exits "#UD and RSP as it was", "push rax", "ud2"
  bitmap -1
  exits "#DE", "xor ecx, ecx", "div ecx"
  exits "#BP", "int3"
  exits "#OF by INT 4", "int 4"
  exits "INT 3 of two bytes", ".byte 0xcd, 3"
  exits "ICEBP", ".byte 0xf1"
  exits "#GP", "mov rax, 0x800000000000", "mov al, [rax]"
  exits "#GP with a code", "mov eax, 0xfff0", "mov ds, eax"
  exits "#NP", "mov dword ptr [gdt + TEST0 + 4], 0x00cf1300", "mov eax, TEST0", "mov ds, eax"
  exits "#SS", "mov rsp, 0x800000000008", "push rax"
  exits "#NM", "mov rax, cr0", "or eax, 8", "mov cr0, rax", "fninit"
  w GUEST_CR0, 0x80000031
  exits "#MF", "fninit", "push 0x37b", "fldcw [rsp]", "fld1", "fldz", "fdivp", "fwait"
  exits "#XM", "mov rax, cr4", "or eax, 0x600", "mov cr4, rax", "mov dword ptr [rsp - 8], 0x1d80", "ldmxcsr [rsp - 8]", "xorps xmm0, xmm0", "mov dword ptr [rsp - 16], 0x3f800000", "movss xmm1, [rsp - 16]", "divss xmm1, xmm0"
  exits "#PF", "mov rax, UNMAPPED + 0x123", "mov [rax], al"
  mov rax, cr2
  show "CR2 stays", rax, 16
  # ---- page faults by error code ----
  exits3 "#PF, ring 3", "mov rax, UNMAPPED + 0x456", "mov al, [rax]"
  bitmap 1 << 14
  w PAGE_FAULT_MASK, 2
  w PAGE_FAULT_MATCH, 2
  exits "#PF, mask, a write", "mov rax, UNMAPPED + 0x123", "mov [rax], al"
  exits "#PF, mask, a read", "mov rax, UNMAPPED + 0x123", "mov al, [rax]"
  bitmap 0
  exits "#PF, bit clear, a write", "mov rax, UNMAPPED + 0x123", "mov [rax], al"
  exits "#PF, bit clear, a read", "mov rax, UNMAPPED + 0x123", "mov al, [rax]"
  w PAGE_FAULT_MASK, 0
  w PAGE_FAULT_MATCH, 0
  # ---- debug exceptions ----
  bitmap 1 << 1
  exits "#DB, single step", "push 0x102", "popf", "nop", "nop"
  show_field "pending, single step", PENDING_DEBUG
  exits "#DB, breakpoint", "mov eax, 0x402", "mov dr7, rax", "mov eax, offset 88f", "mov dr1, rax", "mov eax, 0x40c", "mov dr7, rax", "nop", "88:", "nop"
  exits "#DB, data", "mov eax, SCRATCH", "mov dr2, rax", "mov eax, 0xd000410", "or eax, 0x20", "mov dr7, rax", "mov [SCRATCH], al", "nop"
  xor eax, eax
  mov dr7, rax
  mov rax, dr6
  and eax, 0xe00f
  show "DR6 is not written", rax, 4
  on_entry LOAD_DEBUG
  w GUEST_DR7, 0x2400
  exits "#DB, general detect", "mov rax, dr6"
  on_exit SAVE_DEBUG
  exits "#DB, general detect, DR7 saved", "mov rax, dr6"
  show_field "DR7.GD stays", GUEST_DR7
  on_exit
  w GUEST_DR7, 0x400
  exits "ICEBP with the bit", ".byte 0xf1"
  bitmap 0
  exits "ICEBP without", ".byte 0xf1"
  exits3 "INT3, ring 3", "int3"
  bitmap 1 << 3
  exits3 "INT3, ring 3, with the bit", "int3"
  # ---- double and triple faults ----
  bitmap 1 << 8
  w GUEST_IDTR_LIMIT, 0x5f
  exits "#UD, no gate at all; #DF", "ud2"
  bitmap 0
  exits "triple fault", "ud2"
  bitmap 1 << 13
  exits "#UD, no gate; #GP", "ud2"
  exits "INT 99h, no gate; #GP", "int 0x99"
  w GUEST_IDTR_LIMIT, 0x3ff
  bitmap 1 << 14
  w GUEST_IDTR_BASE, UNMAPPED
  exits "#UD, IDT not mapped; #PF", "ud2"
  exits "INT3, IDT not mapped; #PF", "int3"
  exits "INT 30h, IDT not mapped; #PF", "int 0x30"
  exits "ICEBP, IDT not mapped; #PF", ".byte 0xf1"
  exits "#GP with a code, IDT not mapped; #PF", "mov eax, 0xfff0", "mov ds, eax"
  bitmap 1 << 8
  exits "#UD, IDT not mapped; #DF", "ud2"
  exits "#PF, IDT not mapped; #DF", "mov rax, UNMAPPED + 0x123", "mov [rax], al"
  bitmap 0
  exits "#PF, IDT not mapped; triple fault", "mov rax, UNMAPPED + 0x123", "mov [rax], al"
done
