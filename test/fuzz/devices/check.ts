/** Plays actions on a board and checks what must hold: while they run, when they are repeated, and through save and restore. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext, runInThisContext } from "node:vm";
import { encodeState, type Plain } from "@castaway/kit";
import { type Action, sourceOf } from "./actions.ts";
import { Bench, type Setup } from "./bench.ts";
import { assertHolds, Failure } from "./failure.ts";
import { Generator } from "./generate.ts";

/** What a part saves at most, in bytes; drives with their caches, media and video memory at most the other. */
const STATE_BYTES = 1 << 19;
const MEMORY_BYTES = 20 << 20;
/** States are measured after so many actions. */
const MEASURED_EVERY = 500;
/** The host's time for a list of actions, in milliseconds: a hundred times what they take. */
const PATIENCE = 20_000;
/** A board that holds so many bytes more for each repetition of the same actions grows for ever. */
const LEAK_BYTES = 10_000;
/** They are done so often, and so often more: the difference counts, as caches fill at first. */
const FEW = 10;
const MORE = 30;
/** What the user sends waits in queues, which are long, but not endless: they are part of what is saved. */
const INPUT: ReadonlySet<string> = new Set(["type", "press", "serial"]);

/** A list of actions, and why it failed; null if all was well. */
export interface Verdict {
  readonly failure: Failure | null;
  readonly actions: readonly Action[];
}

/** What a run was seen to do. */
interface Run {
  /** What each action read, -1 if it reads nothing; and what left the board meanwhile. */
  readonly answers: readonly (readonly [read: number, heard: number])[];
  /** Where it ended. */
  readonly bench: Bench;
}

/** Makes actions up from a seed and checks them. A failure is that of the last action, or of the whole list. */
export function explore(setup: Setup, seed: number, steps: number, only: string, limit = PATIENCE): Verdict {
  const actions: Action[] = [];
  const failure = judge(limit, () => {
    const bench = new Bench(setup);
    const generator = new Generator(seed, bench, (action) => actions.push(action), only);
    generator.begin();
    for (let i = 0; i < steps; i++) {
      const before = Math.floor(actions.length / MEASURED_EVERY);
      generator.step();
      if (Math.floor(actions.length / MEASURED_EVERY) > before) measure(bench);
    }
  });
  return { failure: failure ?? examine(setup, actions, limit), actions };
}

/** Plays a list of actions in every way. @returns what is wrong, or null */
export function examine(setup: Setup, actions: readonly Action[], limit = PATIENCE): Failure | null {
  return judge(limit, () => {
    const straight = play(setup, actions, false);
    const hopped = play(setup, actions, true);
    if (differs(straight, hopped, actions) === "") return;
    const again = differs(straight, play(setup, actions, false), actions);
    if (again !== "") throw new Failure("chance", `the second time ${again}`);
    throw new Failure("restore", `saved and restored on the way ${differs(straight, hopped, actions)}`);
  });
}

/** Whether a board holds more and more of the host's heap when the same actions are done again and again. */
export function examineHeap(setup: Setup, actions: readonly Action[], limit = PATIENCE): Failure | null {
  return judge(limit, () => {
    const repeated = actions.filter(([kind]) => !INPUT.has(kind));
    const grown = () => held(setup, repeated, FEW + MORE) - held(setup, repeated, FEW);
    held(setup, repeated, 1); // the compiler's caches keep the first one alive
    const bytes = grown();
    if (bytes < MORE * LEAK_BYTES || grown() < MORE * LEAK_BYTES) return; // a collector may be late once
    throw new Failure("growth", `${MORE} repetitions took ${bytes} bytes of the heap`);
  });
}
/** The bytes that become free with a board: what the compiler and its caches hold is not in them. */
function held(setup: Setup, actions: readonly Action[], repetitions: number): number {
  const benches = [new Bench(setup)];
  for (let i = 0; i < repetitions; i++) for (const action of actions) benches[0]!.do(action);
  const before = heapInUse();
  benches.length = 0;
  return before - heapInUse();
}

/** The failure that `work` ends with; null if it ends well. */
export function judge(limit: number, work: () => void): Failure | null {
  try {
    within(limit, work);
    return null;
  } catch (error) {
    if (error instanceof Failure) return error;
    if ((error as { code?: string }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT")
      return new Failure("loop", `no end within ${limit / 1000} s`);
    const [message, ...stack] = String((error as Error).stack ?? error).split("\n");
    const places = stack.filter((line) => !/fuzz\/|node:/.test(line)).slice(0, 4);
    return new Failure("exception", [message, ...places].join("\n"));
  }
}

const door = globalThis as { castawayFuzz?: () => void };
/** Runs `work` for so many milliseconds at most: code is stopped wherever it is, even in a loop. */
function within(milliseconds: number, work: () => void): void {
  door.castawayFuzz = work;
  runInThisContext("castawayFuzz()", { timeout: milliseconds });
}

function play(setup: Setup, actions: readonly Action[], hops: boolean): Run {
  let bench = new Bench(setup);
  let spare: Bench | undefined;
  const answers: [number, number][] = [];
  for (const [index, action] of actions.entries()) {
    if (hops && action[0] === "hop") {
      spare ??= new Bench(setup);
      hop(bench, spare);
      [bench, spare] = [spare, bench];
    }
    answers.push([bench.do(action) ?? -1, bench.takeHeard()]);
    if (index % MEASURED_EVERY === 0) measure(bench);
  }
  measure(bench);
  return { answers, bench };
}

/** Save, restore, save: equal. The bench restored into has lived, so nothing may be left of what it was. */
function hop(from: Bench, to: Bench): void {
  const saved = from.save();
  try {
    to.restore(saved);
  } catch (error) {
    throw new Failure("state", String(error));
  }
  assertHolds(equal(saved, to.save()), "state", () => `after restore ${difference(from.states(), to.states())}`);
}

/** What `b` does that `a` did not; "" if it is the same. */
function differs(a: Run, b: Run, actions: readonly Action[]): string {
  const at = a.answers.findIndex(
    ([read, heard], index) => read !== b.answers[index]![0] || heard !== b.answers[index]![1],
  );
  if (at < 0) return difference(a.bench.states(), b.bench.states());
  const [one, other] = [a.answers[at]![0], b.answers[at]![0]].map((value) => `0x${value.toString(16)}`);
  return `${sourceOf(actions[at]!)} ${one === other ? "sends something else" : `reads ${other}, not ${one}`}`;
}

/** No part saves more than it may. */
function measure({ board }: Bench): void {
  for (const name of board.parts.names) {
    const large = /^(vga|disk)/.test(name);
    const { length } = encodeState(name, 1, board.parts.inspect(name) as Plain);
    const most = large ? MEMORY_BYTES : STATE_BYTES;
    assertHolds(length <= most, "growth", () => `${name} saves ${length} bytes, more than ${most}`);
  }
}

let collect: (() => void) | undefined;
function heapInUse(): number {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Where two states differ first: `"ahci.hba.regs.IS is 1, not 0"`. */
export function difference(a: unknown, b: unknown, path = ""): string {
  if (Object.is(a, b)) return "";
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    if (equal(a, b)) return "";
    const at = a.findIndex((byte, i) => byte !== b[i]);
    return `${path}[0x${at.toString(16)}] is ${b[at]}, not ${a[at]} (lengths ${b.length}, ${a.length})`;
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return `${path} is ${b}, not ${a}`;
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const one = (a as Record<string, unknown>)[name];
    const found = difference(one, (b as Record<string, unknown>)[name], path === "" ? name : `${path}.${name}`);
    if (found !== "") return found;
  }
  return "";
}
