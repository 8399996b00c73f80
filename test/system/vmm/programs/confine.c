/* Tries to read and to change the hypervisor's memory, which is the reserved range of 16 MiB in the memory map. */
#include "runtime.h"
#include "ahci.h"
#define BUFFER 0x300000
#define PATTERN 0xc0de1e55
enum { SIZE = 0x1000000, FIRST = 64 };

static u32 hidden;

void interrupt(u32 vector, u32 *frame) {
  if (is_irq(vector)) return end_of_interrupt(vector);
  say("EXCEPTION"), number("", vector), number("at", frame[1]), stop("");
}

static void find(void) {
  static u32 range[5];
  bios.ebx = 0, bios_vector = 0x15;
  do {
    bios.ecx = 20, bios.edi = (u32)range;
    int13(0xe820, 0x534d4150);
    if (range[2] == SIZE && range[4] == 2) hidden = range[0];
  } while (bios.ebx);
  bios_vector = 0x13;
  if (!hidden) stop("nothing is hidden");
  say("hidden at"), number("", hidden), put('\n');
}

/* Loads and stores in every page; how many pages showed anything. */
static void by_instructions(void) {
  u32 shown = 0, changed = 0;
  for (u32 at = hidden; at < hidden + SIZE; at += 4096) {
    for (u32 n = 0; n < 4096; n += 1024) shown += load(at + n) != 0;
    store(at + 8, PATTERN);
    changed += load(at + 8) == PATTERN;
    asm volatile("lock xaddl %0, %1" : "+r"((u32){ PATTERN }), "+m"(*(volatile u32 *)(at + 16)));
  }
  u32 to = hidden + 0x100000, count = 1024;
  asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(PATTERN) : "memory");
  say("loads that showed something "), decimal(shown), say(", stores that stayed "), decimal(changed), put('\n');
}

/* Runs slot 0: whether it failed. */
static u32 fails(void) {
  store(PORT + CI, 1);
  for (;;) {
    if (load(PORT + IS) >> 30 & 1) break; /* TFES */
    if (!((load(PORT + CI) | load(PORT + SACT)) & 1)) return 0;
    rest();
  }
  store(PORT + CMD, load(PORT + CMD) & ~1u);
  until_clear(CMD, 1 << 15);
  store(PORT + SERR, -1);
  store(PORT + IS, -1);
  store(PORT + CMD, load(PORT + CMD) | 1);
  return 1;
}
static void tell(const char *what, u32 failed) { say(what), say(failed ? ": failed\n" : ": done\n"); }
static void disk_is(const char *what, u32 lba) {
  u32 *at = (u32 *)BUFFER, kept = 1;
  memset(at, 0xee, 512);
  fill(0, READ_DMA_EXT, lba, 1, BUFFER, 512);
  if (fails()) stop("an honest read fails");
  for (u32 n = 0; n < 128; n++) kept &= at[n] == (lba << 16 | n);
  say(what), say(kept ? ": the sector is as it was\n" : ": the sector has changed\n");
}

static void by_controller(void) {
  static const u32 places[] = { 0, 0x10000, 0x1a000, 0x100000, 0x180000, SIZE - 512 };
  for (u32 n = 0; n < sizeof places / sizeof *places; n++) {
    fill(0, READ_DMA_EXT, FIRST, 1, hidden + places[n], 512);
    tell("read into it", fails());
    fill(0, WRITE_DMA_EXT, FIRST + 1 + n, 1, hidden + places[n], 512);
    tell("write from it", fails());
    disk_is("after that", FIRST + 1 + n);
  }
  fill(0, READ_DMA_EXT, FIRST, 16, hidden - 4096, 8192);
  tell("read across its beginning", fails());
  fill(0, WRITE_DMA_EXT, FIRST + 16, 16, hidden - 4096, 8192);
  tell("write across its beginning", fails());
  disk_is("after that", FIRST + 24);
  fill(0, READ_FPDMA, FIRST, 1, hidden, 512);
  store(PORT + SACT, 1);
  tell("queued read into it", fails());
  fill(0, 0x2f, 0x10, 1, BUFFER, 512); /* the log of queued errors, which ends their state */
  fails();
  fill(0, READ_DMA_EXT, FIRST, 1, BUFFER, 512);
  *(u32 *)(LIST + 8) = hidden + 0x100000;
  tell("table in it", fails());
}
/* List and frames in it: what the port does then is its business, but not there. */
static void by_addresses(void) {
  fill(0, READ_DMA_EXT, FIRST, 1, BUFFER, 512);
  store(PORT + CMD, load(PORT + CMD) & ~1u);
  until_clear(CMD, 1 << 15);
  store(PORT + CLB, hidden + 0x100000);
  store(PORT + CMD, load(PORT + CMD) | 1);
  store(PORT + CI, 1);
  for (u32 n = 0; n < 50; n++) rest();
  say("list in it:"), number("CLB", load(PORT + CLB) - hidden), put('\n');
  store(PORT + CMD, load(PORT + CMD) & ~1u);
  until_clear(CMD, 1 << 15);
  store(PORT + CLB, LIST);
  store(PORT + CMD, load(PORT + CMD) & ~0x10u);
  until_clear(CMD, 1 << 14);
  store(PORT + FB, hidden + 0x100000);
  store(PORT + CMD, load(PORT + CMD) | 0x10);
  store(PORT + SERR, -1);
  store(PORT + IS, -1);
  store(PORT + CMD, load(PORT + CMD) | 1);
  fill(0, READ_DMA_EXT, FIRST, 1, BUFFER, 512);
  store(PORT + CI, 1);
  for (u32 n = 0; n < 50; n++) rest();
  say("frames in it:"), number("FB", load(PORT + FB) - hidden), put('\n');
  ahci_start();
}

void main(void) {
  begin();
  tick(5000);
  find();
  by_instructions();
  ahci_start();
  by_controller();
  by_addresses();
  disk_is("at the end", FIRST);
  say("TRIED ALL\n");
  for (;;) rest();
}
