import { suite } from "uvu";
import * as assert from "uvu/assert";
import { add, div, fma, mul, sqrt, sub } from "./arith.ts";
import { answer, type Row, rows } from "./captured.ts";
import { FpEnv } from "./env.ts";
import { F32, F64, F80 } from "./formats.ts";

/** ST(0), then ST(1) or the operand in memory. */
const X87 = `
  fadd 37f 3fff8000000000000000 bfff8000000000000000 = 0 0  # exact cancellation is +0 [SDM 1 4.8.3.1]
  fadd 77f 3fff8000000000000000 bfff8000000000000000 = 80000000000000000000 0  # and -0 when rounding down
  fadd 37f 80000000000000000000 80000000000000000000 = 80000000000000000000 0  # -0 + -0 = -0
  fadd 37f 3fff8000000000000000 3fbe8000000000000000 = 3fff8000000000000000 20  # half a unit in the last place: to even
  fadd b7f 3fff8000000000000000 3fbe8000000000000000 = 3fff8000000000000001 20+  # rounded up, C1
  fadd 37f 3fff8000000000000001 3fbe8000000000000000 = 3fff8000000000000001 20  # a tie that goes up
  fadd 7f 3fff8000000000000000 3fe78000000000000001 = 3fff8000010000000000 20+  # 24 bits: above the half [SDM 1 8.1.5.2]
  fadd 27f 3fff8000000000000000 3fca8000000000000000 = 3fff8000000000000000 20  # 53 bits: tie to even
  fadd 37f 7fff8000000000000000 ffff8000000000000000 = ffffc000000000000000 1  # inf - inf is invalid
  fsub 37f 7fff8000000000000000 ffff8000000000000000 = 7fff8000000000000000 0  # inf - -inf
  fadd 37f 7ffeffffffffffffffff 7ffeffffffffffffffff = 7fff8000000000000000 28+  # masked overflow
  fadd f7f 7ffeffffffffffffffff 7ffeffffffffffffffff = 7ffeffffffffffffffff 28  # masked overflow, toward zero: largest finite
  fadd c7f 7ffeffffffffffffffff 7ffeffffffffffffffff = 7ffeffffff0000000000 28  # the same with 24 bits
  fadd 377 7ffeffffffffffffffff 7ffeffffffffffffffff = 1fffffffffffffffffff 8  # unmasked overflow: exponent less 24576 [SDM 1 8.5.4]
  fadd 37f 7fffc000000000000001 ffffc000000000000002 = ffffc000000000000002 0  # two QNaNs: larger significand [SDM 1 table 4-7]
  fadd 37f ffffc000000000000001 7fffc000000000000001 = 7fffc000000000000001 0  # equal significands: the positive one
  fadd 37f 7fff8000000000000001 7fff8000000000000002 = 7fffc000000000000002 1  # two SNaNs: larger significand, quieted
  fadd 37f 7fff8000000000000002 7fffc000000000000001 = 7fffc000000000000001 1  # SNaN and QNaN: the QNaN, invalid
  fadd 37f 7fff8000000000000001 3fff8000000000000000 = 7fffc000000000000001 1  # SNaN and a number: the SNaN, quieted
  fadd 37e 7fff8000000000000001 3fff8000000000000000 = kept 1  # unmasked invalid: nothing is written
  fadd 37f 3fff0000000000000001 3fff8000000000000000 = ffffc000000000000000 1  # an unnormal is invalid [SDM 1 8.2.2]
  fadd 37f 7fff0000000000000000 7fffc000000000000001 = ffffc000000000000000 1  # a pseudo-infinity is invalid, even with a QNaN
  fadd 37f 7fff4000000000000001 3fff8000000000000000 = ffffc000000000000000 1  # a pseudo-NaN is invalid
  fadd 37f 8000000000000000 8000000000000000 = 28000000000000000 2  # pseudo-denormals count, and are denormals
  fadd 37f 1 7fffc000000000000001 = 7fffc000000000000001 0  # a QNaN hides the denormal [SDM 1 4.9.2]
  fadd 37d 1 3fff8000000000000000 = kept 2  # unmasked denormal operand: nothing is written
  fadd 37f 1 1 = 2 2  # exact and tiny: no underflow when masked
  fadd 36f 1 1 = 5fc38000000000000000 12  # unmasked: underflow, exponent plus 24576 [SDM 1 8.5.5]
  fadd32 37f 3fff8000000000000000 1 = 3fff8000000000000000 22  # a denormal of the memory format is one
  fadd32 37f 3fff8000000000000000 7f800001 = 7fffc000010000000000 1  # an SNaN in memory
  fsubr32 37f 3fff8000000000000000 40000000 = 3fff8000000000000000 0  # memory minus ST(0)
  fmul 37f 18000000000000000 3ffe8000000000000000 = 4000000000000000 0  # half of the smallest normal: exact, tiny
  fmul 37f 1ffffffffffffffff 3ffe8000000000000000 = 18000000000000000 30+  # inexact and tiny: underflow
  fmul 37f 18000000000000001 3ffeffffffffffffffff = 18000000000000000 20  # tiny before rounding only: no underflow
  fmul 37f 0 7fff8000000000000000 = ffffc000000000000000 1  # 0 * inf is invalid
  fmul 37f 80000000000000000000 3fff8000000000000000 = 80000000000000000000 0  # -0 * 1
  fmul 37f 18000000000000000 18000000000000000 = 0 30  # underflow to zero
  fmul b7f 18000000000000000 18000000000000000 = 1 30+  # underflow, rounded up to the smallest denormal
  fmul64 37f 4000c000000000000000 4008000000000000 = 40029000000000000000 0  # 3 * 3, f64 in memory
  fdiv 37f 3fff8000000000000000 4000c000000000000000 = 3ffdaaaaaaaaaaaaaaab 20+  # 1/3
  fdiv 27f 3fff8000000000000000 4000c000000000000000 = 3ffdaaaaaaaaaaaaa800 20  # 1/3 with 53 bits
  fdiv 7f 3fff8000000000000000 4000c000000000000000 = 3ffdaaaaab0000000000 20+  # 1/3 with 24 bits
  fdiv 37f 3fff8000000000000000 80000000000000000000 = ffff8000000000000000 4  # 1 / -0
  fdiv 37b 3fff8000000000000000 0 = kept 4  # unmasked division by zero: nothing is written
  fdiv 37f 1 0 = 7fff8000000000000000 4  # division by zero hides the denormal [SDM 1 4.9.2]
  fdiv 37f 0 0 = ffffc000000000000000 1  # 0 / 0 is invalid
  fdiv 37f 7fff8000000000000000 7fff8000000000000000 = ffffc000000000000000 1  # inf / inf is invalid
  fdiv 37f 1 7fff8000000000000000 = 0 2  # a denormal over infinity
  fdiv 36f 18000000000000000 7ffeffffffffffffffff = 20018000000000000001 30+  # unmasked underflow, far
  fdiv32 37f 3fff8000000000000000 40400000 = 3ffdaaaaaaaaaaaaaaab 20+  # 1/3, f32 in memory
  fsqrt 37f 40008000000000000000 = 3fffb504f333f9de6484 20  # square root of 2
  fsqrt 7f 40008000000000000000 = 3fffb504f30000000000 20  # with 24 bits
  fsqrt 37f 80000000000000000000 = 80000000000000000000 0  # of -0
  fsqrt 37f bfff8000000000000000 = ffffc000000000000000 1  # of -1 is invalid
  fsqrt 37f 80000000000000000001 = ffffc000000000000000 1  # of a negative denormal: invalid only
  fsqrt 37f 1 = 1fe0b504f333f9de6484 22  # of the smallest denormal
  fsqrt 37f 4001c800000000000000 = 4000a000000000000000 0  # of 6.25
`;

