/**
 * Addition, subtraction, multiplication, division, square root and fused multiply-add, exact and correctly rounded.
 *
 * Each takes the format of its result; `aFormat` and `bFormat` differ from it when an x87 instruction has an operand in
 * memory (FADD m32fp), whose denormals and SNaNs must be seen before they are widened. Order of the checks: unsupported
 * and SNaN, QNaN, other invalid operations and division by zero, denormal operand. [SDM 1 4.9.2]
 */
import { DE, type FpEnv, ZE } from "./env.ts";
import {
  bitLength,
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
import { invalid, propagate, propagateOne, propagateThree } from "./nan.ts";
import { cancelled, resultPrecision, round } from "./round.ts";

type Binary = (env: FpEnv, format: Format, a: bigint, b: bigint, aFormat?: Format, bFormat?: Format) => bigint;

export const add: Binary = (env, format, a, b, aFormat = format, bFormat = format) =>
  sum(env, format, unpack(env.a, aFormat, a, env.daz), unpack(env.b, bFormat, b, env.daz), 0);

export const sub: Binary = (env, format, a, b, aFormat = format, bFormat = format) =>
  sum(env, format, unpack(env.a, aFormat, a, env.daz), unpack(env.b, bFormat, b, env.daz), 1);

export const mul: Binary = (env, format, a, b, aFormat = format, bFormat = format) =>
  product(env, format, unpack(env.a, aFormat, a, env.daz), unpack(env.b, bFormat, b, env.daz));

/** a / b. */
export const div: Binary = (env, format, a, b, aFormat = format, bFormat = format) =>
  quotient(env, format, unpack(env.a, aFormat, a, env.daz), unpack(env.b, bFormat, b, env.daz));

/** Rounds a value that is an operand or a widened one: x + 0 obeys precision control and may be tiny. */
const roundOperand = (env: FpEnv, format: Format, x: Operand, sign: number): bigint =>
  round(env, format, resultPrecision(env, format), sign, x.exponent, x.significand, 64);

/** x + y, or x - y when `negate` is 1: the NaN of a subtrahend keeps its sign. */
function sum(env: FpEnv, format: Format, x: Operand, y: Operand, negate: number): bigint {
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, format, x, y);
  const ySign = y.sign ^ negate;
  if (x.kind === INFINITY && y.kind === INFINITY && x.sign !== ySign) return invalid(env, format);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  if (x.kind === INFINITY) return infinity(format, x.sign);
  if (y.kind === INFINITY) return infinity(format, ySign);
  if (y.kind === ZERO) {
    if (x.kind === FINITE) return roundOperand(env, format, x, x.sign);
    return x.sign === ySign ? zero(format, x.sign) : cancelled(env, format);
  }
  if (x.kind === ZERO) return roundOperand(env, format, y, ySign);
  if (x.exponent >= y.exponent) {
    return addAligned(env, format, x.sign, x.exponent, x.significand, ySign, y.exponent, y.significand);
  }
  return addAligned(env, format, ySign, y.exponent, y.significand, x.sign, x.exponent, x.significand);
}

/** Beyond this distance the smaller addend only tells that there is something below the larger. */
const FAR = 66;

/** Two numbers of 64 bits, the first with the larger exponent (or an equal one). */
function addAligned(
  env: FpEnv,
  format: Format,
  sign: number,
  exponent: number,
  large: bigint,
  otherSign: number,
  otherExponent: number,
  other: bigint,
): bigint {
  let distance = exponent - otherExponent;
  let small = other;
  if (distance > FAR) {
    distance = FAR;
    small = 1n;
  }
  const raised = distance === 0 ? large : large << shift(distance);
  let total = sign === otherSign ? raised + small : raised - small;
  let totalSign = sign;
  if (total < 0n) {
    total = -total;
    totalSign = otherSign;
  }
  if (total === 0n) return cancelled(env, format);
  const width = bitLength(total);
  return round(env, format, resultPrecision(env, format), totalSign, exponent + width - 64 - distance, total, width);
}

function product(env: FpEnv, format: Format, x: Operand, y: Operand): bigint {
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, format, x, y);
  if (x.kind + y.kind === INFINITY && x.kind !== y.kind) return invalid(env, format);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  const sign = x.sign ^ y.sign;
  if (x.kind === INFINITY || y.kind === INFINITY) return infinity(format, sign);
  if (x.kind === ZERO || y.kind === ZERO) return zero(format, sign);
  const exact = x.significand * y.significand;
  const width = exact < power(127) ? 127 : 128;
  return round(env, format, resultPrecision(env, format), sign, x.exponent + y.exponent + width - 127, exact, width);
}

/** Quotient bits that are computed: 64, two more to round by, one that the first may waste. */
const QUOTIENT_BITS = 67;

