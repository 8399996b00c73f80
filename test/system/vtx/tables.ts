/** The tables of docs/vmx.md, from the tables of packages/cpu/src/vmx, its tests, and what `shows.ts` has measured. */
import { CONTROL_CASES, type ControlCase, REASON_CASES } from "../../../packages/cpu/src/vmx/cases.test-support.ts";
import { ROWS } from "../../../packages/cpu/src/vmx/checks/checks.ts";
import { CONTROLS, type Control, type ControlName, type ControlWord } from "../../../packages/cpu/src/vmx/controls.ts";
import { EXIT, type ExitName } from "../../../packages/cpu/src/vmx/reasons.ts";
import measured from "./shows.json" with { type: "json" };
import type { Shows } from "./shows.ts";

export const SHOWS: Shows = measured;

const WORD_NAMES: Readonly<Record<ControlWord, string>> = {
  pin: "Pin-based VM-execution controls [SDM 3C 24.6.1]",
  primary: "Primary processor-based VM-execution controls [SDM 3C 24.6.2]",
  secondary: "Secondary processor-based VM-execution controls [SDM 3C 24.6.2]",
  exit: "VM-exit controls [SDM 3C 24.7.1]",
  entry: "VM-entry controls [SDM 3C 24.8.1]",
};
/** Where the rules of a section of 26.2 and 26.3 are, and what they are about. */
const CHECKS: Readonly<Record<string, readonly [about: string, file: string]>> = {
  "26.2.1.1": ["VM-execution control fields", "controls.ts"],
  "26.2.1.2": ["VM-exit control fields", "controls.ts"],
  "26.2.1.3": ["VM-entry control fields", "controls.ts"],
  "26.2.2": ["host control registers and MSRs", "host.ts"],
  "26.2.3": ["host segments and tables", "host.ts"],
  "26.2.4": ["address-space size", "host.ts"],
  "26.3.1.1": ["guest control registers, debug registers, MSRs", "guest-registers.ts"],
  "26.3.1.2": ["guest segment registers", "guest-segments.ts"],
  "26.3.1.3": ["guest descriptor tables", "guest-registers.ts"],
  "26.3.1.4": ["guest RIP, RFLAGS", "guest-registers.ts"],
  "26.3.1.5": ["guest non-register state", "guest-state.ts"],
  "26.3.1.6": ["guest PDPTEs", "guest-state.ts"],
};

export const namesIn = (list: string | undefined): readonly string[] => list?.split(" ") ?? [];
/** How many names a cell holds. */
const MANY = 4;
/** Those first that show little else. */
function programs(list: string | undefined, { controls, reasons }: Shows): string {
  const lists = [...Object.values(controls), ...Object.values(reasons)].map(namesIn),
    breadth = (name: string) => lists.filter((list) => list.includes(name)).length;
  const sorted = [...namesIn(list)].sort((a, b) => breadth(a) - breadth(b) || (a < b ? -1 : 1)),
    links = sorted.slice(0, MANY).map((name) => `[${name}](../test/system/vtx/programs/${name}.s)`);
  return [...links, ...(sorted.length > MANY ? [`${sorted.length - MANY} more`] : [])].join(", ");
}

const isLater = ({ offered }: Control) => offered.startsWith("later: ");
const offer = ({ offered }: Control) => (offered === "yes" ? "yes" : `models with \`${offered}\``);
const shown = ({ what, is1, is0, cite }: ControlCase) => `${what}: ${is1}; without: ${is0} [${cite}]`;
function controlRow(control: Control, shows: Shows): string {
  const { bit, name } = control,
    seen = CONTROL_CASES[name as ControlName];
  if (isLater(control) || seen === undefined)
    return `| ${bit} | ${name} | not offered | ${control.offered.slice("later: ".length)} | |`;
  return `| ${bit} | **${name}** | ${offer(control)} | ${shown(seen)} | ${programs(shows.controls[name], shows)} |`;
}
function controlTables(shows: Shows): string {
  return Object.entries(WORD_NAMES)
    .flatMap(([word, title]) => [
      `### ${title}`,
      "",
      "| bit | control | offered | unit test, or why not | programs |",
      "|---|---|---|---|---|",
      ...(CONTROLS as readonly Control[]).filter((c) => c.word === word).map((c) => controlRow(c, shows)),
      "",
    ])
    .join("\n");
}
function reasonTable(shows: Shows): string {
  const rows = Object.entries(REASON_CASES)
    .sort(([a], [b]) => EXIT[a as ExitName] - EXIT[b as ExitName])
    .map(
      ([name, { what, cite }]) =>
        `| ${EXIT[name as ExitName]} | ${name} | ${what} [${cite}] | ${programs(shows.reasons[name], shows)} |`,
    );
  return ["| number | name | unit test | programs |", "|---|---|---|---|", ...rows, ""].join("\n");
}
function checkTable(): string {
  const rows = Object.entries(CHECKS).map(([section, [about, file]]) => {
    const count = ROWS.filter(({ cite }) => cite === `SDM 3C ${section}`).length;
    return `| ${section} | ${about} | ${count} | [${file}](../packages/cpu/src/vmx/checks/${file}) |`;
  });
  const known = Object.keys(CHECKS).map((section) => `SDM 3C ${section}`),
    strange = ROWS.find(({ cite }) => !known.includes(cite));
  if (strange) throw new Error(`tables.ts has no line for the rules of [${strange.cite}]`);
  return ["| section | about | rules | where |", "|---|---|---|---|", ...rows, `| | | ${ROWS.length} | |`, ""].join(
    "\n",
  );
}

/** The document with its tables as they are now: what stands between `<!-- NAME -->` and `<!-- end -->`. */
export function fillTables(text: string, shows: Shows): string {
  const tables: Record<string, string> = {
    controls: controlTables(shows),
    reasons: reasonTable(shows),
    checks: checkTable(),
  };
  return text.replace(/(<!-- (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, name, end) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`docs/vmx.md asks for a table "${name}"`);
    return `${begin}\n${table.trimEnd()}\n\n${end}`;
  });
}
