# VM entries refused before they begin: controls (VMfail 7) and host state (VMfail 8), one field wrong at a time [SDM 3C 26.2].
# expect: good: VMCALL at +1 length 3
# expect: pin, reserved bit 1 clear: VMfail 7
# expect: pin, reserved bit 8: VMfail 7
# expect: primary, reserved bit 1 clear: VMfail 7
# expect: primary, reserved bit 0: VMfail 7
# expect: exit, reserved bit 0 clear: VMfail 7
# expect: exit, reserved bit 31: VMfail 7
# expect: entry, reserved bit 0 clear: VMfail 7
# expect: entry, reserved bit 31: VMfail 7
# expect: entry to SMM: VMfail 7
# expect: deactivate dual-monitor treatment: VMfail 7
# expect: 5 CR3 targets: VMfail 7
# expect: virtual NMIs without NMI exiting: VMfail 7
# expect: NMI window without virtual NMIs: VMfail 7
# expect: I/O bitmap A not aligned: VMfail 7
# expect: I/O bitmap B beyond: VMfail 7
# expect: MSR bitmaps not aligned: VMfail 7
# expect: I/O bitmap not aligned, not used: VMCALL at +1 length 3
# expect: virtual APIC not aligned: VMfail 7
# expect: TPR threshold of 5 bits: VMfail 7
# expect: TPR threshold above the virtual TPR: VMfail 7
# expect: timer saved and not active: VMfail 7
# expect: VPID 0: VMfail 7
# expect: VPID 1: VMCALL at +1 length 3
# expect: unrestricted guest without EPT: VMfail 7
# expect: EPT pointer, memory type 1: VMfail 7
# expect: EPT pointer, memory type 0: VMCALL at +1 length 3
# expect: EPT pointer, 3 levels: VMfail 7
# expect: EPT pointer, bit 7: VMfail 7
# expect: EPT pointer, bit 11: VMfail 7
# expect: EPT pointer, beyond: VMfail 7
# expect: secondary controls reserved, not activated: VMCALL at +1 length 3
# expect: event of type 1: VMfail 7
# expect: NMI of vector 3: VMfail 7
# expect: exception 32: VMfail 7
# expect: #GP without a code: VMfail 7
# expect: #UD with a code: VMfail 7
# expect: external with a code: VMfail 7
# expect: reserved bit 12: VMfail 7
# expect: reserved bit 30: VMfail 7
# expect: #PF with a code of 17 bits: VMfail 7
# expect: INT 30, length 0: VMfail 7
# expect: INT 30, length 16: VMfail 7
# expect: INT3, length 0: VMfail 7
# expect: an invalid event, all bits: VMCALL at +1 length 3
# expect: host CR0 without PG: VMfail 8
# expect: host CR0 without NE: VMfail 8
# expect: host CR0 with a high bit: VMfail 8
# expect: host CR4 without VMXE: VMfail 8
# expect: host CR4 without PAE: VMfail 8
# expect: host CR4 with a reserved bit: VMfail 8
# expect: host CR3 beyond: VMfail 8
# expect: host SYSENTER_ESP not canonical: VMfail 8
# expect: host SYSENTER_EIP not canonical: VMfail 8
# expect: host RPL in CS: VMfail 8
# expect: host TI in DS: VMfail 8
# expect: host RPL in TR: VMfail 8
# expect: host CS 0: VMfail 8
# expect: host TR 0: VMfail 8
# expect: host SS 0: VMCALL at +1 length 3
# expect: host FS base not canonical: VMfail 8
# expect: host GDTR base not canonical: VMfail 8
# expect: host IDTR base not canonical: VMfail 8
# expect: host TR base not canonical: VMfail 8
# expect: host RIP not canonical: VMfail 8
# expect: host EFER without LMA: VMfail 8
# expect: host EFER without LME: VMfail 8
# expect: host EFER with a reserved bit: VMfail 8
# expect: host PAT, type 2: VMfail 8
# expect: host PAT, type 7 in the last: VMCALL at +1 length 3
# expect: host not 64-bit: VMfail 8
# expect: controls and host: VMfail 7
# expect: host and guest: VMfail 8
# expect: good again: VMCALL at +1 length 3
# bochs: entry to SMM: entry failed: entry_state -- outside of SMM the control must be 0 [SDM 3C 26.2.1.3]
.include "vmx.inc"
# The field with that value, and then as it was
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
  # ---- controls ----
  bit_of "pin, reserved bit 1 clear", PIN_CONTROLS, 1, btr
  bit_of "pin, reserved bit 8", PIN_CONTROLS, 8
  bit_of "primary, reserved bit 1 clear", PRIMARY_CONTROLS, 1, btr
  bit_of "primary, reserved bit 0", PRIMARY_CONTROLS, 0
  bit_of "exit, reserved bit 0 clear", EXIT_CONTROLS, 0, btr
  bit_of "exit, reserved bit 31", EXIT_CONTROLS, 31
  bit_of "entry, reserved bit 0 clear", ENTRY_CONTROLS, 0, btr
  bit_of "entry, reserved bit 31", ENTRY_CONTROLS, 31
  bit_of "entry to SMM", ENTRY_CONTROLS, 10
  bit_of "deactivate dual-monitor treatment", ENTRY_CONTROLS, 11
  bad "5 CR3 targets", CR3_TARGET_COUNT, 5
  pin PIN_VIRTUAL_NMI
  run "virtual NMIs without NMI exiting"
  pin
  bit_of "NMI window without virtual NMIs", PRIMARY_CONTROLS, 22
  primary USE_IO_BITMAPS
  bad "I/O bitmap A not aligned", IO_BITMAP_A, IO_BITMAP_PAGES + 1
  bad "I/O bitmap B beyond", IO_BITMAP_B, 1 << 52
  primary USE_MSR_BITMAPS
  bad "MSR bitmaps not aligned", MSR_BITMAP, MSR_BITMAP_PAGE + 0x800
  primary
  bad "I/O bitmap not aligned, not used", IO_BITMAP_A, IO_BITMAP_PAGES + 1
  primary USE_TPR_SHADOW
  bad "virtual APIC not aligned", VIRTUAL_APIC, APIC_PAGE + 8
  bad "TPR threshold of 5 bits", TPR_THRESHOLD, 16
  bad "TPR threshold above the virtual TPR", TPR_THRESHOLD, 1
  primary
  on_exit SAVE_TIMER
  run "timer saved and not active"
  on_exit
  secondary USE_VPID
  run "VPID 0"
  bad "VPID 1", VPID, 1
  secondary UNRESTRICTED
  run "unrestricted guest without EPT"
  secondary USE_EPT
  bad "EPT pointer, memory type 1", EPT_POINTER, EPT_PML4 + 0x19
  bad "EPT pointer, memory type 0", EPT_POINTER, EPT_PML4 + 0x18
  bad "EPT pointer, 3 levels", EPT_POINTER, EPT_PML4 + 0x16
  bad "EPT pointer, bit 7", EPT_POINTER, EPT_PML4 + 0x9e
  bad "EPT pointer, bit 11", EPT_POINTER, EPT_PML4 + 0x81e
  bad "EPT pointer, beyond", EPT_POINTER, (1 << 52) + 0x1e
  primary
  bad "secondary controls reserved, not activated", SECONDARY_CONTROLS, -1
  # ---- event injection ----
  .macro event name, info, code=0, length=0
    inject \info, \code, \length
    run "\name"
    w ENTRY_INFO, 0
  .endm
  event "event of type 1", EVENT | 1 << 8
  event "NMI of vector 3", EVENT | NMI | 3
  event "exception 32", EVENT | HARDWARE | 32
  event "#GP without a code", EVENT | HARDWARE | 13
  event "#UD with a code", EVENT | HARDWARE | CODE | 6
  event "external with a code", EVENT | EXTERNAL | CODE | 13
  event "reserved bit 12", EVENT | HARDWARE | 6 | 1 << 12
  event "reserved bit 30", EVENT | HARDWARE | 6 | 1 << 30
  event "#PF with a code of 17 bits", EVENT | HARDWARE | CODE | 14, 0x10000
  event "INT 30, length 0", EVENT | SOFTWARE_INT | 0x30
  event "INT 30, length 16", EVENT | SOFTWARE_INT | 0x30, 0, 16
  event "INT3, length 0", EVENT | SOFTWARE | 3
  event "an invalid event, all bits", 0x7fffffff, -1, -1
  # ---- host ----
  .macro host name, field, value:vararg
    bad "\name", \field, \value
  .endm
  bit_of "host CR0 without PG", HOST_CR0, 31, btr
  bit_of "host CR0 without NE", HOST_CR0, 5, btr
  bit_of "host CR0 with a high bit", HOST_CR0, 32
  bit_of "host CR4 without VMXE", HOST_CR4, 13, btr
  bit_of "host CR4 without PAE", HOST_CR4, 5, btr
  bit_of "host CR4 with a reserved bit", HOST_CR4, 31
  bit_of "host CR3 beyond", HOST_CR3, 52
  host "host SYSENTER_ESP not canonical", HOST_SYSENTER_ESP, 1 << 47
  host "host SYSENTER_EIP not canonical", HOST_SYSENTER_EIP, 1 << 47
  host "host RPL in CS", HOST_CS, CODE64 + 3
  host "host TI in DS", HOST_DS, DATA + 4
  host "host RPL in TR", HOST_TR, TSS + 1
  host "host CS 0", HOST_CS, 0
  host "host TR 0", HOST_TR, 0
  host "host SS 0", HOST_SS, 0
  host "host FS base not canonical", HOST_FS_BASE, 1 << 47
  host "host GDTR base not canonical", HOST_GDTR_BASE, 1 << 47
  host "host IDTR base not canonical", HOST_IDTR_BASE, 1 << 47
  host "host TR base not canonical", HOST_TR_BASE, 1 << 47
  host "host RIP not canonical", HOST_RIP, 1 << 47
  host "host EFER without LMA", HOST_EFER, 0x901
  host "host EFER without LME", HOST_EFER, 0xc01
  host "host EFER with a reserved bit", HOST_EFER, 0xd03
  on_exit EXIT_LOAD_PAT
  host "host PAT, type 2", HOST_PAT, 2
  host "host PAT, type 7 in the last", HOST_PAT, 7 << 56
  on_exit
  bit_of "host not 64-bit", EXIT_CONTROLS, 9, btr
  # ---- the order: controls before host ----
  w CR3_TARGET_COUNT, 5
  bit_of "controls and host", HOST_CR0, 31, btr
  w CR3_TARGET_COUNT, 0
  bit_of "host and guest", HOST_CR0, 31, btr
  exits "good again", nop
done
