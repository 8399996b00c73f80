/** `npm run system -- lockstep [NAME]`: the demo disk's boot beside QEMU, in each mode of the processor; see docs/lockstep.md. */
import type { Counts } from "../../scripts/counts.ts";
import { available } from "../lockstep/qemu.ts";
import { difference, summary } from "../lockstep/report.ts";
import { lockstep, type Outcome, type RunOptions } from "../lockstep/run.ts";
import type { SystemOptions } from "./cpu.ts";
import { demoMachine } from "./pc.ts";

interface Case {
  readonly name: string;
  readonly about: string;
  readonly options: Pick<RunOptions, "from" | "count" | "everyInstruction" | "sabotage">;
  /** The number of the instruction at which the two must differ; else they must agree. */
  readonly wrong?: number;
}

const instruction = (retired: number) => ({ kind: "instruction", retired }) as const;
const cases: readonly Case[] = [
  {
    name: "post",
    about: "SeaBIOS from the reset vector, every instruction",
    options: { from: instruction(0), count: 20_000, everyInstruction: true },
  },
  {
    name: "boot-sector",
    about: "from 7C00 on, in real mode",
    options: { from: { kind: "address", linear: 0x7c00, hits: 1 }, count: 100_000 },
  },
  {
    name: "loader",
    about: "SYSLINUX and the kernel's unpacking, in protected mode",
    options: { from: instruction(40_000_000), count: 200_000 },
  },
  {
    name: "kernel",
    about: "Linux in 64-bit mode",
    options: { from: instruction(120_000_000), count: 300_000 },
  },
  {
    name: "user",
    about: "programs under Linux: page faults, system calls, interrupts",
    options: { from: instruction(145_300_000), count: 300_000 },
  },
  {
    name: "wrong",
    about: "an instruction that is made wrong is found",
    options: { from: instruction(120_000_000), count: 100_000, sabotage: { at: 120_054_321 } },
    wrong: 120_054_321,
  },
];

/** What is wrong with it, or null. */
function judge({ wrong }: Case, outcome: Outcome): string | null {
  const { divergence, stopped } = outcome;
  if (stopped !== "") return `the machine stopped: ${stopped}`;
  if (wrong === undefined) return divergence === null ? null : difference(outcome, "npm run lockstep");
  if (divergence === null) return "no difference was found";
  const names = divergence.differences.map(({ name }) => name).join();
  if (divergence.retired === wrong && names === "rax") return null;
  return `found at ${divergence.retired}, in ${names}, not at ${wrong} in rax`;
}

export async function systemLockstep({ only }: SystemOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  if (!available()) {
    console.log("SKIPPED: qemu-system-x86_64 is not installed, and apt-get could not install it");
    return counts;
  }
  for (const one of cases.filter(({ name }) => only === undefined || name.includes(only))) {
    const outcome = lockstep({ machine: () => demoMachine(), ...one.options });
    const problem = judge(one, outcome);
    console.log(`${problem === null ? "ok   " : "WRONG"} ${one.name}: ${one.about}: ${summary(outcome)}`);
    if (problem !== null) console.log(problem);
    counts[problem === null ? "passed" : "failed"]++;
    outcome.session?.end();
  }
  return counts;
}
