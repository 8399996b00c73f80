import Long from "long";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cloneable } from "./cloneable.ts";

test("64-bit values become bigints, at any depth", () => {
  const value = { a: [Long.fromString("ffffffff80000000", true, 16)], b: { c: Long.fromInt(-2) }, d: null, e: "text" };
  assert.equal(cloneable(value), { a: [0xffffffff80000000n], b: { c: -2n }, d: null, e: "text" });
});

test("bytes stay what they are", () => {
  const bytes = new Uint8Array(3);
  assert.is((cloneable({ bytes }) as { bytes: Uint8Array }).bytes, bytes);
});

test.run();
