# Segments of a guest: what an entry loads that no descriptor could, what the guest does with it, and what an exit saves [SDM 3C 24.4.1, 26.3.2.2, 27.3.2].
# expect: within the limit: VMCALL at +5 length 3
# expect: EAX: 12345678
# expect: beyond the limit: vector d(0) from +0
# expect: DS, selector: 10
# expect: DS, base: 3f000
# expect: DS, limit: 103
# expect: DS, access: 4093
# expect: expand-down, below: vector d(0) from +0
# expect: expand-down, above: VMCALL at +5 length 3
# expect: read-only: vector d(0) from +0
# expect: unusable: vector d(0) from +0
# expect: DS is unusable still: 1
# expect: loaded again: VMCALL at +c length 3
# expect: DS loaded, selector: 10
# expect: DS loaded, base: 0
# expect: DS loaded, limit: ffffffff
# expect: DS loaded, access: c093
# expect: FS with a selector beyond the GDT: VMCALL at +8 length 3
# expect: EAX through FS: 12345678
# expect: FS: fff8
# expect: FS popped as it was: vector d(fff8) from +2
# expect: FS null: vector d(0) from +4
# expect: FS is unusable: 1
# expect: a segment of the LDT: VMCALL at +d length 3
# expect: SLDT: 0068
# expect: LSL: ffffffff
# expect: ES of the LDT, selector: 14
# expect: ES of the LDT, base: 0
# expect: ES of the LDT, limit: ffffffff
# expect: ES of the LDT, access: c093
# expect: LLDT of 0: VMCALL at +5 length 3
# expect: LDTR is unusable: 1
# expect: a segment of no LDT: vector d(14) from +5
# expect: LTR: VMCALL at +b length 3
# expect: TR, selector: 100
# expect: TR, base: 3f000
# expect: TR, limit: 67
# expect: TR, access: 8b
# expect: its descriptor: 8b
# expect: a 16-bit stack: VMCALL at +1 length 3
# expect: its ESP: 1234fffc
# expect: 64-bit, DS: vector e(0) from +b
# expect: EAX, no base and no limit: 12345678
# expect: DS base: 1000
# expect: GS base: ffff800000000000
# expect: 64-bit, DS unusable: VMCALL at +b length 3
# expect: EAX, DS unusable: 12345678
.include "vmx.inc"
.macro show_segment name, s
  show_field "\name, selector", GUEST_\s
  show_field "\name, base", GUEST_\s\()_BASE
  show_field "\name, limit", GUEST_\s\()_LIMIT
  show_field "\name, access", GUEST_\s\()_ACCESS
.endm
.macro unusable name, s
  r GUEST_\s\()_ACCESS
  shr eax, 16
  and eax, 1
  show "\name", rax, 1
.endm
program 64
  vmx_on
  guest32
  # ---- limits without a descriptor's granularity ----
  w GUEST_DS_BASE, SCRATCH
  w GUEST_DS_LIMIT, 0x103
  w GUEST_DS_ACCESS, 0x4093
  mov dword ptr [SCRATCH + 0x100], 0x12345678
  exits "within the limit", "mov eax, ds:[0x100]"
  show_reg "EAX", rax, 8
  exits "beyond the limit", "mov eax, ds:[0x101]"
  show_segment "DS", DS
  w GUEST_DS_ACCESS, 0x4097     # expand-down
  exits "expand-down, below", "mov eax, ds:[0x100]"
  exits "expand-down, above", "mov eax, ds:[0x104]"
  w GUEST_DS_ACCESS, 0x4091
  exits "read-only", "mov ds:[0x10], eax"
  w GUEST_DS_ACCESS, 0x10000
  exits "unusable", "mov eax, ds:[0x10]"
  unusable "DS is unusable still", DS
  exits "loaded again", "mov eax, DATA; mov ds, eax; mov eax, ds:[0x10]"
  show_segment "DS loaded", DS
  # ---- a selector that does not fit ----
  w GUEST_FS, 0xfff8
  w GUEST_FS_BASE, SCRATCH
  exits "FS with a selector beyond the GDT", "mov eax, fs:[0x100]; mov ebx, fs"
  show_reg "EAX through FS", rax, 8
  show_reg "FS", rbx, 4
  exits "FS popped as it was", "push fs; pop fs"
  exits "FS null", "xor eax, eax; mov fs, eax; mov eax, fs:[0]"
  unusable "FS is unusable", FS
  # ---- LDTR and TR ----
  w GUEST_LDTR, LDT
  w GUEST_LDTR_BASE, offset gdt
  w GUEST_LDTR_LIMIT, 0x3f
  w GUEST_LDTR_ACCESS, 0x82
  exits "a segment of the LDT", "mov eax, DATA + 4; mov es, eax; sldt ebx; lsl ecx, eax"
  show_reg "SLDT", rbx, 4
  show_reg "LSL", rcx, 8
  show_segment "ES of the LDT", ES
  w GUEST_ES, DATA
  exits "LLDT of 0", "xor eax, eax; lldt ax"
  unusable "LDTR is unusable", LDTR
  exits "a segment of no LDT", "mov eax, DATA + 4; mov es, eax"
  descriptor TEST0, SCRATCH, 0x67, 0x89
  exits "LTR", "mov eax, TEST0; ltr ax; str ebx"
  show_segment "TR", TR
  mov eax, [gdt + TEST0 + 4]
  shr eax, 8
  and eax, 0xff
  show "its descriptor", rax, 2
  # ---- 16-bit code and stack ----
  guest32
  w GUEST_SS_ACCESS, 0x93
  prepare "push eax"
  w GUEST_SS_LIMIT, 0xffff
  w GUEST_SS_ACCESS, 0x93
  w GUEST_RSP, 0x12340000
  w GUEST_SS_BASE, SCRATCH - 0x10000 + 0x100
  run "a 16-bit stack"
  show_field "its ESP", GUEST_RSP
  # ---- 64-bit: bases that matter, limits that do not ----
  guest64
  w GUEST_DS_BASE, 0x1000
  w GUEST_DS_LIMIT, 0
  w GUEST_DS_ACCESS, 0x4093
  mov rax, 0xffff800000000000
  w GUEST_GS_BASE, rax
  exits "64-bit, DS", "mov ebx, SCRATCH; mov eax, ds:[rbx + 0x100]; mov rcx, gs:[0]"
  show_reg "EAX, no base and no limit", rax, 8
  show_field "DS base", GUEST_DS_BASE
  show_field "GS base", GUEST_GS_BASE
  w GUEST_DS_ACCESS, 0x10000
  exits "64-bit, DS unusable", "mov ebx, SCRATCH; mov eax, ds:[rbx + 0x100]"
  show_reg "EAX, DS unusable", rax, 8
done
