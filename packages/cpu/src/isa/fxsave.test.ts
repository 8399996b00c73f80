import { test } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { fxsave } from "./fxsave.ts";
import { DATA, type Rig, rig } from "./vector.test-support.ts";

const r = rig(fxsave);
const SAVE = [0x0f, 0xae, 0x06], RESTORE = [0x0f, 0xae, 0x0e], wide = (bytes: number[]) => [0x48, ...bytes];
const u16 = (at: number) => r.cpu.memory.u16[at >> 1]!;

function fill(to: Rig): void {
  const { cpu } = to, { memory } = cpu;
  memory.u16[S.FCW >> 1] = 0x37f;
  memory.u16[S.FSW >> 1] = 0x1820; // TOP = 3
  memory.u16[S.FTW >> 1] = 0x18;
  memory.u16[S.FOP >> 1] = 0x7ab;
  memory.u16[S.FCS >> 1] = 0x23;
  memory.u16[S.FDS >> 1] = 0x2b;
  cpu.setU64(S.FIP, 0x1122_3344_5566n);
  cpu.setU64(S.FDP, 0x7788_99aa_bbccn);
  cpu.setU32(S.MXCSR, 0x1fa0);
  for (let n = 0; n < 8; n++) to.setFpr(n, 0x3fffn << 64n | BigInt(n + 1));
  for (let n = 0; n < 16; n++) to.setXmm(n, BigInt(n + 1) << 64n | 0xabcn);
  memory.ram.fill(0xee, DATA, DATA + 512);
  cpu.setGpr(6, BigInt(DATA));
}

test("the legacy layout: low halves of the pointers, and selectors", () => {
  fill(r);
  assert.is(r.step(SAVE), null);
  assert.is(r.peek(DATA, 8), 0x07ab_0018_1820_037fn);
  assert.is(r.peek(DATA + 8, 8), 0x23_3344_5566n);
  assert.is(r.peek(DATA + 16, 8), 0x2b_99aa_bbccn);
  assert.is(r.peek(DATA + 24, 8), 0xffff_0000_1fa0n);
  assert.is(r.peek(DATA + 32, 16), 0x3fffn << 64n | 4n, "ST(0) is R3, and its reserved bytes are zero");
  assert.is(r.peek(DATA + 160 + 240, 16), 16n << 64n | 0xabcn);
  assert.is(r.peek(DATA + 416, 8), 0xeeee_eeee_eeee_eeeen, "what is reserved or software's stays");
});
test("REX.W: pointers of 64 bits", () => {
  fill(r);
  r.step(wide(SAVE));
  assert.is(r.peek(DATA + 8, 8), 0x1122_3344_5566n);
  assert.is(r.peek(DATA + 16, 8), 0x7788_99aa_bbccn);
});
test("what was saved comes back", () => {
  fill(r);
  r.step(wide(SAVE));
  for (let n = 0; n < 16; n++) r.setXmm(n, 0n);
  for (let n = 0; n < 8; n++) r.setFpr(n, 0n);
  for (const at of [S.FCW, S.FSW, S.FTW, S.FOP]) r.cpu.memory.u16[at >> 1] = 0;
  assert.is(r.step(wide(RESTORE)), null);
  assert.equal([S.FCW, S.FSW, S.FTW, S.FOP].map(u16), [0x37f, 0x1820, 0x18, 0x7ab]);
  assert.is(r.cpu.u64(S.FIP), 0x1122_3344_5566n);
  assert.is(u16(S.FCS), 0, "there was no room for it");
  assert.equal([0, 7].map((n) => r.fpr(n)), [0x3fffn << 64n | 1n, 0x3fffn << 64n | 8n]);
  assert.is(r.xmm(15), 16n << 64n | 0xabcn);
});
test("ES follows from flags and masks, bits that do not exist are dropped", () => {
  fill(r);
  r.step(SAVE);
  r.poke(DATA, 4, 0x0004_e0bbn); // ZE, unmasked
  r.step(RESTORE);
  assert.equal([S.FCW, S.FSW].map(u16), [0x007b, 0x8084]);
  r.poke(DATA, 4, 0x80bf_ffffn);
  r.step(RESTORE);
  assert.equal([S.FCW, S.FSW].map(u16), [0x1f7f, 0x003f]);
});
test("a reserved bit of MXCSR restores nothing", () => {
  fill(r);
  r.step(SAVE);
  r.poke(DATA + 24, 4, 0x10000n);
  r.setXmm(0, 5n);
  assert.is(r.step(RESTORE), "GP");
  assert.is(r.xmm(0), 5n);
});
test("misaligned: #GP", () => {
  r.cpu.setGpr(6, BigInt(DATA + 8));
  assert.is(r.step(SAVE), "GP");
  assert.is(r.step(RESTORE), "GP");
});
test("outside 64-bit mode there are eight vector registers", () => {
  fill(r);
  r.mode(32);
  assert.is(r.step(SAVE), null);
  assert.is(r.peek(DATA + 160 + 112, 8), 0xabcn);
  assert.is(r.peek(DATA + 160 + 128, 8), 0xeeee_eeee_eeee_eeeen);
  r.mode(64);
});
test("CR0.TS and CR0.EM: not available", () => {
  fill(r);
  r.cpu.setU64(S.CR0, 0x29n);
  r.cpu.refresh();
  assert.is(r.step(SAVE), "NM");
  r.cpu.setU64(S.CR0, 0x25n);
  r.cpu.refresh();
  assert.is(r.step(RESTORE), "NM");
});
test.run();
