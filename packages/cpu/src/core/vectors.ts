/** Vector operations over 128-bit bigints, lane by lane: what the evaluator does. */
import * as fp from "../fp/index.ts";
import type { FloatBinary, FloatFormat, Lane, NumberKind, VectorBinary, VectorLogic } from "./exec.ts";
import { refreshMxcsr } from "./modes.ts";
import { CR4_OSXMMEXCPT } from "./paging.ts";
import type { Processor } from "./processor.ts";
import { S } from "./state.ts";

const mask = (width: number) => (1n << BigInt(width)) - 1n;
export const VECTOR = (1n << 128n) - 1n;

export const lane = (v: bigint, width: number, index: number): bigint => (v >> BigInt(width * index)) & mask(width);
export function withLane(v: bigint, width: number, index: number, value: bigint): bigint {
  const shift = BigInt(width * index);
  return (v & ~(mask(width) << shift)) | ((value & mask(width)) << shift);
}
/** A vector of `count` lanes; `f` gives lane i, which is cut to `width` bits. The rest is zero. */
export function fill(width: number, f: (i: number) => bigint, count = 128 / width): bigint {
  let result = 0n;
  for (let i = 0; i < count; i++) result |= (f(i) & mask(width)) << BigInt(width * i);
  return result;
}
/** Applies `f` to each lane of a and b, both zero-extended; the results are cut to the lane. */
export const map = (width: Lane, a: bigint, b: bigint, f: (a: bigint, b: bigint) => bigint): bigint =>
  fill(width, (i) => f(lane(a, width, i), lane(b, width, i)));

export function logic(op: VectorLogic, a: bigint, b: bigint): bigint {
  switch (op) {
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "andnot":
      return ~a & b & VECTOR;
  }
}
const clamp = (v: bigint, low: bigint, high: bigint) => (v < low ? low : v > high ? high : v);

export function binary(op: VectorBinary, width: Lane, a: bigint, b: bigint): bigint {
  const s = (v: bigint) => BigInt.asIntN(width, v),
    high = mask(width - 1),
    low = -high - 1n,
    ones = mask(width);
  switch (op) {
    case "add":
      return map(width, a, b, (p, q) => p + q);
    case "sub":
      return map(width, a, b, (p, q) => p - q);
    case "mul":
      return map(width, a, b, (p, q) => p * q);
    case "addSatS":
      return map(width, a, b, (p, q) => clamp(s(p) + s(q), low, high));
    case "subSatS":
      return map(width, a, b, (p, q) => clamp(s(p) - s(q), low, high));
    case "addSatU":
      return map(width, a, b, (p, q) => clamp(p + q, 0n, ones));
    case "subSatU":
      return map(width, a, b, (p, q) => clamp(p - q, 0n, ones));
    case "minS":
      return map(width, a, b, (p, q) => (s(p) < s(q) ? p : q));
    case "maxS":
      return map(width, a, b, (p, q) => (s(p) > s(q) ? p : q));
    case "minU":
      return map(width, a, b, (p, q) => (p < q ? p : q));
    case "maxU":
      return map(width, a, b, (p, q) => (p > q ? p : q));
    case "avgU":
      return map(width, a, b, (p, q) => (p + q + 1n) >> 1n);
    case "eq":
      return map(width, a, b, (p, q) => (p === q ? ones : 0n));
    case "gtS":
      return map(width, a, b, (p, q) => (s(p) > s(q) ? ones : 0n));
  }
}
export function shift(op: "shl" | "shr" | "sar", width: Lane, a: bigint, count: bigint): bigint {
  const all = count >= BigInt(width),
    n = all ? BigInt(width) : count;
  switch (op) {
    case "shl":
      return all ? 0n : map(width, a, 0n, (p) => p << n);
    case "shr":
      return all ? 0n : map(width, a, 0n, (p) => p >> n);
    case "sar":
      return map(width, a, 0n, (p) => BigInt.asIntN(width, p) >> (all ? BigInt(width - 1) : n));
  }
}
export const shuffle = (a: bigint, b: bigint, bytes: readonly number[]): bigint =>
  fill(8, (i) => {
    const from = bytes[i]!;
    return lane(from < 16 ? a : b, 8, from & 15);
  });

/** The lane as the number that its bits stand for. */
const number = (lanes: "s" | "u", v: bigint, width: number, index: number): bigint =>
  lanes === "s" ? BigInt.asIntN(width, lane(v, width, index)) : lane(v, width, index);

export function narrow(to: "s" | "u", width: 8 | 16, a: bigint, b: bigint): bigint {
  const low = to === "s" ? -(1n << BigInt(width - 1)) : 0n,
    high = to === "s" ? mask(width - 1) : mask(width),
    half = 64 / width;
  return fill(width, (i) => clamp(number("s", i < half ? a : b, 2 * width, i % half), low, high));
}
export function mulWide(half: "low" | "high", lanes: "s" | "u", width: 8 | 16 | 32, a: bigint, b: bigint): bigint {
  const first = half === "low" ? 0 : 64 / width;
  return fill(2 * width, (i) => number(lanes, a, width, first + i) * number(lanes, b, width, first + i));
}
export function dot(a: bigint, b: bigint): bigint {
  const product = (i: number) => number("s", a, 16, i) * number("s", b, 16, i);
  return fill(32, (i) => product(2 * i) + product(2 * i + 1));
}
export const addPairs = (lanes: "s" | "u", width: 8 | 16, a: bigint): bigint =>
  fill(2 * width, (i) => number(lanes, a, width, 2 * i) + number(lanes, a, width, 2 * i + 1));
export const signs = (width: Lane, a: bigint): bigint =>
  Array.from({ length: 128 / width }, (_, i) => (lane(a, width, i) >> BigInt(width - 1)) << BigInt(i)).reduce(
    (x, y) => x | y,
  );

// ---- floating point ----

const env = new fp.FpEnv("sse");
const BINARY = { add: fp.add, sub: fp.sub, mul: fp.mul, div: fp.div, min: fp.min, max: fp.max } as const;
const FORMATS = { 32: fp.F32, 64: fp.F64 } as const;

/**
 * Runs `operation` under MXCSR. Afterwards the exception flags are in MXCSR, and an unmasked exception has raised #XM (#UD
 * if the system has not set CR4.OSXMMEXCPT); so the caller writes its result only if there is one [SDM 1 11.5.2].
 */
export function underMxcsr<T>(cpu: Processor, operation: (env: fp.FpEnv) => T): T {
  const mxcsr = cpu.u32(S.MXCSR);
  env.loadMxcsr(mxcsr).begin();
  const result = operation(env),
    flags = env.reported;
  if ((flags & ~mxcsr) !== 0) {
    cpu.setU32(S.MXCSR, mxcsr | flags);
    refreshMxcsr(cpu);
  }
  if (env.suppressed) cpu.fault(cpu.u32(S.CR4) & CR4_OSXMMEXCPT ? "XM" : "UD");
  return result;
}
/** The first `lanes` lanes from `f`, the others from `a`. */
function mapFloats(
  format: FloatFormat,
  lanes: number,
  a: bigint,
  b: bigint,
  f: (a: bigint, b: bigint) => bigint,
): bigint {
  let result = a;
  for (let i = 0; i < lanes; i++) result = withLane(result, format, i, f(lane(a, format, i), lane(b, format, i)));
  return result;
}

export const floatBinary = (
  cpu: Processor,
  op: FloatBinary,
  format: FloatFormat,
  lanes: number,
  a: bigint,
  b: bigint,
): bigint => underMxcsr(cpu, (e) => mapFloats(format, lanes, a, b, (p, q) => BINARY[op](e, FORMATS[format], p, q)));
export const floatSqrt = (cpu: Processor, format: FloatFormat, lanes: number, a: bigint, b: bigint): bigint =>
  underMxcsr(cpu, (e) => mapFloats(format, lanes, a, b, (_, q) => fp.sqrt(e, FORMATS[format], q)));
export const floatCompare = (
  cpu: Processor,
  format: FloatFormat,
  lanes: number,
  a: bigint,
  b: bigint,
  predicate: number,
): bigint =>
  underMxcsr(cpu, (e) =>
    mapFloats(format, lanes, a, b, (p, q) =>
      fp.comparePredicate(e, FORMATS[format], p, q, predicate) ? mask(format) : 0n,
    ),
  );
export const floatRelation = (cpu: Processor, format: FloatFormat, a: bigint, b: bigint, signals: boolean): bigint =>
  underMxcsr(cpu, (e) => BigInt(fp.compare(e, FORMATS[format], lane(a, format, 0), lane(b, format, 0), signals)));

export function floatConvert(
  cpu: Processor,
  from: NumberKind,
  to: NumberKind,
  lanes: number,
  a: bigint,
  truncate: boolean,
): bigint {
  const width = Number(from.slice(1)) as FloatFormat,
    result = Number(to.slice(1)) as FloatFormat;
  const one = (e: fp.FpEnv, value: bigint): bigint => {
    if (from[0] === "i") return fp.fromInteger(e, FORMATS[result], BigInt.asIntN(width, value));
    if (to[0] === "i") return fp.toInteger(e, FORMATS[width], value, result, truncate ? fp.TOWARD_ZERO : e.rounding);
    return fp.convert(e, FORMATS[width], FORMATS[result], value);
  };
  return underMxcsr(cpu, (e) => fill(result, (i) => one(e, lane(a, width, i)), lanes));
}
