/** Packed BCD: 18 digits and a sign bit. [SDM 1 4.7] */

import { integralMagnitude } from "./convert.ts";
import { type FpEnv, IE } from "./env.ts";
import { bitLength, F80, FINITE, packBiased, power, shift, unpack, ZERO, zero } from "./formats.ts";

export const BCD_INDEFINITE = 0xffff_c000_0000_0000_0000n;
const SIGN = 1n << 79n;
const DIGITS = 18;
const LIMIT = 10n ** BigInt(DIGITS);

/** FBLD. Exact. Digits above 9 are not checked: each weighs its binary value, as processors have it. */
export function fromBcd(bits: bigint): bigint {
  let magnitude = 0n;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    magnitude = magnitude * 10n + ((bits >> shift(4 * digit)) & 15n);
  }
  const sign = (bits & SIGN) !== 0n ? 1 : 0;
  if (magnitude === 0n) return zero(F80, sign);
  const width = bitLength(magnitude);
  return packBiased(F80, sign, F80.bias + width - 1, magnitude << shift(64 - width));
}

/** FBSTP, without the pop. */
export function toBcd(env: FpEnv, bits: bigint): bigint {
  const x = unpack(env.a, F80, bits, false);
  const sign = x.sign ? SIGN : 0n;
  if (x.kind === ZERO) return sign;
  const { flags, roundedUp } = env;
  const magnitude = x.kind === FINITE && x.exponent < 64 ? integralMagnitude(env, x, env.rounding) : power(64);
  if (magnitude < LIMIT) return sign | BigInt(`0x${magnitude}`);
  env.flags = flags | IE;
  env.roundedUp = roundedUp;
  return BCD_INDEFINITE;
}
