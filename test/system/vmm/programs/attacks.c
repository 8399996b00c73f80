/*
 * Does all that it can think of to the hypervisor: reads, writes, runs and transfers its memory, and uses the disk controller's
 * registers as no driver does. A line each: what came of it. test/system/vmm/attacks.ts looks from outside.
 */
#include "runtime.h"
#include "ahci.h"
#include "fault.h"

#define DATA 0x300000
#define ENTRY 0x7a00
#define HIDDEN_BYTES 0x1000000
#define TRIALS_LBA 1024

static u32 hidden, pair, lba = TRIALS_LBA;

void interrupt(u32 vector, u32 *frame) {
  if (recover_at) recover(vector);
  if (!is_irq(vector)) say("EXCEPTION"), number("", vector), number("EIP", frame[1]), stop("");
  end_of_interrupt(vector);
}
static void result(const char *what, u32 n) { say(what), say(": "), hex(n), put('\n'); }

static void find_hidden(void) {
  bios_vector = 0x15;
  bios.ebx = 0;
  do {
    u32 *at = (u32 *)ENTRY;
    bios.ecx = 20, bios.edi = ENTRY;
    if (int13(0xe820, 0x534d4150) >> 31) break;
    if (at[4] == 2 && at[2] == HIDDEN_BYTES) hidden = at[0];
  } while (bios.ebx);
  bios_vector = 0x13;
  if (!hidden) stop("no hidden memory");
}

/* Any instruction, with EAX 11111111h, EBX at one place, ESI and EDI at others, ECX a count: 0, or the vector of its exception and 1. */
#define ATTEMPT(what, code, place, from, to, count) do { \
    u32 why, b = place, s = from, d = to, c = count; \
    asm volatile(TRY("movl $0x11111111, %%eax; " code) : "=a"(why), "+b"(b), "+S"(s), "+D"(d), "+c"(c) : : "edx", "memory", "cc"); \
    result(what, why); \
  } while (0)

/* ---- its memory, by instructions ---- */
static u32 all_bits(void) {
  u32 bits = 0;
  for (u32 at = hidden; at < hidden + HIDDEN_BYTES; at += 4) bits |= load(at);
  return bits;
}
static void touch_memory(void) {
  result("bits of its memory", all_bits());
  for (u32 at = hidden; at < hidden + HIDDEN_BYTES; at += 4096) store(at + 8, 0xbad);
  ATTEMPT("string", "rep stosl", 0, 0, hidden + 0x100000, 1024);
  ATTEMPT("string across its end", "rep stosb", 0, 0, hidden - 8, 16);
  ATTEMPT("locked", "lock addl %%eax, (%%ebx)", hidden + 0x100000, 0, 0, 0);
  ATTEMPT("exchange", "xchgl %%eax, (%%ebx)", hidden + 0x1ffe, 0, 0, 0);
  ATTEMPT("compare", "lock cmpxchgl %%ecx, (%%ebx)", hidden + 0x180000, 0, 0, 5);
  ATTEMPT("SSE", "movups %%xmm0, (%%ebx)", hidden + 0x100000, 0, 0, 0);
  ATTEMPT("x87", "fldpi; fstpl (%%ebx)", hidden + 0x100000, 0, 0, 0);
  ATTEMPT("FXSAVE", "fxsave (%%ebx)", hidden + 0x100000, 0, 0, 0);
  ATTEMPT("descriptor table", "sgdt (%%ebx)", hidden + 0x100000, 0, 0, 0);
  *(u8 *)(hidden + HIDDEN_BYTES) = 0xc3;
  ATTEMPT("run", "movl %%esi, %%eax; call *%%ebx", hidden + HIDDEN_BYTES - 2, DATA, 0, 0);
  result("bits of its memory", all_bits());
}

