# EPT entries: misconfigurations of each kind, large pages, accessed and dirty bits, memory types, the EPT pointer [SDM 3C 28.2.2, 28.2.3, 28.2.4].
# expect: write without read: ept_misconfiguration at +0 physical 180010
# expect: write and execute without read: ept_misconfiguration at +0 physical 180010
# expect: memory type 2: ept_misconfiguration at +0 physical 180010
# expect: memory type 3: ept_misconfiguration at +0 physical 180010
# expect: memory type 7: ept_misconfiguration at +0 physical 180010
# expect: memory type 0: VMCALL at +7 length 3
# expect: memory type 1: VMCALL at +7 length 3
# expect: memory type 4, ignore PAT: VMCALL at +7 length 3
# expect: memory type 6, bit 7: VMCALL at +7 length 3
# expect: bits 8 to 11: VMCALL at +7 length 3
# expect: a bit beyond the physical addresses: ept_misconfiguration at +0 physical 180010
# expect: bits 52 to 62: VMCALL at +7 length 3
# expect: reserved bits without rights: ept_violation at +0 qualification 181 linear 180010 physical 180010
# expect: good: VMCALL at +7 length 3
# expect: misconfigured, write: ept_misconfiguration at +0 physical 180010
# expect: misconfigured, fetch: ept_misconfiguration at +0 physical 180020
# expect: directory, a table: VMCALL at +7 length 3
# expect: directory, bits 3 to 6: ept_misconfiguration at +0 physical 2fe010
# expect: directory, bit 6: ept_misconfiguration at +0 physical 2fe010
# expect: directory, write without read: ept_misconfiguration at +0 physical 2fe010
# expect: directory, not there: ept_violation at +0 qualification 181 linear 2fe010 physical 2fe010
# expect: directory, read only: VMCALL at +7 length 3
# expect: directory, 2 MiB: VMCALL at +7 length 3
# expect: directory, 2 MiB and bit 12: ept_misconfiguration at +0 physical 2fe010
# expect: directory, 2 MiB and bit 20: ept_misconfiguration at +0 physical 2fe010
# expect: directory, 2 MiB, memory type 3: ept_misconfiguration at +0 physical 2fe010
# expect: directory, good: VMCALL at +7 length 3
# expect: 1 GiB: VMCALL at +7 length 3
# expect: read from it: 01234567
# expect: 1 GiB and bit 13: ept_misconfiguration at +5 physical 40181010
# expect: PML4 entry with bit 7: ept_misconfiguration at +0 physical 12000
# expect: PML4 entry without write: ept_violation at +0 qualification 1aa linear 180000 physical 180000
# expect: accessed and dirty, fetch only: VMCALL at +1 length 3
# expect: PML4 entry: 0000000000027107
# expect: PDPT entry: 0000000000028107
# expect: PD entry: 000000000002c107
# expect: A, before: 0000000000180037
# expect: accessed and dirty, read: VMCALL at +7 length 3
# expect: A, read: 0000000000180137
# expect: accessed and dirty, write: VMCALL at +7 length 3
# expect: A, written: 0000000000180337
# expect: accessed and dirty, read-only, write: ept_violation at +0 qualification 18a linear 180000 physical 180000
# expect: the guest's PML4: 0000000000012337
# expect: the guest's PML4 read-only with accessed and dirty: ept_violation at +0 qualification 8b linear 3f800 physical 12000
# expect: the guest's PML4 read-only without: VMCALL at +1 length 3
# bochs: directory, 2 MiB and bit 12: VMCALL at +7 length 3 -- bits 20:12 are reserved [SDM 3C table 28-5]
# bochs: the guest's PML4 read-only with accessed and dirty: ept_violation at +0 qualification 8a linear 3f800 physical 12000 -- such an access counts as a read and a write [SDM 3C table 27-7]
.include "vmx.inc"
.macro entry value
  mov rax, \value
  mov [EPT_PT + (PAGE_A >> 9)], rax
  call invalidate_ept
.endm
.macro tried name, value
  entry \value
  exits "\name", "mov eax, [PAGE_A + 0x10]"
.endm
.macro show_entry name, at
  mov rax, [\at]
  show "\name", rax, 16
