import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answer, type Row, rows } from "./captured.ts";
import { compare, comparePredicate, max, min } from "./compare.ts";
import { FpEnv } from "./env.ts";
import { F32, F64, F80 } from "./formats.ts";

/** ST(0) against ST(1) or memory. */
const X87 = `
  fcom 37f 3fff8000000000000000 40008000000000000000 = less 0  # 1 and 2
  fcom 37f 40008000000000000000 3fff8000000000000000 = greater 0  # 2 and 1
  fcom 37f 80000000000000000000 0 = equal 0  # -0 = +0
  fcom 37f ffff8000000000000000 7ffeffffffffffffffff = less 0  # -inf and the largest
  fcom 37f bfff8000000000000000 bfff8000000000000001 = greater 0  # -1 and less
  fcom 37f 7fffc000000000000001 3fff8000000000000000 = unordered 1  # FCOM signals a QNaN [SDM 1 8.3.6]
  fucom 37f 7fffc000000000000001 3fff8000000000000000 = unordered 0  # FUCOM does not
  fucom 37f 7fff8000000000000001 3fff8000000000000000 = unordered 1  # but an SNaN
  fucom 37f 3fff0000000000000001 3fff8000000000000000 = unordered 1  # and an unnormal
  fcom 37f 1 0 = greater 2  # denormal operand
  fcom 37f 1 8000000000000000 = less 2  # a denormal and a pseudo-denormal
  fucom 37f 1 7fffc000000000000001 = unordered 0  # a QNaN hides the denormal
  fcom32 37f 0 80000001 = greater 2  # an f32 denormal in memory
`;

/** min and max; cmp.n is CMPSD with predicate n. */
const SSE = `
  min.f32 1f80 3f800000 40000000 = 3f800000 0  # the smaller
  min.f32 1f80 0 80000000 = 80000000 0  # two zeros: the second
  min.f32 1f80 80000000 0 = 0 0  # the other way
  min.f32 1f80 7fc00001 3f800000 = 3f800000 1  # a QNaN is invalid; the second [SDM 2B MINPS]
  min.f32 1f80 3f800000 7f800001 = 7f800001 1  # not even quieted
  max.f32 1f80 3f800000 40000000 = 40000000 0  # the larger
  max.f64 1fc0 0 1 = 0 0  # DAZ: two zeros
  max.f64 1fc0 8000000000000001 bff0000000000000 = 8000000000000000 0  # DAZ: a zero of the sign
  max.f64 1f80 1 0 = 1 2  # denormal operand
  min.f64 1f00 7ff8000000000000 0 = kept 1  # unmasked invalid
  cmp.0 1f80 3ff0000000000000 4000000000000000 = 0 0  # predicate 0, less
  cmp.0 1f80 3ff0000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 0, equal
  cmp.0 1f80 7ff8000000000000 3ff0000000000000 = 0 0  # predicate 0, unordered
  cmp.1 1f80 3ff0000000000000 4000000000000000 = ffffffffffffffff 0  # predicate 1, less
  cmp.1 1f80 3ff0000000000000 3ff0000000000000 = 0 0  # predicate 1, equal
  cmp.1 1f80 7ff8000000000000 3ff0000000000000 = 0 1  # predicate 1, unordered
  cmp.2 1f80 3ff0000000000000 4000000000000000 = ffffffffffffffff 0  # predicate 2, less
  cmp.2 1f80 3ff0000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 2, equal
  cmp.2 1f80 7ff8000000000000 3ff0000000000000 = 0 1  # predicate 2, unordered
  cmp.3 1f80 3ff0000000000000 4000000000000000 = 0 0  # predicate 3, less
  cmp.3 1f80 3ff0000000000000 3ff0000000000000 = 0 0  # predicate 3, equal
  cmp.3 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 3, unordered
  cmp.4 1f80 3ff0000000000000 4000000000000000 = ffffffffffffffff 0  # predicate 4, less
  cmp.4 1f80 3ff0000000000000 3ff0000000000000 = 0 0  # predicate 4, equal
  cmp.4 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 4, unordered
  cmp.5 1f80 3ff0000000000000 4000000000000000 = 0 0  # predicate 5, less
  cmp.5 1f80 3ff0000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 5, equal
  cmp.5 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 1  # predicate 5, unordered
  cmp.6 1f80 3ff0000000000000 4000000000000000 = 0 0  # predicate 6, less
  cmp.6 1f80 3ff0000000000000 3ff0000000000000 = 0 0  # predicate 6, equal
  cmp.6 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 1  # predicate 6, unordered
  cmp.7 1f80 3ff0000000000000 4000000000000000 = ffffffffffffffff 0  # predicate 7, less
  cmp.7 1f80 3ff0000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 7, equal
  cmp.7 1f80 7ff8000000000000 3ff0000000000000 = 0 0  # predicate 7, unordered
  cmp.8 1f80 4000000000000000 3ff0000000000000 = 0 0  # predicate 8
  cmp.8 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 8
  cmp.9 1f80 4000000000000000 3ff0000000000000 = 0 0  # predicate 9
  cmp.9 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 1  # predicate 9
  cmp.13 1f80 4000000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 13
  cmp.13 1f80 7ff8000000000000 3ff0000000000000 = 0 1  # predicate 13
  cmp.14 1f80 4000000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 14
  cmp.14 1f80 7ff8000000000000 3ff0000000000000 = 0 1  # predicate 14
  cmp.15 1f80 4000000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 15
  cmp.15 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 15
  cmp.16 1f80 4000000000000000 3ff0000000000000 = 0 0  # predicate 16
  cmp.16 1f80 7ff8000000000000 3ff0000000000000 = 0 1  # predicate 16
  cmp.19 1f80 4000000000000000 3ff0000000000000 = 0 0  # predicate 19
  cmp.19 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 1  # predicate 19
  cmp.31 1f80 4000000000000000 3ff0000000000000 = ffffffffffffffff 0  # predicate 31
  cmp.31 1f80 7ff8000000000000 3ff0000000000000 = ffffffffffffffff 1  # predicate 31
`;

const RELATIONS = ["less", "equal", "greater", "unordered"];

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const [a = 0n, b = 0n] = row.operands;
  const inMemory = row.operation === "fcom32" ? F32 : F80;
  const relation = compare(env, F80, a, b, row.operation !== "fucom", F80, inMemory);
  return answer(env, RELATIONS[relation]!);
}

function sse(row: Row): string {
  const env = new FpEnv("sse").loadMxcsr(row.control);
  const [a = 0n, b = 0n] = row.operands;
  const [name, detail] = row.operation.split(".") as [string, string];
  if (name === "cmp") {
    const holds = comparePredicate(env, F64, a, b, Number(detail));
    return answer(env, holds ? "ffffffffffffffff" : "0");
  }
  const result = (name === "min" ? min : max)(env, detail === "f32" ? F32 : F64, a, b);
  return answer(env, result.toString(16));
}

const x87Suite = suite("x87 comparison");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();

const sseSuite = suite("SSE comparison");
for (const row of rows(SSE)) sseSuite(row.text, () => assert.is(sse(row), row.expected));
sseSuite.run();