function quotient(env: FpEnv, format: Format, x: Operand, y: Operand): bigint {
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, format, x, y);
  if (x.kind === y.kind && x.kind !== FINITE) return invalid(env, format);
  const sign = x.sign ^ y.sign;
  if (x.kind === FINITE && y.kind === ZERO) return env.stops(ZE) ? 0n : infinity(format, sign);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  if (x.kind === INFINITY) return infinity(format, sign);
  if (x.kind === ZERO || y.kind === INFINITY) return zero(format, sign);
  const dividend = x.significand << shift(QUOTIENT_BITS);
  let bits = dividend / y.significand;
  if (bits * y.significand !== dividend) bits |= 1n;
  const width = bits < power(QUOTIENT_BITS) ? QUOTIENT_BITS : QUOTIENT_BITS + 1;
  const exponent = x.exponent - y.exponent + width - QUOTIENT_BITS - 1;
  return round(env, format, resultPrecision(env, format), sign, exponent, bits, width);
}

export function sqrt(env: FpEnv, format: Format, a: bigint): bigint {
  const x = unpack(env.a, format, a, env.daz);
  if (x.kind > INFINITY) return propagateOne(env, format, x);
  if (x.kind === ZERO) return zero(format, x.sign);
  if (x.sign) return invalid(env, format);
  if (x.denormal && env.stops(DE)) return 0n;
  if (x.kind === INFINITY) return infinity(format, 0);
  // radicand = significand * 2^(68 or 69), so that the exponent left over is even and the root has 66 or 67 bits
  const odd = (x.exponent - 63 - 69) & 1;
  const radicand = x.significand << (odd ? 68n : 69n);
  let root = integerSqrt(radicand);
  if (root * root !== radicand) root |= 1n;
  const width = bitLength(root);
  const exponent = (x.exponent - 63 - (odd ? 68 : 69)) / 2 + width - 1;
  return round(env, format, resultPrecision(env, format), 0, exponent, root, width);
}

/** Floor of the square root of a number below 2^134: a double gives 52 bits, one step of Newton's method the others. */
function integerSqrt(radicand: bigint): bigint {
  const estimate = BigInt(Math.floor(Math.sqrt(Number(radicand))));
  let root = (estimate + radicand / estimate) >> 1n;
  while (root * root > radicand) root -= 1n;
  while ((root + 1n) * (root + 1n) <= radicand) root += 1n;
  return root;
}

/** How FMADD, FMSUB, FNMADD and FNMSUB differ: signs of the product and of the addend. [SDM 1 14.5.1] */
export interface FmaSigns {
  readonly product: 0 | 1;
  readonly addend: 0 | 1;
}
export const FMADD: FmaSigns = { product: 0, addend: 0 };
export const FMSUB: FmaSigns = { product: 0, addend: 1 };
export const FNMADD: FmaSigns = { product: 1, addend: 0 };
export const FNMSUB: FmaSigns = { product: 1, addend: 1 };

/** a * b + c with one rounding, f32 and f64. */
export function fma(env: FpEnv, format: Format, a: bigint, b: bigint, c: bigint, signs: FmaSigns = FMADD): bigint {
  const x = unpack(env.a, format, a, env.daz);
  const y = unpack(env.b, format, b, env.daz);
  const z = unpack(env.c, format, c, env.daz);
  if (x.kind > INFINITY || y.kind > INFINITY || z.kind > INFINITY) return propagateThree(env, format, x, y, z);
  if (x.kind + y.kind === INFINITY && x.kind !== y.kind) return invalid(env, format);
  const sign = x.sign ^ y.sign ^ signs.product;
  const addendSign = z.sign ^ signs.addend;
  const infinite = x.kind === INFINITY || y.kind === INFINITY;
  if (infinite && z.kind === INFINITY && sign !== addendSign) return invalid(env, format);
  if ((x.denormal || y.denormal || z.denormal) && env.stops(DE)) return 0n;
  if (infinite) return infinity(format, sign);
  if (z.kind === INFINITY) return infinity(format, addendSign);
  if (x.kind === ZERO || y.kind === ZERO) {
    if (z.kind === FINITE) return roundOperand(env, format, z, addendSign);
    return sign === addendSign ? zero(format, sign) : cancelled(env, format);
  }
  return fuse(env, format, sign, addendSign, x, y, z);
}

/**
 * All bits of a finite product plus an addend. Products have 106 bits at most, so 240 bits of room hold what matters of
 * both.
 */
function fuse(
  env: FpEnv,
  format: Format,
  sign: number,
  addendSign: number,
  x: Operand,
  y: Operand,
  z: Operand,
): bigint {
  let exact = x.significand * y.significand;
  let exactLow = x.exponent + y.exponent - 126;
  let addend = z.kind === ZERO ? 0n : z.significand;
  let addendLow = z.kind === ZERO ? exactLow : z.exponent - 63;
  const distance = exactLow - addendLow;
  if (distance > 240) {
    addend = 1n;
    addendLow = exactLow - 240;
  } else if (distance < -240) {
    exact = 1n;
    exactLow = addendLow - 240;
  }
  const low = Math.min(exactLow, addendLow);
  const signed = (sign ? -exact : exact) << shift(exactLow - low);
  const total = signed + ((addendSign ? -addend : addend) << shift(addendLow - low));
  if (total === 0n) return cancelled(env, format);
  const magnitude = total < 0n ? -total : total;
  const width = bitLength(magnitude);
  return round(env, format, format.precision, total < 0n ? 1 : 0, low + width - 1, magnitude, width);
}