.endm
program 64
  vmx_on
  guest64
  secondary USE_EPT
  # ---- misconfigurations of a leaf ----
  tried "write without read", PAGE_A + 0x32
  tried "write and execute without read", PAGE_A + 0x36
  tried "memory type 2", PAGE_A + 0x17
  tried "memory type 3", PAGE_A + 0x1f
  tried "memory type 7", PAGE_A + 0x3f
  tried "memory type 0", PAGE_A + 0x07
  tried "memory type 1", PAGE_A + 0x0f
  tried "memory type 4, ignore PAT", PAGE_A + 0x67
  tried "memory type 6, bit 7", PAGE_A + 0xb7
  tried "bits 8 to 11", PAGE_A + 0xf37
  tried "a bit beyond the physical addresses", PAGE_A + 0x37 + (1 << 51)
  tried "bits 52 to 62", PAGE_A + 0x37 + (0x7ff << 52)
  tried "reserved bits without rights", (1 << 51) + 0x38
  tried "good", PAGE_A + 0x37
  entry PAGE_A + 0x36
  exits "misconfigured, write", "mov [PAGE_A + 0x10], eax"
  run_at "misconfigured, fetch", PAGE_A + 0x20
  entry PAGE_A + 0x37
  # ---- of tables: the directory's second entry leads to a table of its own ----
  .macro directory name, value
    mov rax, \value
    mov [EPT_PDS + 8], rax
    call invalidate_ept
    exits "\name", "mov eax, [0x2fe010]"
  .endm
  directory "directory, a table", EPT_PT + 7
  directory "directory, bits 3 to 6", EPT_PT + 0x0f
  directory "directory, bit 6", EPT_PT + 0x47
  directory "directory, write without read", EPT_PT + 2
  directory "directory, not there", 0
  directory "directory, read only", EPT_PT + 1
  directory "directory, 2 MiB", 0x2000b7
  directory "directory, 2 MiB and bit 12", 0x2010b7
  directory "directory, 2 MiB and bit 20", 0x3000b7
  directory "directory, 2 MiB, memory type 3", 0x20009f
  directory "directory, good", 0x2000b7
  # ---- 1 GiB, and the PML4 ----
  mov dword ptr [PAGE_B + 0x10], 0x1234567
  mov rax, 0xb7
  mov [EPT_PDPT + 8], rax
  call invalidate_ept
  mov qword ptr [PD_TABLES + 0x1000], 0x400000e7
  exits "1 GiB", "mov ebx, 0x40000000 + PAGE_B + 0x10; mov eax, [rbx]"
  show_reg "read from it", rax, 8
  mov rax, 0x20b7
  mov [EPT_PDPT + 8], rax
  call invalidate_ept
  exits "1 GiB and bit 13", "mov ebx, 0x40000000 + PAGE_B + 0x10; mov eax, [rbx]"
  mov qword ptr [EPT_PDPT + 8], EPT_PDS + 0x1007
  mov qword ptr [EPT_PML4], EPT_PDPT + 0x87
  call invalidate_ept
  exits "PML4 entry with bit 7", nop
  mov qword ptr [EPT_PML4], EPT_PDPT + 5
  call invalidate_ept
  exits "PML4 entry without write", "mov [PAGE_A], eax"
  mov qword ptr [EPT_PML4], EPT_PDPT + 7
  call invalidate_ept
  # ---- accessed and dirty ----
  w EPT_POINTER, EPT_PML4 + 0x5e
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 0x37
  call invalidate_ept
  exits "accessed and dirty, fetch only", nop
  show_entry "PML4 entry", EPT_PML4
  show_entry "PDPT entry", EPT_PDPT
  show_entry "PD entry", EPT_PDS
  show_entry "A, before", EPT_PT + (PAGE_A >> 9)
  exits "accessed and dirty, read", "mov eax, [PAGE_A]"
  show_entry "A, read", EPT_PT + (PAGE_A >> 9)
  exits "accessed and dirty, write", "mov [PAGE_A], eax"
  show_entry "A, written", EPT_PT + (PAGE_A >> 9)
  mov qword ptr [EPT_PT + (PAGE_A >> 9)], PAGE_A + 0x31
  call invalidate_ept
  exits "accessed and dirty, read-only, write", "mov [PAGE_A], eax"
  # the guest's tables count as written when accessed bits are on
  show_entry "the guest's PML4", EPT_PT + (PML4_TABLE >> 9)
  mov qword ptr [EPT_PT + (PML4_TABLE >> 9)], PML4_TABLE + 0x31
  call invalidate_ept
  mov dword ptr [SCRATCH + 0x800], 0x90c1010f
  run_at "the guest's PML4 read-only with accessed and dirty", SCRATCH + 0x800
  w EPT_POINTER, EPT_PML4 + 0x1e
  call invalidate_ept
  exits "the guest's PML4 read-only without", nop
done
