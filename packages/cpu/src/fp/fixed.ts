/**
 * Fixed-point numbers of {@link W} fraction bits and the series the transcendental instructions are made of.
 *
 * Results have 64 bits, so W leaves about 90 bits of room: rounding goes wrong only for an argument whose exact result
 * agrees with a rounding boundary in as many places, and the arguments that do so exactly are told apart by the
 * callers.
 */
import { power, shift } from "./formats.ts";

export const W = 160;
const W_SHIFT = shift(W);
export const ONE = power(W);

/** Product of two fixed-point numbers. */
const times = (a: bigint, b: bigint): bigint => (a * b) >> W_SHIFT;

/** value * 2^n, for n of either sign. Bits below the last are lost. */
export const scaled = (value: bigint, n: number): bigint => (n >= 0 ? value << shift(n) : value >> shift(-n));

/** 1 + sign*t/3 + t^2/5 + sign*t^3/7 ..: what atan (sign -1) and atanh (+1) of sqrt(t) are times sqrt(t). */
function arcSeries(t: bigint, sign: -1n | 1n): bigint {
  let total = ONE;
  let term = ONE;
  for (let divisor = 3n; ; divisor += 2n) {
    term = times(term, t) * sign;
    if (term === 0n || term === -1n) return total;
    total += term / divisor;
  }
}
export const atanSeries = (t: bigint): bigint => below(arcSeries(t, -1n));
export const atanhSeries = (t: bigint): bigint => above(arcSeries(t, 1n));

/** 1 + t/(first*(first+1)) + t^2/(first*..*(first+3)) ..: sine over r (first 2, t = -r^2) and cosine (first 1). */
function circularSeries(t: bigint, first: bigint): bigint {
  let total = ONE;
  let term = ONE;
  for (let n = first; term !== 0n && term !== -1n; n += 2n) {
    term = times(term, t) / (n * (n + 1n));
    total += term;
  }
  return below(total);
}
/** sin(r) / r from r^2. */
export const sineSeries = (square: bigint): bigint => circularSeries(-square, 2n);
/** cos(r) from r^2. */
export const cosineSeries = (square: bigint): bigint => circularSeries(-square, 1n);

/** (e^z - 1) / z. */
export function exponentialSeries(z: bigint): bigint {
  let total = ONE;
  let term = ONE;
  for (let n = 2n; term !== 0n && term !== -1n; n++) {
    term = times(term, z) / n;
    total += term;
  }
  return total;
}

/** A series that is just short of one, or just beyond, must not give one: directed rounding sees the difference. */
const below = (value: bigint): bigint => (value >= ONE ? ONE - 1n : value);
const above = (value: bigint): bigint => (value <= ONE ? ONE + 1n : value);

/** Arctangent of numerator / denominator, which is small. */
function atanRatio(numerator: bigint, denominator: bigint): bigint {
  const ratio = (numerator << W_SHIFT) / denominator;
  return times(ratio, atanSeries(times(ratio, ratio)));
}
function atanhRatio(numerator: bigint, denominator: bigint): bigint {
  const ratio = (numerator << W_SHIFT) / denominator;
  return times(ratio, atanhSeries(times(ratio, ratio)));
}

/** Machin's formula. */
export const PI = 16n * atanRatio(1n, 5n) - 4n * atanRatio(1n, 239n);
export const LN2 = 2n * atanhRatio(1n, 3n);
const LN10 = 3n * LN2 + 2n * atanhRatio(1n, 9n);
export const LOG2_E = (ONE << W_SHIFT) / LN2;
export const LOG2_10 = (LN10 << W_SHIFT) / LN2;
export const LOG10_2 = (LN2 << W_SHIFT) / LN10;

const STEPS = 32n;
/** atan(i / 32) for i of 0..32, by atan(a) + atan((b - a) / (1 + ab)) = atan(b). */
const ARCTANGENTS = arctangents();
function arctangents(): bigint[] {
  const table = [0n];
  for (let i = 0n; i < STEPS; i++) {
    table.push((table[Number(i)] as bigint) + atanRatio(STEPS, STEPS * STEPS + i * (i + 1n)));
  }
  return table;
}

/** Arctangent of a fixed-point number of 0..1. */
export function arctangent(q: bigint): bigint {
  const i = (q * STEPS + (ONE >> 1n)) >> W_SHIFT;
  const difference = q * STEPS - i * ONE;
  const magnitude = difference < 0n ? -difference : difference;
  const part = atanRatio(magnitude, STEPS * ONE + q * i); // (q - c) / (1 + qc), c = i/32
  return (ARCTANGENTS[Number(i)] as bigint) + (difference < 0n ? -part : part);
}
