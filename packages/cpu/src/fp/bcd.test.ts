import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fromBcd, toBcd } from "./bcd.ts";
import { answer, type Row, rows } from "./captured.ts";
import { FpEnv } from "./env.ts";

/** FBLD and FBSTP. */
const X87 = `
  fbld 37f 123456789012345678 = 4037db4da5d31879a700 0  # exact
  fbld 37f 80000000000000000000 = 80000000000000000000 0  # -0
  fbld 37f ffa99999999999999999 = c03af43fc2c04edffff0 0  # bits 78:72 do not count; a digit above 9 weighs its binary value
  fbld 37f 999999999999999999 = 403ade0b6b3a763ffff0 0  # largest
  fbstp 37f 403ac000000000000000 = 864691128455135232 0  # 1.5 * 2^59
  fbstp 37f 403ade0b6b3a763ffff0 = 999999999999999999 0  # 10^18 - 1
  fbstp 37f 403ade0b6b3a76400000 = ffffc000000000000000 1  # 10^18 does not fit [SDM 1 4.7]
  fbstp 37f bffe8000000000000000 = 80000000000000000000 20  # -0.5 to even: -0
  fbstp b7f 3ffe8000000000000000 = 1 20+  # 0.5 up
  fbstp 37f 7fffc000000000000001 = ffffc000000000000000 1  # a NaN
  fbstp 37e 7fff8000000000000000 = kept 1  # unmasked invalid: nothing is stored
`;

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const [a = 0n] = row.operands;
  const result = row.operation === "fbld" ? fromBcd(a) : toBcd(env, a);
  return answer(env, result.toString(16), env.storeSuppressed);
}

const x87Suite = suite("packed BCD");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();
