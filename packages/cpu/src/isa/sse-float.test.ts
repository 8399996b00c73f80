import { test } from "uvu";
import * as assert from "uvu/assert";
import { readFlags } from "../core/flags.ts";
import { S } from "../core/state.ts";
import { sseControl } from "./sse-control.ts";
import { sseConvert } from "./sse-convert.ts";
import { sseFloat } from "./sse-float.ts";
import { DATA, rig } from "./vector.test-support.ts";

const r = rig([...sseFloat, ...sseConvert, ...sseControl]);
const ONE = 0x3f800000n, TWO = 0x40000000n, INF = 0x7f800000n, QNAN = 0x7fc00000n, SNAN = 0x7f800001n, DENORMAL = 1n;
const MASKED = 0x1f80;
/** Runs `xmm0 op xmm1` under an MXCSR; answers the exception or xmm0, and leaves the new MXCSR in `mxcsr`. */
const run = (bytes: number[], a: bigint, b: bigint, control = MASKED) => {
  r.setXmm(0, a);
  r.setXmm(1, b);
  r.cpu.setU32(S.MXCSR, control);
  return r.step(bytes) ?? r.xmm(0);
};
const mxcsr = () => r.cpu.u32(S.MXCSR);
const ADDSS = [0xf3, 0x0f, 0x58, 0xc1], DIVSS = [0xf3, 0x0f, 0x5e, 0xc1], MULPS = [0x0f, 0x59, 0xc1], MINSS = [0xf3, 0x0f, 0x5d, 0xc1];

test("a scalar operation keeps the upper lanes", () => assert.is(run(ADDSS, 7n << 32n | ONE, 9n << 32n | ONE), 7n << 32n | TWO));
test("flags are sticky", () => {
  assert.is(run(DIVSS, ONE, 0x40400000n, 0x1f84), 0x3eaaaaabn);
  assert.is(mxcsr(), 0x1fa4);
});
test("rounding control", () => assert.is(run(DIVSS, ONE, 0x40400000n, MASKED | 0x6000), 0x3eaaaaaan));
test("denormals are zeros, underflow is flushed", () => {
  assert.is(run(ADDSS, DENORMAL, DENORMAL), 2n);
  assert.is(mxcsr(), MASKED | 2);
  assert.is(run(ADDSS, DENORMAL, DENORMAL, MASKED | 0x40), 0n);
  assert.is(mxcsr(), MASKED | 0x40);
  assert.is(run(MULPS, 0x00800001n, 0x3f000000n, MASKED | 0x8000), 0n);
  assert.is(mxcsr(), MASKED | 0x8000 | 0x30);
});
test("an unmasked exception writes flags and nothing else", () => {
  assert.is(run(DIVSS, ONE, 0n, MASKED & ~0x200), "XM");
  assert.is(mxcsr(), (MASKED & ~0x200) | 4);
  assert.is(r.xmm(0), ONE);
});
test("... and is #UD where the system does not know of #XM", () => {
  r.cpu.setU64(S.CR4, 0x200n);
  assert.is(run(DIVSS, ONE, 0n, MASKED & ~0x200), "UD");
  r.cpu.setU64(S.CR4, 0x600n);
});
test("the fast path is allowed again once the inexact flag is set", () => {
  run(DIVSS, ONE, 0x40400000n);
  assert.is(r.cpu.u32(S.SSE_FAST), 1);
  run(ADDSS, ONE, ONE);
});
test("MIN gives its second operand for NaNs and zeros", () => {
  assert.is(run(MINSS, QNAN, ONE), ONE);
  assert.is(mxcsr() & 1, 1);
  assert.is(run(MINSS, 0n, 0x80000000n), 0x80000000n);
});
test("CMPPS: eight predicates, of imm8 bits 2:0", () => {
  const answers = [0, 1, 2, 3, 4, 5, 6, 7].map((p) => [ONE, TWO, QNAN].map((b) => (run([0xf3, 0x0f, 0xc2, 0xc1, 0xf8 | p], ONE, b) === 0n ? 0 : 1)).join(""));
  assert.equal(answers, ["100", "010", "110", "001", "011", "101", "001", "110"]);
});
test("COMISS and UCOMISS differ in quiet NaNs", () => {
  run([0x0f, 0x2e, 0xc1], ONE, QNAN);
  assert.is(readFlags(r.cpu.memory) & 0x8d5, 0x45);
  assert.is(mxcsr() & 1, 0);
  run([0x0f, 0x2f, 0xc1], ONE, QNAN);
  assert.is(mxcsr() & 1, 1);
  run([0x0f, 0x2f, 0xc1], ONE, TWO);
  assert.is(readFlags(r.cpu.memory) & 0x8d5, 0x01);
});
test("sqrt", () => assert.is(run([0xf3, 0x0f, 0x51, 0xc1], 0n, 0x40800000n), TWO));