/* ---- its memory, by the disk controller ---- */
static u32 through_pair;
static void put_port(u32 reg, u32 v) {
  if (through_pair) out32(pair, 0x100 + reg), out32(pair + 4, v);
  else store(PORT + reg, v);
}
static u32 issue(u32 queued) {
  if (queued) put_port(SACT, 1);
  put_port(CI, 1);
  for (u32 n = 0; n < 500; n++) {
    if (load(PORT + TFD) & 1) break;
    if (!(load(PORT + CI) & 1) && !(load(PORT + SACT) & 1)) break;
    rest();
  }
  u32 tfd = load(PORT + TFD), over = !((load(PORT + CI) | load(PORT + SACT)) & 1);
  return (tfd & 0xffff) | over << 16;
}
/* After whatever was done to it: the engine off, COMRESET, and on again with lists of its own [AHCI 10.4.2]. */
static void restart(void) {
  store(PORT + CMD, load(PORT + CMD) & ~1u), until_clear(CMD, 1 << 15);
  store(PORT + SCTL, 0x301), rest(), rest(), rest(), rest(), rest(), rest(), store(PORT + SCTL, 0x300);
  for (u32 n = 0; n < 1000 && (load(PORT + SSTS) & 15) != 3; n++) rest();
  ahci_start();
  for (u32 n = 0; n < 1000 && load(PORT + TFD) & 0x88; n++) rest();
}
static void transfers(void) {
  static const u8 opcodes[] = { READ_DMA_EXT, WRITE_DMA_EXT, READ_FPDMA, WRITE_FPDMA };
  static const char *const names[] = { "read", "write", "queued read", "queued write" };
  for (through_pair = 0; through_pair < 2; through_pair++)
    for (u32 n = 0; n < 4; n++) {
      u32 queued = n >> 1, *entry = (u32 *)(TABLE(0) + 0x80), *header = (u32 *)LIST;
      say(through_pair ? "pair, " : ""), say(names[n]), put('\n');
      restart(), fill(0, opcodes[n], lba++, 1, hidden + 0x100000, 0x10000);
      result("  data", issue(queued));
      restart(), fill(0, opcodes[n], lba++, 1, hidden - 256, 0x10000);
      result("  data that reach into it", issue(queued));
      restart(), fill(0, opcodes[n], lba, 2, DATA, 512), lba += 2;
      entry[4] = hidden + 0x80000;
      result("  the second entry", issue(queued));
      restart(), fill(0, opcodes[n], lba++, 1, DATA, 0x10000);
      entry[0] = hidden, entry[1] = 0xffffffff;
      result("  beyond the address space", issue(queued));
      restart(), fill(0, opcodes[n], lba++, 1, DATA, 0x10000);
      header[2] = hidden + 0x100000;
      result("  the command table", issue(queued));
      restart(), fill(0, opcodes[n], lba++, 1, DATA, 0x10000);
      header[0] |= 0xffff0000, header[2] = hidden - 0x100;
      memcpy((void *)(hidden - 0x100), (void *)TABLE(0), 0x100);
      result("  a table that reaches into it", issue(queued));
      restart(), fill(0, opcodes[n], lba++, 1, DATA, 0x10000);
      put_port(FB, hidden + 0x100000);
      result("  received FIS", issue(queued));
      put_port(FB, FRAMES);
      restart();
      put_port(CMD, load(PORT + CMD) & ~1u), until_clear(CMD, 1 << 15);
      put_port(CLB, hidden + 0x100000);
      put_port(CMD, load(PORT + CMD) | 1);
      result("  the command list", issue(queued));
      put_port(CLB, LIST);
    }
  through_pair = 0;
  restart();
  result("bits of its memory", all_bits());
}

/* ---- other ways to move things there ---- */
static u32 faults_at_wrmsr(u32 index, u32 low, u32 high) {
  u32 why;
  asm volatile(TRY("movl %%ebx, %%eax; wrmsr") : "=a"(why), "+b"(low), "+c"(index), "+d"(high) : : "esi", "edi", "memory", "cc");
  return why;
}
static void moves(void) {
  u32 low, high;
  faults_at_rdmsr(0x1b, &low, &high);
  result("the local APIC", faults_at_wrmsr(0x1b, hidden | 0x900, 0));
  result("the local APIC where it is", faults_at_wrmsr(0x1b, low, high));
  u32 at = ahci_at, cap = pci_read(at, 0x34) & 0xfc;
  for (; cap; cap = pci_read(at, cap) >> 8 & 0xfc)
    if ((pci_read(at, cap) & 0xff) == 5) pci_write(at, cap + 4, hidden), result("messages", pci_read(at, cap + 4) == hidden);
  pci_write(at, 0x24, hidden);
  result("the disk controller", pci_read(at, 0x24) == hidden);
  u32 vga = pci_find(0x030000), bar = pci_read(vga, 0x10);
  pci_write(vga, 0x10, hidden);
  for (u32 n = 0; n < HIDDEN_BYTES; n += 4096) store(hidden + n, 0x5a5a5a5a);
  pci_write(vga, 0x10, bar);
  result("bits of its memory", all_bits());
}

