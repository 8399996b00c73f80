import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Decoded, Decoder } from "../core/decode.ts";
import { OpcodeMap } from "../core/opcodes.ts";
import { definitions } from "../isa/index.ts";
import { HandlerStore } from "./handlers.ts";

const test = suite("handlers, and when they are made");
const decoder = new Decoder(new OpcodeMap(definitions));
const decode = (...bytes: number[]): Decoded =>
  decoder.decode(Uint8Array.from([...bytes, ...new Array(16).fill(0)]), 0, 16, { bits: 64, real: false })!;

test("two shuffles with different selectors in the first block that has any have handlers of their own", () => {
  const store = new HandlerStore(),
    block = [decode(0x66, 0x0f, 0xc6, 0xc1, 0), decode(0x66, 0x0f, 0xc6, 0xc1, 1)]; // SHUFPD
  assert.ok(store.ready(block, 0));
  assert.ok(block[0]!.handler > 0 && block[1]!.handler > 0 && block[0]!.handler !== block[1]!.handler);
});

test("missing handlers wait until the evaluator has run as many instructions as patience lasts", () => {
  const store = new HandlerStore(),
    block = [decode(0x48, 0x01, 0xc8), decode(0x90)];
  assert.equal(
    [1, 2, 3].map(() => store.ready(block, 4)),
    [false, false, true],
  );
  assert.is(store.since(0).modules.length, 1);
  assert.ok(store.ready([decode(0x48, 0x01, 0xd8)], 4), "the same form with other registers");
  assert.not.ok(store.ready([decode(0x48, 0x29, 0xc8)], 4));
});

test("a repeated string instruction is never left to the evaluator", () => {
  assert.ok(new HandlerStore().ready([decode(0xf3, 0xa4)], 1000));
});

test("many small modules become one that holds all handlers", () => {
  const store = new HandlerStore();
  for (let i = 0; i < 9; i++) store.ready([decode(0x48, 0x01 + 8 * (i % 8), 0xc8 - 0x88 * Math.floor(i / 8))], 0);
  const { modules, next } = store.since(0);
  assert.is(modules.length, 1);
  assert.is(next, 9);
  assert.equal(store.since(next).modules, []);
});

test.run();
