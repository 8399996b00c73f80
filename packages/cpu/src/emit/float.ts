/**
 * Fast paths of SSE arithmetic in WebAssembly SIMD. WebAssembly shows no exception flags and leaves NaNs open, so a fast
 * path is taken only where no flag can change and no NaN can come up: every operand is zero or normal, the result is
 * normal or an exact zero, and, where the result may be inexact, MXCSR rounds to nearest, masks everything, has PE set
 * already, and neither DAZ nor FTZ (S.SSE_FAST). Everything else goes to the exact arithmetic.
 */

import { type Code, I32, V128 } from "@castaway/kit/wasm";
import type { FloatBinary, FloatFormat, NumberKind } from "../core/exec.ts";
import { FLOAT_OPS, NUMBER_KINDS } from "../core/float-helpers.ts";
import { S } from "../core/state.ts";
import type { Emitter } from "./emitter.ts";
import type { Node } from "./graph.ts";
import * as simd from "./simd.ts";

/** Opcodes for f32x4; those for f64x2 are beside them. */
const ARITHMETIC: Record<FloatBinary | "sqrt", Record<FloatFormat, number>> = {
  sqrt: { 32: 0xe3, 64: 0xef },
  add: { 32: 0xe4, 64: 0xf0 },
  sub: { 32: 0xe5, 64: 0xf1 },
  mul: { 32: 0xe6, 64: 0xf2 },
  div: { 32: 0xe7, 64: 0xf3 },
  min: { 32: 0xea, 64: 0xf6 },
  max: { 32: 0xeb, 64: 0xf7 }, // pmin and pmax: with operands swapped they are MINPS and MAXPS
};
const COMPARE = {
  eq: { 32: 0x41, 64: 0x47 },
  ne: { 32: 0x42, 64: 0x48 },
  lt: { 32: 0x43, 64: 0x49 },
  gt: { 32: 0x44, 64: 0x4a },
  le: { 32: 0x45, 64: 0x4b },
  ge: { 32: 0x46, 64: 0x4c },
};
const INT = { lt: { 32: 0x39, 64: 0xd8 }, ge: { 32: 0x3f, 64: 0xdb }, eq: { 32: 0x37, 64: 0xd6 } };
const ANY_TRUE = 0x53;

/** The same pattern in every lane of a format. */
const every = (format: FloatFormat, pattern: bigint): bigint => (format === 64 ? pattern : pattern | (pattern << 32n));
const ABSOLUTE = { 32: 0x7fffffffn, 64: 0x7fffffffffffffffn },
  INFINITE = { 32: 0x7f800000n, 64: 0x7ff0000000000000n };
const SMALLEST = { 32: 0x00800000n, 64: 0x0010000000000000n },
  ONE = { 32: 0x3f800000n, 64: 0x3ff0000000000000n };

/** Lane-wise building blocks for one format. */
class Lanes {
  readonly x: Emitter;
  readonly format: FloatFormat;
  constructor(x: Emitter, format: FloatFormat) {
    this.x = x;
    this.format = format;
  }
  op(opcode: number, ...args: Node[]): Node {
    return this.x.graph.pure(V128, args, (code) => code.simd(opcode));
  }
  constant(pattern: bigint): Node {
    return this.x.vectorConst(every(this.format, pattern), every(this.format, pattern));
  }
  absolute(v: Node): Node {
    return this.op(simd.LOGIC.and, v, this.constant(ABSOLUTE[this.format]));
  }
  isZero(absolute: Node): Node {
    return this.op(INT.eq[this.format], absolute, this.constant(0n));
  }
  /** Denormals, zeros, infinities and NaNs. `margin` 1 counts the smallest normal number too: it may be a tiny result rounded up. */
  notNormal(absolute: Node, margin = 0n): Node {
    const { format } = this,
      tiny = this.op(INT.lt[format], absolute, this.constant(SMALLEST[format] + margin));
    return this.op(simd.LOGIC.or, tiny, this.op(INT.ge[format], absolute, this.constant(INFINITE[format])));
  }
  /** Neither zero nor normal. */
  special(v: Node): Node {
    const absolute = this.absolute(v);
    return this.op(simd.LOGIC.andnot, this.notNormal(absolute), this.isZero(absolute));
  }
  or(a: Node, b: Node): Node {
    return this.op(simd.LOGIC.or, a, b);
  }
  anyTrue(v: Node): Node {
    return this.x.graph.pure(I32, [v], (code) => code.simd(ANY_TRUE), true);
  }
  /** The first `lanes` lanes of `v`, with lanes of `fill` behind. */
  keep(v: Node, lanes: number, fill: Node): Node {
    const bytes = lanes * (this.format / 8);
    return bytes === 16
      ? v
      : this.x.shuffle(
          v,
          fill,
          Array.from({ length: 16 }, (_, i) => (i < bytes ? i : 16 + i)),
        );
  }
  ones(): Node {
    return this.constant(ONE[this.format]);
  }
}
const fast = (x: Emitter): Node => x.isNonZero(x.state(S.SSE_FAST, 4));
const not = (x: Emitter, condition: Node): Node => x.xor(condition, x.const(1));

