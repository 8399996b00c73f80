/**
 * F2XM1, FYL2X and FYL2XP1, correctly rounded in every rounding mode; trigonometry.ts has the others. Precision control
 * has no effect. [SDM 1 8.3.9, 8.3.10]
 */
import { DE, type FpEnv, PE, UE, ZE } from "./env.ts";
import { atanhSeries, exponentialSeries, LN2, LOG2_E, ONE, scaled, W } from "./fixed.ts";
import { bitLength, F80, INFINITY, infinity, type Operand, power, shift, unpack, ZERO, zero } from "./formats.ts";
import { invalid, propagate, propagateOne } from "./nan.ts";
import { round } from "./round.ts";

/** Rounds significand * 2^low, which stands for a number with more bits than it shows. */
export function roundIrrational(env: FpEnv, sign: number, significand: bigint, low: number): bigint {
  const width = bitLength(significand);
  return round(env, F80, 64, sign, low + width - 1, significand | 1n, width);
}

/** F2XM1: 2^a - 1, |a| <= 1. Beyond, where it is undefined: a, reported as inexact. [SDM 2A F2XM1] */
export function f2xm1(env: FpEnv, a: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  if (x.kind > INFINITY) return propagateOne(env, F80, x);
  if (x.denormal && env.stops(DE)) return 0n;
  if (x.kind === ZERO) return a;
  if (x.kind === INFINITY) return x.sign ? F80.one | F80.signBit : a;
  if (x.exponent >= 0) return beyondF2xm1(env, x, a);
  const z = scaled(x.significand * LN2, x.exponent - 63);
  const series = exponentialSeries(x.sign ? -z : z);
  const product = (x.significand * LN2 * series) >> shift(W);
  return roundIrrational(env, x.sign, product, x.exponent - 63 - W);
}

const MINUS_HALF = 0xbffe_8000_0000_0000_0000n;

function beyondF2xm1(env: FpEnv, x: Operand, a: bigint): bigint {
  env.flags |= PE; // for 1 and -1 as well
  const isOne = x.exponent === 0 && x.significand === power(63);
  return isOne && x.sign ? MINUS_HALF : a;
}

/** FYL2X: b * log2(a), a = ST(0), b = ST(1). [SDM 2A FYL2X] */
export function fyl2x(env: FpEnv, a: bigint, b: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  const y = unpack(env.b, F80, b, false);
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, F80, x, y);
  if (x.kind === ZERO) return logarithmOfZero(env, y);
  if (x.sign) return invalid(env, F80);
  const logSign = x.exponent < 0 ? 1 : 0;
  const isOne = x.exponent === 0 && x.significand === power(63);
  if (x.kind === INFINITY ? y.kind === ZERO : isOne && y.kind === INFINITY) return invalid(env, F80);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  if (x.kind === INFINITY) return infinity(F80, y.sign);
  if (y.kind === INFINITY) return infinity(F80, y.sign ^ logSign);
  if (isOne || y.kind === ZERO) return zero(F80, y.sign ^ logSign);
  return timesLogarithm(env, y, x.significand, x.exponent - 63);
}

function logarithmOfZero(env: FpEnv, y: Operand): bigint {
  if (y.kind === ZERO) return invalid(env, F80);
  if (y.kind !== INFINITY && env.stops(ZE)) return 0n;
  return infinity(F80, y.sign ^ 1);
}

/** y * log2(significand * 2^low), for a significand of any width. */
function timesLogarithm(env: FpEnv, y: Operand, significand: bigint, low: number): bigint {
  let width = bitLength(significand);
  if (significand === power(width - 1)) return timesInteger(env, y, low + width - 1);
  // fraction in sqrt(1/2)..sqrt(2), roughly: that much of a binade below one
  if (significand >> shift(width - 4) < 11n) width -= 1;
  const exponent = low + width;
  const unit = power(width);
  const difference = significand - unit;
  const magnitude = difference < 0n ? -difference : difference;
  const up = W + width - bitLength(magnitude);
  const fraction = logarithm((magnitude << shift(up)) / (significand + unit), up);
  if (exponent === 0) return timesReal(env, y, difference < 0n ? 1 : 0, fraction, -up);
  const fixed = scaled(fraction, W - up);
  const total = BigInt(exponent) * ONE + (difference < 0n ? -fixed : fixed);
  return timesReal(env, y, total < 0n ? 1 : 0, total < 0n ? -total : total, -W);
}

