/*
 * Starts the second processor and exchanges interrupts with it, one for one, until a character comes; then the third, and the
 * fourth, after as many more characters. None of the interrupts may get lost: test/system/vmm/processors.ts lets the
 * hypervisor leave in the middle of it.
 */
#include "runtime.h"

enum { PAGE = 0x50, THERE = 0x40, BACK = 0x41, SPURIOUS = 0x4f };
#define APIC 0xfee00000
#define EOI (APIC + 0xb0)
#define SVR (APIC + 0xf0)
#define ICR (APIC + 0x300)
#define DESTINATION (APIC + 0x310)

extern u8 ap_start[], ap_start_end[];
static volatile u32 ap_count __attribute__((used)), answered, heard[8];

/* Copied to its page: real mode, then as the first processor runs; a stack for each. */
asm(".code16\n"
    "ap_start: cli; xorw %ax, %ax; movw %ax, %ds; lgdtl gdt_pointer\n"
    "movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; ljmpl $8, $ap_protected\n"
    "ap_start_end: .code32\n"
    "ap_protected: movw $0x10, %ax; movw %ax, %ds; movw %ax, %es; movw %ax, %ss; movw %ax, %fs; movw %ax, %gs\n"
    "lidt idt_pointer; movl $1, %eax; lock xaddl %eax, ap_count\n"
    "shll $12, %eax; leal 0x61000(%eax), %esp; call ap_main");

static u32 self(void) { return load(APIC + 0x20) >> 24; }
static void send(u32 to, u32 command) {
  while (load(ICR) & 0x1000) {}
  store(DESTINATION, to << 24);
  store(ICR, command);
}
static void wait(u32 microseconds) {
  u64 end = rdtsc() + 1000ull * microseconds;
  while (rdtsc() < end) {}
}

void interrupt(u32 vector, u32 *frame) {
  if (is_irq(vector)) {
    end_of_interrupt(vector);
    return;
  }
  if (vector == THERE) {
    heard[self()]++;
    send(0, BACK);
  } else if (vector == BACK) answered++;
  else if (vector != SPURIOUS) say("EXCEPTION"), number("", vector), number("EIP", frame[0]), number("CPU", self()), stop("");
  store(EOI, 0);
}

void __attribute__((used)) ap_main(void) {
  store(SVR, 0x100 | SPURIOUS);
  for (;;) asm volatile("sti; hlt");
}

static void start(u32 id) {
  u32 before = ap_count;
  memcpy((void *)(PAGE << 12), ap_start, ap_start_end - ap_start);
  send(id, 0x4500);
  wait(200);
  send(id, 0x4600 | PAGE);
  while (ap_count == before) {}
  wait(20);
}
static int typed(void) { return in8(0x3fd) & 1; }
/* Back and forth until a character comes; every other time it is halted while it waits. */
static void exchange(u32 id) {
  u32 sent = 0, first = answered;
  do {
    send(id, 0x4000 | THERE);
    sent++;
    while (answered - first != sent) {
      if (sent & 1) rest();
      else asm volatile("sti; nop; cli");
    }
  } while (!typed());
  in8(0x3f8);
  say("SENT "), decimal(sent), say(" HEARD "), decimal(heard[id]), say(" PROCESSOR "), decimal(id), put('\n');
}

void main(void) {
  begin();
  store(SVR, 0x100 | SPURIOUS);
  for (u32 id = 1; id < 4; id++) {
    start(id);
    say("STARTED "), decimal(id), put('\n');
    exchange(id);
  }
  stop("END");
}