export function floatBinary(x: Emitter, op: FloatBinary, format: FloatFormat, lanes: number, a: Node, b: Node): Node {
  const l = new Lanes(x, format),
    p = l.keep(a, lanes, l.ones()),
    q = l.keep(b, lanes, l.ones());
  const exact = op === "min" || op === "max";
  const result = exact ? l.op(ARITHMETIC[op][format], q, p) : l.op(ARITHMETIC[op][format], p, q);
  let bad = l.or(l.special(p), op === "div" ? l.notNormal(l.absolute(q)) : l.special(q));
  if (op === "add" || op === "sub") bad = l.or(bad, l.special(result));
  else if (!exact) {
    // A zero product or quotient is exact only if an operand is zero.
    const size = l.absolute(result),
      zeros = op === "mul" ? l.or(l.isZero(l.absolute(p)), l.isZero(l.absolute(q))) : l.isZero(l.absolute(p));
    bad = l.or(bad, l.op(simd.LOGIC.andnot, l.notNormal(size, 1n), l.op(simd.LOGIC.and, zeros, l.isZero(size))));
  }
  const ok = exact ? not(x, l.anyTrue(bad)) : x.and(fast(x), not(x, l.anyTrue(bad)));
  return x.chooseVector(
    ok,
    () => l.keep(result, lanes, a),
    () => x.callVector("float.binary", a, b, x.const(FLOAT_OPS.indexOf(op)), x.const(format), x.const(lanes)),
  );
}

export function floatSqrt(x: Emitter, format: FloatFormat, lanes: number, a: Node, b: Node): Node {
  const l = new Lanes(x, format),
    q = l.keep(b, lanes, l.ones());
  const negative = l.op(INT.lt[format], q, l.constant(0n));
  const bad = l.or(l.special(q), l.op(simd.LOGIC.andnot, negative, l.isZero(l.absolute(q))));
  return x.chooseVector(
    x.and(fast(x), not(x, l.anyTrue(bad))),
    () => l.keep(l.op(ARITHMETIC.sqrt[format], q), lanes, a),
    () => x.callVector("float.sqrt", a, b, x.const(format), x.const(lanes)),
  );
}

/** Predicates 0 to 7 of CMPPS, for operands that are no NaNs. */
const PREDICATES = [COMPARE.eq, COMPARE.lt, COMPARE.le, null, COMPARE.ne, COMPARE.ge, COMPARE.gt, null];

export function floatCompare(x: Emitter, format: FloatFormat, lanes: number, a: Node, b: Node, predicate: Node): Node {
  if (predicate.value === undefined) x.needsImmediate = true;
  const slow = () => x.callVector("float.compare", a, b, x.const(format), x.const(lanes), predicate);
  const number = Number(predicate.value ?? 0n) & 31;
  if (number > 7) return slow();
  const l = new Lanes(x, format),
    p = l.keep(a, lanes, l.ones()),
    q = l.keep(b, lanes, l.ones()),
    opcode = PREDICATES[number];
  const result = opcode ? l.op(opcode[format], p, q) : x.vectorConst(number === 7 ? -1n : 0n, number === 7 ? -1n : 0n);
  return x.chooseVector(not(x, l.anyTrue(l.or(l.special(p), l.special(q)))), () => l.keep(result, lanes, a), slow);
}

/** 0 less, 1 equal, 2 greater. */
export function floatRelation(x: Emitter, format: FloatFormat, a: Node, b: Node, signals: boolean): Node {
  const l = new Lanes(x, format),
    p = l.keep(a, 1, l.ones()),
    q = l.keep(b, 1, l.ones());
  const truth = (opcode: Record<FloatFormat, number>) => x.and(x.lane(l.op(opcode[format], p, q), 32, 0), x.const(1));
  return x.choose(
    not(x, l.anyTrue(l.or(l.special(p), l.special(q)))),
    () => x.add(truth(COMPARE.ge), truth(COMPARE.gt)),
    () => x.lane(x.callVector("float.relation", a, b, x.const(format), x.const(signals ? 1 : 0)), 64, 0),
  );
}

