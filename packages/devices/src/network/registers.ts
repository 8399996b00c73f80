/**
 * The registers of the 82540EM. [8254x] is Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual", revision 4.0; offsets are those of the memory BAR. Statistics and filter tables are maps of their
 * own: statistics.ts, filter.ts.
 */
import { bits, registers, ro, rw, w1c, w1s, wo } from "@castaway/kit";

/**
 * Every interrupt cause of the chip. Bits 5 and 8 are reserved, nothing raises them; yet the interrupt test of Intel's
 * drivers sets, masks and reads each of bits 0 to 9, and holds the chip for broken if one raises no interrupt.
 */
const CAUSES = 0x1_ffff;

// biome-ignore format: a table
export const MAC = registers({
  CTRL:     rw(0x0000, 0xfbff_fff9, "8254x 13.4.1", { reset: 0x0014_0241 }),
  /** The duplicate that the oldest chips' drivers use. */
  CTRL_DUP: rw(0x0004, 0xfbff_fff9, "8254x 13.4.1", { reset: 0x0014_0241 }),
  STATUS:   ro(0x0008, 0, "8254x 13.4.2"),
  EECD:     rw(0x0010, 0x0000_0077, "8254x 13.4.3", { reset: 0x0000_0010 }),
  EERD:     rw(0x0014, 0x0000_ff00, "8254x 13.4.4"),
  CTRL_EXT: rw(0x0018, 0x00ff_dfff, "8254x 13.4.6"),
  FLA:      rw(0x001c, 0x0000_0073, "8254x 13.4.5"),
  MDIC:     rw(0x0020, 0x2fff_ffff, "8254x 13.4.7"),
  FCAL:     rw(0x0028, 0xffff_ffff, "8254x 13.4.8"),
  FCAH:     rw(0x002c, 0x0000_ffff, "8254x 13.4.9"),
  FCT:      rw(0x0030, 0x0000_ffff, "8254x 13.4.10"),
  VET:      rw(0x0038, 0x0000_ffff, "8254x 13.4.11", { reset: 0x8100 }),
  ICR:      w1c(0x00c0, CAUSES, "8254x 13.4.17"),
  ITR:      rw(0x00c4, 0x0000_ffff, "8254x 13.4.18"),
  ICS:      wo(0x00c8, CAUSES, "8254x 13.4.19"),
  IMS:      w1s(0x00d0, CAUSES, "8254x 13.4.20"),
  IMC:      wo(0x00d8, CAUSES, "8254x 13.4.21"),
  RCTL:     rw(0x0100, 0x06df_b3fe, "8254x 13.4.22"),
  FCTTV:    rw(0x0170, 0x0000_ffff, "8254x 13.4.12"),
  TXCW:     rw(0x0178, 0xc000_ffff, "8254x 13.4.13"),
  RXCW:     ro(0x0180, 0, "8254x 13.4.14"),
  TCTL:     rw(0x0400, 0x03ff_fffa, "8254x 13.4.33"),
  TIPG:     rw(0x0410, 0x3fff_ffff, "8254x 13.4.34", { reset: 0x0060_2008 }),
  TBT:      rw(0x0448, 0x0000_ffff, "8254x 13.2"),
  AIFS:     rw(0x0458, 0x0000_ffff, "8254x 13.4.35"),
  LEDCTL:   rw(0x0e00, 0xcfcf_cfcf, "8254x 13.4.15", { reset: 0x0706_8302 & 0xcfcf_cfcf }),
  PBA:      rw(0x1000, 0x0000_ffff, "8254x 13.4.16", { reset: 0x30 }),
  FCRTL:    rw(0x2160, 0x8000_fff8, "8254x 13.4.23"),
  FCRTH:    rw(0x2168, 0x8000_fff8, "8254x 13.4.24"),
  RDFH:     rw(0x2410, 0x0000_1fff, "8254x 13.8.1"),
  RDFT:     rw(0x2418, 0x0000_1fff, "8254x 13.8.2"),
  RDFHS:    rw(0x2420, 0x0000_1fff, "8254x 13.8.3"),
  RDFTS:    rw(0x2428, 0x0000_1fff, "8254x 13.8.4"),
  RDFPC:    rw(0x2430, 0x0000_1fff, "8254x 13.8.5"),
  RDBAL:    rw(0x2800, 0xffff_fff0, "8254x 13.4.25"),
  RDBAH:    rw(0x2804, 0xffff_ffff, "8254x 13.4.26"),
  RDLEN:    rw(0x2808, 0x000f_ff80, "8254x 13.4.27"),
  RDH:      rw(0x2810, 0x0000_ffff, "8254x 13.4.28"),
  RDT:      rw(0x2818, 0x0000_ffff, "8254x 13.4.29"),
  RDTR:     rw(0x2820, 0x0000_ffff, "8254x 13.4.30"),
  RXDCTL:   rw(0x2828, 0x013f_3f3f, "8254x 13.4.46", { reset: 0x0101_0000 }),
  RADV:     rw(0x282c, 0x0000_ffff, "8254x 13.4.31"),
  RSRPD:    rw(0x2c00, 0x0000_0fff, "8254x 13.4.32"),
  TXDMAC:   rw(0x3000, 0x0000_0001, "8254x 13.4.42"),
  TDFH:     rw(0x3410, 0x0000_1fff, "8254x 13.8.6"),
  TDFT:     rw(0x3418, 0x0000_1fff, "8254x 13.8.7"),
  TDFHS:    rw(0x3420, 0x0000_1fff, "8254x 13.8.8"),
  TDFTS:    rw(0x3428, 0x0000_1fff, "8254x 13.8.9"),
  TDFPC:    rw(0x3430, 0x0000_1fff, "8254x 13.8.10"),
  TDBAL:    rw(0x3800, 0xffff_fff0, "8254x 13.4.36"),
  TDBAH:    rw(0x3804, 0xffff_ffff, "8254x 13.4.37"),
  TDLEN:    rw(0x3808, 0x000f_ff80, "8254x 13.4.38"),
  TDH:      rw(0x3810, 0x0000_ffff, "8254x 13.4.39"),
  TDT:      rw(0x3818, 0x0000_ffff, "8254x 13.4.40"),
  TIDV:     rw(0x3820, 0x0000_ffff, "8254x 13.4.41"),
  TXDCTL:   rw(0x3828, 0xff3f_3f3f, "8254x 13.4.43"),
  TADV:     rw(0x382c, 0x0000_ffff, "8254x 13.4.44"),
  TSPMT:    rw(0x3830, 0xffff_ffff, "8254x 13.4.45", { reset: 0x0100_0400 }),
  RXCSUM:   rw(0x5000, 0x0000_07ff, "8254x 13.4.47"),
  WUC:      bits(0x5800, { rw: 0x0000_000b, w1c: 0x0000_0004 }, "8254x 13.6.1"),
  WUFC:     rw(0x5808, 0x000f_00ff, "8254x 13.6.2"),
  WUS:      w1c(0x5810, 0x000f_00ff, "8254x 13.6.3"),
  MANC:     rw(0x5820, 0x03fb_ff00, "8254x 13.4"),
  IPAV:     rw(0x5838, 0x0001_000f, "8254x 13.6.4"),
});

