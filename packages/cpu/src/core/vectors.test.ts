import { test } from "uvu";
import * as assert from "uvu/assert";
import { addPairs, binary, dot, logic, mulWide, narrow, shift, shuffle, signs, VECTOR } from "./vectors.ts";

const bytes = (...low: number[]) => low.reduceRight((v, b) => (v << 8n) | BigInt(b & 0xff), 0n);
const words = (...low: number[]) => low.reduceRight((v, w) => (v << 16n) | BigInt(w & 0xffff), 0n);

test("lanes do not carry into each other", () => {
  assert.is(binary("add", 8, bytes(0xff, 1), bytes(1, 1)), bytes(0, 2));
  assert.is(binary("sub", 16, words(0, 5), words(1, 2)), words(0xffff, 3));
});
test("saturation, signed and unsigned", () => {
  assert.is(binary("addSatS", 8, bytes(0x7f, 0x80), bytes(1, 0xff)), bytes(0x7f, 0x80));
  assert.is(binary("subSatU", 16, words(1, 9), words(2, 4)), words(0, 5));
  assert.is(narrow("s", 8, words(200, -200, 5), 0n), bytes(127, -128, 5));
  assert.is(narrow("u", 8, words(300, -1, 5), words(256)), bytes(255, 0, 5, 0, 0, 0, 0, 0, 255));
  assert.is(narrow("u", 16, 0x8000_0000_0001_0000n, 0n), 0x0000_ffffn);
});
test("comparison gives all ones", () => assert.is(binary("gtS", 8, bytes(1, 0xff), bytes(0, 0)), bytes(0xff, 0)));
test("products of twice the width", () => {
  assert.is(mulWide("low", "s", 16, words(-2, 3), words(3, -3)), 0xfffffff7_fffffffan);
  assert.is(mulWide("high", "u", 32, 0xffffffffn << 64n, 0xffffffffn << 64n), 0xfffffffe00000001n);
});
test("the one sum of products that wraps", () =>
  assert.is(dot(words(-32768, -32768), words(-32768, -32768)), 0x80000000n));
test("sums of neighbours", () => {
  assert.is(addPairs("u", 8, bytes(255, 255, 1, 2)), words(510, 3));
  assert.is(addPairs("s", 8, bytes(-1, -1)), words(-2));
});
test("counts beyond the lane", () => {
  assert.is(shift("shl", 16, VECTOR, 16n), 0n);
  assert.is(shift("sar", 32, 1n << 31n, 0xffffffffffffffffn), 0xffffffffn);
});
test("bytes of two vectors", () =>
  assert.is(shuffle(bytes(1), bytes(2), [16, 0, ...Array<number>(14).fill(15)]), bytes(2, 1)));
test("signs as a word", () => {
  assert.is(signs(8, VECTOR), 0xffffn);
  assert.is(signs(64, 1n << 127n), 2n);
});
test("andnot inverts the first", () => assert.is(logic("andnot", VECTOR ^ 6n, 3n), 2n));
test.run();
