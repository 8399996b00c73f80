# 32-bit paging with PSE and PAE paging: each bit that is no address bit, alone, in entries that lead to 4K, 4M and 2M
# pages [SDM 3A tables 4-4 to 4-11]: what is reserved, what counts, accessed and dirty bits. Physical addresses have 40
# bits. After a fault, entries above the last may be accessed or not.
# expect: PDE: 000d of 0048 faulted, checksum 8d21a5f1
# expect: PTE: 000b of 0048 faulted, checksum 55c1fa5f
# expect: PDE of 4M: 0007 of 002c faulted, checksum 6fd01b83
# expect: PAE PDE: 00a1 of 00d8 faulted, checksum d104b7d5
# expect: PAE PTE: 009b of 00d8 faulted, checksum 23cddfef
# expect: PAE PDE of 2M: 00d1 of 010e faulted, checksum 8ffe5ef5
# expect: PAE PDE of 2M with NXE: 00cd of 010e faulted, checksum a941be51
# expect: PDPTE: 001f of 0048 faulted, checksum 2c441bd3
# expect: a PDPTE cleared in memory only: ok
# expect: and loaded again: #PF(0000) at 40300000
# qemu: PDE: 000d of 0048 faulted, checksum c2750da1 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDE of 4M: 0007 of 002c faulted, checksum 891b3d83 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PAE PDE: 00a1 of 00d8 faulted, checksum fdd50dd5 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PAE PTE: 009b of 00d8 faulted, checksum 339eefef -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PAE PDE of 2M: 00d1 of 010e faulted, checksum b0a51ef5 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PAE PDE of 2M with NXE: 00cd of 010e faulted, checksum a6f4b851 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDPTE: 0019 of 0048 faulted, checksum cf67c3df -- it reads PDPTEs with each walk, and does not check them [SDM 3A 4.4.1]
# qemu: a PDPTE cleared in memory only: #PF(0000) at 40300000 -- it reads PDPTEs with each walk, and does not check them [SDM 3A 4.4.1]
.include "system.inc"
.equ PD, 0x18000
.equ PT, 0x19000
.equ TARGET, 0x40300000
.equ PAE_PD, 0x1b000
.equ PAE_PT, 0x1c000
program 32
  # 4M pages for everything else; without PSE that would be tables
  mov edi, PD
  mov ecx, 0x8000 / 4
  xor eax, eax
  rep stosd
  mov dword ptr [PD], 0x87
  mov eax, 0x610
  mov cr4, eax
  mov eax, PD
  mov cr3, eax
  mov eax, 0x80010031
  mov cr0, eax
  mov word ptr [0x300000], 0x30cd
  mov dword ptr [pde_good], PT + 7
  mov dword ptr [pte_good], 0x300007
  mov dword ptr [pde_at], PD + 0x400
  mov dword ptr [pte_at], PT + 0x300 * 4
  mov dword ptr [first], 12
  mov dword ptr [last], 32
  mov esi, offset pde_good
  call all_bits
  show_counts "PDE"
  mov esi, offset pte_good
  call all_bits
  show_counts "PTE"
  mov dword ptr [pde_good], 0x87
  mov dword ptr [first], 22             # bits 20:13 are bits 39:32 of the address: they lead out of memory
  mov esi, offset pde_good
  mov dword ptr [reads_only], 1
  call all_bits
  show_counts "PDE of 4M"
  mov dword ptr [reads_only], 0

  # without CR4.PSE the bit is ignored: the page table is at 0
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  # PAE
  mov eax, 0x620
  mov cr4, eax
  mov dword ptr [PDPT_TABLE], PD_TABLES + 1
  mov dword ptr [PDPT_TABLE + 4], 0
  mov dword ptr [PDPT_TABLE + 8], PAE_PD + 1
  mov dword ptr [PDPT_TABLE + 12], 0
  mov dword ptr [PD_TABLES], 0x87
  mov dword ptr [PD_TABLES + 4], 0
  mov dword ptr [PD_TABLES + 8], 0x200087
  mov dword ptr [PD_TABLES + 12], 0
  mov eax, PDPT_TABLE
  mov cr3, eax
  mov eax, 0x80010031
  mov cr0, eax
  mov dword ptr [pde_good], PAE_PT + 7
  mov dword ptr [pte_good], 0x300007
  mov dword ptr [pde_at], PAE_PD + 8
  mov dword ptr [pte_at], PAE_PT + 0x100 * 8
  mov dword ptr [wide], 1
  mov dword ptr [first], 12
  mov dword ptr [last], 40
  mov esi, offset pde_good
  call all_bits
  show_counts "PAE PDE"
  mov esi, offset pte_good
  call all_bits
  show_counts "PAE PTE"
  mov dword ptr [pde_good], 0x200087
  mov dword ptr [first], 21
  mov esi, offset pde_good
  call all_bits
  show_counts "PAE PDE of 2M"
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x800
  wrmsr
  mov esi, offset pde_good
  call all_bits
  show_counts "PAE PDE of 2M with NXE"

  # PDPTEs are loaded with CR3, and checked then
  xor ebp, ebp
