import { test } from "uvu";
import * as assert from "uvu/assert";
import * as s from "./state.ts";

/** What the shape says against the value, or "". */
function complaint(shape: s.Shape<unknown>, value: unknown): string {
  try {
    shape.check(value, "x");
    return "";
  } catch (error) {
    return (error as Error).message.replace("saved state at ", "");
  }
}

test("integers stay within their width", () => {
  const edges: [s.Shape<number>, number, number][] = [
    [s.u8, 0, 0xff],
    [s.u16, 0, 0xffff],
    [s.u32, 0, 0xffffffff],
    [s.i32, -0x80000000, 0x7fffffff],
    [s.natural, 0, Number.MAX_SAFE_INTEGER],
  ];
  for (const [shape, lowest, highest] of edges) {
    assert.equal([complaint(shape, lowest), complaint(shape, highest)], ["", ""]);
    for (const wrong of [lowest - 1, highest + 1, 0.5, Number.NaN, "1", null]) assert.ok(complaint(shape, wrong));
  }
});

test("the other kinds", () => {
  assert.is(complaint(s.real, Number.NaN), "");
  assert.is(complaint(s.flag, 0), "x: 0 is not true or false");
  assert.is(complaint(s.text, ["a"]), "x: a list is not a text");
  assert.is(complaint(s.oneOf("idle", "busy"), "busy"), "");
  assert.is(complaint(s.oneOf("idle", "busy"), "done"), 'x: the text "done" is not one of "idle", "busy"');
  assert.is(complaint(s.bytes(), new Uint8Array(3)), "");
  assert.is(complaint(s.bytes(4), new Uint8Array(3)), "x: a Uint8Array of 3 bytes is not 4 bytes");
  assert.is(complaint(s.nullable(s.u8), null), "");
  assert.is(complaint(s.nullable(s.u8), {}), "x: a record is not an integer from 0 to 255");
});

test("records and lists name the place", () => {
  const shape = s.list(s.record({ a: s.u8 }));
  assert.is(complaint(shape, [{ a: 1 }, { a: 2 }]), "");
  assert.is(complaint(shape, [{ a: 1 }, { a: -2 }]), "x[1].a: -2 is not an integer from 0 to 255");
  assert.is(complaint(shape, [{}]), "x[0].a: the field is missing");
  assert.is(complaint(shape, [{ a: 1, toString: 1 }]), "x[0].toString: this machine has no such field");
  assert.is(complaint(shape, {}), "x: a record is not a list");
});

test.run();
