# RFLAGS.RF as an exit saves it, by what caused it, and as an entry loads it [SDM 3C 27.3.3].
# expect: CPUID: 0
# expect: CPUID, RF before: 0
# expect: HLT, RF before: 0
# expect: #UD that exits: 1
# expect: INT3 that exits: 0
# expect: #PF that exits: 1
# expect: single step that exits: 0
# expect: #PF in #UD: 1
# expect: #PF in INT 30: 1
# expect: EPT violation: 1
# expect: EPT violation in #UD: 1
# expect: EPT violation in INT 30: 0
# expect: EPT misconfiguration: 1
# expect: a breakpoint, RF clear: exception at +0 qualification 1 event 301
# expect: a breakpoint, RF set: VMCALL at +2 length 3
# bochs: #UD that exits: 0 -- a fault saves 1 [SDM 3C 27.3.3]
# bochs: #PF that exits: 0 -- a fault saves 1 [SDM 3C 27.3.3]
# bochs: #PF in INT 30: 0 -- a fault saves 1 [SDM 3C 27.3.3]
# bochs: EPT violation: 0 -- a fault saves 1 [SDM 3C 27.3.3]
# bochs: EPT misconfiguration: 0 -- a fault saves 1 [SDM 3C 27.3.3]
.include "vmx.inc"
.macro rf name
  r GUEST_RFLAGS
  shr eax, 16
  and eax, 1
  show "\name", rax, 1
.endm
.macro flags name, value, code:vararg
  prepare \code
  w GUEST_RFLAGS, \value
  call enter_guest
  rf "\name"
.endm
.equ RF, 0x10002
program 64
  vmx_on
  guest64
  primary ON_HLT
  flags "CPUID", 2, cpuid
  flags "CPUID, RF before", RF, cpuid
  flags "HLT, RF before", RF, hlt
  w EXCEPTION_BITMAP, 1 << 6 | 1 << 14 | 1 << 3 | 1 << 1
  flags "#UD that exits", 2, ud2
  flags "INT3 that exits", 2, int3
  flags "#PF that exits", 2, "mov rax, UNMAPPED", "mov [rax], al"
  flags "single step that exits", 0x102, nop, nop
  w EXCEPTION_BITMAP, 1 << 14
  w GUEST_IDTR_BASE, UNMAPPED
  flags "#PF in #UD", 2, ud2
  flags "#PF in INT 30", 2, "int 0x30"
  w GUEST_IDTR_BASE, GUEST_IDT_64
  secondary USE_EPT
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], 0
  flags "EPT violation", 2, "mov al, [PAGE_A]"
  w GUEST_IDTR_BASE, PAGE_A
  flags "EPT violation in #UD", 2, ud2
  flags "EPT violation in INT 30", 2, "int 0x30"
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 2
  call invalidate_ept
  w GUEST_IDTR_BASE, GUEST_IDT_64
  flags "EPT misconfiguration", 2, "mov al, [PAGE_A]"
  # RF at an entry keeps the breakpoint of the first instruction back
  on_entry LOAD_DEBUG
  w EXCEPTION_BITMAP, 1 << 1
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 0x37
  call invalidate_ept
  w GUEST_DR7, 0x402
  .macro breakpoint name, value
    prepare nop, nop
    mov rax, [guest_origin]
    mov dr0, rax
    w GUEST_RFLAGS, \value
    run "\name"
  .endm
  breakpoint "a breakpoint, RF clear", 2
  breakpoint "a breakpoint, RF set", RF
done
