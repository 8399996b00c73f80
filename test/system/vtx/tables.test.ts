import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONTROLS, type Control } from "../../../packages/cpu/src/vmx/controls.ts";
import { EXIT } from "../../../packages/cpu/src/vmx/reasons.ts";
import { root } from "../../../scripts/bundle.mjs";
import { programNames, VTX_PROGRAMS } from "../program.ts";
import { fillTables, namesIn, SHOWS } from "./tables.ts";

const test = suite("docs/vmx.md");

test("its tables are those of the sources; otherwise: npm run vmx-tables", () => {
  const text = readFileSync(`${root}/docs/vmx.md`, "utf8");
  assert.is(text, fillTables(text, SHOWS));
});
test("every control that is offered, and every exit reason, has a program that shows it; the programs exist", () => {
  const offered = (CONTROLS as readonly Control[]).filter(({ offered }) => !offered.startsWith("later"));
  assert.equal(
    offered.filter(({ name }) => !SHOWS.controls[name]).map(({ name }) => name),
    [],
  );
  assert.equal(
    Object.keys(EXIT).filter((name) => !SHOWS.reasons[name]),
    [],
  );
  const names = new Set(programNames(VTX_PROGRAMS));
  for (const list of [...Object.values(SHOWS.controls), ...Object.values(SHOWS.reasons)])
    for (const name of namesIn(list)) assert.ok(names.has(name), `${name} is gone: npm run vmx-tables -- --measure`);
});
test.run();
