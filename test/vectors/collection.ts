/** Which vectors there are to be, in which files they are, and how they are captured. */
import type { Instruction } from "../../packages/cpu/src/core/forms.ts";
import { definitions } from "../../packages/cpu/src/isa/index.ts";
import { buildCapture, capture, type Host, host } from "./capture.ts";
import { Writer } from "./codec.ts";
import { formsOf, type VectorForm } from "./forms.ts";
import { checksum, makeCases } from "./inputs.ts";
import { Store, type StoredForm } from "./store.ts";

export const SEED = 1;
export const CASES_PER_FORM = 100;
export const DATA_FOLDER = "test/vectors/data";

/** The file in which a form's vectors are. */
export function familyOf({ def, mode }: VectorForm): string {
  return `${unitOf(def)}-${mode}`;
}
const unitOf = (def: Instruction): string =>
  (def.unit ?? "general").replace(/control$|^wait$/, (found) => (found === "wait" ? "x87" : ""));

/** All forms of all definitions, by family. */
export function allForms(): Map<string, VectorForm[]> {
  const families = new Map<string, VectorForm[]>();
  for (const form of formsOf(definitions)) {
    const family = familyOf(form);
    families.set(family, [...(families.get(family) ?? []), form]);
  }
  return families;
}

/**
 * Captures what is missing: forms that are new, or whose inputs have changed, or (with `again`) whose identity matches.
 * Forms that no definition has any more are dropped.
 */
export function captureMissing(root: string, again: RegExp | null, log: (line: string) => void): void {
  const program = buildCapture(root);
  const store = new Store(`${root}/${DATA_FOLDER}`);
  const here = host();
  const families = allForms();
  for (const family of store.families()) if (!families.has(family)) store.remove(family);
  for (const [family, forms] of families) {
    const old = store.read(family);
    const hosts = [...(old?.hosts ?? [])];
    const known = new Map(old?.forms.map((form) => [form.id, form]));
    const wanted: VectorForm[] = [];
    const kept: StoredForm[] = [];
    for (const form of forms) {
      const stored = known.get(form.id);
      if (stored && !again?.test(form.id) && stored.inputs === checksum(makeCases(form, SEED, stored.cases)))
        kept.push(stored);
      else wanted.push(form);
    }
    if (wanted.length === 0 && kept.length === known.size) continue;
    const added = captureForms(program, wanted, hostNumber(hosts, here));
    const order = new Map(forms.map((form, i) => [form.id, i]));
    const all = [...kept, ...added].sort((a, b) => order.get(a.id)! - order.get(b.id)!);
    store.write(family, { seed: SEED, hosts, forms: all });
    log(
      `${family}: ${added.length} forms captured, ${kept.length} kept, ${known.size - kept.length} dropped or replaced`,
    );
  }
}

function hostNumber(hosts: Host[], here: Host): number {
  const known = hosts.findIndex((each) => JSON.stringify(each) === JSON.stringify(here));
  return known >= 0 ? known : hosts.push(here) - 1;
}

/** Forms that one run of the capture program takes: enough to make its start cheap, and few enough for memory. */
const BATCH = 100;

function captureForms(program: string, forms: readonly VectorForm[], host: number): StoredForm[] {
  const stored: StoredForm[] = [];
  for (let at = 0; at < forms.length; at += BATCH) {
    const batch = forms.slice(at, at + BATCH);
    const cases = batch.map((form) => makeCases(form, SEED, CASES_PER_FORM));
    const outcomes = capture(program, cases.flat());
    for (const [i, form] of batch.entries()) {
      const writer = new Writer();
      for (const [j, c] of cases[i]!.entries()) writer.outcome(c, outcomes[i * CASES_PER_FORM + j]!);
      stored.push({ id: form.id, cases: CASES_PER_FORM, inputs: checksum(cases[i]!), host, outcomes: writer.done() });
    }
  }
  return stored;
}
