/* The first port of the AHCI controller, by its registers [AHCI 1.3.1 3, 4]. */
#define PORT (abar + 0x100)
enum { CLB = 0x00, FB = 0x08, IS = 0x10, IE = 0x14, CMD = 0x18, TFD = 0x20, SIG = 0x24, SSTS = 0x28, SCTL = 0x2c,
       SERR = 0x30, SACT = 0x34, CI = 0x38 };
enum { READ_DMA_EXT = 0x25, WRITE_DMA_EXT = 0x35, READ_FPDMA = 0x60, WRITE_FPDMA = 0x61, FLUSH_EXT = 0xea };
/* Lists, frames, tables: memory that nobody else uses. */
#define LIST 0x200000
#define FRAMES 0x200400
#define TABLE(slot) (0x201000 + 0x1000 * (slot))

static u32 abar, ahci_at;

static void until_clear(u32 reg, u32 bits) {
  for (u32 n = 0; load(PORT + reg) & bits; n++)
    if (n > 1000000) stop("the port does not stop");
}
/* Takes the port over from the firmware. */
static void ahci_start(void) {
  ahci_at = pci_find(0x010601);
  pci_write(ahci_at, 4, (pci_read(ahci_at, 4) & 0xffff) | 6);
  abar = pci_read(ahci_at, 0x24) & ~0xfffu;
  store(abar + 4, 0x80000000);
  store(PORT + CMD, load(PORT + CMD) & ~1u);
  until_clear(CMD, 1 << 15);
  store(PORT + CMD, load(PORT + CMD) & ~0x10u);
  until_clear(CMD, 1 << 14);
  memset((void *)LIST, 0, 0x22000);
  store(PORT + CLB, LIST);
  store(PORT + CLB + 4, 0);
  store(PORT + FB, FRAMES);
  store(PORT + FB + 4, 0);
  store(PORT + SERR, -1);
  store(PORT + IS, -1);
  store(PORT + IE, 0);
  store(PORT + CMD, load(PORT + CMD) | 0x10);
  store(PORT + CMD, load(PORT + CMD) | 1);
}
/* Fills a slot: sectors at `buffer`, in pieces of at most `piece` bytes, an even number. */
static void fill(u32 slot, u32 opcode, u32 lba, u32 sectors, u32 buffer, u32 piece) {
  u8 *fis = (u8 *)TABLE(slot);
  int queued = opcode == READ_FPDMA || opcode == WRITE_FPDMA, writes = opcode == WRITE_DMA_EXT || opcode == WRITE_FPDMA;
  u32 *entry = (u32 *)(TABLE(slot) + 0x80), bytes = 512 * sectors, entries = 0;
  memset(fis, 0, 64);
  fis[0] = 0x27, fis[1] = 0x80, fis[2] = opcode, fis[7] = 0x40;
  for (int n = 0; n < 3; n++) fis[4 + n] = lba >> 8 * n;
  fis[8] = lba >> 24;
  if (queued) fis[3] = sectors, fis[11] = sectors >> 8, fis[12] = slot << 3;
  else fis[12] = sectors, fis[13] = sectors >> 8;
  for (; bytes > 0; entries++, entry += 4) {
    u32 n = bytes < piece ? bytes : piece;
    entry[0] = buffer, entry[1] = 0, entry[2] = 0, entry[3] = n - 1;
    buffer += n, bytes -= n;
  }
  u32 *header = (u32 *)(LIST + 32 * slot);
  header[0] = entries << 16 | writes << 6 | 5, header[1] = 0, header[2] = TABLE(slot), header[3] = 0;
}
