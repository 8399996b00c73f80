/*
 * Reads and writes its disk at random, by INT 13h and by AHCI, and knows what each sector must hold: its first content, or
 * what was written last. The host writes the seed into memory before the boot sector is loaded.
 */
#include "runtime.h"
#include "ahci.h"

/* What the host says. */
static volatile struct { u32 magic, seed, interrupts, by_bios, by_ahci; } *const wish = (void *)0x7000;
enum { MAGIC = 0x5eed0bed };
/* Sectors below hold this program. */
enum { FIRST = 64, SECTORS = 4096, MOST = 48, SLOTS = 8 };
#define BOUNCE 0x20000
#define DATA(slot) (0x300000 + 0x10000 * (slot))

static u8 version[SECTORS];
static u32 state, writes, reads, interrupts;

static u32 next(void) {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state;
}
static u32 below(u32 n) { return next() % n; }

/* Dword i of a sector; test/system/vmm/faults/image.ts makes version 0. */
static u32 content(u32 lba, u32 v, u32 i) { return (lba * 0x9e3779b1 ^ v * 0x85ebca6b) + i * 0xc2b2ae35; }
static void make(u32 lba, u32 v, u32 *at) {
  for (u32 i = 0; i < 128; i++) at[i] = content(lba, v, i);
}
static void check(u32 lba, u32 sectors, u32 *at, const char *how) {
  for (u32 n = 0; n < sectors; n++, lba++, at += 128) {
    if (lba < FIRST) continue;
    for (u32 i = 0; i < 128; i++) {
      u32 right = content(lba, version[lba], i);
      if (at[i] == right) continue;
      say("WRONG by "), say(how), number("LBA", lba), number("version", version[lba]), number("dword", i);
      number("is", at[i]), number("not", right);
      for (u32 v = 0; v < version[lba]; v++)
        if (at[i] == content(lba, v, i)) number("that is version", v);
      stop("");
    }
  }
}
static void renew(u32 lba, u32 sectors, u32 *at) {
  for (u32 n = 0; n < sectors; n++) make(lba + n, ++version[lba + n], at + 128 * n);
}

/* Mostly near to the last place. */
static u32 place(u32 sectors) {
  static u32 last = FIRST;
  if (below(3) == 0) last = FIRST + below(SECTORS - FIRST - 2 * MOST);
  else last += below(2 * MOST);
  if (last > SECTORS - MOST) last = FIRST;
  return last + sectors > SECTORS ? SECTORS - sectors : last;
}

static void by_bios(void) {
  u32 sectors = 1 + below(MOST), lba = place(sectors), writing = below(2);
  packet.size = 16, packet.zero = 0, packet.count = sectors, packet.offset = 0, packet.segment = BOUNCE >> 4, packet.lba = lba;
  if (writing) renew(lba, sectors, (u32 *)BOUNCE), writes++;
  else memset((void *)BOUNCE, 0xee, sectors * 512), reads++;
  u32 answer = int13(writing ? 0x4300 : 0x4200, 0x80);
  notice();
  if (answer >> 31) say("INT 13h fails:"), number("AH", answer >> 8 & 0xff), number("LBA", lba), stop("");
  if (!writing) check(lba, sectors, (u32 *)BOUNCE, "INT 13h");
}

void interrupt(u32 vector, u32 *frame) {
  if (!is_irq(vector)) say("EXCEPTION"), number("", vector), number("EIP", frame[1]), stop("");
  if (wish->interrupts && abar && load(abar + 8) & 1) {
    interrupts++;
    store(PORT + IS, load(PORT + IS));
    store(abar + 8, 1);
  }
  end_of_interrupt(vector);
}

/* Some commands at once, for different sectors, queued or not; each in one piece or in many. */
static void by_ahci(void) {
  struct { u32 lba, sectors, opcode; } given[SLOTS];
  u32 count = 1 + below(SLOTS), queued = below(2), mask = 0;
  for (u32 slot = 0; slot < count; slot++) {
    u32 sectors = 1 + below(MOST), lba = place(sectors), piece = below(2) ? 2 * (64 + below(2000)) : 0x10000, overlaps = 0;
    for (u32 n = 0; n < slot; n++)
      overlaps |= given[n].sectors && lba < given[n].lba + given[n].sectors && given[n].lba < lba + sectors;
    given[slot].sectors = 0;
    if (overlaps) continue;
    u32 kind = below(16), writing = kind < 8;
    if (kind == 15 && !queued) {
      fill(slot, FLUSH_EXT, 0, 0, 0, 1);
      mask |= 1 << slot;
      continue;
    }
    given[slot].lba = lba, given[slot].sectors = sectors;
    given[slot].opcode = writing ? (queued ? WRITE_FPDMA : WRITE_DMA_EXT) : queued ? READ_FPDMA : READ_DMA_EXT;
    if (writing) renew(lba, sectors, (u32 *)DATA(slot)), writes++;
    else memset((void *)DATA(slot), 0xee, sectors * 512), reads++;
    fill(slot, given[slot].opcode, lba, sectors, DATA(slot), piece);
    mask |= 1 << slot;
  }
  if (!mask) return;
  if (wish->interrupts) store(PORT + IE, 0x0f), store(abar + 4, 0x80000002);
  if (queued) store(PORT + SACT, mask);
  store(PORT + CI, mask);
  for (;;) {
    u32 left = load(PORT + CI) | (queued ? load(PORT + SACT) : 0);
    if (load(PORT + TFD) & 1) say("AHCI fails:"), number("TFD", load(PORT + TFD)), stop("");
    if (!left) break;
    rest();
  }
  if (wish->interrupts) store(PORT + IE, 0);
  for (u32 slot = 0; slot < count; slot++)
    if (mask >> slot & 1 && (given[slot].opcode == READ_FPDMA || given[slot].opcode == READ_DMA_EXT) && given[slot].sectors)
      check(given[slot].lba, given[slot].sectors, (u32 *)DATA(slot), "AHCI");
}

/* All sectors, in order. */
static void look_at_all(void) {
  for (u32 lba = FIRST; lba < SECTORS; lba += 128) {
    u32 sectors = SECTORS - lba < 128 ? SECTORS - lba : 128;
    fill(0, READ_DMA_EXT, lba, sectors, DATA(0), 0x10000);
    store(PORT + CI, 1);
    while (load(PORT + CI) & 1) rest();
    check(lba, sectors, (u32 *)DATA(0), "AHCI, all");
  }
}

void main(void) {
  begin();
  if (wish->magic != MAGIC) stop("nobody has said what to do");
  state = wish->seed ? wish->seed : 1;
  tick(5000);
  for (u32 n = 0; n < wish->by_bios; n++) by_bios();
  ahci_start();
  if (wish->interrupts) {
    u32 line = pci_read(ahci_at, 0x3c) & 15;
    if (line >= 8) out8(0xa1, in8(0xa1) & ~(1 << (line - 8))), out8(0x21, in8(0x21) & ~4);
    else out8(0x21, in8(0x21) & ~(1 << line));
  }
  for (u32 n = 0; n < wish->by_ahci; n++) by_ahci();
  say("DONE "), decimal(reads), say(" reads, "), decimal(writes), say(" writes, "), decimal(interrupts), say(" interrupts\n");
  look_at_all();
  say("ALL RIGHT\n");
  for (;;) {
    while (!(in8(0x3fd) & 1)) rest();
    in8(0x3f8);
    look_at_all();
    say("STILL RIGHT\n");
  }
}
