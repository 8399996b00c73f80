/**
 * `npm run system -- faults [--seeds N] [--seed N]`: deployments over a network that fails, see docs/system-tests.md.
 * A seed that goes wrong says how it is played again.
 */
import type { Laboratory } from "castaway";
import type { Counts } from "../../scripts/counts.ts";
import type { SystemOptions } from "./cpu.ts";
import { type Played, playSeed } from "./vmm/faults/play.ts";

export async function systemFaults({ seeds = 20, seed }: SystemOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const wanted = seed === undefined ? Array.from({ length: seeds }, (_, n) => n + 1) : [seed];
  for (const one of wanted) {
    const start = performance.now();
    const played = await playSeed(one);
    const host = ((performance.now() - start) / 1000).toFixed(1);
    if (played.wrong === null) counts.passed++;
    else counts.failed++;
    console.log(`${played.wrong === null ? "ok   " : "WRONG"} seed ${one}: ${summary(played)}; ${host} s`);
    if (played.wrong !== null) await explain(one, played);
    else if (seed !== undefined) console.log(played.weather.log.join("\n"));
  }
  return counts;
}

function summary({ lab, said, wrong }: Played): string {
  if (wrong !== null) return wrong;
  const { lost, corrupted, duplicated, reordered } = sums(lab);
  const done = /DONE (.*)/.exec(said)?.[1] ?? "";
  const frames = `${lost} frames lost, ${corrupted} spoilt, ${duplicated} twice, ${reordered} late`;
  return `${done}; ${frames}; ${(lab.machine.now / 1e9).toFixed(2)} s of virtual time`;
}

function sums({ lan }: Laboratory): Record<string, number> {
  const { toA, toB } = lan.net.links[0]!;
  const sum = (name: keyof typeof toA.statistics) => toA.statistics[name] + toB.statistics[name];
  const names = ["lost", "corrupted", "duplicated", "reordered"] as const;
  return Object.fromEntries(names.map((name) => [name, sum(name)]));
}

/** Where it went wrong first: the same seed leads there again, to the instruction. */
async function explain(seed: number, { lab, weather }: Played): Promise<void> {
  const { machine, oracle } = lab;
  console.log(`the network: ${weather.log.slice(-5).join("; ")}\nthe hypervisor: ${machine.debugLog.text.trim()}`);
  const first = oracle?.findings[0]?.time ?? machine.now;
  const { lab: again } = await playSeed(seed, first);
  const { now, instructions } = again.machine;
  console.log(
    `      at ${(now / 1e9).toFixed(9)} s, instruction ${instructions}; npm run system -- faults --seed ${seed}`,
  );
}
