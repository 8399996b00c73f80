import { DOWN, type FpEnv, NEAREST, OE, PE, UE, UP } from "./env.ts";
import { F80, type Format, infinity, pack, packBiased, power, shift, zero } from "./formats.ts";

/** What an x87 result's exponent is moved by when overflow or underflow is unmasked. [SDM 1 8.5.4, 8.5.5] */
const EXPONENT_ADJUST = 24576;

/** Bits that an arithmetic result keeps: the x87 obeys precision control. [SDM 1 8.1.5.2] */
export const resultPrecision = (env: FpEnv, format: Format): number =>
  format === F80 ? env.precision : format.precision;

/** Is `kept`, followed by `drop` bits worth `rest` (not zero), rounded away from zero? [SDM 1 4.8.4] */
export function roundsUp(rounding: number, sign: number, kept: bigint, rest: bigint, drop: number): boolean {
  if (rounding === NEAREST) {
    const half = power(drop - 1);
    return rest > half || (rest === half && (kept & 1n) !== 0n);
  }
  return rounding === (sign ? DOWN : UP);
}

/**
 * Rounds the exact value (-1)^sign * significand * 2^(exponent - width + 1) to `precision` bits in `format`.
 *
 * `significand` has `width` bits, its top bit set, so `exponent` is that of the leading one. A caller that cannot give
 * all bits keeps at least two beyond the precision and sets the lowest when anything was lost.
 */
export function round(
  env: FpEnv,
  format: Format,
  precision: number,
  sign: number,
  exponent: number,
  significand: bigint,
  width: number,
): bigint {
  if (exponent < format.minExponent) return roundTiny(env, format, precision, sign, exponent, significand, width);
  const before = env.flags;
  const kept = keep(env, sign, significand, width - precision);
  const carried = kept === power(precision);
  const rounded = carried ? power(precision - 1) : kept;
  const final = carried ? exponent + 1 : exponent;
  if (final > format.maxExponent) {
    if (isFailedStore(env, format)) env.flags = before;
    return overflow(env, format, precision, sign, final, rounded);
  }
  return packAligned(format, precision, sign, final, rounded);
}

/** FST to memory with overflow unmasked stores nothing, so nothing is inexact. */
const isFailedStore = (env: FpEnv, format: Format): boolean =>
  env.style === "x87" && format !== F80 && env.isUnmasked(OE);

/** Drops the low `drop` bits and rounds; raises PE and tells the direction. */
function keep(env: FpEnv, sign: number, significand: bigint, drop: number): bigint {
  if (drop <= 0) return drop === 0 ? significand : significand << shift(-drop);
  const kept = significand >> shift(drop);
  const rest = BigInt.asUintN(drop, significand);
  if (rest === 0n) return kept;
  env.flags |= PE;
  env.roundedUp = roundsUp(env.rounding, sign, kept, rest, drop);
  return env.roundedUp ? kept + 1n : kept;
}

function packAligned(format: Format, precision: number, sign: number, exponent: number, significand: bigint): bigint {
  const left = format.precision - precision;
  return pack(format, sign, exponent, left === 0 ? significand : significand << shift(left));
}

/** `significand` is rounded already, as if the exponent had no bound. [SDM 1 4.9.1.4] */
function overflow(
  env: FpEnv,
  format: Format,
  precision: number,
  sign: number,
  exponent: number,
  significand: bigint,
): bigint {
  env.flags |= OE;
  if (env.isUnmasked(OE)) return unmaskedOverflow(env, format, precision, sign, exponent, significand);
  env.flags |= PE;
  const { rounding } = env;
  env.roundedUp = rounding === NEAREST || rounding === (sign ? DOWN : UP);
  if (env.roundedUp) return infinity(format, sign);
  const largest = format.maxFinite & ~(power(format.precision - precision) - 1n);
  return sign ? largest | format.signBit : largest;
}

/** An x87 register gets the result with a smaller exponent; where FSCALE is beyond that too, infinity. [SDM 1 8.5.4] */
function unmaskedOverflow(
  env: FpEnv,
  format: Format,
  precision: number,
  sign: number,
  exponent: number,
  significand: bigint,
): bigint {
  if (env.style === "sse" || format !== F80) return 0n;
  const adjusted = exponent - EXPONENT_ADJUST;
  if (adjusted <= format.maxExponent) return packAligned(format, precision, sign, adjusted, significand);
  env.flags |= PE;
  env.roundedUp = true;
  return infinity(format, sign);
}

/** A result below the normal range before rounding. Tininess is found after rounding. [SDM 1 4.9.1.5] */
function roundTiny(
  env: FpEnv,
  format: Format,
  precision: number,
  sign: number,
  exponent: number,
  significand: bigint,
  width: number,
): bigint {
  const tiny = exponent < format.minExponent - 1 || !carries(env, precision, sign, significand, width);
  if (tiny && env.isUnmasked(UE)) return unmaskedUnderflow(env, format, precision, sign, exponent, significand, width);
  if (tiny && env.ftz) {
    env.flags |= UE | PE;
    return zero(format, sign);
  }
  const before = env.flags;
  env.flags &= ~PE;
  const kept = keepDenormal(env, sign, significand, width, width - precision + (format.minExponent - exponent));
  if (tiny && (env.flags & PE) !== 0) env.flags |= UE;
  env.flags |= before;
  const aligned = kept << shift(format.precision - precision);
  return packBiased(format, sign, aligned >> shift(format.precision - 1) === 0n ? 0 : 1, aligned);
}

/** Does rounding with an unbounded exponent carry into the next binade? */
function carries(env: FpEnv, precision: number, sign: number, significand: bigint, width: number): boolean {
  const drop = width - precision;
  if (drop <= 0) return false;
  const kept = significand >> shift(drop);
  if (kept + 1n !== power(precision)) return false;
  const rest = BigInt.asUintN(drop, significand);
  return rest !== 0n && roundsUp(env.rounding, sign, kept, rest, drop);
}

/** Like `keep`, for a `drop` that may exceed the width by thousands. */
function keepDenormal(env: FpEnv, sign: number, significand: bigint, width: number, drop: number): bigint {
  return drop > width + 1 ? keep(env, sign, 1n, 2) : keep(env, sign, significand, drop);
}

/**
 * Unmasked underflow: raised for every tiny result, exact or not. [SDM 1 4.9.1.5]
 *
 * An x87 register gets the result with a larger exponent. [SDM 1 8.5.5]
 */
function unmaskedUnderflow(
  env: FpEnv,
  format: Format,
  precision: number,
  sign: number,
  exponent: number,
  significand: bigint,
  width: number,
): bigint {
  env.flags |= UE;
  if (env.style === "sse") {
    keep(env, sign, significand, width - precision);
    return 0n;
  }
  if (format !== F80) return 0n;
  const adjusted = exponent + EXPONENT_ADJUST;
  if (adjusted >= format.minExponent) return round(env, format, precision, sign, adjusted, significand, width);
  env.flags |= PE; // FSCALE, beyond that too
  return zero(format, sign);
}

/** The zero that an exact cancellation gives. [SDM 1 4.8.3.1] */
export const cancelled = (env: FpEnv, format: Format): bigint => zero(format, env.rounding === DOWN ? 1 : 0);
