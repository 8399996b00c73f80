import { test } from "uvu";
import * as assert from "uvu/assert";
import { Writer } from "./codec.ts";
import { allForms, SEED } from "./collection.ts";
import { differences } from "./compare.ts";
import { Emulated } from "./emulated.ts";
import { checksum, makeCases } from "./inputs.ts";
import { type Case, FLAG, type Outcome, STATE, viewOf } from "./layout.ts";
import { Runner } from "./runner.ts";
import type { StoredForm } from "./store.ts";

const COUNT = 10;
const form = [...allForms().values()].flat().find(({ id }) => id === "64 add [01 /r] Ev,Gv o32 reg")!;
const cases = makeCases(form, SEED, COUNT);

/** Vectors that say what the evaluator does, with a change. */
function stored(change: (outcome: Outcome, i: number) => Outcome, rest: Partial<StoredForm> = {}): StoredForm {
  const cpu = new Emulated("evaluator");
  const writer = new Writer();
  for (const [i, c] of cases.entries()) writer.outcome(c, change(cpu.run(c), i));
  return { id: form.id, cases: COUNT, inputs: checksum(cases), host: 0, outcomes: writer.done(), ...rest };
}
function withFlag(outcome: Outcome, flag: number): Outcome {
  const state = Uint8Array.from(outcome.state);
  const view = viewOf(state);
  view.setUint32(STATE.RFLAGS, view.getUint32(STATE.RFLAGS, true) ^ flag, true);
  return { ...outcome, state };
}

test("both executors do what the vectors say", () => {
  const results = new Runner(["evaluator", "interpreter"], SEED).run(
    form,
    stored((outcome) => outcome),
  );
  assert.equal(
    results.map(({ executor, passed, failed }) => ({ executor, passed, failed })),
    ["evaluator", "interpreter"].map((executor) => ({ executor, passed: COUNT, failed: 0 })),
  );
});

test("a difference is reported with form, bytes, flags by name and the state before", () => {
  const vectors = stored((outcome, i) => (i === 4 ? withFlag(outcome, FLAG.ZF) : outcome));
  const [result] = new Runner(["evaluator"], SEED).run(form, vectors);
  assert.equal([result!.passed, result!.failed], [COUNT - 1, 1]);
  assert.match(
    result!.report,
    /^64 add \[01 \/r\] Ev,Gv o32 reg {2}\(evaluator, case 4: [0-9a-f ]+\)\n {2}RFLAGS {4}expected [0-9a-f]{6} .*ZF/,
  );
  assert.match(result!.report, /before {4}RAX=/);
  assert.is(new Runner(["evaluator"], SEED).run(form, vectors, 5)[0]!.failed, 0);
});

test("vectors whose inputs have changed fail as a whole", () => {
  const [result] = new Runner(["evaluator"], SEED).run(
    form,
    stored((outcome) => outcome, { inputs: 1 }),
  );
  assert.is(result!.failed, COUNT);
  assert.match(result!.report, /inputs have changed/);
});

test("what a definition leaves undefined is not compared", () => {
  const and = [...allForms().values()].flat().find(({ id }) => id === "64 and [21 /r] Ev,Gv o32 reg")!;
  const c: Case = makeCases(and, SEED, 1)[0]!;
  const outcome = new Emulated("evaluator").run(c);
  const decode = (rule: object) => () => ({ def: { vectors: rule }, form: and.form, operands: [] }) as never;
  const names = (rule: object, got: Outcome) => differences(c, decode(rule), outcome, got).map(({ name }) => name);
  assert.equal(names({ undefinedFlags: "AF" }, withFlag(outcome, FLAG.AF)), []);
  assert.equal(names({ undefinedFlags: "AF" }, withFlag(outcome, FLAG.CF)), ["RFLAGS"]);
  assert.equal(names({ undefinedFlags: () => "AF CF" }, withFlag(outcome, FLAG.AF | FLAG.CF)), []);
  assert.equal(names({}, { ...outcome, vector: 13 }), ["exception"]);
  const state = Uint8Array.from(outcome.state);
  viewOf(state).setUint16(STATE.FTW, 0xff, true);
  const fault = { ...outcome, vector: 14 };
  const expected = (rule: object, got: Outcome) => differences(c, decode(rule), fault, got).map(({ name }) => name);
  assert.equal(expected({}, { ...fault, vector: 13, state }), ["exception", "FTW"]);
  assert.equal(expected({ anyFault: true, vendorFault: "FSW FTW" }, { ...fault, vector: 13, state }), []);
  assert.equal(expected({ anyFault: true }, { ...fault, vector: -1 }), ["exception"]);
  assert.equal(names({ vendorFault: "FSW FTW" }, { ...outcome, state }), ["FTW"]);
  const conditions = Uint8Array.from(outcome.state);
  viewOf(conditions).setUint16(STATE.FSW, 1 << 9, true);
  assert.equal(names({ undefinedFlags: "C1" }, { ...outcome, state: conditions }), []);
  assert.equal(names({ undefinedFlags: "C0" }, { ...outcome, state: conditions }), ["FSW"]);
});

test.run();
