/** A run of the tool: both sides from a place on, and where they part, to the instruction. */
import type { Machine } from "castaway";
import { Ours, type Sabotage } from "./ours.ts";
import { Astray } from "./qemu.ts";
import { type Divergence, Session } from "./session.ts";

/** Where to begin. */
export type From =
  | { readonly kind: "instruction"; readonly retired: number }
  | { readonly kind: "address"; readonly linear: number; readonly hits: number };

export interface RunOptions {
  /** Builds the machine anew, always the same. */
  readonly machine: () => Machine;
  readonly from: From;
  /** Instructions of ours to compare. */
  readonly count: number;
  /** Compare after every instruction, not from checkpoint to checkpoint. */
  readonly everyInstruction?: boolean;
  /** All of RAM is compared after so many instructions. */
  readonly memoryEvery?: number;
  readonly given?: ReadonlySet<number>;
  readonly sabotage?: Sabotage | null;
  readonly onProgress?: (progress: Progress) => void;
}
export interface Progress {
  readonly retired: number;
  readonly compared: number;
  readonly seconds: number;
}

export interface Outcome {
  /** Number of the first instruction. */
  readonly begin: number;
  readonly compared: number;
  readonly seconds: number;
  readonly exchanged: ReadonlyMap<string, number>;
  /** Why it ended before all was compared, or "". */
  readonly stopped: string;
  readonly divergence: Divergence | null;
  /** The session at the divergence, to be shown and ended; else null. */
  readonly session: Session | null;
}

/** The longest stretch from one checkpoint to the next. */
const STRETCH = 20_000;
/** All of RAM, each time. */
const MEMORY_EVERY = 1_000_000;

class Run {
  readonly #options: RunOptions;
  #begun = 0;
  #session: Session;
  #compared = 0;
  readonly #exchanged = new Map<string, number>();
  readonly begin: number;
  #memoryAt: number;
  readonly #beginning: Uint8Array;

  constructor(options: RunOptions) {
    this.#options = options;
    const ours = this.#ours(),
      { from } = options;
    if (from.kind === "address") ours.runToAddress(from.linear, from.hits);
    else ours.runTo(from.retired);
    this.begin = ours.retired;
    this.#memoryAt = this.begin;
    this.#beginning = ours.machine.saveState();
    this.#session = this.#sessionOf(ours);
  }
  #ours = () => new Ours(this.#options.machine(), this.#options.sabotage ?? null);
  /** Our side as it was at an instruction of this run, from the state in which the run began. */
  #oursAt(retired: number): Ours {
    const ours = this.#ours();
    ours.machine.restoreState(this.#beginning);
    ours.runTo(retired);
    return ours;
  }
  #sessionOf = (ours: Ours) => new Session(ours, { given: this.#options.given });

  run(): Outcome {
    this.#begun = performance.now();
    let wrong = this.#session.check();
    const { count, onProgress } = this.#options;
    let told = performance.now();
    while (wrong === null && this.#session.ours.retired - this.begin < count) {
      wrong = this.#options.everyInstruction ? this.#session.step() : this.#stretch();
      wrong ??= this.#memory();
      if (this.#session.stopped !== "") break;
      if (performance.now() - told < 10_000) continue;
      told = performance.now();
      onProgress?.({ retired: this.#session.ours.retired, compared: this.#total(), seconds: this.#seconds() });
    }
    wrong ??= this.#memory(true);
    return this.#outcome(wrong);
  }
  #seconds = () => (performance.now() - this.#begun) / 1000;
  #total = () => this.#compared + this.#session.compared;

  /** On to the next checkpoint; if it differs, again from the last one, instruction by instruction. */
  #stretch(): Divergence | null {
    const session = this.#session,
      first = session.ours.retired;
    let wrong: Divergence | null;
    try {
      wrong = session.stretch(Math.min(STRETCH, this.begin + this.#options.count - first));
    } catch (e) {
      if (!(e instanceof Astray)) throw e;
      return this.#again(first, session.ours.retired);
    }
    return wrong === null ? null : this.#again(first, session.ours.retired);
  }
  #again(first: number, end: number): Divergence | null {
    this.#endSession();
    const ours = this.#oursAt(first);
    this.#session = this.#sessionOf(ours);
    let wrong = this.#session.check();
    while (wrong === null && ours.retired <= end && this.#session.stopped === "") wrong = this.#session.step();
    if (wrong === null)
      this.#exchanged.set("checkpoints repeated", (this.#exchanged.get("checkpoints repeated") ?? 0) + 1);
    return wrong;
  }
  #endSession(): void {
    this.#compared += this.#session.compared;
    for (const [reason, n] of this.#session.exchanged)
      this.#exchanged.set(reason, (this.#exchanged.get(reason) ?? 0) + n);
    this.#session.end();
  }
  #memory(now = false): Divergence | null {
    const { ours } = this.#session;
    if (!now && ours.retired - this.#memoryAt < (this.#options.memoryEvery ?? MEMORY_EVERY)) return null;
    this.#memoryAt = ours.retired;
    return this.#session.checkMemory();
  }

  #outcome(divergence: Divergence | null): Outcome {
    const session = divergence === null ? null : this.#session,
      seconds = this.#seconds(),
      compared = this.#total(),
      { stopped } = this.#session;
    const exchanged = new Map(this.#exchanged);
    for (const [reason, n] of this.#session.exchanged) exchanged.set(reason, (exchanged.get(reason) ?? 0) + n);
    if (session === null) this.#session.end();
    return { begin: this.begin, compared, seconds, exchanged, stopped, divergence, session };
  }
}

/** Runs it to the end, or to the first difference. @throws Error if the place is never reached, or QEMU cannot be run */
export const lockstep = (options: RunOptions): Outcome => new Run(options).run();
