/** Echo requests that a host has sent and waits for [RFC 792]. */
import {
  type Clock,
  list,
  type Nanoseconds,
  natural,
  record,
  type StateOf,
  type Timer,
  timerState,
  u16,
  u32,
} from "@castaway/kit";

export const pingsState = record({
  sequence: u16,
  waiting: list(record({ sequence: u16, address: u32, sentAt: natural, due: natural })),
  timer: timerState,
});
export type PingsState = StateOf<typeof pingsState>;

/** What became of an echo request. */
export type PingResult = {
  address: number;
  sequence: number;
  /** Virtual time to the reply, or null if none came in time. */
  time: Nanoseconds | null;
};

type Waiting = { address: number; sentAt: number; due: number; done: (result: PingResult) => void };

/** How many may wait at once; one more ends the oldest. */
const limit = 1024;

export class Pings {
  readonly #clock: Clock;
  readonly #ended: (result: PingResult) => void;
  #sequence = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #timer: Timer;

  /** @param ended is told of each one that ends, before the callback that it was started with */
  constructor(clock: Clock, ended: (result: PingResult) => void) {
    this.#clock = clock;
    this.#ended = ended;
    this.#timer = clock.timer("host.ping", () => this.#expire());
  }

  /** A request to `address` is about to leave. @returns its sequence number */
  start(address: number, timeout: Nanoseconds, done: (result: PingResult) => void): number {
    if (this.#waiting.size >= limit) this.#end(this.#waiting.keys().next().value!, null);
    const sequence = (this.#sequence = (this.#sequence + 1) & 0xffff);
    const now = this.#clock.now;
    this.#waiting.set(sequence, { address, sentAt: now, due: now + timeout, done });
    this.#schedule();
    return sequence;
  }

  /** A reply arrived. @returns whether it was waited for */
  reply(address: number, sequence: number): boolean {
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined || waiting.address !== address) return false;
    this.#end(sequence, this.#clock.now - waiting.sentAt);
    this.#schedule();
    return true;
  }

  save(): PingsState {
    const waiting = [...this.#waiting].map(([sequence, { address, sentAt, due }]) => ({
      sequence,
      address,
      sentAt,
      due,
    }));
    return { sequence: this.#sequence, waiting, timer: this.#timer.save() };
  }

  /** Callbacks are no state: requests restored end without one, unless they were waiting here already. */
  restore(state: PingsState): void {
    const before = new Map(this.#waiting);
    this.#sequence = state.sequence;
    this.#waiting.clear();
    for (const { sequence, ...rest } of state.waiting) {
      this.#waiting.set(sequence, { ...rest, done: before.get(sequence)?.done ?? (() => {}) });
    }
    this.#timer.restore(state.timer);
  }

  #expire(): void {
    const late = [...this.#waiting].filter(([, { due }]) => due <= this.#clock.now);
    for (const [sequence] of late) this.#end(sequence, null);
    this.#schedule();
  }

  #end(sequence: number, time: Nanoseconds | null): void {
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined) return;
    this.#waiting.delete(sequence);
    const result = { address: waiting.address, sequence, time };
    this.#ended(result);
    waiting.done(result);
  }

  #schedule(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#waiting.values()) next = Math.min(next, due);
    if (next === Number.POSITIVE_INFINITY) this.#timer.disarm();
    else this.#timer.armAt(next);
  }
}
