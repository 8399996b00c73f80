import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answer, type Row, rows } from "./captured.ts";
import { FpEnv } from "./env.ts";
import { ieeeRemainder, remainder } from "./remainder.ts";

/** With C0 C3 C1 as q0..q7, or "partial" for C2. */
const X87 = `
  fprem 37f 4001e000000000000000 4000c000000000000000 = 3fff8000000000000000 0 q2  # 7 rem 3
  fprem1 37f 4001e000000000000000 4000a000000000000000 = bffe8000000000000000 0 q3  # 7 - 3 * 2.5
  fprem1 37f 4000a000000000000000 3fff8000000000000000 = 3ffe8000000000000000 0 q2  # 2.5: the even quotient
  fprem1 37f 4000e000000000000000 3fff8000000000000000 = bffe8000000000000000 0 q4  # 3.5: the even quotient
  fprem 37f c001e000000000000000 4000c000000000000000 = bfff8000000000000000 0 q2  # the sign of the dividend
  fprem 37f c0018000000000000000 40008000000000000000 = 80000000000000000000 0 q2  # -4 rem 2 = -0
  fprem 37f 3fff8000000000000000 40008000000000000000 = 3fff8000000000000000 0 q0  # already less
  fprem1 37f 3ffec000000000000000 3fff8000000000000000 = bffd8000000000000000 0 q1  # 0.75 - 1
  fprem 37f 403effffffffffffffff 3fffc000000000000000 = 0 0 q2  # distance 63: complete
  fprem 37f 403fffffffffffffffff 3fffc000000000000000 = 401dfffffffc00000000 0 partial  # distance 64: one step of 32
  fprem 37f 4064d555555555555555 3fffc000000000000001 = 403daaaaa9f1c71c71c8 0 partial  # distance 101
  fprem 37f 7ffeffffffffffffffff 1 = 7fc1e000000000000000 2 partial  # the longest, a denormal divisor
  fprem1 37f 406480000000000000ff 3fffc000000000000001 = 403e80003f9555555556 0 partial  # partial, like FPREM
  fprem 37f 3fff8000000000000000 0 = ffffc000000000000000 1 q0  # by zero is invalid
  fprem 37f 7fff8000000000000000 3fff8000000000000000 = ffffc000000000000000 1 q0  # of infinity is invalid
  fprem 37f 1 7fff8000000000000000 = 1 2 q0  # by infinity
  fprem 36f 1 7fff8000000000000000 = 5fc28000000000000000 12 q0  # unmasked underflow
  fprem 37f 7fffc000000000000001 7fff8000000000000002 = 7fffc000000000000001 1 q0  # QNaN and SNaN
`;

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const [a = 0n, b = 0n] = row.operands;
  const result = (row.operation === "fprem" ? remainder : ieeeRemainder)(env, a, b);
  return `${answer(env, result.toString(16))} ${env.incomplete ? "partial" : `q${env.quotient}`}`;
}

const x87Suite = suite("FPREM and FPREM1");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();