export function floatConvert(
  x: Emitter,
  from: NumberKind,
  to: NumberKind,
  lanes: number,
  a: Node,
  truncate: boolean,
): Node {
  const kinds = NUMBER_KINDS.indexOf(from) * 8 + NUMBER_KINDS.indexOf(to);
  const slow = () => x.callVector("float.convert", a, a, x.const(kinds), x.const(lanes), x.const(truncate ? 1 : 0));
  const zero = x.vectorConst(0n, 0n);
  if (from[0] === "i") {
    const result = fromInteger(x, from, to, lanes, a);
    const cut = new Lanes(x, Number(to.slice(1)) as FloatFormat).keep(result, lanes, zero);
    return from === "i32" && to === "f64" ? cut : x.chooseVector(fast(x), () => cut, slow); // exact, or rounded to nearest
  }
  const format = Number(from.slice(1)) as FloatFormat,
    l = new Lanes(x, format);
  const p = l.keep(a, lanes, l.ones());
  if (to[0] === "i") return toInteger(x, l, to, lanes, p, truncate, slow);
  const width = Number(to.slice(1)) as FloatFormat,
    other = new Lanes(x, width);
  if (from === "f32")
    return x.chooseVector(not(x, l.anyTrue(l.special(p))), () => other.keep(l.op(0x5f, p), lanes, zero), slow);
  const result = l.op(0x5e, p); // f32x4.demote_f64x2_zero: the upper lanes are zero
  const back = l.op(0x5f, result),
    lost = l.op(simd.LOGIC.andnot, l.isZero(l.absolute(back)), l.isZero(l.absolute(p)));
  const tooSmall = l.op(
    simd.LOGIC.andnot,
    l.op(INT.lt[64], l.absolute(back), l.constant(0x3810000000000001n)),
    l.isZero(l.absolute(back)),
  );
  const bad = l.or(l.or(l.special(p), l.special(back)), l.or(lost, tooSmall));
  return x.chooseVector(x.and(fast(x), not(x, l.anyTrue(bad))), () => other.keep(result, lanes, zero), slow);
}

function fromInteger(x: Emitter, from: NumberKind, to: NumberKind, lanes: number, a: Node): Node {
  if (from === "i32") return x.graph.pure(V128, [a], (code) => code.simd(to === "f64" ? 0xfe : 0xfa));
  if (lanes !== 1) throw new Error("64-bit integers are converted one at a time");
  return x.graph.pure(V128, [x.lane(a, 64, 0)], (code) => {
    if (to === "f64")
      code.u8(0xb9).simd(0x14); // f64.convert_i64_s, f64x2.splat
    else code.u8(0xb4).simd(0x13);
  });
}

/** Bounds between which truncation gives an integer of 32 or 64 bits: −2ⁿ⁻¹ and 2ⁿ⁻¹ as bit patterns. */
const BOUNDS: Record<"i32" | "i64", Record<FloatFormat, [bigint, bigint]>> = {
  i32: { 32: [0xcf000000n, 0x4f000000n], 64: [0xc1e0000000000000n, 0x41e0000000000000n] },
  i64: { 32: [0xdf000000n, 0x5f000000n], 64: [0xc3e0000000000000n, 0x43e0000000000000n] },
};
const NEAREST: Record<FloatFormat, number> = { 32: 0x6a, 64: 0x94 };

function toInteger(
  x: Emitter,
  l: Lanes,
  to: NumberKind,
  lanes: number,
  p: Node,
  truncate: boolean,
  slow: () => Node,
): Node {
  const { format } = l,
    rounded = truncate ? p : l.op(NEAREST[format], p),
    [low, high] = BOUNDS[to as "i32" | "i64"][format];
  const inside = l.op(
    simd.LOGIC.and,
    l.op(COMPARE.ge[format], rounded, l.constant(low)),
    l.op(COMPARE.lt[format], rounded, l.constant(high)),
  );
  const bad = l.or(l.special(p), l.op(simd.LOGIC.xor, inside, l.constant(ABSOLUTE[format] * 2n + 1n)));
  const convert = (code: Code) => {
    if (to === "i32") {
      code.simd(format === 32 ? 0xf8 : 0xfc);
      return;
    }
    code
      .simd(format === 32 ? 0x1f : 0x21)
      .u8(0)
      .u8(0xfc)
      .u8(format === 32 ? 4 : 6); // extract lane, i64.trunc_sat_f.._s
    simd.fromWord(code);
  };
  const cut = new Lanes(x, to === "i32" ? 32 : 64);
  return x.chooseVector(
    x.and(fast(x), not(x, l.anyTrue(bad))),
    () => cut.keep(x.graph.pure(V128, [rounded], convert), lanes, x.vectorConst(0n, 0n)),
    slow,
  );
}
