/**
 * What a command FIS asks of the disk (R8.4): a pure function over a copy of its 64 bytes. [ACS] is ATA8-ACS, [SATA]
 * Serial ATA 3.x. What is not known here is refused (section 7, rule 10): an opcode that writes must not pass unseen.
 */

/** Nothing of the image is touched: the command goes to the drive as it is. */
export const PASS: u32 = 0;
export const READ: u32 = 1;
export const WRITE: u32 = 2;
export const TRIM: u32 = 3;
/** Everything that was written becomes durable. */
export const FLUSH: u32 = 4;
/** Ends with ABRT, whatever the drive would do. */
export const REFUSE: u32 = 5;
/** No command: the device control register, with or without SRST. */
export const CONTROL: u32 = 6;

export class AtaCommand {
  kind: u32 = PASS;
  opcode: u32 = 0;
  /** Bits 7:0 of the features: SET FEATURES' subcommand. */
  features: u32 = 0;
  queued: bool = false;
  /** The written data are durable when the command ends. */
  fua: bool = false;
  /** Of CONTROL: SRST is set. */
  softReset: bool = false;
  /**
   * READ and WRITE: the first sector and how many; TRIM: how many blocks of 512 bytes list the ranges; others: the
   * address registers.
   */
  lba: u64 = 0;
  sectors: u32 = 0;
}

const hostToDevice: u32 = 0x27;
/** Byte 1: a command, not the control register; the port multiplier's port. [SATA 10.5.5] */
const C: u32 = 0x80;
const PMP: u32 = 0x0f;
/** Device register: addresses are block addresses; of queued commands: force unit access. */
const LBA: u32 = 0x40;
const FUA: u32 = 0x80;
const SRST: u32 = 0x04;

export const READ_DMA_EXT: u32 = 0x25;
export const READ_LOG_EXT: u32 = 0x2f;
export const READ_LOG_DMA_EXT: u32 = 0x47;
export const READ_NATIVE_MAX_EXT: u32 = 0x27;
export const WRITE_DMA_EXT: u32 = 0x35;
export const SET_MAX_EXT: u32 = 0x37;
export const READ_FPDMA_QUEUED: u32 = 0x60;
export const FLUSH_CACHE_EXT: u32 = 0xea;
export const IDENTIFY_DEVICE: u32 = 0xec;
export const SET_FEATURES: u32 = 0xef;
export const SLEEP: u32 = 0xe6;
export const NOP: u32 = 0x00;
/** SET FEATURES: volatile write cache. */
export const enableWriteCache: u32 = 0x02;
export const disableWriteCache: u32 = 0x82;
/** READ LOG EXT: why a queued command failed. [SATA 13.6] */
export const queueErrorLog: u32 = 0x10;

/** @param fis 64 bytes that nobody else can change */
export function decode(fis: usize, into: AtaCommand): void {
  const flags: u32 = load<u8>(fis, 1);
  into.opcode = load<u8>(fis, 2);
  into.features = load<u8>(fis, 3);
  into.queued = false;
  into.fua = false;
  into.softReset = false;
  into.lba = 0;
  into.sectors = 0;
  if (load<u8>(fis) !== hostToDevice) {
    into.kind = REFUSE;
  } else if ((flags & C) === 0) {
    into.kind = CONTROL;
    into.softReset = (<u32>load<u8>(fis, 15) & SRST) !== 0;
  } else {
    decodeCommand(fis, into);
    if ((flags & PMP) !== 0) into.kind = REFUSE; // there is no port multiplier before a mediated disk (R8.18)
  }
}

function decodeCommand(fis: usize, into: AtaCommand): void {
  switch (into.opcode) {
    case 0x20: // READ SECTORS
    case 0x21:
    case 0xc4: // READ MULTIPLE
    case 0xc8: // READ DMA
    case 0xc9:
      return address28(fis, into, READ);
    case 0x30: // WRITE SECTORS
    case 0x31:
    case 0xc5: // WRITE MULTIPLE
    case 0xca: // WRITE DMA
    case 0xcb:
      return address28(fis, into, WRITE);
    case 0x24: // READ SECTORS EXT
    case 0x25: // READ DMA EXT
    case 0x29: // READ MULTIPLE EXT
      return address48(fis, into, READ);
    case 0x34: // WRITE SECTORS EXT
    case 0x35: // WRITE DMA EXT
    case 0x39: // WRITE MULTIPLE EXT
      return address48(fis, into, WRITE);
    case 0x3d: // WRITE DMA FUA EXT
    case 0xce: // WRITE MULTIPLE FUA EXT
      into.fua = true;
      return address48(fis, into, WRITE);
    case 0x60: // READ FPDMA QUEUED
      return addressQueued(fis, into, READ);
    case 0x61: // WRITE FPDMA QUEUED
      into.fua = (<u32>load<u8>(fis, 7) & FUA) !== 0;
      return addressQueued(fis, into, WRITE);
    case 0x63: // NCQ NON-DATA
    case 0x64: // SEND FPDMA QUEUED
    case 0x65: // RECEIVE FPDMA QUEUED
      into.queued = true;
      into.kind = REFUSE;
      return;
    case 0x06: // DATA SET MANAGEMENT: only TRIM is known
      into.kind = into.features === 1 ? TRIM : REFUSE;
      into.sectors = count16(fis);
      return;
    case 0xe7: // FLUSH CACHE
    case 0xea: // FLUSH CACHE EXT
    case 0x94: // STANDBY IMMEDIATE, STANDBY, SLEEP: the cache is written before the disk stands still
    case 0x96:
    case 0x99:
    case 0xe0:
    case 0xe2:
    case 0xe6:
      into.kind = FLUSH;
      return;
  }
  into.kind = passes(into.opcode) ? PASS : REFUSE;
  into.lba = lba48(fis); // of READ LOG EXT: which log
}

