/**
 * The floating-point formats and their data classes. [SDM 1 4.2.2, 4.8.3]
 *
 * A value crosses every function of this folder as the bits of its format, in a bigint. Inside, it is an {@link
 * Operand}: all formats share one significand of 64 bits with the leading one at bit 63, as the double
 * extended-precision format has it.
 */

export interface Format {
  readonly name: "f32" | "f64" | "f80";
  /** Bits of the significand, the integer bit included. */
  readonly precision: number;
  readonly bias: number;
  /** Unbiased exponents of the largest and the smallest normal number. */
  readonly maxExponent: number;
  readonly minExponent: number;
  readonly signBit: bigint;
  readonly infinity: bigint;
  readonly maxFinite: bigint;
  /** The QNaN floating-point indefinite. [SDM 1 4.8.3.7] */
  readonly indefinite: bigint;
  readonly one: bigint;
}

export const F32: Format = {
  name: "f32",
  precision: 24,
  bias: 127,
  maxExponent: 127,
  minExponent: -126,
  signBit: 0x8000_0000n,
  infinity: 0x7f80_0000n,
  maxFinite: 0x7f7f_ffffn,
  indefinite: 0xffc0_0000n,
  one: 0x3f80_0000n,
};

export const F64: Format = {
  name: "f64",
  precision: 53,
  bias: 1023,
  maxExponent: 1023,
  minExponent: -1022,
  signBit: 0x8000_0000_0000_0000n,
  infinity: 0x7ff0_0000_0000_0000n,
  maxFinite: 0x7fef_ffff_ffff_ffffn,
  indefinite: 0xfff8_0000_0000_0000n,
  one: 0x3ff0_0000_0000_0000n,
};

export const F80: Format = {
  name: "f80",
  precision: 64,
  bias: 16383,
  maxExponent: 16383,
  minExponent: -16382,
  signBit: 0x8000_0000_0000_0000_0000n,
  infinity: 0x7fff_8000_0000_0000_0000n,
  maxFinite: 0x7ffe_ffff_ffff_ffff_ffffn,
  indefinite: 0xffff_c000_0000_0000_0000n,
  one: 0x3fff_8000_0000_0000_0000n,
};

/** Data classes, ordered so that `kind > INFINITY` means "not a number we can compute with". */
export const ZERO = 0;
export const FINITE = 1;
export const INFINITY = 2;
export const QNAN = 3;
export const SNAN = 4;
/** Unnormal, pseudo-infinity, pseudo-NaN: encodings that only the 80-bit format has. [SDM 1 8.2.2] */
export const UNSUPPORTED = 5;

/**
 * One unpacked value. FINITE: (-1)^sign * significand * 2^(exponent - 63). NaN: the significand is the payload, left
 * aligned.
 */
export class Operand {
  kind = ZERO;
  sign = 0;
  exponent = 0;
  significand = 0n;
  /** The value came as a denormal (or pseudo-denormal) of its format. */
  denormal = false;
}

const WIDEST_SHIFT = 512;
const SHIFTS = Array.from({ length: WIDEST_SHIFT }, (_, n) => BigInt(n));
const POWERS = Array.from({ length: WIDEST_SHIFT }, (_, n) => 1n << BigInt(n));

/** A shift count as bigint: BigInt(n) allocates, this does not. */
export const shift = (n: number): bigint => (n < WIDEST_SHIFT ? (SHIFTS[n] as bigint) : BigInt(n));
/** 2^n. */
export const power = (n: number): bigint => (n < WIDEST_SHIFT ? (POWERS[n] as bigint) : 1n << BigInt(n));

const INTEGER_BIT = 1n << 63n;
const QUIET_BIT = 1n << 62n;
const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
const quads = new BigUint64Array(doubles.buffer);

/** Position of the leading one plus one, for 0 < value < 2^1023. */
export function bitLength(value: bigint): number {
  doubles[0] = Number(value);
  const high = words[1] as number;
  const exponent = (high >>> 20) - 1023;
  // Number() may have rounded up to the next power of two.
  const roundedUp = (high & 0xfffff) === 0 && words[0] === 0 && value >> shift(exponent) === 0n;
  return roundedUp ? exponent : exponent + 1;
}

/** Takes the bits of a value apart. With `daz` a denormal becomes a zero of its sign. [SDM 1 10.2.3.4] */
export function unpack(into: Operand, format: Format, bits: bigint, daz: boolean): Operand {
  into.denormal = false;
  if (format === F80) unpackF80(into, bits);
  else if (format === F64) unpackF64(into, bits, daz);
  else unpackF32(into, Number(bits), daz);
  return into;
}

