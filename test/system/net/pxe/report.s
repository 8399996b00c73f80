# What the boot loader says [Multiboot 3.3], a line each on the debug port; numbers are hexadecimal.
.intel_syntax noprefix

# ---- the information that EBX points to ----
.equ FLAGS, 0
.equ MEM_LOWER, 4                       # KiB from 0, and from 1 MiB on
.equ MEM_UPPER, 8
.equ CMDLINE, 16
.equ MODS_COUNT, 20
.equ MODS_ADDR, 24
.equ MMAP_LENGTH, 44
.equ MMAP_ADDR, 48
.equ LOADER_NAME, 64
# bits of FLAGS: which of these are there
.equ HAS_MEM, 1 << 0
.equ HAS_CMDLINE, 1 << 2
.equ HAS_MODS, 1 << 3
.equ HAS_MMAP, 1 << 6
.equ HAS_LOADER_NAME, 1 << 9
# ---- a module ----
.equ MOD_START, 0
.equ MOD_END, 4
.equ MOD_STRING, 8
.equ MOD_BYTES, 16
# ---- an entry of the memory map; the size does not count itself ----
.equ MMAP_SIZE, 0
.equ MMAP_BASE, 4
.equ MMAP_BYTES, 12
.equ MMAP_TYPE, 20

.macro text string
  .pushsection .rodata
  text\@: .asciz "\string"
  .popsection
  push offset text\@
  call print
.endm
.macro hex value
  push \value
  call print_hex
.endm
.macro quad address                     # 64 bits in memory
  hex [\address + 4]
  hex [\address]
.endm
.macro unless bit, label
  test dword ptr [ebx + FLAGS], \bit
  jz \label
.endm

  .text
  .code32
  .globl report
report: # (magic, information)
  push ebx
  push esi
  push edi
  mov ebx, [esp + 20]
  text "magic: "
  hex [esp + 16]
  text "\ninformation at: "
  hex ebx
  text "\nflags: "
  hex [ebx + FLAGS]
  unless HAS_MEM, 1f
  text "\nlower and upper KiB: "
  hex [ebx + MEM_LOWER]
  text " "
  hex [ebx + MEM_UPPER]
1:
  unless HAS_CMDLINE, 1f
  text "\ncommand line: "
  push [ebx + CMDLINE]
  call print
1:
  unless HAS_LOADER_NAME, 1f
  text "\nloader: "
  push [ebx + LOADER_NAME]
  call print
1:
  unless HAS_MODS, 1f
  call report_modules
1:
  unless HAS_MMAP, 1f
  call report_memory
1:
  text "\n"
  pop edi
  pop esi
  pop ebx
  ret 8

# "module: 00a00000 00a01000 8f0e2a15 name and arguments": from, to, checksum
report_modules: # EBX: the information; ESI, EDI are lost
  mov esi, [ebx + MODS_ADDR]
  mov edi, [ebx + MODS_COUNT]
1:
  sub edi, 1
  jc 2f
  text "\nmodule: "
  hex [esi + MOD_START]
  text " "
  hex [esi + MOD_END]
  text " "
  push [esi + MOD_END]
  push [esi + MOD_START]
  call checksum
  hex eax
  text " "
  push [esi + MOD_STRING]
  call print
  add esi, MOD_BYTES
  jmp 1b
2:
  ret

# "memory: 0000000000100000 0000000003ee0000 00000001": base, bytes, type (1 is RAM)
report_memory: # EBX: the information; ESI, EDI are lost
  mov esi, [ebx + MMAP_ADDR]
  mov edi, [ebx + MMAP_LENGTH]
  add edi, esi
1:
  cmp esi, edi
  jae 2f
  text "\nmemory: "
  quad esi+MMAP_BASE
  text " "
  quad esi+MMAP_BYTES
  text " "
  hex [esi + MMAP_TYPE]
  add esi, [esi + MMAP_SIZE]
  add esi, 4
  jmp 1b
2:
  ret

# FNV-1a of 32 bits, in EAX
checksum: # (from, to); ECX, EDX are lost
  mov ecx, [esp + 4]
  mov eax, 2166136261
1:
  cmp ecx, [esp + 8]
  jae 2f
  movzx edx, byte ptr [ecx]
  xor eax, edx
  imul eax, eax, 16777619
  inc ecx
  jmp 1b
2:
  ret 8
