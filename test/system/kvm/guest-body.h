/* The guests that exist in every width; see guest.S. ESI and EDI are arguments; EBP: where a fault's handler returns. */

GUEST(compute)
  xor %eax, %eax
  mov $100, %ecx
1: add %ecx, %eax
  dec %ecx
  jnz 1b
  out %eax, $0x10
  imul $12345, %eax, %eax
  xor %edx, %edx
  mov $7, %ebx
  div %ebx
  out %eax, $0x10
  SHOW(%edx)
  hlt

GUEST(ports)
  xor %eax, %eax
  in $0x11, %al
  out %eax, $0x10
  in $0x11, %ax
  out %eax, $0x10
  mov $0x11, %edx
  in (%dx), %eax
  inc %eax
  dec %edx
  out %eax, (%dx)
  out %ax, $0x10
  out %al, $0x10
  hlt

GUEST(strings)
  cld
  mov $0x10, %edx
  mov $AT(text), %esi
  mov $4, %ecx
  rep outsb
  mov $2, %ecx
  mov $AT(text), %esi
  rep outsl
  mov $0x11, %edx
  mov $BUFFER, %edi
  mov $5, %ecx
  rep insl
  std
  mov $BUFFER + 12, %esi
  mov $2, %ecx
  mov $0x10, %edx
  rep outsl
  cld
  SHOW(BUFFER + 16)
  SHOW(%ecx)
  hlt

GUEST(mmio)
  mov $0x11223344, %eax
  mov %eax, %fs:0x10
  mov %al, %fs:0x14
  mov %ax, %fs:0x16
  movzbl %fs:0x20, %eax
  out %eax, $0x10
  mov %fs:0x24, %eax
  out %eax, $0x10
  addl $0x10, %fs:0x28
  xor %eax, %eax
  cmpl $0x55667788, %fs:0x30
  sete %al
  out %eax, $0x10
  mov $0x40, %esi
  mov $BUFFER, %edi
  mov $2, %ecx
  rep movsl %fs:(S), %es:(D)
  SHOW(BUFFER + 4)
  hlt

GUEST(cpuid)
  mov $0x40000000, %eax
  cpuid
  SHOW(%ebx)
  SHOW(%ecx)
  SHOW(%edx)
  hlt

GUEST(floats)
  mov $3, %eax
  movd %eax, %xmm0
  pshufd $0, %xmm0, %xmm1
  mov $2, %eax
  cvtsi2sd %eax, %xmm2
  sqrtsd %xmm2, %xmm2
  fninit
  fldpi
  xor %eax, %eax
  cpuid /* an exit in between */
  paddd %xmm1, %xmm1
  movd %xmm1, %eax
  out %eax, $0x10
  mov $1000000, %eax
  cvtsi2sd %eax, %xmm3
  mulsd %xmm3, %xmm2
  cvttsd2si %xmm2, %eax
  out %eax, $0x10
  fistpl BUFFER
  SHOW(BUFFER)
  stmxcsr BUFFER
  SHOW(BUFFER)
  hlt

GUEST(tsc)
  rdtsc
  mov %eax, %esi
  mov %edx, %edi
  xor %eax, %eax
  cpuid
  rdtsc
  sub %esi, %eax
  sbb %edi, %edx
  or %edx, %eax
  setne %al
  movzbl %al, %eax
  out %eax, $0x10
  SHOW(%edx)
  mov $0x10, %ecx
  mov $0x1234, %edx
  xor %eax, %eax
  wrmsr
  rdtsc
  SHOW(%edx)
  rdmsr
  SHOW(%edx)
  hlt

GUEST(msrs)
  mov $0x174, %ecx
  mov $0x123, %eax
  xor %edx, %edx
  wrmsr
  xor %eax, %eax
  rdmsr
  out %eax, $0x10
  mov $0x277, %ecx
  rdmsr
  out %eax, $0x10
  SHOW(%edx)
  mov $0x00070106, %eax
  wrmsr
  rdmsr
  out %eax, $0x10
  SHOW(%edx)
  mov $0x12345, %ecx
  mov $AT(1f), %ebp
  rdmsr
