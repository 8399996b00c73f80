# VM entries that fail at the guest's state: exit reason 33 and its qualification, one field wrong at a time [SDM 3C 26.3.1, 26.8].
# expect: good: VMCALL at +1 length 3
# expect: CR0 without NE: entry failed: entry_state
# expect: CR0 without PE: entry failed: entry_state
# expect: CR0 without PG: entry failed: entry_state
# expect: CR0 with a high bit: entry failed: entry_state
# expect: CR0 with NW, which is not checked: VMCALL at +1 length 3
# expect: CR4 without VMXE: entry failed: entry_state
# expect: CR4 without PAE: entry failed: entry_state
# expect: CR4 with a reserved bit: entry failed: entry_state
# expect: CR3 beyond: entry failed: entry_state
# expect: SYSENTER_ESP not canonical: entry failed: entry_state
# expect: SYSENTER_EIP not canonical: entry failed: entry_state
# expect: EFER without LMA: entry failed: entry_state
# expect: EFER without LME: entry failed: entry_state
# expect: EFER with a reserved bit: entry failed: entry_state
# expect: TR with TI: entry failed: entry_state
# expect: LDTR with TI, unusable: VMCALL at +1 length 3
# expect: SS.RPL 3: entry failed: entry_state
# expect: CS base: entry failed: entry_state
# expect: DS base: entry failed: entry_state
# expect: FS base not canonical: entry failed: entry_state
# expect: TR base not canonical: entry failed: entry_state
# expect: CS, a data type: entry failed: entry_state
# expect: CS, not accessed: entry failed: entry_state
# expect: CS, type 13 with DPL 3: entry failed: entry_state
# expect: CS, DPL 3: entry failed: entry_state
# expect: CS, S clear: entry failed: entry_state
# expect: CS, not present: entry failed: entry_state
# expect: CS, L and D: entry failed: entry_state
# expect: CS, reserved bit 8: entry failed: entry_state
# expect: CS, G clear with a large limit: entry failed: entry_state
# expect: CS, G set with a small limit: entry failed: entry_state
# expect: SS, expand-down: VMCALL at +1 length 3
# expect: SS, read-only: entry failed: entry_state
# expect: SS, DPL 1: entry failed: entry_state
# expect: SS, unusable: VMCALL at +1 length 3
# expect: DS, not accessed: entry failed: entry_state
# expect: DS, execute-only: entry failed: entry_state
# expect: DS, readable code: VMCALL at +1 length 3
# expect: DS, DPL below RPL: entry failed: entry_state
# expect: DS, unusable and wrong: VMCALL at +1 length 3
# expect: TR, not busy: entry failed: entry_state
# expect: TR, 16-bit busy in IA-32e mode: entry failed: entry_state
# expect: TR, unusable: entry failed: entry_state
# expect: TR, not present: entry failed: entry_state
# expect: LDTR, usable and type 3: entry failed: entry_state
# expect: LDTR, usable: VMCALL at +1 length 3
# expect: GDTR base not canonical: entry failed: entry_state
# expect: IDTR base not canonical: entry failed: entry_state
# expect: GDTR limit of 17 bits: entry failed: entry_state
# expect: IDTR limit of 17 bits: entry failed: entry_state
# expect: RIP, bits 63 to 48 differ: entry failed: entry_state
# expect: RIP, bit 47: vector d(0) from +0
# expect: RFLAGS, bit 1 clear: entry failed: entry_state
# expect: RFLAGS, bit 15: entry failed: entry_state
# expect: RFLAGS, bit 22: entry failed: entry_state
# expect: RFLAGS, VM in IA-32e mode: entry failed: entry_state
# expect: activity 4: entry failed: entry_state
# expect: interruptibility bit 5: entry failed: entry_state
# expect: blocking by STI with IF 0: entry failed: entry_state
# expect: blocking by STI and MOV SS: entry failed: entry_state
# expect: blocking by SMI: entry failed: entry_state
# expect: an NMI under MOV SS: entry failed: entry_state
# expect: an interrupt under MOV SS: entry failed: entry_state
# expect: an interrupt with IF 0: entry failed: entry_state
# expect: an NMI with virtual-NMI blocking: entry failed: entry_state
# expect: pending debug exceptions, bit 4: entry failed: entry_state
# expect: pending debug exceptions, bit 13: entry failed: entry_state
# expect: MOV SS and TF, no single step pending: entry failed: entry_state
# expect: MOV SS and a single step without TF: entry failed: entry_state
# expect: link pointer not aligned: entry failed: entry_state qualification 4
# expect: link pointer beyond: entry failed: entry_state qualification 4
# expect: link pointer to another revision: entry failed: entry_state qualification 4
# expect: link pointer to the current VMCS: entry failed: entry_state qualification 4
# expect: with an event: entry failed: entry_state
# expect: the event stays: 80000306
# expect: good again: VMCALL at +1 length 3
# expect: 32-bit, good: VMCALL at +1 length 3
# expect: 32-bit, RIP of 33 bits: entry failed: entry_state
# expect: 32-bit, EFER with LMA: entry failed: entry_state
# expect: 32-bit, PCID: entry failed: entry_state
# expect: 32-bit, RFLAGS.VM with segments of protected mode: entry failed: entry_state
# expect: 32-bit, TR of 16 bits: VMCALL at +1 length 3
# expect: PAE, good: VMCALL at +1 length 3
# expect: PAE, a PDPTE with reserved bits: entry failed: entry_state qualification 2
# expect: PAE, reserved bits of one that is not there: VMCALL at +1 length 3
# expect: PAE, a PDPTE field with reserved bits: entry failed: entry_state qualification 2
# expect: real, good: VMCALL at +1 length 3
# expect: real, CS writable data: VMCALL at +1 length 3
# expect: real, PG without PE: entry failed: entry_state
# expect: real, RFLAGS.VM: entry failed: entry_state
# expect: real, SS.RPL 3: VMCALL at +1 length 3
# expect: real, IA-32e mode guest: entry failed: entry_state
# bochs: RIP, bits 63 to 48 differ: vector d(0) from +0 -- it does not check them [SDM 3C 26.3.1.4]
# bochs: an NMI with virtual-NMI blocking: vector 2 from +0 -- it does not check that [SDM 3C 26.3.1.5]
# bochs: MOV SS and TF, no single step pending: vector 1 from +1 -- it does not check that [SDM 3C 26.3.1.5]
# bochs: MOV SS and a single step without TF: vector 1 from +1 -- it does not check that [SDM 3C 26.3.1.5]
.include "vmx.inc"
.macro bad name, field, value:vararg
  r \field
  push rax
  w \field, \value
  run "\name"
  pop rax
  mov edx, \field
  call write_field
