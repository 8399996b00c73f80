/**
 * Frames in memory that a card reads and writes: big-endian fields by physical address, and where AoE has them [AoEr11 2].
 *
 *     0 to 5 | 6 to 11 | 12, 13 | 14            | 15    | 16, 17 | 18    | 19      | 20 to 23 | 24
 *     to     | from    | 88A2   | version:flags | error | major  | minor | command | tag      | arguments
 */
import { physRead8, physRead16, physRead32, physWrite8, physWrite16, physWrite32 } from "../x86.ts";

export const TO: u64 = 0;
export const FROM: u64 = 6;
export const TYPE: u64 = 12;
export const FLAGS: u64 = 14;
export const ERROR: u64 = 15;
export const MAJOR: u64 = 16;
export const MINOR: u64 = 18;
export const COMMAND: u64 = 19;
export const TAG: u64 = 20;

/** Issue ATA Command [AoEr11 3.1]: the LBA is little-endian, data follow. */
export const ATA_FLAGS: u64 = 24;
export const ATA_COUNT: u64 = 26;
export const ATA_COMMAND: u64 = 27;
export const ATA_STATUS: u64 = 27;
export const ATA_LBA: u64 = 28;
export const ATA_DATA: u32 = 36;

/** Query Config Information [AoEr11 3.2]. */
export const CONFIG_BUFFERS: u64 = 24;
export const CONFIG_SECTORS: u64 = 28;
export const CONFIG_COMMAND: u64 = 29;
export const CONFIG_HEADER: u32 = 32;

/** The extended read: docs/aoe-extension.md. */
export const EXTENDED_VERSION: u64 = 24;
export const EXTENDED_FLAGS: u64 = 25;
export const EXTENDED_ID: u64 = 26;
export const EXTENDED_LBA: u64 = 28;
export const EXTENDED_SECTORS: u64 = 34;
export const EXTENDED_MOST: u64 = 38;
export const EXTENDED_INDEX: u64 = 38;
export const EXTENDED_TOTAL: u64 = 40;
export const EXTENDED_DATA: u32 = 42;
export const HOLE: u32 = 1;

export const AOE: u32 = 0x88a2;
/** Bits of FLAGS: version 1, response, error. */
export const VERSION_BITS: u32 = 0xf0;
export const VERSION_1: u32 = 0x10;
export const RESPONSE: u32 = 0x08;
export const ERRS: u32 = 0x04;

export const COMMAND_ATA: u32 = 0;
export const COMMAND_CONFIG: u32 = 1;
export const COMMAND_EXTENDED: u32 = 0xf0;
export const UNKNOWN_COMMAND: u32 = 1;

export const HEADER: u32 = 24;
/** Shorter frames are padded to so many bytes. */
export const SHORTEST: u32 = 60;
export const EVERY_SHELF: u32 = 0xffff;
export const EVERY_SLOT: u32 = 0xff;
export const BROADCAST: u64 = 0xffff_ffff_ffff;

export function readBig16(at: u64): u32 {
  return bswap<u16>(<u16>physRead16(at));
}
export function readBig32(at: u64): u32 {
  return bswap<u32>(physRead32(at));
}
/** A MAC address, or an LBA of the extended read. */
export function readBig48(at: u64): u64 {
  return ((<u64>readBig16(at)) << 32) | readBig32(at + 2);
}
export function writeBig16(at: u64, value: u32): void {
  physWrite16(at, bswap<u16>(<u16>value));
}
export function writeBig32(at: u64, value: u32): void {
  physWrite32(at, bswap<u32>(value));
}
export function writeBig48(at: u64, value: u64): void {
  writeBig16(at, <u32>(value >> 32));
  writeBig32(at + 2, <u32>value);
}

/** The header that all requests share, and zeros up to the shortest frame's end. */
export function writeHeader(at: u64, to: u64, from: u64, shelf: u32, slot: u32, command: u32, tag: u32): void {
  for (let i: u64 = HEADER; i < SHORTEST; i += 4) physWrite32(at + i, 0);
  writeBig48(at + TO, to);
  writeBig48(at + FROM, from);
  writeBig16(at + TYPE, AOE);
  physWrite8(at + FLAGS, VERSION_1);
  physWrite8(at + ERROR, 0);
  writeBig16(at + MAJOR, shelf);
  physWrite8(at + MINOR, slot);
  physWrite8(at + COMMAND, command);
  writeBig32(at + TAG, tag);
}

/** Query Config: read it. */
export function writeConfig(at: u64): void {
  physWrite8(at + CONFIG_COMMAND, VERSION_1);
}

/** READ SECTOR(S) EXT and IDENTIFY DEVICE: the arguments from byte 24 on. */
export function writeAta(at: u64, opcode: u32, lba: u64, sectors: u32): void {
  physWrite8(at + ATA_FLAGS, 0x40); // E: 48 bits of LBA
  physWrite8(at + ATA_COUNT, sectors);
  physWrite8(at + ATA_COMMAND, opcode);
  physWrite32(at + ATA_LBA, <u32>lba);
  physWrite16(at + ATA_LBA + 4, <u32>(lba >> 32) & 0xffff);
}

/** @param most sectors of data in a frame */
export function writeExtended(at: u64, id: u32, lba: u64, sectors: u32, most: u32): void {
  physWrite8(at + EXTENDED_VERSION, 1);
  physWrite8(at + EXTENDED_FLAGS, HOLE);
  writeBig16(at + EXTENDED_ID, id);
  writeBig48(at + EXTENDED_LBA, lba);
  writeBig32(at + EXTENDED_SECTORS, sectors);
  writeBig16(at + EXTENDED_MOST, most);
}

/** A status byte of ATA without ERR and DF, and with DRDY [ATA8-ACS 6.2]. */
export function isGood(status: u32): bool {
  return (status & 0x61) === 0x40;
}

export function byteAt(at: u64): u32 {
  return physRead8(at);
}
