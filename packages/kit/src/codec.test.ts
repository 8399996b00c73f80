import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeState, encodeState } from "./codec.ts";
import { StateError } from "./errors.ts";
import { Random } from "./random.ts";
import * as s from "./state.ts";

const anything: s.Shape<s.Plain> = { check() {} };
const hop = (value: s.Plain) => decodeState("test", 1, anything, encodeState("test", 1, value));

test("every kind of value comes back", () => {
  const numbers = [0, -0, 1, 127, 128, -1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 60, 0.1, 1e308, 5e-324];
  for (const number of [...numbers, Number.NaN, Number.NEGATIVE_INFINITY]) assert.ok(Object.is(hop(number), number));
  for (const text of ["", "a", "Grüße, 世界 🏝", "\ud800 alone"]) assert.is(hop(text), text);
  const nested = { a: [1, [], {}, null, true, false], "odd name": { b: Uint8Array.of(1, 0, 2) }, __proto: "x" };
  assert.equal(hop(nested), nested);
});

test("memory of every pattern comes back, and zeros cost nothing", () => {
  const random = new Random(1);
  for (let round = 0; round < 300; round++) {
    const memory = new Uint8Array(random.below(1000)).subarray(random.below(4));
    for (let i = random.below(6); i > 0 && memory.length > 0; i--) {
      const at = random.below(memory.length);
      random.fill(memory.subarray(at, at + random.below(200)));
    }
    assert.equal(hop(memory), memory);
  }
  assert.ok(encodeState("test", 1, new Uint8Array(1 << 24)).length < 60);
});

test("another kind, another version, other bytes are refused", () => {
  const bytes = encodeState("test", 1, { a: 1 });
  const refused = (act: () => unknown, pattern: RegExp) => {
    try {
      act();
    } catch (error) {
      assert.instance(error, StateError);
      return assert.match((error as Error).message, pattern);
    }
    assert.unreachable("it was accepted");
  };
  refused(() => decodeState("other", 1, anything, bytes), /it is of a "test", not of a "other"/);
  refused(() => decodeState("test", 2, anything, bytes), /its version is 1; this castaway reads version 2 only/);
  refused(() => decodeState("test", 1, anything, new Uint8Array(100)), /no saved state/);
  refused(() => decodeState("test", 1, anything, new Uint8Array(0)), /damaged/);
  for (let length = 0; length < bytes.length; length++) {
    refused(() => decodeState("test", 1, anything, bytes.subarray(0, length)), /damaged/);
  }
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.slice();
    changed[i] ^= 0x10;
    refused(() => decodeState("test", 1, anything, changed), /./);
  }
});

test("unknown, missing and misfit fields are refused by name", () => {
  const shape = s.record({ port: s.record({ CLB: s.u32, on: s.flag }), slots: s.list(s.u8, 2) });
  const good = { port: { CLB: 1, on: true }, slots: [1, 2] };
  const decode = (value: s.Plain) => decodeState("test", 1, shape, encodeState("test", 1, value));
  assert.equal(decode(good), good);
  assert.throws(() => decode({ ...good, extra: 1 }), "saved state at extra: this machine has no such field");
  assert.throws(() => decode({ port: { CLB: 1 }, slots: [1, 2] }), "saved state at port.on: the field is missing");
  assert.throws(() => decode({ ...good, slots: [1, 256] }), "at slots[1]: 256 is not an integer from 0 to 255");
  assert.throws(() => decode({ ...good, slots: [1] }), "at slots: a list of 1 is not a list of 2");
  assert.throws(() => decode({ ...good, port: null }), "at port: null is not a record");
});

test("what is no plain data is our mistake, and says where", () => {
  assert.throws(() => encodeState("test", 1, { a: [new Map()] } as never), /plain data\n {2}path = ".a\[0\]"/);
  assert.throws(() => encodeState("test", 1, { a: undefined } as never), /plain data/);
});

test.run();