.endm
.macro bit_of name, field, bit, how=bts
  r \field
  push rax
  \how rax, \bit
  mov edx, \field
  call write_field
  run "\name"
  pop rax
  mov edx, \field
  call write_field
.endm
program 64
  vmx_on
  guest64
  exits "good", nop
  # ---- control registers, MSRs ----
  bit_of "CR0 without NE", GUEST_CR0, 5, btr
  bit_of "CR0 without PE", GUEST_CR0, 0, btr
  bit_of "CR0 without PG", GUEST_CR0, 31, btr
  bit_of "CR0 with a high bit", GUEST_CR0, 32
  bit_of "CR0 with NW, which is not checked", GUEST_CR0, 29
  bit_of "CR4 without VMXE", GUEST_CR4, 13, btr
  bit_of "CR4 without PAE", GUEST_CR4, 5, btr
  bit_of "CR4 with a reserved bit", GUEST_CR4, 31
  bit_of "CR3 beyond", GUEST_CR3, 52
  bad "SYSENTER_ESP not canonical", GUEST_SYSENTER_ESP, 1 << 47
  bad "SYSENTER_EIP not canonical", GUEST_SYSENTER_EIP, 1 << 47
  bad "EFER without LMA", GUEST_EFER, 0x901
  bad "EFER without LME", GUEST_EFER, 0xc01
  bad "EFER with a reserved bit", GUEST_EFER, 0xd03
  # ---- segments ----
  bad "TR with TI", GUEST_TR, TSS + 4
  bad "LDTR with TI, unusable", GUEST_LDTR, LDT + 4
  bad "SS.RPL 3", GUEST_SS, DATA + 3
  bad "CS base", GUEST_CS_BASE, 1 << 32
  bad "DS base", GUEST_DS_BASE, 1 << 32
  bad "FS base not canonical", GUEST_FS_BASE, 1 << 47
  bad "TR base not canonical", GUEST_TR_BASE, 1 << 47
  bad "CS, a data type", GUEST_CS_ACCESS, 0xa093
  bad "CS, not accessed", GUEST_CS_ACCESS, 0xa09a
  bad "CS, type 13 with DPL 3", GUEST_CS_ACCESS, 0xa0fd
  bad "CS, DPL 3", GUEST_CS_ACCESS, 0xa0fb
  bad "CS, S clear", GUEST_CS_ACCESS, 0xa08b
  bad "CS, not present", GUEST_CS_ACCESS, 0xa01b
  bad "CS, L and D", GUEST_CS_ACCESS, 0xe09b
  bad "CS, reserved bit 8", GUEST_CS_ACCESS, 0xa19b
  bad "CS, G clear with a large limit", GUEST_CS_ACCESS, 0x209b
  bad "CS, G set with a small limit", GUEST_CS_LIMIT, 0xffffe
  bad "SS, expand-down", GUEST_SS_ACCESS, 0xc097
  bad "SS, read-only", GUEST_SS_ACCESS, 0xc091
  bad "SS, DPL 1", GUEST_SS_ACCESS, 0xc0b3
  bad "SS, unusable", GUEST_SS_ACCESS, 0x1c093
  bad "DS, not accessed", GUEST_DS_ACCESS, 0xc092
  bad "DS, execute-only", GUEST_DS_ACCESS, 0xc099
  bad "DS, readable code", GUEST_DS_ACCESS, 0xc09b
  bad "DS, DPL below RPL", GUEST_DS, DATA + 3
  bad "DS, unusable and wrong", GUEST_DS_ACCESS, 0x1ffff
  bad "TR, not busy", GUEST_TR_ACCESS, 0x89
  bad "TR, 16-bit busy in IA-32e mode", GUEST_TR_ACCESS, 0x83
  bad "TR, unusable", GUEST_TR_ACCESS, 0x1008b
  bad "TR, not present", GUEST_TR_ACCESS, 0xb
  bad "LDTR, usable and type 3", GUEST_LDTR_ACCESS, 0x83
  bad "LDTR, usable", GUEST_LDTR_ACCESS, 0x82
  # ---- descriptor tables, RIP, RFLAGS ----
  bad "GDTR base not canonical", GUEST_GDTR_BASE, 1 << 47
  bad "IDTR base not canonical", GUEST_IDTR_BASE, 1 << 47
  bad "GDTR limit of 17 bits", GUEST_GDTR_LIMIT, 0x10000
  bad "IDTR limit of 17 bits", GUEST_IDTR_LIMIT, 0x10000
  mov rax, 1 << 48
  mov [guest_origin], rax
  w GUEST_RIP, [guest_origin]
  run "RIP, bits 63 to 48 differ"
  prepare nop
  mov rax, 1 << 47              # they are the only ones that are checked
  mov [guest_origin], rax
  w GUEST_RIP, [guest_origin]
  run "RIP, bit 47"
  prepare nop
  bad "RFLAGS, bit 1 clear", GUEST_RFLAGS, 0
  bad "RFLAGS, bit 15", GUEST_RFLAGS, 0x8002
  bad "RFLAGS, bit 22", GUEST_RFLAGS, 0x400002
  bad "RFLAGS, VM in IA-32e mode", GUEST_RFLAGS, 0x20002
  # ---- not registers ----
  bad "activity 4", ACTIVITY, 4
  bad "interruptibility bit 5", INTERRUPTIBILITY, 0x20
  bad "blocking by STI with IF 0", INTERRUPTIBILITY, BY_STI
  w GUEST_RFLAGS, 0x202
  bad "blocking by STI and MOV SS", INTERRUPTIBILITY, BY_STI | BY_MOV_SS
  bad "blocking by SMI", INTERRUPTIBILITY, 4
  w GUEST_RFLAGS, 2
  w INTERRUPTIBILITY, BY_MOV_SS
  w ENTRY_INFO, EVENT | NMI | 2
  run "an NMI under MOV SS"
  w GUEST_RFLAGS, 0x202
  w ENTRY_INFO, EVENT | EXTERNAL | 0x31
  run "an interrupt under MOV SS"
  w INTERRUPTIBILITY, 0
  w GUEST_RFLAGS, 2
  run "an interrupt with IF 0"
  pin PIN_NMI | PIN_VIRTUAL_NMI
  w INTERRUPTIBILITY, BY_NMI
  w ENTRY_INFO, EVENT | NMI | 2
  run "an NMI with virtual-NMI blocking"
  pin
  w ENTRY_INFO, 0
  prepare nop
  bad "pending debug exceptions, bit 4", PENDING_DEBUG, 0x10
  bad "pending debug exceptions, bit 13", PENDING_DEBUG, 0x2000
  w INTERRUPTIBILITY, BY_MOV_SS
  w GUEST_RFLAGS, 0x102
  run "MOV SS and TF, no single step pending"
  prepare nop
  w INTERRUPTIBILITY, BY_MOV_SS
  bad "MOV SS and a single step without TF", PENDING_DEBUG, 0x4000
  prepare nop
  bad "link pointer not aligned", LINK_POINTER, 0x1001
  bad "link pointer beyond", LINK_POINTER, 1 << 52
  bad "link pointer to another revision", LINK_POINTER, SCRATCH
  bad "link pointer to the current VMCS", LINK_POINTER, VMCS_A
  # ---- what stays ----
  w GUEST_CR0, 0
  inject EVENT | HARDWARE | 6
  run "with an event"
  show_field "the event stays", ENTRY_INFO
  w ENTRY_INFO, 0
  w GUEST_CR0, 0x80000031
  exits "good again", nop
  # ---- not 64-bit ----
  guest32
  exits "32-bit, good", nop
  bad "32-bit, RIP of 33 bits", GUEST_RIP, 1 << 32
  bad "32-bit, EFER with LMA", GUEST_EFER, 0x500
  bad "32-bit, PCID", GUEST_CR4, 0x22610
  bad "32-bit, RFLAGS.VM with segments of protected mode", GUEST_RFLAGS, 0x20002
  bad "32-bit, TR of 16 bits", GUEST_TR_ACCESS, 0x83
  guest_pae
  exits "PAE, good", nop
  mov qword ptr [GUEST_PDPT + 16], PD_TABLES + 7
  run "PAE, a PDPTE with reserved bits"
  mov qword ptr [GUEST_PDPT + 16], PD_TABLES + 6
  exits "PAE, reserved bits of one that is not there", nop
  mov qword ptr [GUEST_PDPT + 16], PD_TABLES + 0x2001
  secondary USE_EPT
  bad "PAE, a PDPTE field with reserved bits", GUEST_PDPTE2, PD_TABLES + 7
  guest_real
  exits "real, good", nop
  bad "real, CS writable data", GUEST_CS_ACCESS, 0x93
  bad "real, PG without PE", GUEST_CR0, 0x80000030
  bad "real, RFLAGS.VM", GUEST_RFLAGS, 0x20002
  bad "real, SS.RPL 3", GUEST_SS, 3
  on_entry GUEST_IA32E
  run "real, IA-32e mode guest"
done
