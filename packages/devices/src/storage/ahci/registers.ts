/** The registers of an AHCI controller. [AHCI 1.3.1] is the Serial ATA Advanced Host Controller Interface of that number. */
import { bits, registers, ro, rw, w1c, w1s } from "@castaway/kit";

/** Generic host control, from offset 0. CAP, PI and VS are set up by the controller. */
export const HBA = registers({
  CAP: ro(0x00, 0, "AHCI 3.1.1"),
  GHC: bits(0x04, { rw: 0x0000_0002, w1s: 0x0000_0001 }, "AHCI 3.1.2", { reset: 0x8000_0000 }),
  IS: w1c(0x08, 0xffff_ffff, "AHCI 3.1.3"),
  PI: ro(0x0c, 0, "AHCI 3.1.4"),
  VS: ro(0x10, 0x0001_0000, "AHCI 3.1.5"),
  CCC_CTL: ro(0x14, 0, "AHCI 3.1.6"),
  CCC_PORTS: ro(0x18, 0, "AHCI 3.1.7"),
  EM_LOC: ro(0x1c, 0, "AHCI 3.1.8"),
  EM_CTL: ro(0x20, 0, "AHCI 3.1.9"),
  CAP2: ro(0x24, 0, "AHCI 3.1.10"),
  BOHC: ro(0x28, 0, "AHCI 3.1.11"),
});

/** Where the ports' registers begin, and how far apart they are. */
export const portsAt = 0x100;
export const portStride = 0x80;

/** One port, from offset 0x100 + 0x80 times its number. */
export const PORT = registers({
  CLB: rw(0x00, 0xffff_fc00, "AHCI 3.3.1"),
  CLBU: rw(0x04, 0xffff_ffff, "AHCI 3.3.2"),
  FB: rw(0x08, 0xffff_ff00, "AHCI 3.3.3"),
  FBU: rw(0x0c, 0xffff_ffff, "AHCI 3.3.4"),
  IS: w1c(0x10, 0xfd80_00af, "AHCI 3.3.5"),
  IE: rw(0x14, 0xfdc0_00ff, "AHCI 3.3.6"),
  CMD: bits(0x18, { rw: 0x0300_0011, w1s: 0x0000_0008 }, "AHCI 3.3.7", { reset: 0x0000_0006 }),
  TFD: ro(0x20, 0x0000_007f, "AHCI 3.3.8"),
  SIG: ro(0x24, 0xffff_ffff, "AHCI 3.3.9"),
  SSTS: ro(0x28, 0, "AHCI 3.3.10"),
  SCTL: rw(0x2c, 0x0000_0fff, "AHCI 3.3.11"),
  SERR: w1c(0x30, 0x07ff_0f03, "AHCI 3.3.12"),
  SACT: w1s(0x34, 0xffff_ffff, "AHCI 3.3.13"),
  CI: w1s(0x38, 0xffff_ffff, "AHCI 3.3.14"),
  SNTF: w1c(0x3c, 0x0000_ffff, "AHCI 3.3.15"),
  FBS: ro(0x40, 0, "AHCI 3.3.16"),
  DEVSLP: ro(0x44, 0, "AHCI 3.3.17"),
});

export const CAP = {
  /** 32 command slots, less one in bits 12:8. The number of ports, less one, is in bits 4:0. */
  NCS: 31 << 8,
  /** PIO with several sectors a DRQ block. */
  PMD: 1 << 15,
  /** AHCI only: there is no legacy interface. */
  SAM: 1 << 18,
  /** Speed: first generation, bits 23:20. */
  ISS: 1 << 20,
  /** Command list override. */
  SCLO: 1 << 24,
  /** Native command queuing. */
  SNCQ: 1 << 30,
  /** Addresses of 64 bits. */
  S64A: 1 << 31,
} as const;

export const GHC = { HR: 1 << 0, IE: 1 << 1 } as const;

/** PxIS and PxIE. */
export const IS = {
  DHRS: 1 << 0,
  PSS: 1 << 1,
  DSS: 1 << 2,
  SDBS: 1 << 3,
  /** A PRD with its I bit set was used up. */
  DPS: 1 << 5,
  /** Follows SERR.X. */
  PCS: 1 << 6,
  /** Follows SERR.N. */
  PRCS: 1 << 22,
  /** More data came than the PRDT has room for. */
  OFS: 1 << 24,
  /** What cannot be gone on from: a FIS that nobody understands. */
  IFS: 1 << 27,
  /** The drive reported an error. */
  TFES: 1 << 30,
} as const;

export const CMD = {
  ST: 1 << 0,
  CLO: 1 << 3,
  FRE: 1 << 4,
  /** The slot that is under way: bits 12:8. */
  CCS: 0x1f << 8,
  FR: 1 << 14,
  CR: 1 << 15,
} as const;

/** SERR: what happened on the cable. */
export const SERR = {
  /** A protocol error. */
  P: 1 << 10,
  /** The link came up or went down. */
  N: 1 << 16,
  /** A device was found: COMINIT. */
  X: 1 << 26,
} as const;
