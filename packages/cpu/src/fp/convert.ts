/** Conversions between the floating-point formats, to and from integers, and rounding to an integral value. */
import { DE, type FpEnv, IE, PE } from "./env.ts";
import {
  bitLength,
  F80,
  FINITE,
  type Format,
  INFINITY,
  infinity,
  type Operand,
  power,
  shift,
  unpack,
  ZERO,
  zero,
} from "./formats.ts";
import { propagateOne } from "./nan.ts";
import { round, roundsUp } from "./round.ts";

/**
 * Between formats: CVTSS2SD, CVTSD2SS, FLD m32/m64, FST m32/m64.
 *
 * FLD m80 and FST m80 are plain moves and do not come here. FST never reports a denormal operand. [SDM 2A FST]
 */
export function convert(env: FpEnv, from: Format, to: Format, bits: bigint): bigint {
  const x = unpack(env.a, from, bits, env.daz);
  if (x.kind > INFINITY) return propagateOne(env, to, x);
  if (x.denormal && from !== F80 && env.stops(DE)) return 0n;
  if (x.kind === INFINITY) return infinity(to, x.sign);
  if (x.kind === ZERO) return zero(to, x.sign);
  return round(env, to, to.precision, x.sign, x.exponent, x.significand, 64);
}

/** The integer indefinite: the most negative integer. [SDM 1 4.8.3.7, table 4-1] */
export const integerIndefinite = (width: number): bigint => power(width - 1);

/**
 * To a signed integer of 16, 32 or 64 bits: FIST, FISTTP, CVTSD2SI, CVTTPS2DQ. The result is the bit pattern, not
 * negative. `rounding` is TOWARD_ZERO for the truncating instructions.
 */
export function toInteger(env: FpEnv, from: Format, bits: bigint, width: number, rounding = env.rounding): bigint {
  const x = unpack(env.a, from, bits, env.daz);
  if (x.kind === ZERO) return 0n;
  if (x.kind !== FINITE || x.exponent >= 64) return overflowed(env, width);
  const { flags, roundedUp } = env;
  const magnitude = integralMagnitude(env, x, rounding);
  const limit = power(width - 1);
  if (x.sign ? magnitude > limit : magnitude >= limit) {
    env.flags = flags; // an invalid conversion is not also inexact
    env.roundedUp = roundedUp;
    return overflowed(env, width);
  }
  return x.sign ? BigInt.asUintN(width, -magnitude) : magnitude;
}

function overflowed(env: FpEnv, width: number): bigint {
  env.flags |= IE;
  return integerIndefinite(width);
}

/** The magnitude of a finite value below 2^64, rounded to an integer. Raises PE. */
export function integralMagnitude(env: FpEnv, x: Operand, rounding: number): bigint {
  if (x.exponent >= 63) return x.significand;
  const far = x.exponent < -1;
  const drop = far ? 2 : 63 - x.exponent;
  const significand = far ? 1n : x.significand;
  const kept = significand >> shift(drop);
  const rest = BigInt.asUintN(drop, significand);
  if (rest === 0n) return kept;
  env.flags |= PE;
  env.roundedUp = roundsUp(rounding, x.sign, kept, rest, drop);
  return env.roundedUp ? kept + 1n : kept;
}

/** From a signed integer, given as a signed bigint of up to 64 bits: FILD (exact), CVTSI2SD, CVTDQ2PS. */
export function fromInteger(env: FpEnv, to: Format, value: bigint): bigint {
  if (value === 0n) return 0n;
  const magnitude = value < 0n ? -value : value;
  const width = bitLength(magnitude);
  return round(env, to, to.precision, value < 0n ? 1 : 0, width - 1, magnitude, width);
}

/**
 * To an integral value in the same format: FRNDINT and, with `rounding` from imm8, ROUNDPS. The x87 reports a denormal
 * operand, SSE does not; imm8 bit 3 of ROUNDPS (`quietInexact`) keeps PE clear. [SDM 2B ROUNDPS]
 */
export function roundToIntegral(
  env: FpEnv,
  format: Format,
  bits: bigint,
  rounding = env.rounding,
  quietInexact = false,
): bigint {
  const x = unpack(env.a, format, bits, env.daz);
  if (x.kind > INFINITY) return propagateOne(env, format, x);
  if (x.denormal && env.style === "x87" && env.stops(DE)) return 0n;
  if (x.kind === ZERO) return zero(format, x.sign);
  if (x.kind === INFINITY || x.exponent >= format.precision - 1) return bits;
  const { flags } = env;
  const magnitude = integralMagnitude(env, x, rounding);
  if (quietInexact) env.flags = flags;
  if (magnitude === 0n) return zero(format, x.sign);
  const width = bitLength(magnitude);
  return round(env, format, format.precision, x.sign, width - 1, magnitude, width);
}
