/**
 * `npm run bench -- cpu [--json] [--only NAME]`: own programs in 64-bit mode on both executors. MIPS are guest
 * instructions per host second; an iteration of a repeated string instruction counts as one. Minimum time of several runs.
 */
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { Cpu } from "@castaway/cpu";
import { root } from "../../scripts/bundle.mjs";
import { assemble } from "../assemble.ts";

const PROGRAMS = join(root, "bench/cpu/programs");
const ORIGIN = 0x10000;

type Executor = "interpreter" | "evaluator";
function boot(code: Uint8Array, executor: Executor): Cpu {
  const cpu = new Cpu({ memory: "16MiB", executor });
  cpu.write(ORIGIN, code);
  cpu.enter("long", ORIGIN);
  cpu.set("RSP", 0x80000);
  return cpu;
}
/** Million instructions a second: the best of `runs`, after a warm-up. */
function mips(code: Uint8Array, executor: Executor, instructions: number, runs: number): number {
  const cpu = boot(code, executor);
  cpu.run({ instructions: instructions / 2 });
  let best = 0;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    const stop = cpu.run({ instructions });
    if (stop.reason !== "limit")
      throw new Error(`stopped: ${stop.reason} ${stop.detail} at ${cpu.get("RIP").toString(16)}`);
    best = Math.max(best, stop.instructions / (performance.now() - start) / 1000);
  }
  return best;
}
/** REP copies: bytes a second. Each round of rep.s stores and moves these bytes in these iterations. */
const REP = { bytes: 2 * 1048576 + 2 * 1048000, iterations: 2 * 131072 + 2 * 1048000 };

export function benchCpu(json: boolean, only: string | undefined): void {
  const names = readdirSync(PROGRAMS).map((f) => f.replace(/\.s$/, ""));
  const report: Record<string, Record<string, number>> = {};
  const say = json ? () => {} : (line: string) => console.log(line);
  say(`${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}\n`);
  const start = performance.now();
  boot(new Uint8Array([0xeb, 0xfe]), "interpreter").run({ instructions: 1 });
  const startup = performance.now() - start;
  say(`program     interpreter  evaluator   (MIPS)`);
  for (const name of names.filter((n) => only === undefined || n === only)) {
    const code = assemble(join(PROGRAMS, `${name}.s`), ORIGIN);
    const fast = name === "x87" ? 1e6 : name === "smc" ? 2e6 : 4e7;
    const interpreter = mips(code, "interpreter", name === "rep" ? 4e8 : fast, 5);
    const evaluator = mips(code, "evaluator", 1e5, 2);
    report[name] = { interpreter, evaluator };
    const copies =
      name === "rep" ? `   ${Math.round((interpreter * 1e6 * REP.bytes) / REP.iterations / 2 ** 20)} MiB/s` : "";
    say(`${name.padEnd(12)}${interpreter.toFixed(1).padStart(10)}${evaluator.toFixed(2).padStart(11)}${copies}`);
  }
  say(`\nstart of an empty processor: ${startup.toFixed(1)} ms`);
  const rep = report["rep"]?.["interpreter"];
  const repMiBs = rep === undefined ? null : (rep * 1e6 * REP.bytes) / REP.iterations / 2 ** 20;
  if (json) console.log(JSON.stringify({ mips: report, startupMs: startup, repMiBs }));
}
