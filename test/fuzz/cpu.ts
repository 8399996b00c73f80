/**
 * Random programs in random modes on the evaluator and the interpreter: no exception of the host, no hang, and equal
 * digests after every slice. `--seed N` repeats one program.
 */
import { Cpu, Decoder, definitions, OpcodeMap } from "@castaway/cpu";
import { Random } from "@castaway/kit";
import { type Counts, finish } from "../../scripts/counts.ts";
import { load, MEMORY } from "./program.ts";

const SLICES = 8;

/** What differs between two processors, or "". */
export function difference(a: Cpu, b: Cpu): string {
  const names =
    "RIP RFLAGS RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15 CR0 CR2 CR3 CR4 EFER DR6 MXCSR FSW FCW FTW CS.selector SS.selector activity";
  const rows = names.split(" ").filter((n) => !a.get(n).equals(b.get(n)));
  const ram = a.physical.ram.findIndex((byte, i) => byte !== b.physical.ram[i]);
  const text = rows.map((n) => `${n}: evaluator ${a.get(n).toString(16)}, interpreter ${b.get(n).toString(16)}`);
  if (ram >= 0)
    text.push(
      `byte ${ram.toString(16)}: evaluator ${a.physical.ram[ram]!.toString(16)}, interpreter ${b.physical.ram[ram]!.toString(16)}`,
    );
  if (a.retired !== b.retired) text.push(`retired: evaluator ${a.retired}, interpreter ${b.retired}`);
  return text.join("\n    ") || "TLB or other state";
}

/** Runs the program of one seed on both; the failure, or "". */
export function runSeed(seed: number, oracle: Cpu, subject: Cpu): string {
  let mode = "";
  for (const cpu of [oracle, subject]) {
    cpu.reset();
    mode = load(cpu, new Random(seed));
  }
  const lengths = new Random(seed ^ 0x5bd1e995);
  for (let slice = 0; slice < SLICES; slice++) {
    const instructions = 1 + lengths.below(60);
    let stops: { reason: string }[];
    try {
      stops = [oracle, subject].map((cpu) => cpu.run({ instructions, nanoseconds: 200_000 }));
    } catch (e) {
      return `seed ${seed}, mode ${mode}, slice ${slice}: the host threw ${e instanceof Error ? e.stack : String(e)}`;
    }
    if (oracle.digest() !== subject.digest() || stops[0]!.reason !== stops[1]!.reason) {
      return `seed ${seed}, mode ${mode}, slice ${slice} (${stops.map((s) => s.reason).join(", ")}):\n    ${difference(oracle, subject)}`;
    }
    if (stops[0]!.reason !== "limit") break;
  }
  return "";
}

/** Finds the first instruction of a failing seed after which the two differ, and says which one it is. */
export function locate(seed: number, oracle: Cpu, subject: Cpu): string {
  for (const cpu of [oracle, subject]) {
    cpu.reset();
    load(cpu, new Random(seed));
  }
  const decoder = new Decoder(new OpcodeMap(definitions));
  for (let n = 0; n < 2000; n++) {
    const long = oracle.state("mode") === 2;
    const at = oracle.get(long ? "RIP" : "RIP").toNumber() + oracle.get("CS.base").toNumber();
    const bytes = oracle.read(at % 2 ** 32, 16);
    for (const cpu of [oracle, subject]) cpu.run({ instructions: 1, nanoseconds: 200_000 });
    if (oracle.digest() === subject.digest()) continue;
    const bits = ([16, 32, 64] as const)[oracle.state("mode") & 3];
    const insn = decoder.decode(bytes, 0, 16, { bits, real: false });
    const text = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
    return `first difference after ${n + 1} blocks, in the block at ${at.toString(16)}: ${insn?.def.name} (${text})\n    ${difference(oracle, subject)}`;
  }
  return "no difference when run block by block";
}

/** `seconds` of seeds from `first` on. */
export function fuzzCpu(seconds: number, first: number, only: boolean): void {
  const counts: Counts = { passed: 0, failed: 0 };
  const fresh = () =>
    [
      new Cpu({ memory: MEMORY, model: "skylake", executor: "evaluator" }),
      new Cpu({ memory: MEMORY, model: "skylake" }),
    ] as const;
  let pair = fresh();
  const end = Date.now() + seconds * 1000;
  for (let seed = first; Date.now() < end && counts.failed < 10; seed++) {
    const failure = runSeed(seed, ...pair);
    if (failure === "") counts.passed++;
    else {
      counts.failed++;
      console.log(failure);
      pair = fresh();
      if (only) console.log(locate(seed, ...pair));
    }
    if (only) break;
  }
  console.log(
    `seeds ${first} to ${first + counts.passed + counts.failed - 1}: random programs, evaluator against interpreter`,
  );
  finish(counts);
}
