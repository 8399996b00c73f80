# Task switches exit always: by CALL, JMP, IRET and gates, in 32-bit mode; what faults before; events through a task gate [SDM 3C 25.4.2, 27.2.1 table 27-2, 27.2.4].
# expect: CALL a TSS: task_switch at +0 length 7 qualification 100
# expect: JMP a TSS: task_switch at +1 length 7 qualification 80000100
# expect: CALL a gate: task_switch at +0 length 7 qualification 100
# expect: JMP through memory: task_switch at +9 length 6 qualification 80000100
# expect: JMP a busy TSS: vector d(110) from +0
# expect: CALL a TSS that is not present: vector b(118) from +0
# expect: CALL a TSS, ring 3: vector d(100) from +14
# expect: CALL a gate, ring 3: task_switch at +14 length 7 qualification 100
# expect: IRET with NT: task_switch at +6 length 1 qualification 40000110
# expect: RFLAGS with NT: 4002
# expect: INT 30: task_switch at +0 length 2 qualification c0000100 while 430
# expect: INT3: task_switch at +0 length 1 qualification c0000100 while 603
# expect: INTO: task_switch at +4 length 1 qualification c0000100 while 604
# expect: #UD: task_switch at +0 qualification c0000100 while 306
# expect: #GP with a code: task_switch at +5 qualification c0000100 while b0d(fff0)
# expect: ICEBP: task_switch at +0 length 1 qualification c0000100 while 501
# expect: an external interrupt: task_switch at +0 qualification c0000100 while 30
# expect: an NMI: task_switch at +0 qualification c0000100 while 202
# expect: an injected #GP: task_switch at +0 qualification c0000100 while b0d(40)
# expect: an injected INT 30: task_switch at +0 length 2 qualification c0000100 while 430
# expect: an injected INT3: task_switch at +0 length 1 qualification c0000100 while 603
# expect: the TSS is not busy: 89
.include "vmx.inc"
.equ OTHER, TEST0               # a TSS
.equ GATE, TEST0 + 8
.equ BUSY, TEST0 + 16
.equ ABSENT, TEST0 + 24
.equ USER_GATE, TEST0 + 32 + 3
program 64
  vmx_on
  guest32
  descriptor OTHER, SCRATCH, 0x67, 0x89
  descriptor BUSY, SCRATCH + 0x100, 0x67, 0x8b
  descriptor ABSENT, SCRATCH, 0x67, 0x09
  mov dword ptr [gdt + GATE], OTHER << 16
  mov dword ptr [gdt + GATE + 4], 0x8500
  mov dword ptr [gdt + (USER_GATE & ~7)], OTHER << 16
  mov dword ptr [gdt + (USER_GATE & ~7) + 4], 0xe500
  exits "CALL a TSS", ".byte 0x9a; .long 0; .word OTHER"
  exits "JMP a TSS", "nop; .byte 0xea; .long 0; .word OTHER"
  exits "CALL a gate", ".byte 0x9a; .long 0; .word GATE"
  exits "JMP through memory", "mov word ptr [SCRATCH + 0x204], OTHER; jmp fword ptr [SCRATCH + 0x200]"
  exits "JMP a busy TSS", ".byte 0xea; .long 0; .word BUSY"
  exits "CALL a TSS that is not present", ".byte 0x9a; .long 0; .word ABSENT"
  exits3 "CALL a TSS, ring 3", ".byte 0x9a; .long 0; .word OTHER"
  exits3 "CALL a gate, ring 3", ".byte 0x9a; .long 0; .word USER_GATE"
  # IRET with NT goes back to the link field of the guest's TSS
  mov word ptr [tss32], BUSY
  exits "IRET with NT", "push 0x4002; popf; iretd"
  show_field "RFLAGS with NT", GUEST_RFLAGS
  # gates in the IDT
  .macro task_gate n
    mov dword ptr [GUEST_IDT_32 + 8 * \n], OTHER << 16
    mov dword ptr [GUEST_IDT_32 + 8 * \n + 4], 0xe500
  .endm
  .irp n, 0x30, 3, 4, 6, 13, 1, 2
    task_gate \n
  .endr
  exits "INT 30", "int 0x30"
  exits "INT3", int3
  exits "INTO", "mov al, 0x7f; inc al; into"
  exits "#UD", ud2
  exits "#GP with a code", "mov eax, 0xfff0; mov ds, eax"
  exits "ICEBP", ".byte 0xf1"
  .macro injected name, info, code=0, length=0
    prepare nop
    w GUEST_RFLAGS, 0x202
    inject \info, \code, \length
    run "\name"
  .endm
  injected "an external interrupt", EVENT | EXTERNAL | 0x30
  injected "an NMI", EVENT | NMI | 2
  injected "an injected #GP", EVENT | HARDWARE | CODE | 13, 0x40
  injected "an injected INT 30", EVENT | SOFTWARE_INT | 0x30, 0, 2
  injected "an injected INT3", EVENT | SOFTWARE | 3, 0, 1
  mov eax, [gdt + OTHER + 5]
  and eax, 0xff
  show "the TSS is not busy", rax, 2
done