test("reciprocals stay within the manual's bound, and ignore MXCSR", () => {
  const f = new Float32Array(1), u = new Uint32Array(f.buffer);
  const number = (bits: bigint) => { u[0] = Number(bits & 0xffffffffn); return f[0]!; };
  for (let i = 0; i < 2000; i++) {
    const b = BigInt((i * 2654435761) >>> 0) & 0x3fffffffn | 0x10000000n, exact = number(b);
    assert.ok(Math.abs(number(run([0xf3, 0x0f, 0x53, 0xc1], 0n, b, 0)  as bigint) * exact - 1) <= 1.5 * 2 ** -12);
    assert.ok(Math.abs(number(run([0xf3, 0x0f, 0x52, 0xc1], 0n, b, 0) as bigint) * Math.sqrt(exact) - 1) <= 1.5 * 2 ** -12);
  }
  assert.is(mxcsr(), 0);
  const rcp = (b: bigint) => run([0xf3, 0x0f, 0x53, 0xc1], 0n, b), rsqrt = (b: bigint) => run([0xf3, 0x0f, 0x52, 0xc1], 0n, b);
  assert.equal([0n, DENORMAL, INF, SNAN, TWO, 0x7f7fffffn].map(rcp), [INF, INF, 0n, SNAN | QNAN, 0x3f000000n, 0n]);
  assert.equal([0x80000000n, 0x80000001n, 0xbf800000n, INF, 0x40800000n].map(rsqrt), [0xff800000n, 0xff800000n, 0xffc00000n, 0n, 0x3f000000n]);
});

test("conversions to integers: rounding, truncation, the indefinite", () => {
  const cvtsd2si = [0xf2, 0x0f, 0x2d, 0xc1], cvttsd2si = [0xf2, 0x48, 0x0f, 0x2c, 0xc1], HALF3 = 0x400c000000000000n; // 3.5
  run(cvtsd2si, 0n, HALF3);
  assert.is(r.cpu.gpr(0), 4n);
  run(cvttsd2si, 0n, HALF3 | 1n << 63n);
  assert.is(r.cpu.gpr(0), 0xffff_ffff_ffff_fffdn);
  run(cvtsd2si, 0n, 0x41e0000000000000n); // 2^31
  assert.is(r.cpu.gpr(0), 0x80000000n);
  assert.is(mxcsr(), MASKED | 1);
});
test("packed conversions fill and clear lanes", () => {
  assert.is(run([0xf3, 0x0f, 0xe6, 0xc1], 5n, 0xffffffff_00000002n), 0xbff0000000000000n << 64n | 0x4000000000000000n); // cvtdq2pd
  assert.is(run([0xf2, 0x0f, 0xe6, 0xc1], 5n << 100n, 0x4008000000000000n), 3n); // cvtpd2dq
  assert.is(run([0x66, 0x0f, 0x5a, 0xc1], 5n << 100n, 0x3ff0000000000000n), ONE); // cvtpd2ps
});
test("cvtsi2ss from 64 bits rounds once", () => {
  r.cpu.setGpr(1, 0x7fffffbfffffffffn);
  assert.is(run([0xf3, 0x48, 0x0f, 0x2a, 0xc1], 6n << 32n, 0n), 6n << 32n | 0x5effffffn);
});
test("of the conversions from MMX only CVTPI2PD spares the x87 when its source is memory", () => {
  r.cpu.setGpr(6, BigInt(DATA));
  r.cpu.memory.u16[S.FTW >> 1] = 3;
  run([0x66, 0x0f, 0x2a, 0x06], 0n, 0n);
  assert.is(r.cpu.memory.u16[S.FTW >> 1], 3);
  run([0x0f, 0x2a, 0x06], 0n, 0n);
  assert.is(r.cpu.memory.u16[S.FTW >> 1], 0xff);
});

test("LDMXCSR refuses bits that do not exist", () => {
  r.cpu.setGpr(6, BigInt(DATA));
  r.poke(DATA, 4, 0x1_1f80n);
  assert.is(run([0x0f, 0xae, 0x16], 0n, 0n), "GP");
  r.poke(DATA, 4, 0xffc0n);
  assert.is(run([0x0f, 0xae, 0x16], 0n, 0n), 0n);
  assert.is(mxcsr(), 0xffc0);
  run([0x0f, 0xae, 0x1e], 0n, 0n);
  assert.is(r.peek(DATA, 4), BigInt(MASKED));
});
test("fences ignore their low bits", () => assert.equal([0xe8, 0xef, 0xf3, 0xf8].map((m) => r.step([0x0f, 0xae, m])), [null, null, null, null]));
test("without CR4.OSFXSR SSE is undefined, with CR0.TS not available", () => {
  r.cpu.setU64(S.CR4, 0n);
  r.cpu.refresh();
  assert.is(run(ADDSS, ONE, ONE), "UD");
  r.cpu.setU64(S.CR4, 0x600n);
  r.cpu.setU64(S.CR0, 0x29n);
  r.cpu.refresh();
  assert.is(run(ADDSS, ONE, ONE), "NM");
});
test.run();