/** Destination, then source; FMA: multiplicand, multiplier, addend. */
const SSE = `
  addss 1f80 7f800000 ff800000 = ffc00000 1  # inf - inf is invalid
  addss 1f80 7fc00001 7f800002 = 7fc00001 1  # the first NaN wins, the second signals [SDM 1 table 4-7]
  addss 1f80 7f800001 ffc00002 = 7fc00001 1  # the first NaN, quieted
  addss 1f80 1 3f800000 = 3f800000 22  # denormal operand
  addss 1fc0 1 80000001 = 0 0  # DAZ: 0 + -0 [SDM 1 10.2.3.4]
  addss 9f80 1 1 = 0 32  # FTZ: a tiny result, though exact [SDM 1 10.2.3.3]
  addss 5f80 3f800000 33800000 = 3f800001 20  # a tie, rounded up
  addss 1e80 1 3f800000 = kept 2  # unmasked denormal operand
  addsd 1f80 7fefffffffffffff 7fefffffffffffff = 7ff0000000000000 28  # overflow
  addsd 1b80 7fefffffffffffff 7fefffffffffffff = kept 8  # unmasked overflow
  subsd 3f80 3ff0000000000000 3ff0000000000000 = 8000000000000000 0  # 1 - 1 rounded down
  subsd 1f80 3ff0000000000000 fff0000000000001 = fff8000000000001 1  # the NaN subtrahend keeps its sign
  mulss 1f80 800000 3f7fffff = 800000 30  # exact if the exponent had no bound: tiny, though it becomes normal
  mulss 1f80 800001 3f7ffffe = 800000 20  # with no bound it would round to the smallest normal: not tiny
  mulss 1780 800000 3f000000 = kept 10  # unmasked underflow: tiny is enough
  mulsd 9f80 10000000000000 3fe8000000000000 = 0 30  # FTZ
  divsd 1f80 3ff0000000000000 4008000000000000 = 3fd5555555555555 20  # 1/3
  divsd 1f80 1 0 = 7ff0000000000000 4  # denormal by zero
  divss 1d80 3f800000 80000000 = kept 4  # unmasked division by zero
  sqrtss 1f80 40000000 = 3fb504f3 20  # square root of 2
  sqrtsd 5f80 4000000000000000 = 3ff6a09e667f3bcd 20  # rounded up
  sqrtsd 1f80 bff0000000000000 = fff8000000000000 1  # of -1
  fma.f64 1f80 3ff0000000000001 3ff0000000000001 bff0000000000002 = 3970000000000000 0  # one rounding: what is left is 2^-104
  fma.f64 1f80 0 7ff0000000000000 7ff8000000000001 = 7ff8000000000001 0  # inf * 0 + QNaN: the QNaN, not invalid
  fma.f64 1f80 3ff0000000000000 7ff0000000000000 fff0000000000000 = fff8000000000000 1  # inf - inf
  fma.f32 1f80 bf800000 3f800000 3f800000 = 0 0  # an exact zero
  fma.f32 3f80 bf800000 3f800000 3f800000 = 80000000 0  # an exact zero, rounding down
  fma.f32 1f80 7fc00002 7fc00001 7fc00003 = 7fc00002 0  # VFMADD213: the order of NaNs is multiplicand, multiplier, addend
`;

