import { Random } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { passCrc, sumWords } from "./bulk.ts";

/** The CRC register of 802.3 after these bytes, bit by bit. */
function crcOf(before: number, bytes: Uint8Array): number {
  let crc = before;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return crc | 0;
}

function sumOf(bytes: Uint8Array): number {
  let total = 0;
  for (const [at, byte] of bytes.entries()) total += at % 2 === 0 ? byte : byte << 8;
  return total;
}

/** So many random bytes at an address that ends in any four bits, with other bytes around them. */
function bytesOf(random: Random, length: number): Uint8Array {
  const start = random.below(16);
  return random.fill(new Uint8Array(length + 32)).subarray(start, start + length);
}

test("the CRC is that of its definition for every length around those where the way changes", () => {
  const random = new Random("lengths");
  for (const [from, to] of [
    [0, 40],
    [500, 545],
    [808, 830],
    [16_376, 16_392],
  ]) {
    for (let length = from; length < to; length++) {
      const bytes = bytesOf(random, length);
      const before = random.u32() | 0;
      assert.is(passCrc(before, bytes), crcOf(before, bytes), `${length} bytes`);
    }
  }
});

test("CRC and sum are those of their definitions for any length, alignment and contents, after any other", () => {
  const random = new Random("any");
  for (let turn = 0; turn < 150; turn++) {
    const bytes = bytesOf(random, random.below(turn % 10 === 0 ? 40_000 : 2_000));
    if (turn % 7 === 0) bytes.fill(0xff, random.below(bytes.length + 1));
    assert.is(passCrc(-1, bytes), crcOf(-1, bytes), `${bytes.length} bytes`);
    const from = random.below(bytes.length + 1);
    const to = from + random.below(bytes.length - from + 1);
    assert.is(sumWords(bytes, from, to), sumOf(bytes.subarray(from, to)), `${from} to ${to}`);
  }
});

test("a single bit anywhere in a long frame changes the CRC as its definition says", () => {
  const bytes = new Uint8Array(1514);
  for (let at = 0; at < bytes.length; at += 11) {
    bytes[at] = 1 << (at % 8);
    assert.is(passCrc(0, bytes), crcOf(0, bytes), `byte ${at}`);
    bytes[at] = 0;
  }
});

test("the CRC of two pieces, one after the other, is that of the whole", () => {
  const bytes = bytesOf(new Random("pieces"), 3_000);
  for (const cut of [0, 1, 60, 700, 1_500, 3_000])
    assert.is(passCrc(passCrc(-1, bytes.subarray(0, cut)), bytes.subarray(cut)), passCrc(-1, bytes), `at ${cut}`);
});

test("the sum of the longest frame of ones does not overflow", () => {
  const bytes = new Uint8Array(0x4000).fill(0xff);
  assert.is(sumWords(bytes, 0, 0x4000), 0x2000 * 0xffff);
});

test.run();
