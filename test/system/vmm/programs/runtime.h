/* What the small guests share: 32-bit protected mode, no paging, no library. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

extern u64 idt[256];
extern u8 vectors[];
/* The disk address packet of INT 13h, extended: size, count, offset, segment, LBA. */
extern struct { u8 size, zero; u16 count, offset, segment; u64 lba; } packet;
/* What INT 13h, or the firmware's call that bios_vector says, is given besides and returns. */
extern struct { u32 ebx, ecx, edi; } bios;
extern u8 bios_vector;
u32 int13(u32 eax, u32 edx);
void interrupt(u32 vector, u32 *frame);
void main(void);

static inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 in8(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 in16(u16 port) { u16 v; asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 in32(u16 port) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u64 rdtsc(void) { u64 v; asm volatile("rdtsc" : "=A"(v)); return v; }
static inline u32 load(u32 at) { u32 v; asm volatile("movl %1, %0" : "=r"(v) : "m"(*(volatile u32 *)at) : "memory"); return v; }
static inline void store(u32 at, u32 v) { asm volatile("movl %1, %0" : "=m"(*(volatile u32 *)at) : "r"(v) : "memory"); }

static inline void *memset(void *to, int value, u32 n) {
  void *result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  return result;
}
static inline void *memcpy(void *to, const void *from, u32 n) {
  void *result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  return result;
}

/* ---- what it says, on the first serial line ---- */
static void put(char c) { out8(0x3f8, c); }
static void say(const char *text) { while (*text) put(*text++); }
static void hex(u32 value) {
  int shift = 28;
  while (shift > 0 && !(value >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}
static void decimal(u32 value) {
  if (value > 9) decimal(value / 10);
  put('0' + value % 10);
}
static void number(const char *name, u32 value) { put(' '); say(name); put(' '); hex(value); }
static void __attribute__((noreturn)) stop(const char *why) {
  say(why);
  say("\nSTOPPED\n");
  for (;;) asm volatile("cli; hlt");
}

/* ---- interrupts: the controllers as the BIOS has set them, at 8 and 70h ---- */
static inline void gates(void) {
  for (u32 n = 0; n < 256; n++) {
    u32 at = (u32)vectors + 16 * n;
    idt[n] = (u64)(at & 0xffff0000) << 32 | 0x8e0000000000ull | 0x080000 | (at & 0xffff);
  }
}
static inline void end_of_interrupt(u32 vector) {
  if (vector >= 0x70) out8(0xa0, 0x20);
  out8(0x20, 0x20);
}
/* Whether it is not the exception of that number: the first controller says what it has in service. */
static inline int is_irq(u32 vector) {
  if (vector >= 0x70 && vector < 0x78) return 1;
  out8(0x20, 0x0b);
  return vector >= 8 && vector < 16 && in8(0x20) >> (vector - 8) & 1;
}
/* The PIT's first counter as often a second. */
static inline void tick(u32 hertz) {
  u32 divisor = 1193182 / hertz;
  out8(0x43, 0x34);
  out8(0x40, divisor);
  out8(0x40, divisor >> 8);
}
/* Until the next interrupt. */
static inline void rest(void) { asm volatile("sti; hlt; cli" : : : "memory"); }

/* ---- PCI ---- */
static inline u32 pci_read(u32 at, u32 reg) {
  out32(0xcf8, 0x80000000 | at << 8 | reg);
  return in32(0xcfc);
}
static inline void pci_write(u32 at, u32 reg, u32 value) {
  out32(0xcf8, 0x80000000 | at << 8 | reg);
  out32(0xcfc, value);
}
/* Bus 0, device and function. */
static inline u32 pci_find(u32 class) {
  for (u32 at = 0; at < 256; at++)
    if (pci_read(at, 8) >> 8 == class) return at;
  stop("no such PCI device");
}

/*
 * Looks at the commands of the AHCI's first port, as SeaBIOS does not do after it: only then the oracle of the host knows that
 * what was read is no longer the controller's.
 */
static inline void notice(void) { load((pci_read(pci_find(0x010601), 0x24) & ~0xfffu) + 0x138); }
/* The first thing that main does. */
static inline void begin(void) {
  notice();
  out8(0x3fb, 3); /* eight bits a character */
  gates();
}
