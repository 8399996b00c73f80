# 32-bit paging: every P, RW and US at two levels, under CR0.WP, SMEP, SMAP and AC, for reads, writes and fetches of
# supervisor and user: which fault, their error codes, and the accessed and dirty bits [SDM 3A 4.6, 4.7, 4.8].
# expect: WP 0 SMEP 0 SMAP 0 AC 0: 0147 of 0180 faulted, checksum 60fc319b
# expect: WP 1 SMEP 0 SMAP 0 AC 0: 0153 of 0180 faulted, checksum c3ebe317
# expect: WP 0 SMEP 1 SMAP 0 AC 0: 014b of 0180 faulted, checksum 370b2a6f
# expect: WP 1 SMEP 1 SMAP 0 AC 0: 0157 of 0180 faulted, checksum 99fadbeb
# expect: WP 0 SMEP 0 SMAP 1 AC 0: 014f of 0180 faulted, checksum e9695203
# expect: WP 1 SMEP 0 SMAP 1 AC 0: 0158 of 0180 faulted, checksum f834e8c0
# expect: WP 0 SMEP 0 SMAP 1 AC 1: 0147 of 0180 faulted, checksum 60fc319b
# expect: WP 1 SMEP 1 SMAP 1 AC 1: 0157 of 0180 faulted, checksum 99fadbeb
# expect: WP 1 SMEP 1 SMAP 1 AC 0: 015c of 0180 faulted, checksum ce43e194
.include "system.inc"
.set ENTRY_BYTES, 4
.set ENTRY_RIGHTS, 3
.include "paging.inc"
.set PDE, PD_TABLES + 0x400      # 32-bit entries: TARGET is in the 257th of the directory
define_paging 32, eax, ebx, esi, edi, esp
.equ PD, PD_TABLES
.equ LOW_PT, PD_TABLES + 0x1000
program 32
  mov edi, PD
  mov ecx, 0x4000 / 4
  xor eax, eax
  rep stosd
  mov dword ptr [PD], LOW_PT + 7
  mov edi, LOW_PT
  mov eax, 3                    # 0..1FFFFF are the supervisor's
1:
  stosd
  add eax, 0x1000
  cmp eax, 0x200003
  jne 1b
  or eax, 4
1:
  stosd
  add eax, 0x1000
  cmp eax, 0x400007
  jne 1b
  mov eax, PD
  mov cr3, eax
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
done
