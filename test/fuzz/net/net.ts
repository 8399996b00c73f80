/**
 * `npm run fuzz -- net [--seconds N] [--seed N]`: random, damaged and hostile frames for DHCP, TFTP and AoE servers and hosts, on
 * networks of all kinds whose cables lose, double, delay, change and break. Whatever comes, nothing throws, loops or grows
 * without end; time goes on; every frame is accounted for; answers are well-formed; disks hold what was asked for; and a
 * run that is cut, saved and restored ends as the straight one.
 */
import { type Counts, finish } from "../../../scripts/counts.ts";
import type { Failure } from "../devices/failure.ts";
import { shrink } from "../devices/shrink.ts";
import { type Action, type Setup, sourceOf } from "./actions.ts";
import { examine } from "./check.ts";
import { actionsOf, setupOf } from "./generate.ts";

const STEPS = 120;
const SHRINK_SECONDS = 20;
const MOST_FAILURES = 5;
/** Longer lists are no tests: their seed says more. */
const LONGEST_TEST = 60;

type Verdict = { failure: Failure | null; actions: readonly Action[]; frames: number };

/** One seed: its actions, and what failed with a list that is as short as could be found in time. */
export function fuzzSeed(seed: number, steps = STEPS, patience = SHRINK_SECONDS): Verdict {
  const setup = setupOf(seed);
  const actions = actionsOf(setup, steps);
  const { failure, frames } = examine(setup, actions);
  if (failure === null) return { failure, actions, frames };
  let last = failure;
  const fails = (fewer: readonly Action[]) => {
    const again = examine(setup, fewer).failure;
    if (again === null || again.signature !== failure.signature) return false;
    last = again;
    return true;
  };
  const end = performance.now() + 1000 * patience;
  const kept = shrink(actions, fails, () => performance.now() < end);
  return { failure: last, actions: kept, frames };
}

/** A failure as a test to paste into a file beside this one. */
function testOf({ failure, actions }: Verdict, setup: Setup): string {
  if (actions.length > LONGEST_TEST) return `${actions.length} actions are left; --seed repeats them\n`;
  const name = JSON.stringify(failure!.message.split("\n")[0]);
  const lines = actions.map((action) => `    ${sourceOf(action)},\n`).join("");
  const built = JSON.stringify(setup);
  return `test(${name}, () => {\n  const setup: Setup = ${built};\n  assert.is(examine(setup, [\n${lines}  ]).failure, null);\n});\n`;
}

/** `seconds` of seeds from `first` on, or that seed only. */
export function fuzzNet(seconds: number, first: number, single: boolean): void {
  const counts: Counts = { passed: 0, failed: 0 };
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let [shown, total, heard] = [0, 0, 0];
  for (let seed = first; counts.failed < MOST_FAILURES; seed++) {
    const verdict = fuzzSeed(seed);
    total += verdict.actions.length;
    heard += verdict.frames;
    if (verdict.failure === null) counts.passed++;
    else {
      counts.failed++;
      console.log(`seed ${seed}: ${verdict.failure.message}\n\n${testOf(verdict, setupOf(seed))}`);
    }
    if (elapsed() - shown >= 5) {
      shown = elapsed();
      console.log(`${shown.toFixed(0)} s: ${counts.passed + counts.failed} seeds, ${total} actions`);
    }
    if (single || elapsed() >= seconds) break;
  }
  const seeds = `seeds ${first} to ${first + counts.passed + counts.failed - 1}`;
  console.log(
    `${seeds}: ${total} actions, each played straight, and cut, saved and restored; stations heard ${heard} frames`,
  );
  finish(counts);
}
