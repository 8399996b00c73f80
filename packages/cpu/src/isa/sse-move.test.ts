import { test } from "uvu";
import * as assert from "uvu/assert";
import { CS, S, SEG, segment } from "../core/state.ts";
import { mmxState } from "./mmx.ts";
import { sseMove } from "./sse-move.ts";
import { sseShuffle } from "./sse-shuffle.ts";
import { DATA, rig } from "./vector.test-support.ts";

const r = rig([...sseMove, ...sseShuffle, ...mmxState]);
const A = 0x0f0e0d0c_0b0a0908_07060504_03020100n, B = 0x1f1e1d1c_1b1a1918_17161514_13121110n, ONES = (1n << 128n) - 1n;
const run = (...bytes: number[]) => {
  r.setXmm(0, A);
  r.setXmm(1, B);
  r.poke(DATA, 16, B);
  r.cpu.setGpr(6, BigInt(DATA));
  const fault = r.step(bytes);
  return fault ?? r.xmm(0);
};
const HIGH = (v: bigint) => v >> 64n << 64n;

test("movss, movsd: registers merge, memory clears", () => {
  assert.is(run(0xf3, 0x0f, 0x10, 0xc1), A >> 32n << 32n | 0x13121110n);
  assert.is(run(0xf3, 0x0f, 0x10, 0x06), 0x13121110n);
  assert.is(run(0xf2, 0x0f, 0x10, 0xc1), HIGH(A) | 0x17161514_13121110n);
  assert.is(run(0xf2, 0x0f, 0x10, 0x06), 0x17161514_13121110n);
});
test("halves", () => {
  assert.is(run(0x0f, 0x12, 0xc1), HIGH(A) | B >> 64n); // movhlps
  assert.is(run(0x0f, 0x16, 0xc1), BigInt.asUintN(64, A) | BigInt.asUintN(64, B) << 64n); // movlhps
  assert.is(run(0x66, 0x0f, 0x12, 0x06), HIGH(A) | BigInt.asUintN(64, B)); // movlpd
  assert.is(run(0x66, 0x0f, 0x17, 0x06), A); // movhpd [rsi], xmm0
  assert.is(r.peek(DATA, 16), HIGH(B) | A >> 64n);
});
test("movd, movq: zeros above", () => {
  r.cpu.setGpr(0, 0xffff_ffff_8000_0001n);
  assert.is(run(0x66, 0x0f, 0x6e, 0xc0), 0x8000_0001n);
  assert.is(run(0x66, 0x48, 0x0f, 0x6e, 0xc0), 0xffff_ffff_8000_0001n);
  assert.is(run(0xf3, 0x0f, 0x7e, 0xc1), BigInt.asUintN(64, B));
  assert.is(run(0x66, 0x0f, 0xd6, 0xc8), BigInt.asUintN(64, B)); // movq xmm0, xmm1 by the store form
});
test("aligned and unaligned", () => {
  assert.is(run(0x66, 0x0f, 0x6f, 0x46, 1), "GP");
  assert.is(run(0xf3, 0x0f, 0x6f, 0x46, 0), B);
  assert.is(run(0x0f, 0x2b, 0x46, 8), "GP"); // movntps
  assert.is(run(0x66, 0x0f, 0x11, 0x46, 1), A); // movupd
  assert.is(r.peek(DATA + 1, 16), A);
});
test("a store beyond the segment limit changes nothing", () => {
  r.mode(32);
  r.cpu.setU64(segment(3) + SEG.limit, BigInt(DATA + 15));
  r.cpu.refresh();
  assert.is(run(0xf3, 0x0f, 0x7f, 0x46, 1), "GP");
  assert.is(r.peek(DATA, 16), B);
  r.mode(64);
  assert.is(r.cpu.segmentAccess(CS) & 0x2000, 0x2000);
});
test("maskmovdqu writes the chosen bytes, through the prefixed segment", () => {
  r.cpu.setGpr(7, BigInt(DATA + 0x20));
  r.cpu.setU64(segment(4) + SEG.base, 0x10n);
  r.cpu.refresh();
  r.poke(DATA + 0x30, 16, ONES);
  r.setXmm(0, A);
  r.setXmm(1, 0x80n << 8n | 0x80n << 120n);
  assert.is(r.step([0x64, 0x66, 0x0f, 0xf7, 0xc1]), null);
  assert.is(r.peek(DATA + 0x30, 16), (ONES >> 8n & ~0xff00n) | 0x0100n | 0x0fn << 120n);
});
test("movq2dq and movdq2q enter MMX state, emms leaves it", () => {
  r.setFpr(1, 0x3fffn << 64n | 5n);
  assert.is(run(0xf3, 0x0f, 0xd6, 0xc1), 5n);
  assert.is(r.cpu.memory.u16[S.FTW >> 1], 0xff);
  assert.is(run(0xf2, 0x0f, 0xd6, 0xc9), A);
  assert.is(r.fpr(1), 0xffffn << 64n | BigInt.asUintN(64, B));
  assert.is(run(0x0f, 0x77), A);
  assert.is(r.cpu.memory.u16[S.FTW >> 1], 0);
});

