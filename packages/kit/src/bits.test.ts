import { test } from "uvu";
import * as assert from "uvu/assert";
import * as b from "./bits.ts";

test("bit, ones and fields, at both ends", () => {
  assert.is(b.bit(0x80000000, 31), 1);
  assert.is(b.bit(0x7fffffff, 31), 0);
  assert.equal([0, 1, 31, 32].map(b.ones), [0, 1, 0x7fffffff, 0xffffffff]);
  assert.is(b.field(0xdeadbeef, 31, 0), 0xdeadbeef);
  assert.is(b.field(0xdeadbeef, 31, 28), 0xd);
  assert.is(b.field(0xdeadbeef, 15, 8), 0xbe);
  assert.is(b.withField(0xdeadbeef, 15, 8, 0x123), 0xdead23ef);
  assert.is(b.withField(0, 31, 0, -1), 0xffffffff);
});

test("signed", () => {
  assert.is(b.signed(0xff, 8), -1);
  assert.is(b.signed(0x17f, 8), 127);
  assert.is(b.signed(1, 1), -1);
  assert.is(b.signed(0xffffffff, 32), -1);
});

test("counting and finding ones agrees with looking at each bit", () => {
  for (const value of [0, 1, 2, 0x80000000, 0xffffffff, 0x00ff0000, 0x12345678, -1]) {
    const set = Array.from({ length: 32 }, (_, n) => n).filter((n) => b.bit(value, n) === 1);
    assert.is(b.countOnes(value), set.length);
    assert.is(b.lowestOne(value), set[0] ?? 32);
    assert.is(b.highestOne(value), set.at(-1) ?? -1);
  }
});

test("rotate and swap", () => {
  assert.is(b.rotateLeft(0x80000001, 1), 3);
  assert.is(b.rotateLeft(0x80000001, 0), 0x80000001);
  assert.is(b.swap32(0x12345678), 0x78563412);
  assert.is(b.swap32(0x000000ff), 0xff000000);
  assert.is(b.swap16(0xab1234), 0x3412);
});

test("alignment and powers of two beyond 32 bits", () => {
  const tib = 0x100_0000_0000;
  assert.is(b.alignDown(tib + 4097, 4096), tib + 4096);
  assert.is(b.alignUp(tib + 1, 4096), tib + 4096);
  assert.is(b.alignUp(tib, 4096), tib);
  assert.equal([0, 1, 2, 3, tib, tib + 1, 3 * tib, 0.5, -2].filter(b.isPowerOfTwo), [1, 2, tib]);
});

test("halves of safe integers", () => {
  const most = Number.MAX_SAFE_INTEGER;
  assert.is(b.low32(most), 0xffffffff);
  assert.is(b.high32(most), 0x1fffff);
  assert.is(b.join32(0x1fffff, 0xffffffff), most);
  assert.is(b.join32(1, -1), 0x1ffffffff);
  assert.is(b.hex(0xab, 4), "00ab");
});

test("little- and big-endian numbers", () => {
  const bytes = Uint8Array.of(0x12, 0x34, 0x56, 0xf8, 0x9a);
  assert.is(b.readLittle(bytes, 0, 4), 0xf8563412);
  assert.is(b.readLittle(bytes, 1, 2), 0x5634);
  assert.is(b.readBig(bytes, 0, 2), 0x1234);
  assert.is(b.readBig(bytes, 3, 1), 0xf8);
  b.writeLittle(bytes, 0, 4, 0xcafebabe);
  assert.equal([...bytes], [0xbe, 0xba, 0xfe, 0xca, 0x9a]);
  b.writeBig(bytes, 1, 2, 0xcafebabe);
  assert.equal([...bytes], [0xbe, 0xba, 0xbe, 0xca, 0x9a]);
});

test.run();
