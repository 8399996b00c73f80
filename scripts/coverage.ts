/**
 * `npm run coverage`: which instruction definitions hardware vectors verify, and why the others have none.
 * Writes docs/coverage.md. Reasons come from the definitions; a definition without vectors or reason fails.
 */
import { writeFileSync } from "node:fs";
import type { Instruction } from "../packages/cpu/src/core/forms.ts";
import { definitions } from "../packages/cpu/src/isa/index.ts";
import { allForms, DATA_FOLDER } from "../test/vectors/collection.ts";
import { reasonAgainst } from "../test/vectors/forms.ts";
import { Store } from "../test/vectors/store.ts";
import { closingLine } from "./counts.ts";

type Count = { forms: number; vectors: number };

const store = new Store(DATA_FOLDER);
const hosts = new Set<string>();
const byDefinition = new Map<Instruction, Count>();
let missing = 0;
for (const [family, forms] of allForms()) {
  const file = store.read(family);
  const stored = new Map(file?.forms.map((form) => [form.id, form]));
  for (const form of forms) {
    const found = stored.get(form.id);
    const count = byDefinition.get(form.def) ?? { forms: 0, vectors: 0 };
    byDefinition.set(form.def, count);
    if (!found) missing++;
    else {
      count.forms++;
      count.vectors += found.cases;
      const { vendor, family: f, model, stepping, kernel } = file!.hosts[found.host]!;
      hosts.add(`${vendor} family ${f} model ${model} stepping ${stepping}, ${kernel}`);
    }
  }
}

const verified = definitions.filter((def) => (byDefinition.get(def)?.vectors ?? 0) > 0);
const others = definitions.filter((def) => !verified.includes(def));
const unexplained = others.filter((def) => reasonAgainst(def) === undefined);
const total = verified.reduce((sum, def) => sum + byDefinition.get(def)!.vectors, 0);
const totalForms = verified.reduce((sum, def) => sum + byDefinition.get(def)!.forms, 0);

/** Definitions with a text about each; those that share name and text share a row, with all their opcodes. */
function table(list: readonly Instruction[], text: (def: Instruction) => string): string[] {
  const rows = new Map<string, { name: string; opcodes: string[]; text: string }>();
  for (const def of list) {
    const key = `${def.name}\n${text(def)}`;
    const row = rows.get(key) ?? { name: def.name, opcodes: [], text: text(def) };
    row.opcodes.push(...def.forms.map(({ opcode }) => opcode));
    rows.set(key, row);
  }
  return [...rows.values()].map((row) => `| ${row.name} | ${row.opcodes.join(", ")} | ${row.text} |`);
}

const masked = verified.filter((def) => rule(def) !== "");
function rule({ vectors }: Instruction): string {
  const flags = vectors?.undefinedFlags;
  return [
    flags && `flags ${typeof flags === "function" ? "by operands" : flags}`,
    vectors?.undefinedResult && "result by operands",
    vectors?.ulps !== undefined && `results within ${vectors.ulps} ulp`,
    vectors?.partial && "memory after a fault",
    vectors?.anyFault && "which of several faults",
    vectors?.vendorFault && `${vectors.vendorFault.replaceAll(" ", ", ")} after a fault`,
    vectors?.vendor && `vendors differ: ${vectors.vendor}`,
  ]
    .filter(Boolean)
    .join("; ");
}

const text = [
  "# What hardware verifies",
  "",
  "Written by `npm run coverage`; do not edit. Vectors are explained in [vectors.md](vectors.md).",
  "",
  `${total.toLocaleString("en")} vectors in ${totalForms.toLocaleString("en")} forms verify ${verified.length} of ${definitions.length} definitions.`,
  `Captured on: ${[...hosts].sort().join("; ")}.`,
  "",
  "## Definitions without vectors",
  "",
  "| definition | opcodes | why |",
  "|---|---|---|",
  ...table(others, (def) => reasonAgainst(def) ?? "**unexplained**"),
  "",
  "## What is not compared in definitions with vectors",
  "",
  "| definition | opcodes | not compared |",
  "|---|---|---|",
  ...table(masked, rule),
  "",
  "## Vectors of each definition",
  "",
  "| definition | opcodes | forms, vectors |",
  "|---|---|---|",
  ...verified.map((def) => {
    const { forms, vectors } = byDefinition.get(def)!;
    return `| ${def.name} | ${def.forms.map(({ opcode }) => opcode).join(", ")} | ${forms}, ${vectors} |`;
  }),
  "",
].join("\n");
writeFileSync("docs/coverage.md", text);

for (const def of unexplained) console.log(`${def.name} ${def.forms[0]?.opcode}: neither vectors nor a reason`);
if (missing > 0) console.log(`${missing} forms are not captured yet: npm run vectors -- --capture`);
console.log(
  `docs/coverage.md: ${total} vectors in ${totalForms} forms; ${others.length} definitions without, with reasons`,
);
console.log(closingLine({ passed: definitions.length - unexplained.length, failed: unexplained.length }));
process.exitCode = unexplained.length > 0 ? 1 : 0;
