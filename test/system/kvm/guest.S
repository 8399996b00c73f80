/*
 * What the guests run, copied to CODE in each of them. guest-body.h is assembled for 16, 32 and 64 bits.
 * Ports: 10 a value, 11 input, 12 the vector of an event, 13 its error code, 14 CR2, 15 the end.
 */
#define CODE 0x8000
#define STACK 0x2000
#define IDT 0x2000
#define GDT 0x400
#define BUFFER 0x7000
#define USER_STACK 0x6000
#define FRAMES 0x40000
#define HIGH 0x100000
#define WINDOW 0x200000
#define READ_ONLY 0x201000
#define SUPERVISOR 0x202000
#define NOT_PRESENT 0x203000
#define LARGE 0x400000

/* An address in the guest. */
#define AT(symbol) (CODE + (symbol) - guest_start)
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define GUEST(name) .globl JOIN(name, WIDTH); JOIN(name, WIDTH):
#define STACK_POINTER32 esp
#define STACK_POINTER64 rsp
#define OTHER32 ebx
#define OTHER64 rbx
#define SHOW(register) mov register, %eax; out %eax, $0x10

  .section .rodata
  .globl guest_start, guest_end
  .align 16
guest_start:

/* A started processor begins here, in real mode with CS = 800h. */
  .code16
  xor %ax, %ax
  mov %ax, %ds
  ljmp $0, $AT(second_processor)
second_processor:
  mov $1000, %ecx
1: lock incl BUFFER
  dec %ecx
  jnz 1b
  lock incl BUFFER + 4
  out %al, $0x15
2: cli
  hlt
  jmp 2b

text:
  .ascii "castaway"

#define WIDTH 16
  .code16
#define A %eax
#define S %esi
#define D %edi
#include "guest-body.h"
#undef WIDTH
#undef A
#undef S
#undef D

#define WIDTH 32
  .code32
#define A %eax
#define S %esi
#define D %edi
#include "guest-body.h"
#undef WIDTH
#undef A
#undef S
#undef D

#define WIDTH 64
  .code64
#define A %rax
#define S %rsi
#define D %rdi
#include "guest-body.h"

/* Long mode alone: 64-bit MMIO, registers that only it has. */
  .globl wide64
wide64:
  mov $0x123456789abcdef0, %rax
  mov %rax, %fs:0x50
  mov %fs:0x58, %r15
  xor %eax, %eax
  cpuid
  mov %r15, %rax
  out %eax, $0x10
  shr $32, %rax
  out %eax, $0x10
  mov $7, %r8d
  mov %r8, %cr8
  mov %cr8, %rax
  out %eax, $0x10
  mov $0xc0000101, %ecx /* GS.base */
  mov $0x1234, %edx
  xor %eax, %eax
  wrmsr
  rdmsr
  SHOW(%edx)
  hlt

/* From real mode through all others and back. Tables at 30000: a PML4, a PDPT, a page directory, PAE's PDPT. */
  .code16
  .globl modes16
modes16:
  mov $1, %eax
  out %eax, $0x10
  lgdtl AT(gdt_pointer)
  mov %cr0, %eax
  or $1, %al
  mov %eax, %cr0
  ljmpl $0x08, $AT(modes32)
  .code32
modes32:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $2, %eax
  out %eax, $0x10
  movl $0x31003, 0x30000
  movl $0x32003, 0x31000
  movl $0x00083, 0x32000
  movl $0x32001, 0x33000
  mov %cr4, %eax
  or $1 << 5, %eax
  mov %eax, %cr4
  mov $0x33000, %eax
  mov %eax, %cr3
  mov %cr0, %ebx
  lea 0x80000000(%ebx), %eax
  mov %eax, %cr0
  mov $3, %eax
  out %eax, $0x10
  mov %ebx, %cr0
  mov $0xc0000080, %ecx
  rdmsr
  or $1 << 8, %eax
  wrmsr
  mov $0x30000, %eax
  mov %eax, %cr3
  lea 0x80000000(%ebx), %eax
  mov %eax, %cr0
  rdmsr
  out %eax, $0x10 /* LME and LMA */
  ljmp $0x48, $AT(modes64)
  .code64
modes64:
  mov $5, %r8d
  mov $0x1234567800000000, %r9
  add %r9, %r8
  SHOW(%r8d)
  mov %r8, %rax
  shr $32, %rax
  out %eax, $0x10
  pushq $0x08
  pushq $AT(modes_back)
  lretq
  .code32
modes_back:
  mov %ebx, %cr0
  rdmsr
  and $~(1 << 8), %eax
  wrmsr
  rdmsr
  out %eax, $0x10
  ljmp $0x18, $AT(modes_protected16)
  .code16
modes_protected16:
  mov $0x50, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov %cr0, %eax
  and $~1, %al
  mov %eax, %cr0
  ljmp $0, $AT(modes_real)
modes_real:
  xor %ax, %ax
  mov %ax, %ss
  mov %ax, %es
  mov %ax, %ds
  int $0x80
  mov $7, %eax
  out %eax, $0x10
  hlt

/* Real mode with a limit of 4 GiB. */
  .globl unreal16
unreal16:
  lgdtl AT(gdt_pointer)
  mov %cr0, %eax
  or $1, %al
  mov %eax, %cr0
  mov $0x10, %bx
  mov %bx, %ds
  and $~1, %al
  mov %eax, %cr0
  xor %ax, %ax
  mov %ax, %ds
  mov $HIGH, %esi
  movl $0x99887766, (%esi)
  mov (%esi), %eax
  out %eax, $0x10
  hlt
gdt_pointer:
  .word 0x57
  .long GDT
no_idt:
  .word 0
  .quad 0

guest_end:
  .section .note.GNU-stack, "", @progbits
