/** Numbers at which devices go wrong. */
import type { Random } from "@castaway/kit";

/** Where the fuzzer keeps what devices fetch from memory: pages of descriptors, lists and tables. */
export const STRUCTURES = 0x10_0000;
export const STRUCTURES_END = 0x1f_0000;

const EDGES = [0, 1, 2, 3, 4, 7, 8, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff, 0x100, 0xfff, 0x7fff, 0x8000, 0xfffe, 0xffff];
const WIDE = [0x10000, 0xffffff, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0xaaaaaaaa, 0x55555555];

/** A value for a register that last read as `last`. */
export function valueFor(random: Random, bytes: number, last: number): number {
  const mask = 2 ** (8 * Math.min(bytes, 4)) - 1;
  return (wide(random, last) & mask) >>> 0;
}
function wide(random: Random, last: number): number {
  switch (random.below(9)) {
    case 0:
      return random.pick(EDGES);
    case 1:
      return random.pick(WIDE);
    case 2:
      return 1 << random.below(32);
    case 3:
      return ~(1 << random.below(32));
    case 4:
      return last ^ (1 << random.below(32));
    case 5:
      return last | (1 << random.below(32));
    case 6:
      return pointer(random);
    case 7:
      return random.below(256);
    default:
      return random.u32();
  }
}

/** An address that a structure may have, or should not. */
export function pointer(random: Random): number {
  const page = STRUCTURES + 1024 * random.below((STRUCTURES_END - STRUCTURES) / 1024);
  switch (random.below(12)) {
    case 0:
      return random.pick([0, 0xa0000, 0xb8000, 0xc0000, 0xe0000, 0xf0000, 0xff000]);
    case 1:
      return random.pick([0x1ff000, 0x1fff00, 0x200000, 0x3ffffffc]);
    case 2:
      return random.pick([0xfec00000, 0xfee00000, 0xfebf0000, 0xe0000000, 0xfffc0000, 0xfffffff0, 0xffffffff]);
    case 3:
      return page + random.below(1024);
    case 4:
      return random.u32();
    default:
      return page;
  }
}

/** Sizes of accesses. */
export const size = (random: Random): 1 | 2 | 4 => random.pick([1, 1, 2, 4, 4] as const);

/** Memory that looks like a ring of 16-byte descriptors: an address of 64 bits, a length, flags. */
export function descriptors(random: Random, count: number): Uint8Array {
  const bytes = random.fill(new Uint8Array(16 * count));
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 16) {
    view.setUint32(at, pointer(random), true);
    view.setUint32(at + 4, random.chance(0.9) ? 0 : random.u32(), true);
    if (random.chance(0.7)) view.setUint16(at + 8, random.pick([0, 1, 60, 64, 1514, 2048, 4096, 0xffff]), true);
    if (random.chance(0.5)) view.setUint16(at + 10, random.pick([0, 0x0b00, 0x0d00, 0xffff]), true);
  }
  return bytes;
}
