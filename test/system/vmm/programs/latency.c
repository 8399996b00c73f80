/*
 * Whenever a character comes: reads 4 KiB at random places of a MiB of the disk, one after the other, each awaited by its interrupt, and
 * tells what that took. The first time it only reads all of that, so that it is local.
 */
#include "runtime.h"
#include "ahci.h"
enum { FIRST = 128, SECTORS = 2048, READS = 1000 };
#define BUFFER 0x300000

static volatile u32 done;

void interrupt(u32 vector, u32 *frame) {
  if (!is_irq(vector)) say("EXCEPTION"), number("", vector), number("at", frame[1]), stop("");
  if (abar && load(abar + 8) & 1) {
    store(PORT + IS, load(PORT + IS));
    store(abar + 8, 1);
    done = !(load(PORT + CI) & 1);
  }
  end_of_interrupt(vector);
}
static void read(u32 lba, u32 sectors) {
  fill(0, READ_DMA_EXT, lba, sectors, BUFFER, 0x10000);
  done = 0;
  store(PORT + CI, 1);
  while (!done) rest();
}

void main(void) {
  begin();
  ahci_start();
  u32 line = pci_read(ahci_at, 0x3c) & 15, at = 1;
  out8(0xa1, in8(0xa1) & ~(1 << (line - 8))), out8(0x21, (in8(0x21) & ~4) | 1); /* no timer */
  store(PORT + IE, 1);
  store(abar + 4, 0x80000002);
  for (u32 lba = 0; lba < SECTORS; lba += 64) read(FIRST + lba, 64);
  for (;;) {
    say("READY\n");
    while (!(in8(0x3fd) & 1)) asm volatile("pause");
    in8(0x3f8);
    u64 from = rdtsc();
    for (u32 n = 0; n < READS; n++) {
      at = at * 1664525 + 1013904223;
      read(FIRST + (at >> 8) % (SECTORS / 8) * 8, 8);
    }
    say("TOOK "), decimal((u32)(rdtsc() - from) / READS), say(" ns\n");
  }
}
