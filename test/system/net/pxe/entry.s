# A multiboot program, as a network boot loader starts it: it tells what it was given, and hands the machine over to the
# operating system on the first disk. Its parts: console.s, report.s, real-mode.s.
.intel_syntax noprefix
.include "segments.inc"

.equ HEADER_MAGIC, 0x1badb002           # in the file [Multiboot 3.1.1]
.equ LOADER_MAGIC, 0x2badb002           # in EAX at entry [Multiboot 3.2]
.equ HEADER_FLAGS, 3                    # modules at page boundaries; a memory map is wanted [Multiboot 3.1.2]

  .section .header, "a"
  .balign 4
  .long HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)

  .text
  .code32
# Protected mode without paging; flat segments whose descriptors may be gone; interrupts off; no stack [Multiboot 3.2]
  .globl start
start:
  cli
  cld
  mov esp, offset stack_top
  cmp eax, LOADER_MAGIC
  jne no_loader
  lgdt [gdt_pointer]                    # the loader's table may be overwritten from now on
  jmp CODE32:reload
reload:
  mov ecx, DATA32
  mov ds, ecx
  mov es, ecx
  mov ss, ecx
  mov fs, ecx
  mov gs, ecx
  push ebx                              # the multiboot information
  push eax
  call report
  jmp boot_disk

no_loader:
  push offset no_loader_text
  call print
stop:
  hlt
  jmp stop

  .section .rodata
no_loader_text: .asciz "no multiboot loader\n"

  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff              # CODE32
  .quad 0x00cf93000000ffff              # DATA32
  .quad 0x00009b000000ffff              # CODE16
  .quad 0x000093000000ffff              # DATA16
gdt_pointer:
  .word . - gdt - 1
  .long gdt

  .bss
  .balign 16
  .space 0x1000
stack_top:
