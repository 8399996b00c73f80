/** Vector operations as WebAssembly SIMD opcodes; those that it lacks are composed. */

import { type Code, V128 } from "@castaway/kit/wasm";
import type { Lane, VectorBinary, VectorLogic } from "../core/exec.ts";
import type { Emitter } from "./emitter.ts";
import type { Node } from "./graph.ts";

export const LOAD = 0x00,
  STORE = 0x0b,
  LOAD32_ZERO = 0x5c,
  LOAD64_ZERO = 0x5d,
  SHUFFLE = 0x0d;
export const LOGIC: Record<VectorLogic, number> = { and: 0x4e, andnot: 0x4f, or: 0x50, xor: 0x51 };
export const EXTRACT_LANE: Record<Lane, number> = { 8: 0x16, 16: 0x19, 32: 0x1b, 64: 0x1d };
const REPLACE_LANE: Record<Lane, number> = { 8: 0x17, 16: 0x1a, 32: 0x1c, 64: 0x1e };
const SPLAT64 = 0x12;
export const NARROW = { s: { 8: 0x65, 16: 0x85 }, u: { 8: 0x66, 16: 0x86 } } as const;
/** extmul_low_s by lane width; high is one more, unsigned two more. */
export const MUL_WIDE = { 8: 0x9c, 16: 0xbc, 32: 0xdc } as const;
export const DOT = 0xba,
  ADD_PAIRS8 = 0x7c,
  ADD_PAIRS16 = 0x7e;
export const BITMASK: Record<Lane, number> = { 8: 0x64, 16: 0x84, 32: 0xa4, 64: 0xc4 };

const BINARY: Partial<Record<VectorBinary, Partial<Record<Lane, number>>>> = {
  add: { 8: 0x6e, 16: 0x8e, 32: 0xae, 64: 0xce },
  sub: { 8: 0x71, 16: 0x91, 32: 0xb1, 64: 0xd1 },
  mul: { 16: 0x95, 32: 0xb5, 64: 0xd5 },
  addSatS: { 8: 0x6f, 16: 0x8f },
  addSatU: { 8: 0x70, 16: 0x90 },
  subSatS: { 8: 0x72, 16: 0x92 },
  subSatU: { 8: 0x73, 16: 0x93 },
  minS: { 8: 0x76, 16: 0x96, 32: 0xb6 },
  minU: { 8: 0x77, 16: 0x97, 32: 0xb7 },
  maxS: { 8: 0x78, 16: 0x98, 32: 0xb8 },
  maxU: { 8: 0x79, 16: 0x99, 32: 0xb9 },
  avgU: { 8: 0x7b, 16: 0x9b },
  eq: { 8: 0x23, 16: 0x2d, 32: 0x37, 64: 0xd6 },
  gtS: { 8: 0x27, 16: 0x31, 32: 0x3b, 64: 0xd9 },
};
const SHIFT: Record<"shl" | "shr" | "sar", Record<Lane, number>> = {
  shl: { 8: 0x6b, 16: 0x8b, 32: 0xab, 64: 0xcb },
  shr: { 8: 0x6d, 16: 0x8d, 32: 0xad, 64: 0xcd },
  sar: { 8: 0x6c, 16: 0x8c, 32: 0xac, 64: 0xcc },
};

export function binary(x: Emitter, op: VectorBinary, width: Lane, a: Node, b: Node): Node {
  const opcode = BINARY[op]?.[width];
  if (opcode === undefined) throw new Error(`no vector operation ${op} on ${width}-bit lanes`);
  return x.graph.pure(V128, [a, b], (code) => code.simd(opcode));
}
/** Wasm takes counts modulo the lane width; x86 does not. */
export function shift(x: Emitter, op: "shl" | "shr" | "sar", width: Lane, a: Node, count: Node): Node {
  const inRange = x.ltU(count, x.const(width));
  const bounded = op === "sar" ? x.select(inRange, count, x.const(width - 1)) : count;
  const shifted = x.graph.pure(V128, [a, bounded], (code) => code.op("i32.wrap_i64").simd(SHIFT[op][width]));
  return op === "sar" ? shifted : x.select(inRange, shifted, x.vectorConst(0n, 0n));
}

export function extract(code: Code, width: Lane, index: number): void {
  code.simd(EXTRACT_LANE[width]).u8(index);
  if (width < 64) code.op("i64.extend_i32_u");
}
export function replace(code: Code, width: Lane, index: number): void {
  if (width < 64) code.op("i32.wrap_i64");
  code.simd(REPLACE_LANE[width]).u8(index);
}
export function constant(code: Code, low: bigint, high: bigint): void {
  code.simd(0x0c);
  for (let i = 0; i < 16; i++) code.u8(Number(((i < 8 ? low : high) >> BigInt(8 * (i & 7))) & 0xffn));
}
/** A word in the low lane, zeros above. */
export function fromWord(code: Code): void {
  code.simd(SPLAT64);
  constant(code, 0xffffffffffffffffn, 0n);
  code.simd(LOGIC.and);
}
