/**
 * `npm run system -- cpu`: how the processor behaves as a system, told by small programs. Each runs from the reset
 * vector in both executors and once more in legs, saved and restored between them; with oracles, in QEMU and Bochs too.
 */
import { readFileSync } from "node:fs";
import { UNIMPLEMENTED } from "@castaway/cpu";
import type { Counts } from "../../scripts/counts.ts";
import { runInLegs, runStraight } from "./castaway.ts";
import { systemKvm } from "./kvm.ts";
import { install, isInstalled, type Oracle, oracles, vtxOracles } from "./oracles.ts";
import {
  assemble,
  CPU_PROGRAMS,
  difference,
  labelOf,
  type Program,
  type ProgramFolder,
  programNames,
  readProgram,
  VTX_PROGRAMS,
} from "./program.ts";
import { systemTrace } from "./vtx/trace.ts";

export interface SystemOptions {
  /** Only programs whose name contains this. */
  readonly only?: string;
  /** Of that one, only this. */
  readonly variant?: string;
  /** How many seeds, and which one alone. */
  readonly seeds?: number;
  readonly seed?: number;
  /** Those that take minutes too. */
  readonly all: boolean;
  /** Install the oracles if they are missing, and ask them. */
  readonly oracles: boolean;
  /** Print what each machine prints, and compare nothing. */
  readonly raw: boolean;
  /** The same with the symbol VERBOSE defined: every outcome that goes into a checksum. */
  readonly verbose: boolean;
}

/** Legs of the run that is saved and restored. */
const LEGS = 60;

export const systemCpu = async (options: SystemOptions): Promise<Counts> => {
  const counts = await runPrograms(CPU_PROGRAMS, oracles, options);
  if (!options.raw && !options.verbose)
    console.log(`\nnot implemented, and not tested here: ${Object.keys(UNIMPLEMENTED).join(", ")}`);
  return counts;
};

/**
 * `npm run system -- vtx`: small hypervisors, one line for each VM exit; and `trace`, what the command line traces of them.
 * With the name kvm, a large one.
 */
export async function systemVtx(options: SystemOptions): Promise<Counts> {
  if (options.only === "kvm") return systemKvm(options.variant, options.all);
  const counts = await runPrograms(VTX_PROGRAMS, vtxOracles, options);
  if (options.raw || options.verbose || !"trace".includes(options.only ?? "")) return counts;
  try {
    console.log(`  ok    trace: ${await systemTrace()}`);
    counts.passed++;
  } catch (problem) {
    console.log(`  WRONG trace\n    ${problem instanceof Error ? problem.message : problem}`);
    counts.failed++;
  }
  return counts;
}

async function runPrograms(folder: ProgramFolder, known: readonly Oracle[], options: SystemOptions): Promise<Counts> {
  if (!isInstalled("as") || !isInstalled("ld")) install(["binutils"]);
  if (!isInstalled("as")) throw new Error("system: the programs are assembled with `as` and `ld` of GNU binutils");
  const names = programNames(folder).filter((name) => name.includes(options.only ?? ""));
  if (options.raw || options.verbose) return showOutputs(folder, names, known, options.verbose ? ["VERBOSE"] : []);
  const asked = chooseOracles(folder, known, options.oracles);
  const counts: Counts = { passed: 0, failed: 0 };
  for (const name of names) {
    const problems = await check(folder, readProgram(folder, name), asked);
    if (problems.length === 0) counts.passed++;
    else counts.failed++;
    console.log(problems.length === 0 ? `  ok    ${name}` : `  WRONG ${name}\n${problems.join("\n")}`);
  }
  return counts;
}

/** Those that are there, or can be got if they were asked for. */
function chooseOracles({ group }: ProgramFolder, known: readonly Oracle[], wanted: boolean): Oracle[] {
  const missing = known.filter(({ command }) => !isInstalled(command));
  if (wanted && missing.length > 0) install(missing.map(({ packageName }) => packageName));
  const there = wanted ? known.filter(({ command }) => isInstalled(command)) : [];
  const absent = known.filter((oracle) => !there.includes(oracle)).map(({ name }) => name);
  if (absent.length > 0)
    console.log(`oracles not asked: ${absent.join(", ")} (npm run system -- ${group} --oracles)\n`);
  return there;
}

/** Problems as text; none if everything agrees. */
async function check(folder: ProgramFolder, program: Program, asked: readonly Oracle[]): Promise<string[]> {
  const path = assemble(folder, program.name),
    image = readFileSync(path),
    { expected } = program;
  const pending = asked
    .filter(({ name }) => program.skipped[name] === null)
    .map(async (oracle) => ({ oracle, lines: await oracle.run(path, program.cpus) }));
  const problems: string[] = [];
  const complain = (who: string, what: string | null) => {
    if (what !== null) problems.push(`  ${who}:\n${what}`);
  };
  const evaluated = runStraight(image, program, "evaluator"),
    interpreted = runStraight(image, program, "interpreter");
  complain("evaluator", difference(expected, evaluated.output));
  complain("interpreter", difference(evaluated.output, interpreted.output));
  const same = (other: { digest: string; instructions: number }) =>
    other.digest === evaluated.digest && other.instructions === evaluated.instructions
      ? null
      : `    ${other.instructions} instructions and digest ${other.digest}, the evaluator has ${evaluated.instructions} and ${evaluated.digest}`;
  complain("interpreter's state", same(interpreted));
  const legs = runInLegs(image, program, Math.max(1, Math.floor(evaluated.instructions / LEGS)));
  complain("saved and restored", difference(evaluated.output, legs.output));
  complain("saved and restored, state", same(legs));
  for (const { oracle, lines } of await Promise.all(pending))
    complain(oracle.name, compareOracle(program, oracle, lines));
  return problems;
}

/** The expected lines, but for those in which this oracle is known to differ. */
function compareOracle({ expected, differences }: Program, { name }: Oracle, lines: readonly string[]): string | null {
  return difference(
    expected.map((line) => differences[name].get(labelOf(line))?.line ?? line),
    lines,
  );
}

async function showOutputs(
  folder: ProgramFolder,
  names: readonly string[],
  known: readonly Oracle[],
  symbols: readonly string[],
): Promise<Counts> {
  for (const name of names) {
    const path = assemble(folder, name, symbols),
      program = readProgram(folder, name);
    const show = (who: string, lines: readonly string[]) =>
      console.log(lines.map((line) => `${who}\t${line}`).join("\n"));
    show("castaway", runStraight(readFileSync(path), program, "interpreter").output);
    for (const oracle of known.filter(({ command }) => isInstalled(command)))
      show(oracle.name, await oracle.run(path, program.cpus));
  }
  return { passed: 0, failed: 0 };
}
