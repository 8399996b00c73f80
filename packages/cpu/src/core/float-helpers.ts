/** Floating point as emitted code calls it where its fast path does not apply: the evaluator's, by name and numbers. */
import type { FloatBinary, FloatFormat, NumberKind } from "./exec.ts";
import type { VectorHelper } from "./helpers.ts";
import { floatBinary, floatCompare, floatConvert, floatRelation, floatSqrt } from "./vectors.ts";

export const FLOAT_OPS: readonly FloatBinary[] = ["add", "sub", "mul", "div", "min", "max"];
export const NUMBER_KINDS: readonly NumberKind[] = ["i32", "i64", "f32", "f64"];
const format = (word: bigint | undefined) => Number(word) as FloatFormat;

export const floatHelpers: Record<string, VectorHelper> = {
  "float.binary": (cpu, a, b, [op, f, lanes]) =>
    floatBinary(cpu, FLOAT_OPS[Number(op)]!, format(f), Number(lanes), a, b),
  "float.sqrt": (cpu, a, b, [f, lanes]) => floatSqrt(cpu, format(f), Number(lanes), a, b),
  "float.compare": (cpu, a, b, [f, lanes, predicate]) =>
    floatCompare(cpu, format(f), Number(lanes), a, b, Number(predicate)),
  "float.relation": (cpu, a, b, [f, signals]) => floatRelation(cpu, format(f), a, b, signals !== 0n),
  /** Kinds are packed: from times 8 plus to. */
  "float.convert": (cpu, a, _b, [kinds, lanes, truncate]) =>
    floatConvert(
      cpu,
      NUMBER_KINDS[Number(kinds) >> 3]!,
      NUMBER_KINDS[Number(kinds) & 7]!,
      Number(lanes),
      a,
      truncate !== 0n,
    ),
};
