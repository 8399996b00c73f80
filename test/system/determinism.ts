/**
 * `npm run system -- determinism`: a boot is a function of its inputs. The demo disk's boot to DEMO-READY has one digest and
 * one instruction count: twice from power-on, saved and restored at ten random instants, with one processor and with four;
 * and from three instants of it the evaluator does to the bit what the interpreter does.
 */
import { Random, seconds } from "@castaway/kit";
import type { Machine, MachineOptions } from "castaway";
import type { Counts } from "../../scripts/counts.ts";
import type { SystemOptions } from "./cpu.ts";
import { demoImage, machine } from "./guests/machine.ts";

const HOPS = 10;
/** Instructions that the evaluator runs from each snapshot. */
const COMPARED = 20_000_000;

interface End {
  readonly digest: string;
  readonly instructions: number;
  readonly now: number;
}

const image = demoImage();
const build = (options: Partial<MachineOptions>): Machine =>
  machine(image, { ...options, disks: [{ medium: image, timing: "ssd" }] });

const endOf = (pc: Machine): End => ({ digest: pc.digest(), instructions: pc.instructions, now: pc.now });

function boot(options: Partial<MachineOptions>): End {
  const pc = build(options);
  const stop = pc.run({ until: pc.com1.shows("DEMO-READY"), atMost: seconds(20) });
  if (stop.reason !== "watch") throw new Error(`no DEMO-READY: ${stop.reason} ${stop.detail}`);
  return endOf(pc);
}

/** The same way, in pieces: at each instant a new machine goes on from what the last one saved. */
function hops(options: Partial<MachineOptions>, straight: End): { end: End; instants: number[] } {
  const random = new Random(20);
  const instants = Array.from({ length: HOPS }, () => random.below(straight.instructions)).sort((a, b) => a - b);
  let pc = build(options);
  for (const instant of instants) {
    if (instant > pc.instructions) pc.run({ instructions: instant - pc.instructions });
    const state = pc.saveState();
    pc = build(options);
    pc.restoreState(state);
  }
  pc.run({ instructions: straight.instructions - pc.instructions });
  return { end: endOf(pc), instants };
}

/** Both executors from the same snapshot. */
function compare(at: number): { evaluator: End; interpreter: End } {
  const source = build({});
  source.run({ instructions: at });
  const state = source.saveState();
  const run = (executor: "evaluator" | "interpreter") => {
    const pc = build({ executor });
    pc.restoreState(state);
    pc.run({ instructions: COMPARED });
    return endOf(pc);
  };
  return { evaluator: run("evaluator"), interpreter: run("interpreter") };
}

const same = (a: End, b: End): boolean => a.digest === b.digest && a.instructions === b.instructions && a.now === b.now;
const show = ({ digest, instructions, now }: End): string =>
  `digest ${digest}, ${instructions} instructions, ${(now / 1e9).toFixed(6)} s of virtual time`;

export async function systemDeterminism({ only }: SystemOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const report = (name: string, expected: End, got: End) => {
    const equal = same(expected, got);
    console.log(equal ? `ok    ${name}: ${show(got)}` : `WRONG ${name}:\n  ${show(expected)}\n  ${show(got)}`);
    if (equal) counts.passed++;
    else counts.failed++;
  };
  const wanted = (name: string) => only === undefined || name.includes(only);
  for (const cpus of [1, 4]) {
    const name = `${cpus} processor${cpus > 1 ? "s" : ""}`;
    if (!wanted(name)) continue;
    const straight = boot({ cpus });
    report(`${name}: booted twice`, straight, boot({ cpus }));
    const { end, instants } = hops({ cpus }, straight);
    report(`${name}: saved and restored after ${instants.join(", ")} instructions`, straight, end);
  }
  for (const [where, at] of [
    ["firmware", 1_000_000],
    ["the kernel's start", 60_000_000],
    ["user space", 120_000_000],
  ] as const) {
    if (!wanted(where)) continue;
    const { evaluator, interpreter } = compare(at);
    report(`evaluator and interpreter, ${COMPARED} instructions from ${where}`, evaluator, interpreter);
  }
  return counts;
}
