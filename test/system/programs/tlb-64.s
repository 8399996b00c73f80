# What the TLB may keep and what must go [SDM 3A 4.10]: INVLPG, MOV CR3, global pages, CR4.PGE, EFER.NXE, A and
# D bits, faults that are not cached, larger rights after a walk, CR2. Two pages of memory say which translation is used.
# expect: not present: #PF(0000) at 0000000040000000
# expect: then present, without INVLPG: aaaa
# expect: write to a read-only page: #PF(0003) at 0000000040000000
# expect: then writable, without INVLPG: ok
# expect: INVLPG anywhere in the page: bbbb
# expect: MOV CR3: aaaa
# expect: CR4.PGE: bbbb
# expect: before a large page: aaaa
# expect: a large page: 2222
# expect: INVLPG elsewhere in the large page: aaaa
# expect: a global page: aaaa
# expect: INVLPG drops global pages: bbbb
# expect: G without PGE is nothing to MOV CR3: aaaa
# expect: after a read: 300023
# expect: after a write: 300063
# expect: after LOCK OR: 300063
# expect: after CMPXCHG that fails: 300063
# expect: dirty after PREFETCH and CLFLUSH: 000000
# expect: after REP STOSB of nothing: 300003
# expect: XADD on a read-only page: #PF(0003) at 0000000040000000
# expect: its entry: 300001
# expect: CR2 has 64 bits: #PF(0000) at ffff800012345678
# expect: an access over a page's end: #PF(0000) at 0000000040001000
# expect: CR2 after #GP: 123456789abcdef0
# expect: INVLPG in ring 3: #GP(0000)
# expect: INVLPG of an address that is not canonical: ok
# expect: 0F 01 F9: ok
# qemu: its entry: 300021 -- a write that is refused does not mark the entry accessed [SDM 3A 4.8]
.include "system.inc"
.equ T, 0x40000000
.equ T_PD, 0x18000
.equ T_PT, 0x19000
.equ A, 0x300000
.equ B, 0x301000
.macro read_target name
  mov eax, [T]
  show "\name", rax, 4
.endm
.macro leads_to page, bits=3
  mov qword ptr [T_PT], \page + \bits
.endm
.macro cr n, value
  mov rax, \value
  mov cr\n, rax
.endm
program 64
  mov dword ptr [A], 0xaaaa
  mov dword ptr [B], 0xbbbb
  mov edi, T_PD
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov qword ptr [PDPT_TABLE + 8], T_PD + 7
  mov qword ptr [T_PD], T_PT + 7
  leads_to A
  mov rax, cr3
  mov cr3, rax
  # not present is not cached: a new entry counts without INVLPG
  leads_to 0, 0
  try
  mov eax, [T]
  caught "not present"
  leads_to A
  read_target "then present, without INVLPG"
  # a fault drops the entry that caused it: after more rights are given the access succeeds
  leads_to A, 1
  cr 0, 0x80010031
  invlpg [T]
  mov eax, [T]
  try
  mov [T], eax
  caught "write to a read-only page"
  leads_to A
  try
  mov [T], eax
  caught "then writable, without INVLPG"
  mov dword ptr [A], 0xaaaa
  # INVLPG and CR3
  leads_to B
  invlpg [T + 0x123]
  read_target "INVLPG anywhere in the page"
  leads_to A
  mov rax, cr3
  mov cr3, rax
  read_target "MOV CR3"
  leads_to B
  mov eax, 0x620 | 0x80         # PGE changes
  mov cr4, rax
  read_target "CR4.PGE"
  leads_to A
  cr 0, 0x80000031
  invlpg [T]
  read_target "before a large page"
  mov qword ptr [T_PD], 0x200000 + 0x83         # T is 200000 now
  mov dword ptr [0x200000], 0x2222
  invlpg [T + 0x1000]           # another page of the same large page: T may stay what it was
  invlpg [T]
  read_target "a large page"
  mov rax, [T + 0x123000]
  mov qword ptr [T_PD], T_PT + 7
  invlpg [T + 0x100000]         # one INVLPG anywhere in a large page is enough
  read_target "INVLPG elsewhere in the large page"

  # global pages
  leads_to A, 0x103
  invlpg [T]
  read_target "a global page"
  invlpg [T]
  leads_to B, 0x103
  read_target "INVLPG drops global pages"
  mov rax, cr4
  and eax, ~0x80
  mov cr4, rax
  leads_to A, 0x103
  mov rax, cr3
  mov cr3, rax
  read_target "G without PGE is nothing to MOV CR3"
  # accessed and dirty
  leads_to A, 3
  invlpg [T]
  mov eax, [T]
  mov eax, [T_PT]
  show "after a read", rax, 6
  mov [T], eax
  mov eax, [T_PT]
  show "after a write", rax, 6
  leads_to A, 3
  invlpg [T]
  lock or dword ptr [T], 0
  mov eax, [T_PT]
  show "after LOCK OR", rax, 6
  leads_to A, 3
  invlpg [T]
  mov ecx, 1
  xor eax, eax
  cmpxchg [T], ecx              # does not compare equal, but writes
  mov eax, [T_PT]
  show "after CMPXCHG that fails", rax, 6
  leads_to A, 3
  invlpg [T]
  prefetcht0 [T]
  clflush [T]
  mov eax, [T_PT]
  and eax, 0x40
  show "dirty after PREFETCH and CLFLUSH", rax, 6
  leads_to A, 3
  invlpg [T]
  mov ecx, 0
  mov edi, T
  rep stosb
  mov eax, [T_PT]
  show "after REP STOSB of nothing", rax, 6
  leads_to A, 1
  cr 0, 0x80010031
  invlpg [T]
  try
  xadd [T], eax
  caught "XADD on a read-only page"
  mov eax, [T_PT]
  show "its entry", rax, 6
  cr 0, 0x80000031

  # CR2
  try
  mov rax, 0xffff800012345678
  mov eax, [rax]
  caught "CR2 has 64 bits"
  try
  mov eax, [T + 0xffe]          # the second page is missing
  caught "an access over a page's end"
  try
  mov rax, 0x123456789abcdef0
  mov cr2, rax
  mov rax, 0x123456789abcdef0
  mov ecx, [rax]                # #GP leaves it
  quiet
  mov rax, cr2
  show "CR2 after #GP", rax, 16
  user invlpgs
  caught "INVLPG in ring 3"
  try
  mov rax, 0x800000000000
  invlpg [rax]
  caught "INVLPG of an address that is not canonical"
  try
  .byte 0x0f, 0x01, 0xf9        # RDTSCP; with a register /7 is no INVLPG
  caught "0F 01 F9"
done
invlpgs:
  invlpg [0]
