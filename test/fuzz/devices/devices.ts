/**
 * `npm run fuzz -- devices [--seconds N] [--seed N] [--only NAME]`: random accesses to everything that a board maps, with
 * time, interrupts, input and faults, on boards of all kinds. Whatever is done, nothing throws, loops, grows without end
 * or answers nonsense; a run repeats to the bit, also through save and restore. `--only` narrows it to what has a name
 * like this: a device's field of the board, or a place such as "ports 3f8".
 */
import { Random } from "@castaway/kit";
import { type Counts, finish } from "../../../scripts/counts.ts";
import { type Action, sourceOf } from "./actions.ts";
import { DISK_KINDS, type Setup } from "./bench.ts";
import { examine, examineHeap, explore, type Verdict } from "./check.ts";
import type { Failure } from "./failure.ts";
import { shrink } from "./shrink.ts";

const STEPS = 400;
/** Every so many seeds the heap is watched, too. */
const HEAP_EVERY = 32;
const SHRINK_SECONDS = 20;
const MOST_FAILURES = 5;
/** Longer lists are no tests: their seed says more. */
const LONGEST_TEST = 200;

/** The board of a seed. */
export function setupOf(seed: number): Setup {
  const random = new Random(`${seed}/board`);
  const disks = Array.from({ length: random.pick([0, 1, 1, 2, 3]) }, () => random.pick(DISK_KINDS));
  const networkCards = random.pick([0, 1, 1, 2]);
  return { cpus: 1 + random.below(4), msi: random.chance(0.7), disks, networkCards, display: random.chance(0.4) };
}

interface FuzzOptions {
  /** Part of the name of what is to be driven; empty: everything. */
  readonly only?: string;
  readonly setup?: Setup;
  /** Whether to watch the heap, too. */
  readonly heap?: boolean;
  /** How many things are done. */
  readonly steps?: number;
  /** Milliseconds that a list of actions may take. */
  readonly limit?: number;
  /** Seconds that may be spent on making a failing list shorter. */
  readonly patience?: number;
}

/** One seed: its actions, and what failed with a list that is as short as could be found in time. */
export function fuzzSeed(seed: number, options: FuzzOptions = {}): Verdict {
  const { only = "", setup = setupOf(seed), heap = false, steps = STEPS, limit, patience = SHRINK_SECONDS } = options;
  const found = explore(setup, seed, steps, only, limit);
  if (found.failure !== null) return shorter(found, (actions) => examine(setup, actions, limit), patience);
  if (!heap) return found;
  const watched = { ...found, failure: examineHeap(setup, found.actions, limit) };
  return shorter(watched, (actions) => examineHeap(setup, actions, limit), patience);
}

function shorter(found: Verdict, examined: (actions: readonly Action[]) => Failure | null, patience: number): Verdict {
  const { failure, actions } = found;
  if (failure === null) return found;
  let last = failure;
  const fails = (fewer: readonly Action[]) => {
    const again = examined(fewer);
    if (again === null || again.signature !== failure.signature) return false;
    last = again;
    return true;
  };
  const end = performance.now() + 1000 * patience;
  const kept = shrink(actions, fails, () => performance.now() < end);
  return { failure: last, actions: kept };
}

/** A failure as a test to paste into a file beside this one. */
function testOf({ failure, actions }: Verdict, setup: Setup): string {
  if (actions.length > LONGEST_TEST) return `${actions.length} actions are left; --seed repeats them\n`;
  const name = JSON.stringify(failure!.message.split("\n")[0]);
  const lines = actions.map((action) => `    ${sourceOf(action)},\n`).join("");
  return `test(${name}, () => {\n  const setup: Setup = ${JSON.stringify(setup)};\n  assert.is(examine(setup, [\n${lines}  ]), null);\n});\n`;
}

/** `seconds` of seeds from `first` on, or that seed only. */
export function fuzzDevices(seconds: number, first: number, single: boolean, only = ""): void {
  const counts: Counts = { passed: 0, failed: 0 };
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let shown = 0;
  let total = 0;
  for (let seed = first; counts.failed < MOST_FAILURES; seed++) {
    const { failure, actions } = fuzzSeed(seed, { only, heap: single || seed % HEAP_EVERY === 0 });
    total += actions.length;
    if (failure === null) counts.passed++;
    else {
      counts.failed++;
      console.log(`seed ${seed}: ${failure.message}\n\n${testOf({ failure, actions }, setupOf(seed))}`);
    }
    if (elapsed() - shown >= 5) {
      shown = elapsed();
      console.log(`${shown.toFixed(0)} s: ${counts.passed + counts.failed} seeds, ${total} actions`);
    }
    if (single || elapsed() >= seconds) break;
  }
  const seeds = `seeds ${first} to ${first + counts.passed + counts.failed - 1}`;
  console.log(`${seeds}: ${total} actions, each played straight, again, and through save and restore`);
  finish(counts);
}
