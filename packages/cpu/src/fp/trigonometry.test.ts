import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answer, type Row, rows } from "./captured.ts";
import { FpEnv } from "./env.ts";
import { fcos, fpatan, fptan, fsin, fsincos } from "./trigonometry.ts";

/** Captured where the processor rounds correctly, as it nearly always does. FSINCOS: sine, cosine. FPTAN: tangent, one. C2: the operand is out of range. */
const X87 = `
  fsin 37f 3fff8000000000000000 = 3ffed76aa47848677021 20+  # sin(1)
  fcos 37f 3fff8000000000000000 = 3ffe8a51407da8345c92 20+  # cos(1)
  fsincos 37f c0008000000000000000 = bffee8c7b7568da22efd,bffdd51132ba9b902522 20  # of -2
  fsin 37f 4000c90fdaa22168c235 = bfbf8000000000000000 20+  # FLDPI: what 66 bits of pi leave [SDM 1 8.3.8]
  fsin 37f 80000000000000000000 = 80000000000000000000 0  # -0
  fcos 37f 80000000000000000000 = 3fff8000000000000000 0  # 1, exact
  fptan 37f 80000000000000000000 = 80000000000000000000,3fff8000000000000000 0  # -0, and 1
  fsin 37f 3fbf8000000000000000 = 3fbf8000000000000000 20+  # sin(x) just below x
  fsin f7f 3fbf8000000000000000 = 3fbeffffffffffffffff 20  # toward zero
  fcos f7f 3fbf8000000000000000 = 3ffeffffffffffffffff 20  # cos(x) just below 1
  fsin 37f 1 = 1 32+  # denormal operand, underflow
  fsin 37f 403dffffffffffffffff = 3ffee0ab9300da6d2684 20  # the largest argument
  fsin 37f 403e8000000000000000 = 403e8000000000000000 0 C2  # 2^63 is out of range: C2
  fptan 37f c03e8000000000000000 = c03e8000000000000000 0 C2  # out of range, nothing pushed
  fcos 37f 7fff8000000000000000 = ffffc000000000000000 1  # invalid
  fsincos 37f 7fff8000000000000001 = 7fffc000000000000001,7fffc000000000000001 1  # SNaN twice
  fsincos 37f 0 = 0,3fff8000000000000000 0  # 0 and 1
  fpatan 37f 3fff8000000000000000 3fff8000000000000000 = 3ffec90fdaa22168c235 20+  # pi/4
  fpatan 37f 0 3fff8000000000000000 = 3fffc90fdaa22168c235 20+  # pi/2
  fpatan 37f bfff8000000000000000 0 = 4000c90fdaa22168c235 20+  # pi
  fpatan 37f 80000000000000000000 80000000000000000000 = c000c90fdaa22168c235 20+  # -pi
  fpatan 37f 3fff8000000000000000 80000000000000000000 = 80000000000000000000 0  # -0
  fpatan 37f ffff8000000000000000 7fff8000000000000000 = 400096cbe3f9990e91a8 20+  # 3/4 pi
  fpatan 37f 7fff8000000000000000 3fff8000000000000000 = 0 0  # 0
  fpatan 37f 4000c000000000000000 3fff8000000000000000 = 3ffda4bc7d1934f70924 20  # atan(1/3)
  fpatan 37f c000c000000000000000 bfff8000000000000000 = c000b4784afefac9e110 20  # the third quadrant
  fpatan f7f 403f8000000000000000 3fff8000000000000000 = 3fbeffffffffffffffff 20  # just below 2^-64
  fpatan 37f 7ffeffffffffffffffff 18000000000000000 = 0 30  # underflow
  fpatan 37f 3fff8000000000000000 7fffc000000000000001 = 7fffc000000000000001 0  # QNaN
  fpatan 37f 1 3fff8000000000000000 = 3fffc90fdaa22168c235 22+  # denormal operand
`;

const OPERATIONS: Record<string, (env: FpEnv, a: bigint, b: bigint) => bigint> = { fcos, fpatan, fptan, fsin, fsincos };

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const [a = 0n, b = 0n] = row.operands;
  const result = OPERATIONS[row.operation]!(env, a, b).toString(16);
  if (env.incomplete) return `${answer(env, result)} C2`;
  const pushes = row.operation === "fsincos" || row.operation === "fptan";
  return answer(env, pushes ? `${result},${env.second.toString(16)}` : result);
}

const x87Suite = suite("trigonometry");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();

const exact = suite("correct rounding, where processors are a unit off");

exact("tan(1) = 0xc75922e5f71d2dc5.66 * 2^-63", () => {
  const env = new FpEnv("x87");
  assert.is(fptan(env, 0x3fff8000000000000000n), 0x3fffc75922e5f71d2dc5n);
  assert.is(env.roundedUp, false);
});

exact("the tangent of a small number, rounded up, is more than the number", () => {
  const env = new FpEnv("x87").loadFcw(0xb7f);
  assert.is(fptan(env, 0x3fbf8000000000000000n), 0x3fbf8000000000000001n);
});
exact.run();
