# Descriptor-table exiting: qualification and instruction information of each, in 64-bit, 32-bit and real mode [SDM 3C 25.1.3, 27.2.4 tables 27-10, 27-11].
# expect: no control, SGDT: VMCALL at +12 length 3
# expect: GDT limit: 01ff
# expect: IDT limit: 03ff
# expect: TR: 0058
# expect: no control, LGDT: VMCALL at +d length 3
# expect: limit in the VMCS: 17f
# expect: limit of the host after an exit: ffff
# expect: IDT limit of the host after an exit: ffff
# expect: SGDT: GDTR_IDTR at +5 length 3 info 1c18100
# expect: SIDT: GDTR_IDTR at +6 length 5 qualification 8 info 16c18100
# expect: LGDT: GDTR_IDTR at +a length 5 qualification fffffffffffffff0 info 21858102
# expect: LIDT with FS: GDTR_IDTR at +5 length 5 qualification ffffffffffffffff info 32c20100
# expect: LIDT with a 32-bit address: GDTR_IDTR at +5 length 5 info 32c10080
# expect: LIDT without a base: GDTR_IDTR at +0 length 8 qualification 3f000 info 38418100
# expect: LIDT, RIP-relative, from the place: 0017
# expect: SLDT to a register: LDTR_TR at +0 length 4 info 448
# expect: STR to a register: LDTR_TR at +0 length 3 info 10000400
# expect: LLDT: LDTR_TR at +2 length 3 info 20000408
# expect: LTR: LDTR_TR at +5 length 3 info 30000438
# expect: LTR from memory: LDTR_TR at +5 length 4 qualification 7f info 33c18100
# expect: STR to memory: LDTR_TR at +c length 6 info 143e8101
# expect: ring 3, LGDT: vector d(0) from +15
# expect: ring 3, SGDT: GDTR_IDTR at +1a length 3 info 1c18100
# expect: ring 3, STR: LDTR_TR at +15 length 3 info 10000400
# expect: 32-bit, SGDT: GDTR_IDTR at +5 length 3 info 1c18880
# expect: 32-bit, LGDT with a 16-bit operand: GDTR_IDTR at +5 length 4 info 21c18080
# expect: 32-bit, SIDT with a 16-bit address: GDTR_IDTR at +0 length 5 qualification 5 info 11998800
# expect: 32-bit, SLDT: LDTR_TR at +0 length 3 info 400
# expect: 32-bit, LLDT from the stack: LDTR_TR at +0 length 5 qualification 4 info 22410080
# expect: real, LGDT: GDTR_IDTR at +3 length 3 info 21c18000
# expect: real, LGDT with a 32-bit operand: GDTR_IDTR at +3 length 4 info 21c18800
# expect: real, SIDT: GDTR_IDTR at +3 length 4 qualification 2 info 12c10000
# expect: real, STR: vector 6 from +0
# bochs: 32-bit, SGDT: GDTR_IDTR at +5 length 3 info 1c18080 -- bit 11 tells the size of the operand [SDM 3C table 27-10]
# bochs: 32-bit, SIDT with a 16-bit address: GDTR_IDTR at +0 length 5 qualification 5 info 11998000 -- bit 11 tells the size of the operand [SDM 3C table 27-10]
# bochs: real, LGDT with a 32-bit operand: GDTR_IDTR at +3 length 4 info 21c18000 -- bit 11 tells the size of the operand [SDM 3C table 27-10]
.include "vmx.inc"
program 64
  vmx_on
  guest64
  secondary 0
  exits "no control, SGDT", "mov ebx, SCRATCH", "sgdt [rbx]", "sidt [rbx + 16]", "sldt eax", "str ecx"
  mov eax, [SCRATCH]
  show "GDT limit", rax, 4
  mov eax, [SCRATCH + 16]
  show "IDT limit", rax, 4
  show_reg "TR", rcx, 4
  exits "no control, LGDT", "mov ebx, SCRATCH", "mov word ptr [rbx], 0x17f", "lgdt [rbx]"
  show_field "limit in the VMCS", GUEST_GDTR_LIMIT
  sgdt [SCRATCH]
  mov eax, [SCRATCH]
  show "limit of the host after an exit", rax, 4
  sidt [SCRATCH]
  mov eax, [SCRATCH]
  show "IDT limit of the host after an exit", rax, 4
  lgdt [gdt_pointer]
  w GUEST_GDTR_LIMIT, 0x1ff
  secondary ON_DESCRIPTOR_TABLE
  exits "SGDT", "mov ebx, SCRATCH", "sgdt [rbx]"
  exits "SIDT", "mov r13d, SCRATCH", "sidt [r13 + 8]"
  exits "LGDT", "mov ebx, SCRATCH", "mov ecx, 2", "lgdt [rbx + rcx * 4 - 16]"
  exits "LIDT with FS", "mov ebp, SCRATCH", "lidt fs:[rbp - 1]"
  exits "LIDT with a 32-bit address", "mov ebp, SCRATCH", "lidt [ebp]"
  exits "LIDT without a base", "lidt [SCRATCH]"
  prepare "lidt [rip + 0x10]"
  call enter_guest
  r QUALIFICATION
  sub rax, [guest_origin]
  show "LIDT, RIP-relative, from the place", rax, 4
  exits "SLDT to a register", "sldt r9d"
  exits "STR to a register", "str rax"
  exits "LLDT", "xor ecx, ecx", "lldt cx"
  exits "LTR", "mov edi, TSS", "ltr di"
  exits "LTR from memory", "mov edi, SCRATCH", "ltr [rdi + 0x7f]"
  exits "STR to memory", "mov r8d, SCRATCH", "mov r15d, 1", "str gs:[r8 + r15 * 2]"
  exits3 "ring 3, LGDT", "lgdt [rbx]"
  exits3 "ring 3, SGDT", "mov ebx, SCRATCH", "sgdt [rbx]"
  exits3 "ring 3, STR", "str eax"
  guest32
  secondary ON_DESCRIPTOR_TABLE
  exits "32-bit, SGDT", "mov ebx, SCRATCH", "sgdt [ebx]"
  exits "32-bit, LGDT with a 16-bit operand", "mov ebx, SCRATCH", ".byte 0x66", "lgdt [ebx]"
  exits "32-bit, SIDT with a 16-bit address", "sidt [bx + si + 5]"
  exits "32-bit, SLDT", "sldt eax"
  exits "32-bit, LLDT from the stack", "lldt [esp + 4]"
  guest_real
  secondary USE_EPT | UNRESTRICTED | ON_DESCRIPTOR_TABLE
  exits "real, LGDT", "mov bx, 0x100", "lgdt [bx]"
  exits "real, LGDT with a 32-bit operand", "mov bx, 0x100", ".byte 0x66", "lgdt [bx]"
  exits "real, SIDT", "mov bp, 0x100", "sidt [bp + 2]"
  exits "real, STR", "str ax"
done
