/**
 * Which of the small hypervisors show a control or an exit reason: measured, not claimed. A program shows a control if it
 * prints something else on a processor that ignores the control; it shows a reason if a guest of it leaves for it.
 */
import { readFileSync } from "node:fs";
import { CONTROLS, type ControlWord } from "../../../packages/cpu/src/vmx/controls.ts";
import { F } from "../../../packages/cpu/src/vmx/fields.ts";
import { exitName } from "../../../packages/cpu/src/vmx/reasons.ts";
import { Vmcs } from "../../../packages/cpu/src/vmx/vmcs.ts";
import { runStraight } from "../castaway.ts";
import { assemble, type Program, programNames, readProgram, VTX_PROGRAMS } from "../program.ts";

/** Names of programs with blanks between them, by control and by reason. */
export interface Shows {
  readonly controls: Readonly<Record<string, string>>;
  readonly reasons: Readonly<Record<string, string>>;
}

const FIELDS: Readonly<Record<ControlWord, number>> = {
  pin: F.PIN_CONTROLS,
  primary: F.PRIMARY_CONTROLS,
  secondary: F.SECONDARY_CONTROLS,
  exit: F.EXIT_CONTROLS,
  entry: F.ENTRY_CONTROLS,
};
/** Of these, what the processor is not to see as 1, and what it did see. */
const ignored = new Map<number, number>(),
  seen = new Map<number, number>();

/** Until the function that is returned is called, processors read control words of a VMCS through these. */
function standBetween(): () => void {
  const { low } = Vmcs.prototype;
  Vmcs.prototype.low = function (this: Vmcs, field: number): number {
    const value = low.call(this, field),
      mask = ignored.get(field);
    if (mask === undefined) return value;
    seen.set(field, seen.get(field)! | value);
    return (value & ~mask) >>> 0;
  };
  return () => {
    Vmcs.prototype.low = low;
  };
}
function begin(): void {
  for (const field of Object.values(FIELDS)) {
    ignored.set(field, 0);
    seen.set(field, 0);
  }
}

/** Runs each program once as it is, and once for each control that it uses. */
export function measureShows(note: (program: string) => void): Shows {
  const controls = new Map<string, string>(),
    reasons = new Map<string, string>();
  const add = (to: Map<string, string>, key: string, program: string) =>
    to.set(key, to.has(key) ? `${to.get(key)} ${program}` : program);
  const stop = standBetween();
  try {
    for (const name of programNames(VTX_PROGRAMS)) {
      note(name);
      const program = readProgram(VTX_PROGRAMS, name),
        image = readFileSync(assemble(VTX_PROGRAMS, name));
      for (const reason of reasonsOf(program, image)) add(reasons, reason, name);
      for (const control of controlsOf(program, image)) add(controls, control, name);
    }
  } finally {
    stop();
  }
  const sorted = (map: Map<string, string>) => Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { controls: sorted(controls), reasons: sorted(reasons) };
}
/** Leaves in `seen` which controls it uses. */
function reasonsOf(program: Program, image: Uint8Array): Set<string> {
  const reasons = new Set<string>();
  begin();
  const { output } = runStraight(image, program, "interpreter", ({ probes }) =>
    probes.vmExit.on(({ reason }) => reasons.add(exitName(reason))),
  );
  if (output.join("\n") !== program.expected.join("\n"))
    throw new Error(`${program.name} fails: npm run system -- vtx`);
  return reasons;
}
function controlsOf(program: Program, image: Uint8Array): string[] {
  const used = new Map(seen);
  return CONTROLS.filter(({ word, bit }) => {
    if (((used.get(FIELDS[word])! >>> bit) & 1) === 0) return false;
    begin();
    ignored.set(FIELDS[word], 1 << bit);
    return runStraight(image, program, "interpreter").output.join("\n") !== program.expected.join("\n");
  }).map(({ name }) => name);
}
