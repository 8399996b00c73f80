/** Registers of an AHCI controller as a driver sees them. [AHCI] is the Serial ATA AHCI specification 1.3.1. */

// Generic host control. [AHCI 3.1]
export const CAP: u32 = 0x00;
export const GHC: u32 = 0x04;
export const IS: u32 = 0x08;
export const PI: u32 = 0x0c;
export const CCC_CTL: u32 = 0x14;
export const CCC_PORTS: u32 = 0x18;

/** Command completion coalescing is supported. */
export const CAP_CCCS: u32 = 1 << 7;
/** Command list override is supported. */
export const CAP_SCLO: u32 = 1 << 24;
export const GHC_HR: u32 = 1 << 0;

/** Where the ports' registers begin, and how far apart they are. */
export const portsAt: u32 = 0x100;
export const portStride: u32 = 0x80;
export const mostPorts: u32 = 32;

// One port. [AHCI 3.3]
export const PxCLB: u32 = 0x00;
export const PxCLBU: u32 = 0x04;
export const PxFB: u32 = 0x08;
export const PxFBU: u32 = 0x0c;
export const PxIS: u32 = 0x10;
export const PxIE: u32 = 0x14;
export const PxCMD: u32 = 0x18;
export const PxTFD: u32 = 0x20;
export const PxSSTS: u32 = 0x28;
export const PxSCTL: u32 = 0x2c;
export const PxSERR: u32 = 0x30;
export const PxSACT: u32 = 0x34;
export const PxCI: u32 = 0x38;
export const PxFBS: u32 = 0x40;

export const CMD_ST: u32 = 1 << 0;
export const CMD_CLO: u32 = 1 << 3;
export const CMD_FRE: u32 = 1 << 4;
export const CMD_CCS: u32 = 0x1f << 8;
export const CMD_FR: u32 = 1 << 14;
export const CMD_CR: u32 = 1 << 15;
/** Interface communication control: what the link's power management is asked for. */
export const CMD_ICC: u32 = 0xf << 28;

/** What follows PxSERR and is not a command's: connect change and PhyRdy change. [AHCI 3.3.5] */
export const IS_LINK: u32 = (1 << 6) | (1 << 22);
/** A task file error. */
export const IS_TFES: u32 = 1 << 30;
/** Errors that stop the port: interface fatal, host bus data, host bus fatal, task file. [AHCI 6.2.2] */
export const IS_FATAL: u32 = (1 << 27) | (1 << 28) | (1 << 29) | (1 << 30);

export const TFD_ERR: u32 = 1 << 0;
export const TFD_DRQ: u32 = 1 << 3;
export const TFD_BSY: u32 = 1 << 7;

/** PxSSTS.DET: a device is there and the link is up. */
export const DET_UP: u32 = 3;

// Command header. [AHCI 4.2.2]
export const HEADER_CFL: u32 = 0x1f;
export const HEADER_WRITE: u32 = 1 << 6;
export const HEADER_BIST: u32 = 1 << 9;
export const HEADER_PMP: u32 = 0xf << 12;
export const headerBytes: u32 = 32;
export const listBytes: u32 = 32 * headerBytes;
export const receivedBytes: u32 = 256;

// Command table. [AHCI 4.2.3]
export const tableHead: u32 = 0x80;
export const entryBytes: u32 = 16;
/** DBC: the length less one. */
export const DBC: u32 = 0x3f_ffff;

/** Where the device's registers come in the received FIS area. [AHCI 4.2.1] */
export const RFIS: u32 = 0x40;