/* ---- the controller's registers, as no driver uses them ---- */
static void oddities(void) {
  ATTEMPT("string out of it", "rep movsl", 0, abar, DATA, 64);
  ATTEMPT("string into it", "rep movsl", 0, DATA, abar + 0x800, 16);
  ATTEMPT("bytes into it", "std; rep stosb; cld", 0, 0, abar + 0x80f, 16);
  ATTEMPT("locked", "lock orl $0, (%%ebx)", abar + 0x130, 0, 0, 0);
  ATTEMPT("unaligned", "movl (%%ebx), %%eax", abar + 0x11a, 0, 0, 0);
  ATTEMPT("across its end", "movl (%%ebx), %%eax", abar + 0xffe, 0, 0, 0);
  ATTEMPT("across its begin", "movl (%%ebx), %%eax", abar - 2, 0, 0, 0);
  ATTEMPT("SSE read", "movups (%%ebx), %%xmm0", abar, 0, 0, 0);
  ATTEMPT("SSE write", "movntps %%xmm0, (%%ebx)", abar + 0x800, 0, 0, 0);
  ATTEMPT("x87 read", "fldl (%%ebx)", abar, 0, 0, 0);
  ATTEMPT("x87 write", "fstpt (%%ebx)", abar + 0x800, 0, 0, 0);
  ATTEMPT("8 bytes", "cmpxchg8b (%%ebx)", abar + 0x800, 0, 0, 0);
  ATTEMPT("multiplication", "imull (%%ebx), %%eax", abar, 0, 0, 0);
  ATTEMPT("shift", "shll (%%ebx)", abar + 0x800, 0, 0, 0);
  ATTEMPT("push of it", "pushl (%%ebx); popl %%eax", abar, 0, 0, 0);
  ATTEMPT("jump by it", "jmp *(%%ebx)", abar + 0x800, 0, 0, 0);
  ATTEMPT("run it", "jmp *%%ebx", abar + 0x100, 0, 0, 0);
  ATTEMPT("run across its begin", "movb $0xb8, -1(%%ebx); leal -1(%%ebx), %%ebx; jmp *%%ebx", abar, 0, 0, 0);
  ATTEMPT("descriptor out of it", "lgdt (%%ebx)", abar + 0x800, 0, 0, 0);
  ATTEMPT("string of ports", "movw $0xcfc, %%dx; insl", 0, 0, DATA, 0);
  ATTEMPT("string to ports", "movw $0xcf8, %%dx; rep outsl", 0, DATA, 0, 4);
  ATTEMPT("task switch", "ljmp $0x28, $0", 0, 0, 0, 0);
}

/* ---- from here on nothing is left but a reset ---- */
static void fall(u32 stack) {
  asm volatile("movl %0, %%esp; int3" : : "r"(stack));
}
static void unmap(u32 tables) {
  asm volatile("movl %0, %%cr3; movl %%cr0, %%eax; orl $0x80000000, %%eax; movl %%eax, %%cr0" : : "r"(tables) : "eax");
}
static void shut_down(void) {
  static struct { u16 limit; u32 base; } __attribute__((packed)) none;
  asm volatile("lidt %0; int3" : : "m"(none));
}

void main(void) {
  begin();
  tick(5000);
  find_hidden();
  ahci_start();
  pair = (pci_read(ahci_at, 0x20) & 0xfffc) + 0x10;
  asm volatile("movl %cr4, %eax; orl $0x600, %eax; movl %eax, %cr4; clts; fninit");
  say("READY\n");
  for (;;) {
    while (!(in8(0x3fd) & 1)) rest();
    switch (in8(0x3f8)) {
      case '?': result("hidden", hidden); break;
      case 'm': touch_memory(); break;
      case 'd': transfers(); break;
      case 'p': moves(); break;
      case 'o': oddities(); break;
      case 's': fall(abar + 0x900); break;
      case 'h': fall(hidden + 0x2000); break;
      case 'c': unmap(hidden + 0x10000); break;
      case 'a': unmap(abar); break;
      case 't': shut_down(); break;
    }
    say("DONE\n");
  }
}
