# In front of an unpacked vmlinux, in place of Linux's own unpacker: a boot loader loads it at 1 MiB as the
# protected-mode part of a bzImage and enters its first byte in 32-bit mode [Linux boot protocol, "32-bit boot
# protocol"]. It moves the kernel to where it is linked, and enters it in 64-bit mode with an identity mapping [the
# same, "64-bit boot protocol"].
#
# Symbols from the linker's command line: STORED, the bytes of the kernel that are in the file after this page; SIZE,
# its bytes in memory, the rest of which is zero; both multiples of a page. TABLES: 6 pages behind the kernel.
  .set LOADED, 0x100000
  .set KERNEL, 0x1000000

  .code32
  .text
  .globl _start
_start:
  cli
  mov %esi, %ebp                        # boot_params
  std                                   # source and destination overlap: from the end
  mov $LOADED + 0x1000 - 4, %esi
  add $STORED, %esi
  mov $KERNEL - 4, %edi
  add $STORED, %edi
  mov $STORED, %ecx
  shr $2, %ecx
  rep movsl
  cld
  mov $KERNEL, %edi
  add $STORED, %edi
  mov $SIZE, %ecx
  sub $STORED, %ecx
  shr $2, %ecx
  xor %eax, %eax
  rep stosl

# TABLES: a PML4, a page-directory-pointer table, four page directories that map 4 GiB in pages of 2 MiB.
  mov $TABLES, %edi
  mov $6 * 1024, %ecx
  rep stosl
  mov $TABLES, %edi
  lea 0x1003(%edi), %eax
  mov %eax, (%edi)
  lea 0x2000(%edi), %eax
  add $3, %eax
  xor %ecx, %ecx
2: mov %eax, 0x1000(%edi, %ecx, 8)
  add $0x1000, %eax
  inc %ecx
  cmp $4, %ecx
  jne 2b
  mov $0x83, %eax
  xor %ecx, %ecx
3: mov %eax, 0x2000(%edi, %ecx, 8)
  add $0x200000, %eax
  inc %ecx
  cmp $2048, %ecx
  jne 3b

  mov %cr4, %eax
  or $1 << 5, %eax                      # PAE
  mov %eax, %cr4
  mov %edi, %cr3
  mov $0xc0000080, %ecx                 # EFER.LME
  rdmsr
  or $1 << 8, %eax
  wrmsr
  mov %cr0, %eax
  or $1 << 31, %eax
  mov %eax, %cr0
  lgdt gdtr
  ljmp $0x10, $long

  .code64
long:
  mov $0x18, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov %rbp, %rsi
  mov $KERNEL, %eax
  jmp *%rax

  .align 8
gdt:
  .quad 0, 0
  .quad 0x00af9a000000ffff              # 10: code, 64-bit
  .quad 0x00cf92000000ffff              # 18: data
gdtr:
  .word gdtr - gdt - 1
  .long gdt