/** The registers of one chip. */
export type MacRegisters = ReturnType<typeof MAC.file>;

export const CTRL = {
  FD: 1 << 0,
  /** Set link up: the MAC listens to its PHY. */
  SLU: 1 << 6,
  /** Bits 9:8: the speed that FRCSPD forces. */
  SPEED: 3 << 8,
  FRCSPD: 1 << 11,
  FRCDPLX: 1 << 12,
  RST: 1 << 26,
  /** Receive flow control: obey PAUSE. */
  RFCE: 1 << 27,
  TFCE: 1 << 28,
  /** VLAN mode: insert on request, strip on receipt. */
  VME: 1 << 30,
  PHY_RST: 1 << 31,
} as const;

/** SPEED is at bits 7:6, what auto-speed detection found at 9:8; both 0 for 10, 1 for 100 and 2 for 1000 Mb/s. */
export const STATUS = { FD: 1 << 0, LU: 1 << 1, TXOFF: 1 << 4 } as const;

export const CTRL_EXT = { EE_RST: 1 << 13 } as const;

export const MDIC = { READ: 2, WRITE: 1, READY: 1 << 28, I: 1 << 29, E: 1 << 30 } as const;

/** ICR, ICS, IMS and IMC. */
export const CAUSE = {
  TXDW: 1 << 0,
  TXQE: 1 << 1,
  LSC: 1 << 2,
  RXDMT0: 1 << 4,
  RXO: 1 << 6,
  RXT0: 1 << 7,
  MDAC: 1 << 9,
  TXD_LOW: 1 << 15,
  SRPD: 1 << 16,
} as const;

export const RCTL = {
  EN: 1 << 1,
  /** Store bad packets. */
  SBP: 1 << 2,
  /** Unicast, multicast promiscuous. */
  UPE: 1 << 3,
  MPE: 1 << 4,
  /** Long packets. */
  LPE: 1 << 5,
  /** Loopback, bits 7:6. */
  LBM: 3 << 6,
  LBM_MAC: 1 << 6,
  /** Broadcast accept. */
  BAM: 1 << 15,
  /** VLAN filter enable. */
  VFE: 1 << 18,
  CFIEN: 1 << 19,
  CFI: 1 << 20,
  /** Discard PAUSE frames; pass other MAC control frames. */
  DPF: 1 << 22,
  PMCF: 1 << 23,
  /** Buffer size times 16. */
  BSEX: 1 << 25,
  /** Strip the CRC. */
  SECRC: 1 << 26,
} as const;

export const TCTL = { EN: 1 << 1, PSP: 1 << 3, SWXOFF: 1 << 22 } as const;

export const RXCSUM = { IPOFLD: 1 << 8, TUOFLD: 1 << 9, IPV6OFL: 1 << 10 } as const;
