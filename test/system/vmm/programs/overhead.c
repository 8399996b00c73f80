/*
 * Whenever a character comes: computes for a while without interrupts, with 4-KiB paging and more pages than a TLB has entries, and tells
 * how long that took and what came out. What it writes to port E9 tells the host where it begins and ends.
 */
#include "runtime.h"
enum { PAGES = 2048, ROUNDS = 20000 };
#define DIRECTORY 0x400000
#define TABLES 0x401000
#define DATA 0x800000

void interrupt(u32 vector, u32 *frame) {
  if (!is_irq(vector)) say("EXCEPTION"), number("", vector), number("at", frame[1]), stop("");
  end_of_interrupt(vector);
}

static void page(void) {
  u32 *directory = (u32 *)DIRECTORY, *table = (u32 *)TABLES;
  for (u32 n = 0; n < 1024; n++) directory[n] = n < 8 ? (TABLES + 4096 * n) | 3 : 0;
  for (u32 n = 0; n < 8 * 1024; n++) table[n] = n << 12 | 3;
}
static u32 compute(void) {
  u32 sum = 1, at = 1;
  for (u32 n = 0; n < ROUNDS; n++) {
    at = at * 1664525 + 1013904223;
    volatile u32 *word = (volatile u32 *)(DATA + (at >> 8) % PAGES * 4096 + (at >> 20) % 1024 * 4);
    sum = (sum << 5 | sum >> 27) ^ (*word += sum + n);
  }
  return sum;
}

void main(void) {
  begin();
  page();
  for (;;) {
    say("READY\n");
    while (!(in8(0x3fd) & 1)) rest();
    in8(0x3f8);
    memset((void *)DATA, 0, PAGES * 4096);
    asm volatile("mov %0, %%cr3; mov %%cr0, %%eax; or $0x80000000, %%eax; mov %%eax, %%cr0; jmp 1f; 1:"
                 : : "r"(DIRECTORY) : "eax", "memory");
    out8(0xe9, '<');
    u64 from = rdtsc();
    u32 sum = compute();
    u32 took = rdtsc() - from;
    out8(0xe9, '>');
    asm volatile("mov %%cr0, %%eax; and $0x7fffffff, %%eax; mov %%eax, %%cr0; jmp 1f; 1:" : : : "eax", "memory");
    say("TOOK "), decimal(took), say(" ns, sum "), hex(sum), say("\n");
  }
}
