/** FPREM and FPREM1. */
import { DE, type FpEnv } from "./env.ts";
import { bitLength, F80, INFINITY, type Operand, shift, unpack, ZERO } from "./formats.ts";
import { invalid, propagate } from "./nan.ts";
import { round } from "./round.ts";

/** FPREM: a - b * trunc(a / b). [SDM 2A FPREM] */
export const remainder = (env: FpEnv, a: bigint, b: bigint): bigint => reduce(env, a, b, false);
/** FPREM1: a - b * nearest(a / b), the IEEE 754 remainder. [SDM 2A FPREM1] */
export const ieeeRemainder = (env: FpEnv, a: bigint, b: bigint): bigint => reduce(env, a, b, true);

/**
 * `env.quotient` gets the low three bits of the quotient (C0 C3 C1) and `env.incomplete` C2. Both are left 0 and false
 * when an operand is special.
 */
function reduce(env: FpEnv, a: bigint, b: bigint, nearest: boolean): bigint {
  env.quotient = 0;
  env.incomplete = false;
  const x = unpack(env.a, F80, a, false);
  const y = unpack(env.b, F80, b, false);
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, F80, x, y);
  if (x.kind === INFINITY || y.kind === ZERO) return invalid(env, F80);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  if (x.kind === ZERO) return a;
  if (y.kind === INFINITY) return round(env, F80, 64, x.sign, x.exponent, x.significand, 64);
  const distance = x.exponent - y.exponent;
  return distance < 64 ? complete(env, x, y, distance, nearest) : partial(env, x, y, distance);
}

function complete(env: FpEnv, x: Operand, y: Operand, distance: number, nearest: boolean): bigint {
  if (distance < -1 || (distance < 0 && !nearest)) return round(env, F80, 64, x.sign, x.exponent, x.significand, 64);
  // for distance -1 the divisor is doubled instead of halving the dividend
  const low = Math.min(x.exponent, y.exponent) - 63;
  const dividend = distance > 0 ? x.significand << shift(distance) : x.significand;
  const divisor = distance < 0 ? y.significand << 1n : y.significand;
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let { sign } = x;
  const twice = rest << 1n;
  if (nearest && (twice > divisor || (twice === divisor && (quotient & 1n) !== 0n))) {
    quotient += 1n;
    rest = divisor - rest;
    sign ^= 1;
  }
  env.quotient = Number(BigInt.asUintN(3, quotient));
  return finish(env, rest, low, sign, x.sign);
}

/**
 * One step of a long reduction: the distance shrinks by less than 64. [SDM 2A FPREM: N is a number between 32 and 63]
 */
function partial(env: FpEnv, x: Operand, y: Operand, distance: number): bigint {
  env.incomplete = true;
  const step = (distance & 31) | 32;
  const dividend = x.significand << shift(step);
  return finish(env, dividend % y.significand, x.exponent - 63 - step, x.sign, x.sign);
}

/** A remainder is exact; a zero has the sign of the dividend. */
function finish(env: FpEnv, rest: bigint, low: number, sign: number, zeroSign: number): bigint {
  if (rest === 0n) return zeroSign ? F80.signBit : 0n;
  const width = bitLength(rest);
  return round(env, F80, 64, sign, low + width - 1, rest, width);
}
