import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answer, type Row, rows } from "./captured.ts";
import { FpEnv } from "./env.ts";
import { f2xm1, fyl2x, fyl2xp1 } from "./transcendental.ts";

/** Captured where the processor rounds correctly, as it nearly always does. */
const X87 = `
  f2xm1 37f 3ffe8000000000000000 = 3ffdd413cccfe7799211 20  # sqrt(2) - 1
  f2xm1 b7f 3ffe8000000000000000 = 3ffdd413cccfe7799212 20+  # up
  f2xm1 37f bfff8000000000000000 = bffe8000000000000000 20  # -0.5
  f2xm1 37f 80000000000000000000 = 80000000000000000000 0  # -0
  f2xm1 37f 3fbc8000000000000000 = 3fbbb17217f7d1cf79ac 20+  # 2^-67
  f2xm1 37f 18000000000000000 = 58b90bfbe8e7bcd6 30+  # tiny
  f2xm1 37f ffff8000000000000000 = bfff8000000000000000 0  # -1
  f2xm1 37f 7fff8000000000000001 = 7fffc000000000000001 1  # SNaN
  fyl2x 37f 40008000000000000000 3fff8000000000000000 = 3fff8000000000000000 20  # 1 * log2(2) is reported as inexact
  fyl2x 37f 4000c000000000000000 3fff8000000000000000 = 3fffcae00d1cfdeb43d0 20+  # log2(3)
  fyl2x 77f 4000c000000000000000 bfff8000000000000000 = bfffcae00d1cfdeb43d0 20+  # -log2(3), down
  fyl2x 37f 3fff8000000000000001 3fff8000000000000000 = 3fc0b8aa3b295c17f0bb 20  # next to 1
  fyl2x 37f 3fff8000000000000000 bfff8000000000000000 = 80000000000000000000 0  # -1 * log2(1) = -0
  fyl2x 37f 3fff8000000000000000 7fff8000000000000000 = ffffc000000000000000 1  # inf * 0
  fyl2x 37f 0 3fff8000000000000000 = ffff8000000000000000 4  # log2(0): division by zero
  fyl2x 37b 0 3fff8000000000000000 = kept 4  # unmasked
  fyl2x 37f 0 0 = ffffc000000000000000 1  # 0 * log2(0)
  fyl2x 37f 80000000000000000000 ffff8000000000000000 = 7fff8000000000000000 0  # -inf * -inf
  fyl2x 37f bfff8000000000000000 3fff8000000000000000 = ffffc000000000000000 1  # of a negative number
  fyl2x 37f 7fff8000000000000000 80000000000000000001 = ffff8000000000000000 2  # -denormal * inf
  fyl2x 37f 1 3fff8000000000000000 = c00d807a000000000000 22  # log2 of the smallest denormal
  fyl2xp1 37f 3ffd8000000000000000 3fff8000000000000000 = 3ffda4d3c25e68dc57f2 20  # log2(1.25)
  fyl2xp1 37f bffd8000000000000000 3fff8000000000000000 = bffdd47fcb8c0852f0c1 20+  # log2(0.75)
  fyl2xp1 37f 3f9b8000000000000000 3fff8000000000000000 = 3f9bb8aa3b295c17f0bc 20+  # 2^-100
  fyl2xp1 37f 80000000000000000000 3fff8000000000000000 = 80000000000000000000 0  # -0
  fyl2xp1 37f 1 3fff8000000000000000 = 1 32  # denormal operand
  fyl2xp1 37f 0 7fff8000000000000000 = ffffc000000000000000 1  # inf * 0
`;

const OPERATIONS: Record<string, (env: FpEnv, a: bigint, b: bigint) => bigint> = { f2xm1, fyl2x, fyl2xp1 };

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const [a = 0n, b = 0n] = row.operands;
  return answer(env, OPERATIONS[row.operation]!(env, a, b).toString(16));
}

const x87Suite = suite("logarithm and exponential");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();