function unpackF80(into: Operand, bits: bigint): void {
  const signExponent = Number(bits >> 64n);
  const exponent = signExponent & 0x7fff;
  const significand = BigInt.asUintN(64, bits);
  into.sign = signExponent >>> 15;
  into.significand = significand;
  into.exponent = exponent - 16383;
  if (exponent === 0) setDenormal(into, significand, -16382, false);
  else if (significand < INTEGER_BIT) into.kind = UNSUPPORTED;
  else if (exponent !== 0x7fff) into.kind = FINITE;
  else into.kind = classifySpecial(significand);
}

function unpackF64(into: Operand, bits: bigint, daz: boolean): void {
  quads[0] = bits;
  const high = words[1] as number;
  const exponent = (high >>> 20) & 0x7ff;
  into.sign = high >>> 31;
  into.exponent = exponent - 1023;
  if (exponent === 0) return setDenormal(into, BigInt.asUintN(63, bits << 11n), -1022, daz);
  into.significand = BigInt.asUintN(63, bits << 11n) | INTEGER_BIT;
  into.kind = exponent !== 0x7ff ? FINITE : classifySpecial(into.significand);
}

function unpackF32(into: Operand, bits: number, daz: boolean): void {
  const exponent = (bits >>> 23) & 0xff;
  into.sign = bits >>> 31;
  into.exponent = exponent - 127;
  words[0] = 0;
  if (exponent === 0) {
    words[1] = bits << 8;
    return setDenormal(into, quads[0] as bigint, -126, daz);
  }
  words[1] = (bits << 8) | 0x8000_0000;
  into.significand = quads[0] as bigint;
  into.kind = exponent !== 0xff ? FINITE : classifySpecial(into.significand);
}

function setDenormal(into: Operand, significand: bigint, minExponent: number, daz: boolean): void {
  if (significand === 0n || daz) {
    into.kind = ZERO;
    into.significand = 0n;
    return;
  }
  const left = 64 - bitLength(significand);
  into.kind = FINITE;
  into.denormal = true;
  into.significand = significand << shift(left);
  into.exponent = minExponent - left;
}

function classifySpecial(significand: bigint): number {
  if (significand === INTEGER_BIT) return INFINITY;
  return (significand & QUIET_BIT) !== 0n ? QNAN : SNAN;
}

/** Puts a normal number together; `significand` has exactly the precision of the format. */
export function pack(format: Format, sign: number, exponent: number, significand: bigint): bigint {
  return packBiased(format, sign, exponent + format.bias, significand);
}

/** The same with the biased exponent; 0 packs a denormal. */
export function packBiased(format: Format, sign: number, exponent: number, significand: bigint): bigint {
  if (format === F80) return (BigInt((sign << 15) | exponent) << 64n) | significand;
  if (format === F64) {
    quads[0] = significand;
    words[1] = ((words[1] as number) & 0xfffff) | (exponent << 20) | (sign << 31);
    return quads[0];
  }
  return BigInt(((Number(significand) & 0x7fffff) | (exponent << 23) | (sign << 31)) >>> 0);
}

export const zero = (format: Format, sign: number): bigint => (sign ? format.signBit : 0n);
export const infinity = (format: Format, sign: number): bigint =>
  sign ? format.infinity | format.signBit : format.infinity;

/** A QNaN from a left-aligned payload: quieted, and cut to the width of the format. [SDM 1 4.8.3.4] */
export function quietNan(format: Format, sign: number, payload: bigint): bigint {
  const significand = (payload | INTEGER_BIT | QUIET_BIT) >> shift(64 - format.precision);
  return packBiased(format, sign, format.maxExponent + format.bias + 1, significand);
}

export type Class = "zero" | "denormal" | "normal" | "infinity" | "qnan" | "snan" | "unsupported";

/** The data class of a value, for FXAM, tags, traces and tests. */
export function classify(format: Format, bits: bigint): Class {
  const value = unpack(new Operand(), format, bits, false);
  if (value.kind === FINITE) return value.denormal ? "denormal" : "normal";
  if (value.kind === ZERO) return "zero";
  if (value.kind === INFINITY) return "infinity";
  if (value.kind === UNSUPPORTED) return "unsupported";
  return value.kind === QNAN ? "qnan" : "snan";
}
