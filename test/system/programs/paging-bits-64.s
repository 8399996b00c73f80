# 4-level paging: each bit that is no address bit, alone, in an entry of each level that leads to a 4K, 2M or 1G page: what
# is reserved, what counts, which entries become accessed and dirty [SDM 3A tables 4-14 to 4-20]. Physical addresses have
# 40 bits everywhere here. After a fault, entries above the last may be accessed or not.
# expect: PML4E: 005a of 00d8 faulted, checksum 04cf1adc
# expect: PDPTE: 005a of 00d8 faulted, checksum 5296c39c
# expect: PDE: 005a of 00d8 faulted, checksum e608adcc
# expect: PTE: 0054 of 00d8 faulted, checksum 49db7388
# expect: PML4E above 2M: 005a of 00d8 faulted, checksum fcb78e02
# expect: PDE of 2M: 008a of 010e faulted, checksum bcae217a
# expect: PDPTE above 2M: 005a of 00d8 faulted, checksum 4a7f36c2
# expect: PDPTE of 1G: 00c0 of 0144 faulted, checksum 67e30520
# expect: PML4E above 1G: 005a of 00d8 faulted, checksum dc595a9a
# qemu: PML4E: 005a of 00d8 faulted, checksum 50f7e8dc -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDPTE: 005a of 00d8 faulted, checksum 9ebf919c -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDE: 005a of 00d8 faulted, checksum 32317bcc -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PTE: 0054 of 00d8 faulted, checksum 7904fb88 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PML4E above 2M: 005a of 00d8 faulted, checksum 48e05c02 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDE of 2M: 008a of 010e faulted, checksum fcad597a -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDPTE above 2M: 005a of 00d8 faulted, checksum 96a804c2 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PDPTE of 1G: 00c0 of 0144 faulted, checksum c348b320 -- its error code for a reserved bit lacks P [SDM 3A 4.7]
# qemu: PML4E above 1G: 005a of 00d8 faulted, checksum 2882289a -- its error code for a reserved bit lacks P [SDM 3A 4.7]
.include "system.inc"
.set ENTRY_BYTES, 8
.set ENTRY_RIGHTS, 4
.include "paging.inc"
define_paging 64, rax, rbx, rsi, rdi, rsp
.equ TARGET2, 0x8000300000
.equ PDPT2, 0x18000
.equ PD2, 0x19000
.equ PT2, 0x1a000
.equ PML4E, PML4_TABLE + 8
.equ PDPTE, PDPT2
.equ PDE2, PD2 + 8
.equ PTE2, PT2 + 0x100 * 8

.macro sweep name, entry, size, skip_low, skip_high
  mov r12, \entry
  mov r13, \size
  mov r14, \skip_low
  mov r15, \skip_high
  call all_bits
  show_counts "\name"
.endm
program 64
  mov dword ptr [PD_TABLES], 0x83               # 0..1FFFFF are the supervisor's
  mov rax, cr3
  mov cr3, rax
  mov edi, PDPT2
  mov ecx, 0x3000 / 4
  xor eax, eax
  rep stosd
  call prepare64
  # bits from .. to are the address, and left alone
  sweep "PML4E", PML4E, 4, 12, 40
  sweep "PDPTE", PDPTE, 4, 12, 40
  sweep "PDE", PDE2, 4, 12, 40
  sweep "PTE", PTE2, 4, 12, 40
  sweep "PML4E above 2M", PML4E, 2, 12, 40
  sweep "PDE of 2M", PDE2, 2, 21, 40
  sweep "PDPTE above 2M", PDPTE, 2, 12, 40
  sweep "PDPTE of 1G", PDPTE, 1, 30, 40
  sweep "PML4E above 1G", PML4E, 1, 12, 40
done

# r12: the entry; r13: 4, 2 or 1 for the page's size; bits r14 to r15 - 1 stay
all_bits:
  xor ebp, ebp
1:
  cmp rbp, r14
  jb 2f
  cmp rbp, r15
  jb 3f
2:
  .irp access, read, write, fetch
  call good_entries
  btc qword ptr [r12], rbp
  mov rbx, TARGET2
  mov rax, cr3
  mov cr3, rax
  try
  jmp as_supervisor64_\access
  quiet
  call weigh_all
  call good_entries
  btc qword ptr [r12], rbp
  mov rax, cr3
  mov cr3, rax
  ring_at UCODE64, UDATA, USER_CODE + (user_\access - user_code)
  quiet
  call weigh_all
  .endr
3:
  inc ebp
  cmp ebp, 64
  jb 1b
  ret
good_entries:
  mov qword ptr [PML4E], PDPT2 + 7
  mov qword ptr [PDPTE], PD2 + 7
  mov qword ptr [PDE2], PT2 + 7
  mov qword ptr [PTE2], TARGET_PAGE + 7
  cmp r13d, 4
  je 1f
  mov qword ptr [PDE2], 0x200000 + 0x87
  cmp r13d, 2
  je 1f
  mov qword ptr [PDPTE], 0x87
1:
  ret
weigh_all:
  note
  cmp dword ptr [trap_vector], 14
  jne 1f
  mov rax, [trap_cr2]
  sum eax
  ret
1:
  xor edx, edx
  .irp entry, PML4E, PDPTE, PDE2, PTE2
  mov eax, [\entry]
  and eax, 0x60
  shl edx, 2
  shr eax, 5
  or edx, eax
  .endr
  sum edx
  ret