1: mov $AT(1f), %ebp
  wrmsr
1: mov $0x277, %ecx
  mov $2, %eax /* a memory type that there is not */
  mov $AT(1f), %ebp
  wrmsr
1: hlt

GUEST(faults)
  mov $AT(1f), %ebp
  ud2
1: mov $AT(1f), %ebp
  xor %ecx, %ecx
  div %ecx
1: int3
  int $0x80
  mov %cr0, A
  or $8, A /* TS */
  mov A, %cr0
  mov $AT(1f), %ebp
  fnop
1: clts
  fnop
  mov $AT(1f), %ebp
  mov $0xffff, %ecx
  rdmsr
1: mov $0x80000001, %eax
  mov $AT(1f), %ebp
  and $~1, A /* paging without protection */
  mov A, %cr0
1: hlt

GUEST(trap_flag)
#if WIDTH == 16
  pushfl
  orw $0x100, (%esp)
  popfl
  nop
  nop
  pushfl
  andw $~0x100, (%esp)
  popfl
#else
  pushf
  orw $0x100, (%JOIN(STACK_POINTER, WIDTH))
  popf
  nop
  nop
  pushf
  andw $~0x100, (%JOIN(STACK_POINTER, WIDTH))
  popf
#endif
  nop
  hlt

GUEST(debug_registers)
  mov $BUFFER, %eax
  mov A, %dr0
  xor %eax, %eax
  mov %dr0, A
  out %eax, $0x10
  mov %dr7, A
  out %eax, $0x10
  mov $0xd0401, %eax /* writes of four bytes */
  mov A, %dr7
  mov BUFFER, %eax
  movl $1, BUFFER
#if WIDTH != 16 /* KVM does not tell it to a guest in virtual-8086 mode */
  mov %dr6, A
  out %eax, $0x10
#endif
  mov $0x400, %eax
  mov A, %dr7
  movl $2, BUFFER
  hlt

GUEST(vmcall)
  mov $0x7777, %eax
  vmcall
  out %eax, $0x10
  hlt

/* The immediate of an instruction is changed before each call of it. */
GUEST(self_modifying)
  mov $50, %ecx
  xor %edx, %edx
1: mov %ecx, AT(3f)
  call 2f
  add %eax, %edx
  dec %ecx
  jnz 1b
  SHOW(%edx)
  hlt
2:
#if WIDTH == 16
  .byte 0x66
#endif
  .byte 0xb8
3: .long 0
  ret

GUEST(irq)
  sti
  hlt
  mov $0x55, %eax
  out %eax, $0x10
  hlt

GUEST(irq_window)
  mov $1, %eax
  out %eax, $0x10
  nop
  sti
  nop
  mov $2, %eax
  out %eax, $0x10
  hlt

GUEST(steps)
  nop
  cld
  cpuid
  nop
  hlt

GUEST(shutdown)
#if WIDTH == 64
  lidt AT(no_idt)
#else
  lidtl AT(no_idt)
#endif
  ud2

/* Of the local APIC as MSRs: an interrupt to itself, the task priority, the timer. */
GUEST(x2apic)
  mov $0x1b, %ecx
  rdmsr
  or $0xc00, %eax
  wrmsr
  xor %edx, %edx
  mov $0x80f, %ecx
  mov $0x1ff, %eax
  wrmsr
  mov $0x803, %ecx
  rdmsr
  out %eax, $0x10
  sti
  mov $0x83f, %ecx
  mov $0x42, %eax
  wrmsr
  nop
  mov $0x80b, %ecx
  xor %eax, %eax
  wrmsr
#if WIDTH == 64
  mov $5, %eax
  mov %rax, %cr8
#else
  mov $0x808, %ecx
  mov $0x50, %eax
  wrmsr
#endif
  mov $0x83f, %ecx
  mov $0x44, %eax
  wrmsr
  mov $5, %eax
  out %eax, $0x10
#if WIDTH == 64
  mov $3, %eax
  mov %rax, %cr8
#else
  mov $0x808, %ecx
  mov $0x30, %eax
  wrmsr
