/** FSCALE and FXTRACT. */

import { fromInteger } from "./convert.ts";
import { DE, type FpEnv, ZE } from "./env.ts";
import { F80, INFINITY, infinity, pack, unpack, ZERO, zero } from "./formats.ts";
import { invalid, propagate, propagateOne } from "./nan.ts";
import { round } from "./round.ts";

/**
 * More than the distance from the smallest denormal to the largest number: scaling by this always overflows or
 * vanishes.
 */
const SCALE_LIMIT = 0x10000;

/** FSCALE: a * 2^trunc(b). Not affected by precision control. [SDM 2A FSCALE] */
export function scale(env: FpEnv, a: bigint, b: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  const y = unpack(env.b, F80, b, false);
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, F80, x, y);
  if (y.kind === INFINITY && (y.sign ? x.kind === INFINITY : x.kind === ZERO)) return invalid(env, F80);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  if (x.kind === ZERO || x.kind === INFINITY) return a;
  if (y.kind === INFINITY) return y.sign ? zero(F80, x.sign) : infinity(F80, x.sign);
  if (y.kind === ZERO || y.exponent < 0) return round(env, F80, 64, x.sign, x.exponent, x.significand, 64);
  const steps = y.exponent > 16 ? SCALE_LIMIT : Number(y.significand >> BigInt(63 - y.exponent));
  return round(env, F80, 64, x.sign, x.exponent + (y.sign ? -steps : steps), x.significand, 64);
}

/**
 * FXTRACT: returns the exponent (it replaces ST(0)); `env.second` is the significand, pushed on top. [SDM 2A FXTRACT]
 */
export function extract(env: FpEnv, a: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  if (x.kind > INFINITY) {
    env.second = propagateOne(env, F80, x);
    return env.second;
  }
  env.second = a;
  if (x.kind === INFINITY) return infinity(F80, 0);
  if (x.kind === ZERO) return env.stops(ZE) ? 0n : infinity(F80, 1);
  if (x.denormal && env.stops(DE)) return 0n;
  env.second = pack(F80, x.sign, 0, x.significand);
  return fromInteger(env, F80, BigInt(x.exponent));
}
