import { test } from "uvu";
import * as assert from "uvu/assert";
import { Digest, digest } from "./digest.ts";
import { Random } from "./random.ts";

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

test("published values of MurmurHash3 x86 128", () => {
  assert.is(digest(ascii("")), "0".repeat(32));
  assert.is(digest(ascii("I will not buy this tobacconist's, it is scratched.")), "9b5b7ba2ef3f7866889adeaf00f3f98e");
  assert.is(digest(ascii("The quick brown fox jumps over the lazy dog")), "2f1583c3ecee2c675d7bf66ce5e91d2c");
});

test("how the bytes are cut, and where they lie, makes no difference", () => {
  const random = new Random(1);
  const buffer = random.fill(new Uint8Array(2000));
  for (let round = 0; round < 300; round++) {
    const start = random.below(17);
    const bytes = buffer.subarray(start, start + random.below(1900));
    const pieces = new Digest();
    for (let at = 0; at < bytes.length; ) {
      const length = random.below(50);
      pieces.update(bytes.subarray(at, at + length));
      at += length;
    }
    assert.is(pieces.hex(), digest(bytes.slice()));
  }
});

test("every bit and every length counts", () => {
  const seen = new Set<string>();
  const bytes = new Uint8Array(40);
  for (let length = 0; length < 40; length++) seen.add(digest(bytes.subarray(0, length)));
  for (let i = 0; i < 320; i++) {
    const changed = bytes.slice();
    changed[i >> 3] ^= 1 << (i & 7);
    seen.add(digest(changed));
  }
  assert.is(seen.size, 360);
});

test("a digest can be read and then go on", () => {
  const one = new Digest().update(ascii("abc"));
  assert.is(one.hex(), one.hex());
  assert.is(one.update(ascii("def")).hex(), digest(ascii("abcdef")));
  assert.is(one.bytes().length, 16);
});

test("words and texts", () => {
  assert.is(new Digest().word(0x04030201).hex(), digest(Uint8Array.of(1, 2, 3, 4)));
  assert.is.not(new Digest().text("ab").text("c").hex(), new Digest().text("a").text("bc").hex());
});

test.run();