#endif
  nop
  mov $0x80b, %ecx
  xor %eax, %eax
  wrmsr
  mov $0x83e, %ecx
  mov $0xb, %eax
  wrmsr
  cli
  mov $0x832, %ecx
  mov $0x43, %eax
  wrmsr
  mov $0x838, %ecx
  mov $100000, %eax
  wrmsr
  sti
  hlt
  mov $6, %eax
  out %eax, $0x10
  out %al, $0x15

/* The interrupt controllers: IRQ 0 is vector 40. */
JOIN(pic, WIDTH):
  mov $0x11, %al
  out %al, $0x20
  mov $0x40, %al
  out %al, $0x21
  mov $4, %al
  out %al, $0x21
  mov $1, %al
  out %al, $0x21
  mov %bl, %al
  out %al, $0x21
  ret

GUEST(irq_line)
  mov $0xdf, %bl
  call JOIN(pic, WIDTH)
  mov $1, %eax
  out %eax, $0x10
  sti
  nop
  mov $2, %eax
  out %eax, $0x10 /* the host lowers the line */
  mov $0x20, %al
  out %al, $0x20
  out %al, $0x15

GUEST(pit)
  mov $0xfe, %bl
  call JOIN(pic, WIDTH)
  mov $0x34, %al
  out %al, $0x43
  mov $1193 & 0xff, %al
  out %al, $0x40
  mov $1193 >> 8, %al
  out %al, $0x40
  mov $3, %ecx
1: sti
  hlt
  cli
  mov $0x20, %al
  out %al, $0x20
  dec %ecx
  jnz 1b
  out %al, $0x15

#if WIDTH != 16
#include "guest-protected.h"
#endif

#if WIDTH == 32
/* The local APIC in memory: its version, priority, an interrupt to itself; another processor is started, and counts. */
  .globl second32
second32:
  SHOW(0xfee00030)
  movl $0x20, 0xfee00080
  SHOW(0xfee00080)
  movl $0x1ff, 0xfee000f0
  sti
  movl $0x40042, 0xfee00300
  nop
  movl $0, 0xfee000b0
  movl $0x01000000, 0xfee00310
  movl $0x4500, 0xfee00300
  movl $0x4600 + CODE / 0x1000, 0xfee00300
  mov $1000, %ecx
1: lock incl BUFFER
  dec %ecx
  jnz 1b
2: pause
  cmpl $1, BUFFER + 4
  jne 2b
  SHOW(BUFFER)
  out %al, $0x15
#endif

/* Vectors, 16 bytes each. The handler prints, and returns to EBP if that is not 0; 81 leads out of ring 3, to EBX. */
  .balign 16
  .globl JOIN(vectors, WIDTH)
JOIN(vectors, WIDTH):
  .set vector, 0
  .rept 0x82
  .balign 16
#if WIDTH == 16
  pushw $vector
#else
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
  push $0
  .endif
  push $vector
#endif
  jmp JOIN(event, WIDTH)
  .set vector, vector + 1
  .endr

JOIN(event, WIDTH):
#if WIDTH == 16
  pushl %eax
  movzwl 4(%esp), %eax
  out %eax, $0x12
  test %ebp, %ebp
  jz 1f
  mov %bp, 6(%esp)
  xor %ebp, %ebp
1: popl %eax
  add $2, %sp
  iret
#else
#define SLOT(n) (n * WIDTH / 8)(%JOIN(STACK_POINTER, WIDTH))
  push A
  mov SLOT(1), %eax
  cmp $0x81, %eax
  je 4f
  out %eax, $0x12
  cmp $14, %eax
  jne 2f
  mov %cr2, A
  out %eax, $0x14
2: mov SLOT(2), %eax
  test %eax, %eax
  jz 3f
  out %eax, $0x13
3: test %ebp, %ebp
  jz 1f
  mov %ebp, SLOT(3)
  xor %ebp, %ebp
1: pop A
#if WIDTH == 64
  add $16, %rsp
  iretq
#else
  add $8, %esp
  iret
#endif
4: mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
#if WIDTH == 64
  jmp *%rbx
#else
  jmp *%ebx
#endif
#undef SLOT
#endif
