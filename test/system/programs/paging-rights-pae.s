# PAE paging: every P, RW, US and NX at two levels, under CR0.WP, SMEP, SMAP and AC, for reads, writes and fetches of
# supervisor and user: which fault, their error codes, and the accessed and dirty bits [SDM 3A 4.6, 4.7, 4.8].
# expect: WP 0 SMEP 0 SMAP 0 AC 0: 0558 of 0600 faulted, checksum 7e2e4a78
# expect: WP 1 SMEP 0 SMAP 0 AC 0: 0588 of 0600 faulted, checksum d2021468
# expect: WP 0 SMEP 1 SMAP 0 AC 0: 055c of 0600 faulted, checksum 1a9c3f4c
# expect: WP 1 SMEP 1 SMAP 0 AC 0: 058c of 0600 faulted, checksum 6e70093c
# expect: WP 0 SMEP 0 SMAP 1 AC 0: 0578 of 0600 faulted, checksum f4dc3418
# expect: WP 1 SMEP 0 SMAP 1 AC 0: 059c of 0600 faulted, checksum cb55c60c
# expect: WP 0 SMEP 0 SMAP 1 AC 1: 0558 of 0600 faulted, checksum 7e2e4a78
# expect: WP 1 SMEP 1 SMAP 1 AC 1: 058c of 0600 faulted, checksum 6e70093c
# expect: WP 1 SMEP 1 SMAP 1 AC 0: 05a0 of 0600 faulted, checksum 67c3bae0
# expect: without NXE: 05dc of 0600 faulted, checksum d7a4c414
# qemu: without NXE: 05dc of 0600 faulted, checksum b8a0a414 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
.include "system.inc"
.set ENTRY_BYTES, 8
.set ENTRY_RIGHTS, 4
.include "paging.inc"
define_paging 32, eax, ebx, esi, edi, esp
program 32
  mov edi, PDPT_TABLE
  mov ecx, 0x8000 / 4
  xor eax, eax
  rep stosd
  mov dword ptr [PDPT_TABLE], PD_TABLES + 1
  mov dword ptr [PDPT_TABLE + 8], T_PD + 1
  mov dword ptr [PD_TABLES], 0x83               # 0..1FFFFF are the supervisor's
  mov dword ptr [PD_TABLES + 8], 0x200087
  mov eax, 0x620
  mov cr4, eax
  mov eax, PDPT_TABLE
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x800
  wrmsr
  call prepare32
  under 0, 0, 0, 0
  under 1, 0, 0, 0
  under 0, 1, 0, 0
  under 1, 1, 0, 0
  under 0, 0, 1, 0
  under 1, 0, 1, 0
  under 0, 0, 1, 1
  under 1, 1, 1, 1
  under 1, 1, 1, 0
  mov ecx, 0xc0000080
  rdmsr
  and eax, ~0x800
  wrmsr
  call all_rights32
  show_counts "without NXE"
done
