import { test } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { sseInteger } from "./sse-integer.ts";
import { sseShift } from "./sse-shift.ts";
import { DATA, rig } from "./vector.test-support.ts";

const r = rig([...sseInteger, ...sseShift]);
const A = 0x8000_7fff_0001_ffff_8000_8000_0002_0003n, B = 0x8000_0001_ffff_0001_8000_8000_0003_0005n;
/** A register form with 66: xmm0 by xmm1. */
const xmm = (opcode: number, a = A, b = B) => {
  r.setXmm(0, a);
  r.setXmm(1, b);
  assert.is(r.step([0x66, 0x0f, opcode, 0xc1]), null);
  return r.xmm(0);
};

test("pmulhw and pmulhuw: high halves", () => {
  assert.is(xmm(0xe5), 0x4000_0000_ffff_ffff_4000_4000_0000_0000n);
  assert.is(xmm(0xe4), 0x4000_0000_0000_0000_4000_4000_0000_0000n);
});
test("pmuludq: even doublewords", () => assert.is(xmm(0xf4, 0x5_ffffffffn, 0x7_00000002n), 0x1_fffffffen));
test("pmaddwd: the pair of most negative products wraps", () => assert.is(xmm(0xf5) >> 32n & 0xffffffffn, 0x80000000n));
test("psadbw: a sum a quadword", () => assert.is(xmm(0xf6, 0xff00n << 64n | 0x0005n, 0x00ffn << 64n | 0x0300n), (510n << 64n) | 8n));
test("pavgb rounds up", () => assert.is(xmm(0xe0, 0x01fen, 0x02ffn), 0x02ffn));

test("MMX twin: 64 bits, TOP and tags, ones as the exponent", () => {
  r.cpu.memory.u16[S.FSW >> 1] = 0x3800;
  r.cpu.memory.u16[S.FTW >> 1] = 0;
  r.setFpr(2, 0x1234n << 64n | 0xff01n);
  r.poke(DATA, 8, 0x0101_0101_0101_0101n);
  r.cpu.setGpr(6, BigInt(DATA));
  assert.is(r.step([0x0f, 0xfc, 0x16]), null); // paddb mm2, [rsi]
  assert.is(r.fpr(2), 0xffffn << 64n | 0x0101_0101_0101_0002n);
  assert.is(r.cpu.memory.u16[S.FSW >> 1], 0);
  assert.is(r.cpu.memory.u16[S.FTW >> 1], 0xff);
});
test("memory of 128 bits must be aligned, that of MMX need not", () => {
  r.cpu.setGpr(6, BigInt(DATA + 8));
  assert.is(r.step([0x66, 0x0f, 0xfc, 0x06]), "GP");
  r.cpu.setGpr(6, BigInt(DATA + 3));
  assert.is(r.step([0x0f, 0xfc, 0x06]), null);
});

test("shifts take all 64 bits of the count", () => {
  assert.is(xmm(0xf3, 1n << 64n | 1n, 4n), 1n << 68n | 16n);
  assert.is(xmm(0xd1, A, 1n << 32n), 0n);
  assert.is(xmm(0xe1, 0x8000n, 1n << 63n), 0xffffn);
});
test("shifts by an immediate, of bytes too", () => {
  r.setXmm(3, 0xff00ffn);
  assert.is(r.step([0x66, 0x0f, 0x73, 0xfb, 15]), null); // pslldq xmm3, 15
  assert.is(r.xmm(3), 0xffn << 120n);
  assert.is(r.step([0x66, 0x0f, 0x73, 0xdb, 16]), null); // psrldq xmm3, 16
  assert.is(r.xmm(3), 0n);
});
test("a pending x87 exception comes first, on MMX registers only", () => {
  r.cpu.memory.u16[S.FSW >> 1] = 0x8081;
  assert.is(r.step([0x0f, 0xfc, 0xc1]), "MF");
  assert.is(r.step([0x66, 0x0f, 0xfc, 0xc1]), null);
  r.cpu.memory.u16[S.FSW >> 1] = 0;
});
test("66 selects XMM registers in 16-bit real mode too, where it would change the operand size", () => {
  r.mode(16, true);
  assert.is(xmm(0xfc, 1n << 64n, 2n << 64n), 3n << 64n);
  r.mode(64);
});
test.run();