/** log2((1 + s) / (1 - s)) = 2 log2(e) atanh(s), s and the result having `fractionBits`. */
function logarithm(s: bigint, fractionBits: number): bigint {
  const series = atanhSeries(scaled(s * s, W - 2 * fractionBits));
  return (s * series * LOG2_E) >> shift(2 * W - 1);
}

/**
 * The logarithm of a power of two is an integer and the product may be exact; processors report it as inexact all the
 * same.
 */
function timesInteger(env: FpEnv, y: Operand, exponent: number): bigint {
  const exact = y.significand * BigInt(Math.abs(exponent));
  const width = bitLength(exact);
  const result = round(env, F80, 64, y.sign ^ (exponent < 0 ? 1 : 0), y.exponent - 63 + width - 1, exact, width);
  const isDenormal = (result & F80.infinity) < MIN_NORMAL;
  env.flags |= isDenormal ? PE | UE : PE;
  return result;
}

const MIN_NORMAL = 1n << 64n;

const timesReal = (env: FpEnv, y: Operand, sign: number, value: bigint, low: number): bigint =>
  roundIrrational(env, y.sign ^ sign, y.significand * value, y.exponent - 63 + low);

/**
 * FYL2XP1: b * log2(a + 1), a = ST(0), b = ST(1). The manual defines it for |a| <= 1 - sqrt(1/2); here it is right for
 * all a > -1, and a finite a of -1 or less comes back, reported as inexact. [SDM 2A FYL2XP1]
 */
export function fyl2xp1(env: FpEnv, a: bigint, b: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  const y = unpack(env.b, F80, b, false);
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, F80, x, y);
  if (x.sign && x.kind === INFINITY) return invalid(env, F80);
  if (x.kind === ZERO ? y.kind === INFINITY : x.kind === INFINITY && y.kind === ZERO) return invalid(env, F80);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  const sign = x.sign ^ y.sign;
  if (x.kind === INFINITY || y.kind === INFINITY) return infinity(F80, sign);
  if (x.kind === ZERO || y.kind === ZERO) return zero(F80, sign);
  if (x.sign && x.exponent >= 0) {
    env.flags |= PE;
    return a;
  }
  if (x.exponent < -8) return timesSmallLogarithm(env, x, y);
  // 1 + x with all its bits; of an x beyond 2^80 only that there is something below it
  if (x.exponent > 80) return timesLogarithm(env, y, (x.significand << 80n) | 1n, x.exponent - 143);
  const low = Math.min(x.exponent - 63, 0);
  const one = power(-low);
  const addend = x.significand << shift(x.exponent - 63 - low);
  return timesLogarithm(env, y, x.sign ? one - addend : one + addend, low);
}

/** |x| < 2^-8: log2(1 + x) by s = x / (2 + x), or x * log2(e) when the next term, x^2 / 2, is out of sight. */
function timesSmallLogarithm(env: FpEnv, x: Operand, y: Operand): bigint {
  if (x.exponent < -W) return timesReal(env, y, x.sign, x.significand * LOG2_E, x.exponent - 63 - W);
  const two = power(64 - x.exponent); // in units of the last place of x
  const fractionBits = W - x.exponent;
  const s = (x.significand << shift(fractionBits)) / (x.sign ? two - x.significand : two + x.significand);
  return timesReal(env, y, x.sign, logarithm(s, fractionBits), -fractionBits);
}
