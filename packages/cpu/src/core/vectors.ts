/** Vector operations over 128-bit bigints, lane by lane: what the evaluator does. */
import type { FloatBinary, FloatFormat, Lane, VectorBinary, VectorLogic } from "./exec.ts";
import type { Processor } from "./processor.ts";

const mask = (width: number) => (1n << BigInt(width)) - 1n;
export const VECTOR = (1n << 128n) - 1n;

export const lane = (v: bigint, width: Lane, index: number): bigint => (v >> BigInt(width * index)) & mask(width);
export function withLane(v: bigint, width: Lane, index: number, value: bigint): bigint {
  const shift = BigInt(width * index);
  return (v & ~(mask(width) << shift)) | ((value & mask(width)) << shift);
}
/** Applies `f` to each lane of a and b, both zero-extended; the results are cut to the lane. */
export function map(width: Lane, a: bigint, b: bigint, f: (a: bigint, b: bigint) => bigint): bigint {
  let result = 0n;
  for (let i = 0; i < 128 / width; i++) result |= (f(lane(a, width, i), lane(b, width, i)) & mask(width)) << BigInt(width * i);
  return result;
}
export function logic(op: VectorLogic, a: bigint, b: bigint): bigint {
  switch (op) {
    case "and": return a & b;
    case "or": return a | b;
    case "xor": return a ^ b;
    case "andnot": return ~a & b & VECTOR;
  }
}
const clamp = (v: bigint, low: bigint, high: bigint) => (v < low ? low : v > high ? high : v);

export function binary(op: VectorBinary, width: Lane, a: bigint, b: bigint): bigint {
  const s = (v: bigint) => BigInt.asIntN(width, v), high = mask(width - 1), low = -high - 1n, ones = mask(width);
  switch (op) {
    case "add": return map(width, a, b, (p, q) => p + q);
    case "sub": return map(width, a, b, (p, q) => p - q);
    case "mul": return map(width, a, b, (p, q) => p * q);
    case "addSatS": return map(width, a, b, (p, q) => clamp(s(p) + s(q), low, high));
    case "subSatS": return map(width, a, b, (p, q) => clamp(s(p) - s(q), low, high));
    case "addSatU": return map(width, a, b, (p, q) => clamp(p + q, 0n, ones));
    case "subSatU": return map(width, a, b, (p, q) => clamp(p - q, 0n, ones));
    case "minS": return map(width, a, b, (p, q) => (s(p) < s(q) ? p : q));
    case "maxS": return map(width, a, b, (p, q) => (s(p) > s(q) ? p : q));
    case "minU": return map(width, a, b, (p, q) => (p < q ? p : q));
    case "maxU": return map(width, a, b, (p, q) => (p > q ? p : q));
    case "avgU": return map(width, a, b, (p, q) => (p + q + 1n) >> 1n);
    case "eq": return map(width, a, b, (p, q) => (p === q ? ones : 0n));
    case "gtS": return map(width, a, b, (p, q) => (s(p) > s(q) ? ones : 0n));
  }
}
export function shift(op: "shl" | "shr" | "sar", width: Lane, a: bigint, count: bigint): bigint {
  const all = count >= BigInt(width), n = all ? BigInt(width) : count;
  switch (op) {
    case "shl": return all ? 0n : map(width, a, 0n, (p) => p << n);
    case "shr": return all ? 0n : map(width, a, 0n, (p) => p >> n);
    case "sar": return map(width, a, 0n, (p) => BigInt.asIntN(width, p) >> (all ? BigInt(width - 1) : n));
  }
}
export function shuffle(a: bigint, b: bigint, bytes: readonly number[]): bigint {
  let result = 0n;
  bytes.forEach((from, i) => { result |= lane(from < 16 ? a : b, 8, from & 15) << BigInt(8 * i); });
  return result;
}
export function floatBinary(_cpu: Processor, _op: FloatBinary, _format: FloatFormat, _lanes: number, _a: bigint, _b: bigint): bigint {
  throw new Error("floating point is not connected yet");
}
export function floatSqrt(_cpu: Processor, _format: FloatFormat, _lanes: number, _a: bigint, _b: bigint): bigint {
  throw new Error("floating point is not connected yet");
}