test("pack and unpack: MMX halves are 32 bits", () => {
  assert.is(run(0x66, 0x0f, 0x60, 0xc1), 0x1707_1606_1505_1404_1303_1202_1101_1000n);
  assert.is(run(0x66, 0x0f, 0x6a, 0xc1), 0x1f1e1d1c_0f0e0d0c_1b1a1918_0b0a0908n);
  r.setFpr(0, 0x07060504_03020100n);
  r.setFpr(1, 0x17161514_13121110n);
  r.step([0x0f, 0x68, 0xc1]); // punpckhbw mm0, mm1
  assert.is(BigInt.asUintN(64, r.fpr(0)), 0x1707_1606_1505_1404n);
  r.setFpr(0, 0x0001_ffff_0100_00ffn);
  r.step([0x0f, 0x67, 0xc0]); // packuswb mm0, mm0
  assert.is(BigInt.asUintN(64, r.fpr(0)), 0x0100ffff_0100ffffn);
});
test("shuffles by an immediate", () => {
  assert.is(run(0x66, 0x0f, 0x70, 0xc1, 0x1b), 0x13121110_17161514_1b1a1918_1f1e1d1cn);
  assert.is(run(0xf3, 0x0f, 0x70, 0xc1, 0x00), 0x1918_1918_1918_1918_17161514_13121110n);
  assert.is(run(0xf2, 0x0f, 0x70, 0xc1, 0xff), 0x1f1e1d1c_1b1a1918_1716_1716_1716_1716n);
  assert.is(run(0x0f, 0xc6, 0xc1, 0xe4), 0x1f1e1d1c_1b1a1918_07060504_03020100n);
  assert.is(run(0x66, 0x0f, 0xc6, 0xc1, 1), BigInt.asUintN(64, B) << 64n | A >> 64n);
});
test("pinsrw, pextrw use as many bits of the immediate as there are words", () => {
  r.cpu.setGpr(0, 0xdeadbeefn);
  assert.is(run(0x66, 0x0f, 0xc4, 0xc0, 0xff), (A & ~(0xffffn << 112n)) | 0xbeefn << 112n);
  run(0x66, 0x0f, 0xc5, 0xc9, 0x0a); // pextrw ecx, xmm1, 2
  assert.is(r.cpu.gpr(1), 0x1514n);
  r.setFpr(3, 0xbeef_0003_0002_0001n);
  run(0x0f, 0xc5, 0xcb, 7); // pextrw ecx, mm3, 3
  assert.is(r.cpu.gpr(1), 0xbeefn);
});
test("sign masks", () => {
  r.setXmm(2, 0x80n << 120n | 0x80n);
  r.step([0x66, 0x0f, 0xd7, 0xc2]);
  assert.is(r.cpu.gpr(0), 0x8001n);
  r.step([0x0f, 0x50, 0xc2]);
  assert.is(r.cpu.gpr(0), 8n);
});
test.run();
