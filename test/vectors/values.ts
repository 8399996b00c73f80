/**
 * Operand values that find mistakes: the edges of every width and format, their neighbours, and plain noise.
 *
 * Values are bit patterns: bigint for 64 bits, number for 32 and fewer.
 */
import type { Random } from "@castaway/kit";

const WIDTHS = [4, 7, 8, 15, 16, 31, 32, 63, 64];
const MASK64 = (1n << 64n) - 1n;
const EDGES: readonly bigint[] = [
  ...WIDTHS.flatMap((width) => [-1n, 0n, 1n].map((near) => ((1n << BigInt(width)) + near) & MASK64)),
  ...WIDTHS.map((width) => -(1n << BigInt(width)) & MASK64),
  0n,
  0n,
  1n,
  2n,
  3n,
  MASK64,
  MASK64,
  MASK64 - 1n,
  0x5555_5555_5555_5555n,
  0xaaaa_aaaa_aaaa_aaaan,
  0x0123_4567_89ab_cdefn,
  0x8080_8080_8080_8080n,
  0x7fff_8000_7f80_ff01n,
];

export const bits64 = (random: Random): bigint => (BigInt(random.u32()) << 32n) | BigInt(random.u32());

/** A 64-bit integer whose low 8, 16 and 32 bits are interesting as well. */
export function integer(random: Random): bigint {
  const dice = random.u32() >>> 24;
  if (dice < 70) return EDGES[random.below(EDGES.length)]!;
  if (dice < 110) return BigInt(random.below(70));
  if (dice < 130) return BigInt(-random.below(70)) & MASK64;
  if (dice < 150) return EDGES[random.below(EDGES.length)]! ^ BigInt(random.below(4)) ^ (bits64(random) & ~0xffffn);
  if (dice < 190) return bits64(random) >> BigInt(random.below(64));
  if (dice < 215) return lanes(random);
  return bits64(random);
}

const BYTES = [0, 1, 2, 0x0f, 0x10, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x09, 0x99, 0x9a, 0x55];

/** Edges in each byte or each 16-bit lane, for packed and decimal arithmetic. */
function lanes(random: Random): bigint {
  let value = 0n;
  const wide = random.below(2) === 0;
  for (let i = 0; i < 8; i++) {
    const byte = wide && i % 2 === 0 ? random.pick([0, 1, 0xff]) : random.pick(BYTES);
    value |= BigInt(byte) << BigInt(8 * i);
  }
  return value;
}

/** A binary floating-point format: bits of exponent and fraction. */
interface Format {
  readonly exponent: number;
  readonly fraction: number;
}
const F32: Format = { exponent: 8, fraction: 23 };
const F64: Format = { exponent: 11, fraction: 52 };
const F80: Format = { exponent: 15, fraction: 63 };

/** Exponents around those at which conversions to integers and to narrower formats change their mind. */
const STEPS = [0, 1, 2, 7, 8, 15, 16, 22, 23, 24, 30, 31, 32, 33, 51, 52, 53, 61, 62, 63, 64, 65];

function exponent(random: Random, { exponent: width, fraction }: Format): number {
  const top = (1 << width) - 1;
  const bias = top >> 1;
  const dice = random.u32() >>> 24;
  if (dice < 40) return 0;
  if (dice < 65) return top;
  if (dice < 75) return 1 + random.below(2);
  if (dice < 85) return top - 1 - random.below(2);
  if (dice < 150) return bias + random.pick(STEPS);
  if (dice < 180) return bias - random.below(fraction + 3);
  if (dice < 190)
    return Math.min(top, Math.max(0, bias + random.pick([-127, -126, -125, -149, 127, 128, -1022, -1074, 1023, 1024])));
  if (dice < 200) return (top >> 2) + (random.below(5) - 2); // squares that underflow
  return random.below(top + 1);
}

function fraction(random: Random, width: number): bigint {
  const ones = (1n << BigInt(width)) - 1n;
  const dice = random.u32() >>> 24;
  if (dice < 60) return 0n;
  if (dice < 75) return ones;
  if (dice < 90) return 1n << BigInt(width - 1);
  if (dice < 105) return (1n << BigInt(width - 1)) | 1n;
  if (dice < 115) return 1n;
  if (dice < 130) return ones ^ BigInt(random.below(4));
  if (dice < 160) return (bits64(random) << BigInt(random.below(width))) & ones; // few significant bits: exact results
  return bits64(random) & ones;
}

function pattern(random: Random, format: Format): bigint {
  const top = BigInt(((random.u32() & 1) << format.exponent) | exponent(random, format));
  return (top << BigInt(format.fraction)) | fraction(random, format.fraction);
}

export const float32 = (random: Random): number => Number(pattern(random, F32));
export const float64 = (random: Random): bigint => pattern(random, F64);

/** An 80-bit value: ten bytes. The integer bit fits the exponent, except where an unsupported format is wanted. */
export function float80(random: Random): Uint8Array {
  const top = ((random.u32() & 1) << 15) | exponent(random, F80);
  const odd = random.below(16) === 0;
  const integerBit = ((top & 0x7fff) !== 0) !== odd ? 1n << 63n : 0n;
  return extended(top, integerBit | fraction(random, F80.fraction));
}

/** A 64-bit integer, an exact double or a single in 80 bits: operands for which arithmetic is often exact. */
export function plain80(random: Random): Uint8Array {
  const magnitude = bits64(random) >> BigInt(random.below(63));
  if (magnitude === 0n) return extended((random.u32() & 1) << 15, 0n);
  const shift = 64 - magnitude.toString(2).length;
  const sign = (random.u32() & 1) << 15;
  return extended(sign | (0x3fff + 63 - shift - random.below(40)), magnitude << BigInt(shift));
}

function extended(top: number, significand: bigint): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, significand, true);
  view.setUint16(8, top, true);
  return bytes;
}

/** Eighteen packed decimal digits and a sign; some are no digits at all. */
export function decimal80(random: Random): Uint8Array {
  const bytes = new Uint8Array(10);
  const digits = random.below(10);
  for (let i = 0; i < digits; i++) bytes[i] = (random.below(10) << 4) | random.below(10);
  if (random.below(16) === 0) bytes[random.below(9)] = random.u32();
  bytes[9] = random.below(8) === 0 ? random.u32() : (random.u32() & 1) << 7;
  return bytes;
}

/** A float that is near another: the same, a few units off, the negative, a neighbouring exponent. */
export function near64(random: Random, value: bigint, fractionBits: number): bigint {
  const unit = BigInt(random.below(5) - 2);
  const step = BigInt(random.below(3) - 1) << BigInt(fractionBits);
  const sign = BigInt(random.u32() & 1) << (fractionBits === 23 ? 31n : 63n);
  const width = fractionBits === 23 ? 32n : 64n;
  return ((value + unit + step) ^ sign) & ((1n << width) - 1n);
}
