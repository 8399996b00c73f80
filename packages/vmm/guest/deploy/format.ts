/**
 * The record of a deployment on the local disk (R6.4): two headers, of which the one with the higher generation counts,
 * and the bitmap. All numbers are little-endian.
 *
 * Bits of the bitmap only ever turn to 1, and a sector is written whole or not at all: so its sectors are written in
 * place, each with a checksum of its own, and only the headers alternate.
 */

/** Sectors of the record: headers at 0 and 8 (a drive may have physical sectors of 4 KiB), the bitmap from 16 on. */
export const headerSpacing: u32 = 8;
export const mapFrom: u32 = 16;
/** Blocks that one sector of the bitmap tells of: 62 words of 64. */
export const wordsOfSector: u32 = 62;

export const version: u32 = 1;
const magic: u64 = 0x5941_5741_5453_4143; // "CASTAWAY"

// Header.
const MAGIC: usize = 0;
const VERSION: usize = 8;
const SHIFT: usize = 12;
const IMAGE_SECTORS: usize = 16;
const NATIVE_SECTORS: usize = 24;
const GENERATION: usize = 32;
const COMPLETE: usize = 40;
const IMAGE_ID: usize = 64;
const SERIAL: usize = 96;
// Sector of the bitmap: bits, then:
const INDEX: usize = 496;
const DEPLOYMENT: usize = 500;
// Both.
const CRC: usize = 508;

export const idBytes: usize = 32;
export const serialBytes: usize = 20;

/** What makes a record one of this deployment. */
export class Identity {
  /** Sectors a block, as a power of two. */
  shift: u32 = 0;
  imageSectors: u64 = 0;
  /** Of the disk, with all that is hidden. */
  nativeSectors: u64 = 0;
  /** 32 bytes that name the image and its version, linear. */
  imageId: usize = 0;
  /** 20 bytes of IDENTIFY, linear. */
  serial: usize = 0;
}

export function mapSectors(words: u32): u32 {
  return (words + wordsOfSector - 1) / wordsOfSector;
}

/** How much of the disk a record needs: a multiple of 4 KiB. */
export function recordSectors(words: u32): u32 {
  return (mapFrom + mapSectors(words) + 7) & ~7;
}

export function writeHeader(at: usize, who: Identity, generation: u64, complete: bool): void {
  memory.fill(at, 0, 512);
  store<u64>(at, magic, MAGIC);
  store<u32>(at, version, VERSION);
  store<u32>(at, who.shift, SHIFT);
  store<u64>(at, who.imageSectors, IMAGE_SECTORS);
  store<u64>(at, who.nativeSectors, NATIVE_SECTORS);
  store<u64>(at, generation, GENERATION);
  store<u32>(at, complete ? 1 : 0, COMPLETE);
  memory.copy(at + IMAGE_ID, who.imageId, idBytes);
  memory.copy(at + SERIAL, who.serial, serialBytes);
  store<u32>(at, crc32(at, CRC), CRC);
}

/** @returns its generation, or 0: it is none, or not of this deployment */
export function readHeader(at: usize, who: Identity): u64 {
  if (load<u64>(at, MAGIC) !== magic || load<u32>(at, CRC) !== crc32(at, CRC)) return 0;
  if (load<u32>(at, VERSION) !== version || load<u32>(at, SHIFT) !== who.shift) return 0;
  if (load<u64>(at, IMAGE_SECTORS) !== who.imageSectors || load<u64>(at, NATIVE_SECTORS) !== who.nativeSectors)
    return 0;
  if (memory.compare(at + IMAGE_ID, who.imageId, idBytes) !== 0) return 0;
  if (memory.compare(at + SERIAL, who.serial, serialBytes) !== 0) return 0;
  return load<u64>(at, GENERATION);
}

export function isComplete(at: usize): bool {
  return load<u32>(at, COMPLETE) !== 0;
}

/** Ends a sector of the bitmap whose bits are there. @param deployment what its header's fields have as a checksum */
export function sealMap(at: usize, index: u32, deployment: u32): void {
  store<u32>(at, index, INDEX);
  store<u32>(at, deployment, DEPLOYMENT);
  store<u32>(at, 0, DEPLOYMENT + 4);
  store<u32>(at, crc32(at, CRC), CRC);
}

export function isMap(at: usize, index: u32, deployment: u32): bool {
  const known = load<u32>(at, INDEX) === index && load<u32>(at, DEPLOYMENT) === deployment;
  return known && load<u32>(at, CRC) === crc32(at, CRC);
}

/** Names a deployment in few bytes: bitmap and header must belong together. */
export function fingerprint(who: Identity): u32 {
  return crc32(who.imageId, idBytes) ^ crc32(who.serial, serialBytes) ^ <u32>who.imageSectors ^ (who.shift << 24);
}

/** CRC-32 of IEEE 802.3. */
export function crc32(at: usize, bytes: usize): u32 {
  let crc: u32 = ~0;
  for (let i: usize = 0; i < bytes; i++) {
    crc ^= load<u8>(at + i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb8_8320 & (0 - (crc & 1)));
  }
  return ~crc;
}
