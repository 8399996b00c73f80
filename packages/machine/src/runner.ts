/**
 * Runs a machine beside an event loop, in slices of some milliseconds: a terminal or a page goes on between them. With
 * pacing, virtual time is held back to the wall clock; it is never hurried on.
 *
 *     const runner = new Runner(machine, { now: () => performance.now(), sleep: (ms) => setTimeout(ms) }, { pace: true });
 *     const stop = await runner.run({ until: machine.com1.shows("login:") });
 */
import { ms, type Nanoseconds } from "@castaway/kit";
import type { Watch } from "./console.ts";
import type { Machine, MachineStop, RunLimits } from "./machine.ts";

/** The clock of the host, which the machine itself never sees. */
export interface HostClock {
  /** Milliseconds since whenever. */
  now(): number;
  /** Lets other things happen for so many milliseconds, at least once. */
  sleep(milliseconds: number): Promise<void>;
}

export interface RunnerOptions {
  /** Hold virtual time back to the wall clock. Default false. */
  readonly pace?: boolean;
  /** Host milliseconds that a slice is to take. Default 10. */
  readonly slice?: number;
}

/** How far virtual time may run ahead of the wall clock. */
const LEAD: Nanoseconds = ms(10);
/** Milliseconds that a machine whose processors all wait is left alone at most; input ends it sooner. */
const LONGEST_NAP = 250;
/** A machine that fell behind the wall clock by more than this does not catch up. */
const LAG: Nanoseconds = ms(50);

export class Runner {
  readonly #machine: Machine;
  readonly #host: HostClock;
  readonly #slice: number;
  /** Hold virtual time back to the wall clock; may be changed at any time. */
  pace: boolean;
  #stopped = false;
  /** Instructions that take a slice, as measured. */
  #share = 100_000;
  /** Virtual time less wall-clock time, in nanoseconds, while paced. */
  #offset: number | null = null;
  #wake: () => void = () => {};
  /** Called after each slice. */
  onSlice: () => void = () => {};

  constructor(machine: Machine, host: HostClock, { pace = false, slice = 10 }: RunnerOptions = {}) {
    this.#machine = machine;
    this.#host = host;
    this.#slice = slice;
    this.pace = pace;
  }

  /**
   * As `Machine.run`, beside the event loop. A paced machine whose processors all wait for input waits with them;
   * an unpaced one ends with "idle".
   */
  async run({ until = [], atMost = Number.POSITIVE_INFINITY, instructions }: RunLimits = {}): Promise<MachineStop> {
    const machine = this.#machine;
    const watches: readonly Watch[] = "seen" in until ? [until] : until;
    const first = machine.instructions;
    const end = machine.now + atMost;
    const last = first + (instructions ?? Number.POSITIVE_INFINITY);
    this.#stopped = false;
    this.#offset = null;
    const unlisten = machine.probes.input.on(() => this.#wake());
    try {
      return await this.#slices(watches, { first, end, last });
    } finally {
      unlisten();
    }
  }
  async #slices(watches: readonly Watch[], { first, end, last }: Record<"first" | "end" | "last", number>) {
    const machine = this.#machine;
    for (;;) {
      const stop = this.#runSlice(watches, end, last);
      this.onSlice();
      const over = machine.now >= end || machine.instructions >= last;
      const goesOn = (stop.reason === "limit" && !over) || (stop.reason === "idle" && this.pace);
      if (!goesOn) return { ...stop, instructions: machine.instructions - first };
      await this.#sleep(this.#pause());
      const instructions = machine.instructions - first;
      if (this.#stopped) return { reason: "paused" as const, detail: "", instructions };
    }
  }
  /** Ends `run` soon, with the reason "paused". */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }
  /** Sleeps, at most until somebody wakes it. */
  async #sleep(milliseconds: number): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([this.#host.sleep(milliseconds), woken]);
  }

  #runSlice(until: readonly Watch[], end: Nanoseconds, last: number): MachineStop {
    const machine = this.#machine;
    const begin = this.#host.now();
    const before = machine.instructions;
    const due = this.pace ? Math.max(this.#wall() + LEAD, machine.now + 1) : end;
    const atMost = Math.min(end, due) - machine.now;
    const stop = machine.run({ until, atMost, instructions: Math.min(this.#share, last - before) });
    this.#learn(machine.instructions - before, this.#host.now() - begin);
    return stop;
  }
  /** How many instructions make a slice of the wanted length: by halves and doubles, so that one odd slice does little. */
  #learn(instructions: number, took: number): void {
    if (took > 2 * this.#slice) this.#share = Math.max(1000, Math.floor(this.#share / 2));
    else if (took < this.#slice / 2 && instructions >= this.#share) this.#share *= 2;
  }
  /** Where the wall clock stands in virtual time. */
  #wall(): Nanoseconds {
    const host = Math.floor(this.#host.now() * 1e6);
    this.#offset ??= this.#machine.now - host;
    const lags = this.#machine.now - host < this.#offset - LAG;
    if (lags && this.#machine.waitsUntil === null) this.#offset = this.#machine.now - host;
    return host + this.#offset;
  }
  /** Milliseconds until the machine has something to do: by how much it is ahead, or until its next timer. */
  #pause(): number {
    if (!this.pace) return 0;
    const { now, waitsUntil } = this.#machine;
    const ahead = ((waitsUntil ?? now) - this.#wall()) / 1e6;
    return Math.max(0, Math.min(ahead, waitsUntil === null ? ahead : LONGEST_NAP));
  }
}