1:
  cmp ebp, 12
  jb 2f
  cmp ebp, 40
  jb 3f
2:
  btc dword ptr [PDPT_TABLE + 8], ebp
  mov eax, PDPT_TABLE
  try
  mov cr3, eax
  quiet
  note
  try
  mov al, [TARGET]
  quiet
  note
  btc dword ptr [PDPT_TABLE + 8], ebp
  mov eax, PDPT_TABLE
  mov cr3, eax
3:
  inc ebp
  cmp ebp, 64
  jb 1b
  show_counts "PDPTE"
  # memory may change under them
  mov dword ptr [PDPT_TABLE + 8], 0
  invlpg [TARGET]
  try
  mov al, [TARGET]
  caught "a PDPTE cleared in memory only"
  mov eax, cr3
  mov cr3, eax
  try
  mov al, [TARGET]
  caught "and loaded again"
done

.data
.balign 8
pde_good: .quad 0
pte_good: .quad 0
pde_at: .long 0
pte_at: .long 0
first: .long 0
last: .long 0
wide: .long 0
reads_only: .long 0
.text

# esi: the good entry that gets one bit changed
all_bits:
  xor ebp, ebp
1:
  cmp ebp, [first]
  jb 2f
  cmp ebp, [last]
  jb 3f
2:
  .irp access, 0, 1, 2
  .if \access
  cmp dword ptr [reads_only], 0
  jne 3f
  .endif
  call install
  try
  mov ebx, TARGET
  jmp access\access
  quiet
  call weigh
  call install
  mov ebx, TARGET
  user access\access
  quiet
  call weigh
  .endr
3:
  inc ebp
  mov eax, [wide]
  inc eax
  shl eax, 5
  cmp ebp, eax
  jb 1b
  ret
install:
  btc dword ptr [esi], ebp
  mov ebx, [pde_at]
  mov ecx, [pte_at]
  mov eax, [pde_good]
  mov [ebx], eax
  mov eax, [pte_good]
  mov [ecx], eax
  cmp dword ptr [wide], 0
  je 1f
  mov eax, [pde_good + 4]
  mov [ebx + 4], eax
  mov eax, [pte_good + 4]
  mov [ecx + 4], eax
1:
  btc dword ptr [esi], ebp
  invlpg [TARGET]
  ret
weigh:
  note
  cmp dword ptr [trap_vector], 14
  jne 1f
  mov eax, [trap_cr2]
  sum eax
  ret
1:
  mov ebx, [pde_at]
  mov eax, [ebx]
  mov ebx, [pte_at]
  mov ecx, [ebx]
  and eax, 0x60
  and ecx, 0x60
  shl ecx, 4
  or eax, ecx
  sum eax
  ret
access0:
  mov al, [ebx + 16]
  back
access1:
  mov [ebx + 16], al
  back
access2:
  jmp ebx