type Operation = (env: FpEnv, a: bigint, b: bigint, c: bigint) => bigint;

const x87Operations: Record<string, Operation> = {
  fadd: (env, a, b) => add(env, F80, a, b),
  fsub: (env, a, b) => sub(env, F80, a, b),
  fmul: (env, a, b) => mul(env, F80, a, b),
  fdiv: (env, a, b) => div(env, F80, a, b),
  fsqrt: (env, a) => sqrt(env, F80, a),
  fadd32: (env, a, b) => add(env, F80, a, b, F80, F32),
  fsubr32: (env, a, b) => sub(env, F80, b, a, F32, F80),
  fdiv32: (env, a, b) => div(env, F80, a, b, F80, F32),
  fmul64: (env, a, b) => mul(env, F80, a, b, F80, F64),
};

const sseOperations: Record<string, Operation> = {
  addss: (env, a, b) => add(env, F32, a, b),
  addsd: (env, a, b) => add(env, F64, a, b),
  subsd: (env, a, b) => sub(env, F64, a, b),
  mulss: (env, a, b) => mul(env, F32, a, b),
  mulsd: (env, a, b) => mul(env, F64, a, b),
  divss: (env, a, b) => div(env, F32, a, b),
  divsd: (env, a, b) => div(env, F64, a, b),
  sqrtss: (env, a) => sqrt(env, F32, a),
  sqrtsd: (env, a) => sqrt(env, F64, a),
  "fma.f32": (env, a, b, c) => fma(env, F32, a, b, c),
  "fma.f64": (env, a, b, c) => fma(env, F64, a, b, c),
};

function run(env: FpEnv, operations: Record<string, Operation>, row: Row): string {
  const [a = 0n, b = 0n, c = 0n] = row.operands;
  const result = operations[row.operation]!(env, a, b, c);
  return answer(env, result.toString(16));
}
const x87 = (row: Row) => run(new FpEnv("x87").loadFcw(row.control), x87Operations, row);
const sse = (row: Row) => run(new FpEnv("sse").loadMxcsr(row.control), sseOperations, row);

const x87Suite = suite("x87 arithmetic");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();

const sseSuite = suite("SSE arithmetic");
for (const row of rows(SSE)) sseSuite(row.text, () => assert.is(sse(row), row.expected));
sseSuite.run();

const packed = suite("packed operations");

packed(
  "an unmasked pre-computation exception of one element hides the other class of all elements [SDM 1 11.5.2]",
  () => {
    const env = new FpEnv("sse").loadMxcsr(0x1f80 & ~0x0080);
    mul(env, F32, 0x7f7fffffn, 0x7f7fffffn); // overflow
    mul(env, F32, 0n, F32.infinity); // invalid
    assert.is(env.reported, 0x01);
    assert.is(env.suppressed, true);
  },
);

packed("flags accumulate until begin", () => {
  const env = new FpEnv("sse");
  div(env, F64, F64.one, 0n);
  div(env, F64, 0n, 0n);
  assert.is(env.reported, 0x05);
  env.begin();
  assert.is(env.reported, 0);
});
packed.run();
