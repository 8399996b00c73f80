import { test } from "uvu";
import * as assert from "uvu/assert";
import { Reader, Writer } from "./codec.ts";
import { CODE, DATA } from "./environment.ts";
import { type Case, type Outcome, STATE, viewOf } from "./layout.ts";
import { decodeFile, encodeFile } from "./store.ts";

const state = new Uint8Array(STATE.BYTES);
viewOf(state).setUint32(STATE.RIP, CODE.address, true);
const given: Case = {
  mode: 64,
  state,
  address: CODE.address,
  code: Uint8Array.of(0x90, 0x90),
  step: false,
  patches: [],
};

function outcome(change: (view: DataView) => void, rest: Partial<Outcome> = {}): Outcome {
  const after = Uint8Array.from(state);
  change(viewOf(after));
  return { state: after, vector: -1, error: 0, cr2: 0n, patches: [], ...rest };
}
function roundTrip(before: Outcome): { after: Outcome; length: number } {
  const writer = new Writer();
  writer.outcome(given, before);
  const bytes = writer.done();
  return { after: new Reader(bytes).outcome(given), length: bytes.length };
}

test("an instruction that does nothing takes three bytes", () => {
  const nop = outcome((view) => view.setUint32(STATE.RIP, CODE.address + 2, true));
  const { after, length } = roundTrip(nop);
  assert.equal(after, nop);
  assert.is(length, 3);
});

test("registers, exceptions and memory come back as they were", () => {
  const fault = outcome(
    (view) => {
      view.setBigUint64(STATE.GPR + 8, 0x1122_3344_5566_7788n, true);
      view.setUint32(STATE.MXCSR, 0x1fa0, true);
      view.setBigUint64(STATE.YMM_HIGH + 248, 1n << 63n, true);
    },
    {
      vector: 14,
      error: 7,
      cr2: 0xffff_8000_0000_0123n,
      patches: [
        { address: DATA.address, bytes: Uint8Array.of(1, 2, 3) },
        { address: DATA.address + 0x1fff, bytes: Uint8Array.of(9) },
      ],
    },
  );
  assert.equal(roundTrip(fault).after, fault);
});

test("numbers of every size", () => {
  const writer = new Writer();
  const numbers = [0, 1, 127, 128, 300, 0xffff_ffff, 2 ** 40 + 5];
  for (const n of numbers) writer.number(n);
  const reader = new Reader(writer.done());
  assert.equal(
    numbers.map(() => reader.number()),
    numbers,
  );
  assert.throws(() => reader.number(), /ends inside a record/);
});

test("a file keeps its host, its forms and their outcomes", () => {
  const file = {
    seed: 7,
    hosts: [{ vendor: "AuthenticAMD", family: 26, model: 2, stepping: 1, name: "AMD EPYC", kernel: "Linux 6.18" }],
    forms: [
      { id: "64 add", cases: 2, inputs: 0xdead_beef, host: 0, outcomes: Uint8Array.of(1, 2, 3) },
      { id: "32 add", cases: 1, inputs: 1, host: 0, outcomes: new Uint8Array(0) },
    ],
  };
  assert.equal(decodeFile(encodeFile(file)), file);
  assert.throws(() => decodeFile(Buffer.from("CASTVEC?")), /not a vector file/);
});

test.run();