/** Commands that neither write the medium nor change how much of it is seen. (Section 7, rule 11.) */
function passes(opcode: u32): bool {
  switch (opcode) {
    case 0x00: // NOP
    case 0x27: // READ NATIVE MAX ADDRESS EXT
    case 0x2f: // READ LOG EXT
    case 0x40: // READ VERIFY SECTORS
    case 0x41:
    case 0x42: // READ VERIFY SECTORS EXT
    case 0x47: // READ LOG DMA EXT
    case 0x90: // EXECUTE DEVICE DIAGNOSTIC
    case 0x91: // INITIALIZE DEVICE PARAMETERS
    case 0x95: // IDLE IMMEDIATE, IDLE, CHECK POWER MODE: the opcodes of old
    case 0x97:
    case 0x98:
    case 0xa0: // PACKET
    case 0xa1: // IDENTIFY PACKET DEVICE
    case 0xb0: // SMART
    case 0xc6: // SET MULTIPLE MODE
    case 0xe1: // IDLE IMMEDIATE
    case 0xe3: // IDLE
    case 0xe4: // READ BUFFER
    case 0xe5: // CHECK POWER MODE
    case 0xec: // IDENTIFY DEVICE
    case 0xef: // SET FEATURES
    case 0xf5: // SECURITY FREEZE LOCK
    case 0xf8: // READ NATIVE MAX ADDRESS
      return true;
  }
  const row = opcode & 0xf0;
  return row === 0x10 || row === 0x70; // RECALIBRATE, SEEK
}

function address28(fis: usize, into: AtaCommand, kind: u32): void {
  const device: u32 = load<u8>(fis, 7);
  const count: u32 = load<u8>(fis, 12);
  into.kind = (device & LBA) !== 0 ? kind : REFUSE; // by cylinder, head and sector: no driver of today
  into.lba = (load<u32>(fis, 4) & 0xff_ffff) | ((device & 0xf) << 24);
  into.sectors = count === 0 ? 0x100 : count;
}

function address48(fis: usize, into: AtaCommand, kind: u32): void {
  const device: u32 = load<u8>(fis, 7);
  const count = count16(fis);
  into.kind = (device & LBA) !== 0 ? kind : REFUSE;
  into.lba = lba48(fis);
  into.sectors = count === 0 ? 0x1_0000 : count;
}

/** The count is in the features, the tag in the count. [SATA 13.6] */
function addressQueued(fis: usize, into: AtaCommand, kind: u32): void {
  const count: u32 = into.features | ((<u32>load<u8>(fis, 11)) << 8);
  into.kind = kind;
  into.queued = true;
  into.lba = lba48(fis);
  into.sectors = count === 0 ? 0x1_0000 : count;
}

/** Of commands, and of the registers that a device sends back: they stand at the same places. */
export function lba48(fis: usize): u64 {
  const low: u64 = load<u32>(fis, 4) & 0xff_ffff;
  const high: u64 = load<u32>(fis, 8) & 0xff_ffff;
  return low | (high << 24);
}

const count16 = (fis: usize): u32 => load<u16>(fis, 12);

/** Fills 64 bytes with a command of 48 bits of address. */
export function encode(fis: usize, opcode: u32, lba: u64, count: u32): void {
  memory.fill(fis, 0, 64);
  store<u8>(fis, <u8>hostToDevice);
  store<u8>(fis, <u8>C, 1);
  store<u8>(fis, <u8>opcode, 2);
  store<u32>(fis, (<u32>lba & 0xff_ffff) | (LBA << 24), 4);
  store<u32>(fis, <u32>(lba >> 24) & 0xff_ffff, 8);
  store<u16>(fis, <u16>count, 12);
}

/**
 * Turns a command into one that fails as a refused command does, with all of a failure's registers, frames and interrupt:
 * NOP, which always ends with ABRT [ACS "NOP"], or a queued read behind the end of every disk, of the same tag.
 */
export function refuse(fis: usize, queued: bool): void {
  const tag: u32 = <u32>load<u8>(fis, 12) & 0xf8;
  if (queued) {
    encode(fis, READ_FPDMA_QUEUED, 0xffff_ffff_ffff, tag);
    store<u8>(fis, 1, 3);
  } else encode(fis, NOP, 0, 0);
}
