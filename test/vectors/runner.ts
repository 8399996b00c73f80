/** Runs stored vectors on castaway's executors and says, for a reader, what differs. */
import { Decoder } from "../../packages/cpu/src/core/decode.ts";
import { OpcodeMap } from "../../packages/cpu/src/core/opcodes.ts";
import { handlerStore } from "../../packages/cpu/src/emit/handlers.ts";
import { definitions } from "../../packages/cpu/src/isa/index.ts";
import { Reader } from "./codec.ts";
import { type Difference, differences, text } from "./compare.ts";
import { Emulated, type ExecutorName } from "./emulated.ts";
import type { VectorForm } from "./forms.ts";
import { checksum, makeCases } from "./inputs.ts";
import { type Case, REGISTERS } from "./layout.ts";
import type { StoredForm } from "./store.ts";

/** What came of one form on one executor. */
export interface FormResult {
  readonly id: string;
  readonly executor: ExecutorName;
  readonly passed: number;
  readonly failed: number;
  /** The first case that failed, described; or why none could run. */
  readonly report: string;
}

export class Runner {
  readonly #decoder = new Decoder(new OpcodeMap(definitions));
  readonly #executors: readonly { name: ExecutorName; cpu: Emulated }[];
  readonly #seed: number;
  /** Prepared and not run yet. */
  readonly #cases = new Map<VectorForm, Case[]>();

  constructor(executors: readonly ExecutorName[], seed: number) {
    this.#executors = executors.map((name) => ({ name, cpu: new Emulated(name) }));
    this.#seed = seed;
  }

  /**
   * Makes the cases of forms that `run` is going to be asked for, and the handlers of all their instructions at once:
   * one by one that takes longer than running them.
   */
  prepare(forms: readonly (readonly [VectorForm, StoredForm])[]): void {
    for (const [form, stored] of forms) this.#cases.set(form, makeCases(form, this.#seed, stored.cases));
    const insns = [...this.#cases.values()].flatMap((cases) => cases.map((c) => this.#decode(c)!));
    if (insns.length > 0) handlerStore.ready(insns, 0);
  }
  /** All cases of a form; with `only`, that one. */
  run(form: VectorForm, stored: StoredForm, only = -1): FormResult[] {
    const cases = this.#cases.get(form) ?? makeCases(form, this.#seed, stored.cases);
    this.#cases.delete(form);
    if (checksum(cases) !== stored.inputs) {
      const report = `${form.id}\n  the inputs have changed since these vectors were captured: capture again`;
      return this.#executors.map(({ name }) => ({
        id: form.id,
        executor: name,
        passed: 0,
        failed: stored.cases,
        report,
      }));
    }
    const reader = new Reader(stored.outcomes);
    const expected = cases.map((c) => reader.outcome(c));
    return this.#executors.map(({ name, cpu }) => {
      let passed = 0;
      let failed = 0;
      let report = "";
      for (const [i, c] of cases.entries()) {
        if (only >= 0 && i !== only) continue;
        const found = differences(c, () => this.#decode(c), expected[i]!, cpu.run(c));
        if (found.length === 0) passed++;
        else {
          if (failed++ === 0) report = describe(form, name, i, c, found);
        }
      }
      return { id: form.id, executor: name, passed, failed, report };
    });
  }

  #decode(c: Case) {
    const bytes = new Uint8Array(16);
    bytes.set(c.code);
    return this.#decoder.decode(bytes, 0, bytes.length, { bits: c.mode, real: false });
  }
}

/** Form, bytes, differences, and the registers before, so that a failure can be understood without tools. */
function describe(
  form: VectorForm,
  executor: ExecutorName,
  index: number,
  c: Case,
  found: readonly Difference[],
): string {
  const code = [...c.code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const lines = [`${form.id}  (${executor}, case ${index}: ${code})`];
  for (const { name, expected, got } of found) {
    lines.push(`  ${name.padEnd(9)} expected ${expected}`, `  ${"".padEnd(9)} got      ${got}`);
  }
  const before = REGISTERS.filter(({ offset, bytes }) =>
    c.state.subarray(offset, offset + bytes).some((byte) => byte !== 0),
  );
  lines.push(
    `  before    ${before.map((register) => `${register.name}=${text(register, c.state).replace(/^0+(?=.)/, "")}`).join(" ")}`,
  );
  for (const { address, bytes } of c.patches) {
    lines.push(
      `  memory    ${address.toString(16)}: ${Buffer.from(bytes.subarray(0, 32)).toString("hex")}${bytes.length > 32 ? ".." : ""}`,
    );
  }
  return lines.join("\n");
}
