/*
 * A stream between two machines, driven by the registers of their e1000 in PCI slot 3, on nothing but the machine: this is
 * the whole firmware. One machine sends numbered frames, at most a window of them without an acknowledgement, as TCP would;
 * the other one looks at every word, counts, and acknowledges every second frame.
 *
 *     gcc -m32 -O2 -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none -mno-sse -nostdlib -static \
 *         -fno-asynchronous-unwind-tables -Wl,-Ttext=0xf0000 -Wl,--oformat=binary -Wl,--build-id=none -Wl,-N -o stream.bin stream.c
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

/* From the reset vector's jump at F000:0000 to flat 32 bits; the code stays in the ROM. */
__asm__(".section .text.startup, \"ax\"\n .code16\n .globl _start\n_start:\n cli\n lgdtl %cs:(gdtr - _start)\n"
        " movl %cr0, %eax\n orl $1, %eax\n movl %eax, %cr0\n ljmpl $8, $flat\n .code32\n"
        "flat:\n movw $16, %ax\n movw %ax, %ds\n movw %ax, %es\n movw %ax, %ss\n movl $0x80000, %esp\n call run\n1: hlt\n jmp 1b\n"
        " .balign 8\ngdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\ngdtr: .word 23\n .long gdt\n .text\n");

/* What the test wrote into the ROM: whether this machine sends, bytes of payload in a frame, frames in the window. */
static volatile const u32 *const asked = (void *)0xfff00;
/* What the test reads: whether the link is up, frames and bytes of payload that are right, and frames that are not. */
static volatile u32 *const told = (void *)0x7000;
enum { READY, FRAMES, BYTES, WRONG };

#define RING 64
struct descriptor { u32 address, high; u16 length; u16 a; u8 status_or_cso, b; u16 special; };
struct command { u32 address, high; u16 length; u8 cso, cmd; volatile u8 status; u8 css; u16 special; };
static volatile struct descriptor *const receive = (void *)0x10000;
static volatile struct command *const transmit = (void *)0x11000;
#define BUFFER(n) ((u8 *)0x100000 + 0x4000 * (n))
#define OUT(n) ((u8 *)0x200000 + 0x4000 * (n))

static void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static void configure(u32 reg, u32 value) { out32(0xcf8, 0x80001800 | reg); out32(0xcfc, value); }

#define NIC 0xfe000000
static void nic(u32 reg, u32 value) { *(volatile u32 *)(NIC + reg) = value; }
static u32 nic_read(u32 reg) { return *(volatile u32 *)(NIC + reg); }
#define STATUS 0x0008
#define MDIC 0x0020
#define RCTL 0x0100
#define TCTL 0x0400
#define RDBAL 0x2800
#define RDLEN 0x2808
#define RDT 0x2818
#define TDBAL 0x3800
#define TDLEN 0x3808
#define TDT 0x3818

/* The ROM holds no variables. Memory is zero at power-on. */
#define sent (*(u32 *)0x7020)
#define received (*(u32 *)0x7024)

static void start(void) {
  configure(0x10, NIC);
  configure(0x04, 0x06);  /* memory space, bus master */
  nic(MDIC, 0x04208140);  /* the PHY: 1000 Mb/s forced, started anew: up in 100 us */
  while (!(nic_read(STATUS) & 2)) ;
  for (u32 i = 0; i < RING; i++) {
    receive[i].address = (u32)BUFFER(i);
    receive[i].high = 0;
    receive[i].status_or_cso = 0;
  }
  nic(RDBAL, (u32)receive);
  nic(RDLEN, 16 * RING);
  nic(RDT, RING - 1);
  nic(RCTL, 0x06018022);  /* EN, LPE, BAM, buffers of 16 KiB, without the CRC */
  nic(TDBAL, (u32)transmit);
  nic(TDLEN, 16 * RING);
  nic(TCTL, 0x0a);        /* EN, PSP */
  told[READY] = 1;
}

/* To the other machine, of an experimental type; two bytes of padding, then its number, from byte 16 on. */
static void head(u8 *frame, u32 number) {
  static const u8 addresses[] = {0x52, 0x54, 0, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 0, 0x88, 0xb5};
  for (u32 i = 0; i < sizeof addresses; i++) frame[i] = addresses[i];
  frame[5] = asked[0] ? 2 : 1;
  frame[11] = asked[0] ? 1 : 2;
  *(u32 *)(frame + 16) = number;
}

static void send(u32 number, u32 length) {
  u32 at = sent++ % RING;
  head(OUT(at), number);
  transmit[at].address = (u32)OUT(at);
  transmit[at].high = 0;
  transmit[at].length = length;
  transmit[at].cmd = 0x0b;  /* EOP, IFCS, RS */
  transmit[at].status = 0;
  nic(TDT, sent % RING);
}

/* The next frame that has come, or 0. It is given back by `done`. */
static u8 *next(u32 *length) {
  volatile struct descriptor *d = &receive[received % RING];
  if (!(d->status_or_cso & 1)) return 0;
  *length = d->length;
  return BUFFER(received % RING);
}
static void done(void) {
  receive[received % RING].status_or_cso = 0;
  nic(RDT, received++ % RING);
}

/* Word i of the payload of every frame, behind the number. */
#define PATTERN(i) ((i) * 0x9e3779b9u)

static void sender(u32 payload, u32 window) {
  u32 acknowledged = 0, length;
  for (u32 n = 0; n < RING; n++) for (u32 i = 5; i < (14 + payload) / 4; i++) ((u32 *)OUT(n))[i] = PATTERN(i);
  for (;;) {
    for (u8 *frame; (frame = next(&length)); done()) acknowledged = *(u32 *)(frame + 16);
    if (sent - acknowledged < window) send(sent, 14 + payload);
  }
}

static void receiver(u32 payload) {
  u32 expected = 0, length;
  for (;;) {
    u8 *frame = next(&length);
    if (!frame) continue;
    u32 wrong = length != 14 + payload || *(u32 *)(frame + 16) != expected;
    for (u32 i = 5; i < length / 4; i++) wrong |= ((u32 *)frame)[i] ^ PATTERN(i);
    if (wrong) told[WRONG]++;
    else { told[FRAMES]++; told[BYTES] += payload; }
    done();
    if (++expected % 2 == 0) send(expected, 60);
  }
}

void run(void) {
  start();
  if (asked[0]) sender(asked[1], asked[2]);
  else receiver(asked[1]);
}
