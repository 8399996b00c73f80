/** The receiving half of a 16550A: the wire, the FIFO, and what LSR tells of both. [NS] = see uart-registers.ts. */
import {
  bytes,
  type Clock,
  flag,
  list,
  type Nanoseconds,
  record,
  type StateOf,
  type Timer,
  timerState,
  u8,
  u16,
} from "@castaway/kit";
import { CHARACTER_ERRORS, OE } from "./uart-registers.ts";

/** The depth of each FIFO ([NS] 8.5). */
export const DEPTH = 16;
/** The most characters that wait on the wire for room in the chip. */
const LONGEST_QUEUE = 64 * 1024;

/** What the receiver asks of the rest of the chip. */
export type ReceiverEnv = {
  readonly clock: Clock;
  /** Whether characters from the wire take no time. */
  readonly immediate: boolean;
  readonly fifos: () => boolean;
  /** Whether the wire is connected: it is not in loop-back ([NS] 8.6). */
  readonly connected: () => boolean;
  readonly characterTime: () => Nanoseconds;
  /** Something came by itself. */
  readonly changed: () => void;
};

export const receiverState = record({
  /** OE, PE, FE and BI as LSR will show them until it is read. */
  errors: u8,
  /** Characters have been waiting for too long. */
  timeout: flag,
  /** Characters, the oldest first; errors as in LSR in bits 15:8. */
  received: list(u16),
  /** On the wire, waiting for room. */
  waiting: bytes(),
  arrives: timerState,
  stale: timerState,
});
export type ReceiverState = StateOf<typeof receiverState>;

export class Receiver {
  /** OE, PE, FE and BI, for LSR. */
  errors = 0;
  /** Characters have waited for four character times ([NS] 8.5). */
  timeout = false;
  readonly #env: ReceiverEnv;
  readonly #arrives: Timer;
  readonly #stale: Timer;
  #received: number[] = [];
  #waiting = new Uint8Array(0);

  constructor(env: ReceiverEnv) {
    this.#env = env;
    this.#arrives = env.clock.timer("uart.arrives", () => this.#arrive());
    this.#stale = env.clock.timer("uart.stale", () => this.#expire());
  }

  /** How many characters the guest can read. */
  get count(): number {
    return this.#received.length;
  }
  /** How many characters wait on the wire. */
  get pending(): number {
    return this.#waiting.length;
  }
  /** Whether any character that can be read has an error. */
  get damaged(): boolean {
    return this.#received.some((character) => character > 0xff);
  }

  /** Puts characters on the wire, from where each comes when there is room. @returns how many it could take */
  queue(characters: Uint8Array): number {
    const count = Math.min(characters.length, LONGEST_QUEUE - this.#waiting.length);
    const longer = new Uint8Array(this.#waiting.length + count);
    longer.set(this.#waiting);
    longer.set(characters.subarray(0, count), this.#waiting.length);
    this.#waiting = longer;
    this.await();
    return count;
  }

  /** A character (errors in bits 15:8) is complete. Where there is no room OE says so ([NS] 8.3). */
  take(character: number): void {
    if (this.#env.fifos()) {
      if (this.#received.length < DEPTH) this.#received.push(character);
      else this.errors |= OE;
    } else {
      if (this.#received.length > 0) this.errors |= OE;
      this.#received = [character]; // the one before is destroyed
    }
    if (this.#received.length === 1) this.#reveal();
    this.#watch();
  }

  /** The guest reads the oldest character; that ends a timeout, and shows the next one's errors ([NS] 8.3, 8.5). */
  read(): number {
    const oldest = this.#received.shift() ?? 0;
    this.timeout = false;
    this.#reveal();
    this.#watch();
    this.await();
    return oldest & 0xff;
  }

  /** The guest has seen the errors ([NS] 8.3). */
  forgive(): void {
    this.errors = 0;
    if (this.#received.length > 0) this.#received[0] &= 0xff;
  }

  /** Empties the FIFO ([NS] 8.5). */
  clear(): void {
    this.#received = [];
    this.timeout = false;
    this.#watch();
    this.await();
  }

  /** Lets the next character from the wire come, if it can. To be called when the wire may have become connected. */
  await(): void {
    if (this.#arrives.armed || !this.#ready) return;
    this.#arrives.arm(this.#env.immediate ? 0 : this.#env.characterTime());
  }

  /** What is on the wire stays there. */
  reset(): void {
    this.errors = 0;
    this.#arrives.disarm();
    this.clear();
  }
  save(): ReceiverState {
    return {
      errors: this.errors,
      timeout: this.timeout,
      received: [...this.#received],
      waiting: this.#waiting.slice(),
      arrives: this.#arrives.save(),
      stale: this.#stale.save(),
    };
  }
  restore(state: ReceiverState): void {
    this.errors = state.errors;
    this.timeout = state.timeout;
    this.#received = state.received.slice(0, DEPTH);
    this.#waiting = state.waiting.slice(0, LONGEST_QUEUE);
    this.#arrives.restore(state.arrives);
    this.#stale.restore(state.stale);
  }

  get #ready(): boolean {
    const depth = this.#env.fifos() ? DEPTH : 1;
    return this.#waiting.length > 0 && this.#received.length < depth && this.#env.connected();
  }

  #arrive(): void {
    do {
      if (!this.#ready) break;
      const [next] = this.#waiting;
      this.#waiting = this.#waiting.subarray(1);
      this.take(next);
    } while (this.#env.immediate);
    this.await();
    this.#env.changed();
  }

  /** The errors of the oldest character show in LSR ([NS] 8.3). */
  #reveal(): void {
    if (this.#received.length > 0) this.errors |= (this.#received[0] >> 8) & CHARACTER_ERRORS;
  }

  /** A timeout is due 4 characters after the last one came or was read, while there are any ([NS] 8.5). */
  #watch(): void {
    if (this.#env.fifos() && this.#received.length > 0) this.#stale.arm(4 * this.#env.characterTime());
    else this.#stale.disarm();
  }

  #expire(): void {
    this.timeout = true;
    this.#env.changed();
  }
}
