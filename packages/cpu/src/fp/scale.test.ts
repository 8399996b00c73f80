import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answer, type Row, rows } from "./captured.ts";
import { FpEnv } from "./env.ts";
import { extract, scale } from "./scale.ts";

/** FSCALE; FXTRACT: exponent, significand. */
const X87 = `
  fscale 37f 4000c000000000000000 4000e000000000000000 = 4003c000000000000000 0  # 3 * 2^trunc(3.5)
  fscale 37f 4000c000000000000000 bffeffffffffffffffff = 4000c000000000000000 0  # trunc(-0.99) is 0
  fscale 37f 3fff8000000000000000 400d8000000000000000 = 7fff8000000000000000 28+  # 2^16384 overflows
  fscale 37f 3fff8000000000000000 c00dffff000000000000 = 0 30  # vanishes
  fscale 37f 3fff8000000000000000 c00d807a000000000000 = 1 0  # 2^-16445: the smallest denormal, exact
  fscale 377 3fff8000000000000000 400d8000000000000000 = 1fff8000000000000000 8  # unmasked overflow
  fscale 377 3fff8000000000000000 400effff000000000000 = 7fff8000000000000000 28+  # beyond the adjusted exponent too [SDM 1 8.5.4]
  fscale 36f bfff8000000000000000 c00effff000000000000 = 80000000000000000000 30  # and below [SDM 1 8.5.5]
  fscale 37f 0 7fff8000000000000000 = ffffc000000000000000 1  # 0 * 2^inf
  fscale 37f 7fff8000000000000000 ffff8000000000000000 = ffffc000000000000000 1  # inf * 2^-inf
  fscale 37f bfff8000000000000000 ffff8000000000000000 = 80000000000000000000 0  # 2^-inf
  fscale 37f 1 7fff8000000000000000 = 7fff8000000000000000 2  # denormal operand
  fscale 37f 3fff8000000000000000 7fff8000000000000001 = 7fffc000000000000001 1  # SNaN
  fscale 7f 3fff8000000000000001 3fff8000000000000000 = 40008000000000000001 0  # precision control has no effect
  fxtract 37f c002d000000000000000 = 4000c000000000000000,bfffd000000000000000 0  # -13 = -1.625 * 2^3
  fxtract 37f 1 = c00d807a000000000000,3fff8000000000000000 2  # the exponent of a denormal is the true one
  fxtract 37f 80000000000000000000 = ffff8000000000000000,80000000000000000000 4  # -0: division by zero
  fxtract 37b 80000000000000000000 = kept 4  # unmasked
  fxtract 37f ffff8000000000000000 = 7fff8000000000000000,ffff8000000000000000 0  # of -inf
  fxtract 37f 7fff8000000000000001 = 7fffc000000000000001,7fffc000000000000001 1  # SNaN twice
`;

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const [a = 0n, b = 0n] = row.operands;
  if (row.operation === "fscale") return answer(env, scale(env, a, b).toString(16));
  const exponent = extract(env, a);
  return answer(env, `${exponent.toString(16)},${env.second.toString(16)}`);
}

const x87Suite = suite("FSCALE and FXTRACT");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();
