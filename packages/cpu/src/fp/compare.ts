/** Comparisons, minimum and maximum. */
import { DE, type FpEnv, IE } from "./env.ts";
import { type Format, INFINITY, type Operand, SNAN, unpack, ZERO, zero } from "./formats.ts";

export const LESS = 0;
export const EQUAL = 1;
export const GREATER = 2;
export const UNORDERED = 3;

/**
 * The relation of a to b. An SNaN or unsupported operand is invalid; a QNaN only when `signalsQnan` (COMISS, FCOM,
 * FTST, CMPLTPS as opposed to UCOMISS, FUCOM, CMPEQPS). [SDM 1 8.3.6]
 */
export function compare(
  env: FpEnv,
  format: Format,
  a: bigint,
  b: bigint,
  signalsQnan: boolean,
  aFormat = format,
  bFormat = format,
): number {
  const x = unpack(env.a, aFormat, a, env.daz);
  const y = unpack(env.b, bFormat, b, env.daz);
  if (x.kind > INFINITY || y.kind > INFINITY) {
    if (signalsQnan || x.kind >= SNAN || y.kind >= SNAN) env.flags |= IE;
    return UNORDERED;
  }
  if (x.denormal || y.denormal) env.flags |= DE;
  return order(x, y);
}

/** Neither is a NaN. */
function order(x: Operand, y: Operand): number {
  if (x.kind === ZERO && y.kind === ZERO) return EQUAL;
  const xSign = x.kind === ZERO ? y.sign ^ 1 : x.sign;
  const ySign = y.kind === ZERO ? x.sign ^ 1 : y.sign;
  if (xSign !== ySign) return xSign ? LESS : GREATER;
  const magnitude = orderMagnitudes(x, y);
  return xSign ? GREATER - magnitude : magnitude;
}

function orderMagnitudes(x: Operand, y: Operand): number {
  if (x.kind !== y.kind) return x.kind < y.kind ? LESS : GREATER;
  if (x.kind === INFINITY) return EQUAL;
  if (x.exponent !== y.exponent) return x.exponent < y.exponent ? LESS : GREATER;
  if (x.significand === y.significand) return EQUAL;
  return x.significand < y.significand ? LESS : GREATER;
}

/**
 * Bit n: the predicate is true for relation n (LESS, EQUAL, GREATER, UNORDERED). Imm8 bits 3:0 of CMPPS and VCMPPS.
 * [SDM 2A CMPPD]
 */
// biome-ignore format: one row of eight predicates a line
const TRUE_FOR = [
  0b0010, 0b0001, 0b0011, 0b1000, 0b1101, 0b1110, 0b1100, 0b0111, // EQ LT LE UNORD NEQ NLT NLE ORD
  0b1010, 0b1001, 0b1011, 0b0000, 0b0101, 0b0110, 0b0100, 0b1111, // EQ_U NGE NGT FALSE NEQ_O GE GT TRUE
];
/** Bit n: predicate n of 0..15 signals a QNaN; predicates 16..31 are the same with the answer turned round. */
const SIGNALS_QNAN = 0b0110_0110_0110_0110;

/** CMPPS and the like: a (the destination) against b by predicate imm8, 0..7 without VEX, 0..31 with. */
export function comparePredicate(env: FpEnv, format: Format, a: bigint, b: bigint, predicate: number): boolean {
  const signals = ((SIGNALS_QNAN >> (predicate & 15)) & 1) !== predicate >> 4;
  const relation = compare(env, format, a, b, signals);
  return (((TRUE_FOR[predicate & 15] as number) >> relation) & 1) !== 0;
}

/** MINPS: b, the second source, when either is a NaN or both are zeros. Any NaN is invalid. [SDM 2B MINPS] */
export const min = (env: FpEnv, format: Format, a: bigint, b: bigint): bigint => select(env, format, a, b, LESS);
export const max = (env: FpEnv, format: Format, a: bigint, b: bigint): bigint => select(env, format, a, b, GREATER);

function select(env: FpEnv, format: Format, a: bigint, b: bigint, wanted: number): bigint {
  const takesFirst = compare(env, format, a, b, true) === wanted;
  const taken = takesFirst ? env.a : env.b;
  if (taken.kind === ZERO) return zero(format, taken.sign); // a denormal when DAZ is set
  return takesFirst ? a : b;
}
