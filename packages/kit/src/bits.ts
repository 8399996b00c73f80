/**
 * Bits and bytes. Unless said otherwise values are 32-bit patterns: any number is taken modulo 2^32 as JavaScript's
 * bit operators do, and results are unsigned (0 to 0xffffffff).
 */

/** Bit `n` (0 to 31) of `value`: 0 or 1. */
export function bit(value: number, n: number): number {
  return (value >>> n) & 1;
}

/** `count` ones from bit 0 up; `count` is 0 to 32. */
export function ones(count: number): number {
  return count >= 32 ? 0xffffffff : ((1 << count) - 1) >>> 0;
}

/** Bits `high` down to `low` of `value`, as the manuals write [high:low]; 31 >= high >= low >= 0. */
export function field(value: number, high: number, low: number): number {
  return ((value >>> low) & ones(high - low + 1)) >>> 0;
}

/** `value` with its bits [high:low] replaced by the low bits of `content`. */
export function withField(value: number, high: number, low: number, content: number): number {
  const mask = ones(high - low + 1) << low;
  return ((value & ~mask) | ((content << low) & mask)) >>> 0;
}

/** The low `width` (1 to 32) bits of `value` as a two's complement number: negative if bit width-1 is set. */
export function signed(value: number, width: number): number {
  return (value << (32 - width)) >> (32 - width);
}

/** How many bits of `value` are 1: 0 to 32. */
export function countOnes(value: number): number {
  let n = value - ((value >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The number of the lowest 1 bit of `value`, or 32 if there is none. */
export function lowestOne(value: number): number {
  return value === 0 ? 32 : 31 - Math.clz32(value & -value);
}

/** The number of the highest 1 bit of `value`, or -1 if there is none. */
export function highestOne(value: number): number {
  return 31 - Math.clz32(value);
}

/** `value` rotated left by `count` (0 to 31). */
export function rotateLeft(value: number, count: number): number {
  return ((value << count) | (value >>> (32 - count))) >>> 0;
}

/** The four bytes of `value` in the opposite order. */
export function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** The two low bytes of `value` in the opposite order; the rest is dropped. */
export function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

/** Whether `value`, a safe integer, is 1, 2, 4, 8, and so on. */
export function isPowerOfTwo(value: number): boolean {
  if (value < 1 || !Number.isSafeInteger(value)) return false;
  const high = high32(value);
  const low = low32(value);
  return high === 0 ? (low & (low - 1)) === 0 : low === 0 && (high & (high - 1)) === 0;
}

/** The largest multiple of `alignment` (a positive safe integer) that is at most `value` (a safe integer, >= 0). */
export function alignDown(value: number, alignment: number): number {
  return value - (value % alignment);
}

/** The smallest multiple of `alignment` (a positive safe integer) that is at least `value` (a safe integer, >= 0). */
export function alignUp(value: number, alignment: number): number {
  const over = value % alignment;
  return over === 0 ? value : value - over + alignment;
}

/** Bits 31:0 of a safe integer >= 0. */
export function low32(value: number): number {
  return value >>> 0;
}

/** Bits 52:32 of a safe integer >= 0. */
export function high32(value: number): number {
  return (value - (value >>> 0)) / 0x1_0000_0000;
}

/** The number high * 2^32 + low. Exact while `high` (unsigned) is below 2^21. */
export function join32(high: number, low: number): number {
  return (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
}

/** `value` (a safe integer, >= 0) in lower-case hexadecimal without prefix, with leading zeros up to `digits`. */
export function hex(value: number, digits = 1): string {
  return value.toString(16).padStart(digits, "0");
}

/** The little-endian number in the `size` (1, 2 or 4) bytes at `at`. */
export function readLittle(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = (value << 8) | bytes[at + i];
  return value >>> 0;
}

/** Writes the low `size` (1, 2 or 4) bytes of `value` at `at`, little-endian. */
export function writeLittle(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * i);
}

/** The big-endian number in the `size` (1, 2 or 4) bytes at `at`: network order. */
export function readBig(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = (value << 8) | bytes[at + i];
  return value >>> 0;
}

/** Writes the low `size` (1, 2 or 4) bytes of `value` at `at`, big-endian: network order. */
export function writeBig(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * (size - 1 - i));
}
