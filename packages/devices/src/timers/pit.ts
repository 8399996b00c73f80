/**
 * The 8254 of a PC: three counters at 1.193182 MHz [8254]. Counter 0 makes IRQ 0, counter 1 once refreshed memory,
 * counter 2 has its gate and output at port 61.
 *
 *     const pit = new Pit({ clock, irq: irq0 });      // pit.ports: 40 to 43
 *     pit.setGate(true);
 *     if (pit.output) ..
 */
import {
  type Clock,
  flag,
  type IrqLine,
  list,
  natural,
  record,
  type StateOf,
  TickRate,
  type Timer,
  timerState,
} from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device } from "../device.ts";
import { Counter, counterState } from "./counter.ts";

/** What all three counters count: a third of the colour subcarrier's 3.579545 MHz. */
export const PIT_RATE = new TickRate(1_193_182);

export const pitState = record({
  counters: list(counterState, 3),
  level: flag,
  /** The tick that `edge` waits for. */
  next: natural,
  edge: timerState,
});
export type PitState = StateOf<typeof pitState>;

export interface PitEnv {
  readonly clock: Clock;
  /** OUT of counter 0. */
  readonly irq: IrqLine;
}

export class Pit implements Device<PitState> {
  /** Ports 40 to 43. */
  readonly ports = bytewise(
    (offset) => this.#read(offset),
    (offset, value) => this.#write(offset, value),
  );
  readonly #env: PitEnv;
  readonly #counters = [new Counter(true), new Counter(true), new Counter(false)];
  /** Fires at the next edge of counter 0's OUT. */
  readonly #edge: Timer;
  /** OUT of counter 0 as driven last. */
  #level = false;
  /** The tick that the timer waits for: should it fire late, no edge is skipped. */
  #next = 0;

  constructor(env: PitEnv) {
    this.#env = env;
    this.#edge = env.clock.timer("pit.edge", () => this.#drive(this.#next));
  }

  /** The 8254 has no reset input; this is its state of power-on, where nothing counts. */
  reset(): void {
    for (const [n, counter] of this.#counters.entries()) counter.reset(n < 2);
    this.#drive(this.#tick);
  }
  save(): PitState {
    return {
      counters: this.#counters.map((counter) => counter.save()),
      level: this.#level,
      next: this.#next,
      edge: this.#edge.save(),
    };
  }
  restore(state: PitState): void {
    for (const [n, counter] of this.#counters.entries()) counter.restore(state.counters[n]);
    this.#level = state.level;
    this.#next = state.next;
    this.#edge.restore(state.edge);
    this.#env.irq.set(this.#level);
  }

  /** The gate of counter 2. */
  setGate(high: boolean): void {
    this.#counters[2].setGate(this.#tick, high);
  }
  /** OUT of counter 2. */
  get output(): boolean {
    return this.#counters[2].out(this.#tick);
  }

  #read(offset: number): number {
    return offset < 3 ? this.#counters[offset].read(this.#tick) : 0xff;
  }
  #write(offset: number, byte: number): void {
    if (offset < 3) this.#counters[offset].write(this.#tick, byte);
    else if (offset === 3) this.#command(byte);
    if (offset === 0 || offset === 3) this.#drive(this.#tick);
  }

  /** A control word: of one counter, or the read-back command to several. */
  #command(word: number): void {
    const select = word >> 6;
    if (select < 3) {
      if (word & 0x30) this.#counters[select].control(word & 0x3f);
      else this.#counters[select].latchCount(this.#tick);
      return;
    }
    for (const [n, counter] of this.#counters.entries()) {
      if (!(word & (2 << n))) continue;
      if (!(word & 0x20)) counter.latchCount(this.#tick);
      if (!(word & 0x10)) counter.latchStatus(this.#tick);
    }
  }

  get #tick(): number {
    return PIT_RATE.ticksAt(this.#env.clock.now);
  }
  /** Drives IRQ 0 as it is at `tick`, and comes back at its next edge. */
  #drive(tick: number): void {
    const counter = this.#counters[0];
    this.#level = counter.out(tick);
    this.#env.irq.set(this.#level);
    const next = counter.nextEdge(tick);
    this.#next = next ?? 0;
    if (next === undefined) this.#edge.disarm();
    else this.#edge.armAt(PIT_RATE.timeOf(next));
  }
}
