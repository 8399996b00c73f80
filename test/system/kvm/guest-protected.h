/* Guests of protected and long mode, included by guest-body.h. */
/* The page-table entry at ESI maps EDI to four pages in turn; its accessed and dirty bits. */
GUEST(remap)
  mov $16, %ecx
  xor %edx, %edx
1: mov %ecx, %eax
  and $3, %eax
  shl $12, %eax
  add $FRAMES + 7, %eax
  mov %eax, (S)
  invlpg (D)
  add (D), %edx
  dec %ecx
  jnz 1b
  SHOW(%edx)
  SHOW((S))
  movl $0x77, (D)
  SHOW((S))
  andl $~0x62, (S) /* clean, and read-only */
  invlpg (D)
  mov (D), %ecx
  SHOW((S))
  mov $AT(1f), %ebp
  movl $0x78, (D)
1: SHOW((D))
  hlt

GUEST(many_pages)
  mov $200, %ecx
  mov $HIGH, %edi
1: mov %ecx, (D)
  add $0x1000, %edi
  dec %ecx
  jnz 1b
  mov $200, %ecx
  xor %edx, %edx
2: sub $0x1000, %edi
  add (D), %edx
  mov %cr3, A
  mov A, %cr3
  dec %ecx
  jnz 2b
  SHOW(%edx)
  hlt

/* EDI in the address space of this CR3 and in that of ESI. */
GUEST(spaces)
  mov %cr3, A
  mov A, %JOIN(OTHER, WIDTH)
  mov $10, %ecx
  xor %edx, %edx
1: mov S, %cr3
  add (D), %edx
  mov %JOIN(OTHER, WIDTH), %cr3
  add (D), %edx
  dec %ecx
  jnz 1b
  SHOW(%edx)
  hlt

GUEST(page_faults)
  mov $AT(1f), %ebp
  mov NOT_PRESENT, %ecx
1: mov $AT(1f), %ebp
  mov %ecx, NOT_PRESENT + 4
1: mov READ_ONLY, %ecx
  mov $AT(1f), %ebp
  mov %ecx, READ_ONLY + 8
1: SHOW(LARGE + FRAMES)
  movl $0x4321, LARGE + FRAMES + 4
  SHOW(FRAMES + 4)
  hlt

/* Ring 3 and back, by gates and by the fast way. */
GUEST(ring3)
  mov $0x3b, %eax
  push A
  mov $USER_STACK, %eax
  push A
  mov $0x3002, %eax
  push A
  mov $0x33, %eax
  push A
  mov $AT(2f), %eax
  push A
#if WIDTH == 64
  iretq
#else
  iret
#endif
2: mov $0x3b, %eax
  mov %eax, %ds
  mov %eax, %es
  mov $0x42, %eax
  out %eax, $0x10
  mov $AT(1f), %ebp
  mov SUPERVISOR, %ecx
1: int $0x80
  mov $AT(1f), %ebp
  hlt
1: mov $AT(3f), %ebx
  int $0x81
3: mov $0x43, %eax
  out %eax, $0x10
  hlt

GUEST(fast_call)
#if WIDTH == 64
  mov $0xc0000081, %ecx
  mov $8, %edx
  xor %eax, %eax
  wrmsr
  mov $0xc0000082, %ecx
  xor %edx, %edx
  mov $AT(4f), %eax
  wrmsr
#else
  mov $0x174, %ecx
  xor %edx, %edx
  mov $8, %eax
  wrmsr
  mov $0x175, %ecx
  mov $STACK, %eax
  wrmsr
  mov $0x176, %ecx
  mov $AT(4f), %eax
  wrmsr
#endif
  mov $0x3b, %eax
  push A
  mov $USER_STACK, %eax
  push A
  mov $0x3002, %eax
  push A
  mov $0x33, %eax
  push A
  mov $AT(2f), %eax
  push A
#if WIDTH == 64
  iretq
2: syscall
#else
  iret
2: sysenter
#endif
4: mov %cs, %eax
  out %eax, $0x10
  hlt

/* Pages of HIGH are written, for the log of dirty pages. */
GUEST(writes)
  mov $1, %eax
  mov %eax, HIGH + 0x3000
  mov %eax, HIGH + 0x5000
  mov HIGH + 0x6000, %ecx
  mov %eax, HIGH + 0x7008
  out %eax, $0x15
  mov %eax, HIGH + 0x5000
  mov %eax, HIGH + 0x9000
  out %eax, $0x15
  out %eax, $0x15
  hlt
