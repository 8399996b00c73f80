/**
 * Scenarios that run twice: straight, and with the chip saved and restored into a fresh one on a fresh clock at every
 * step. A test that drives the chip through its {@link Rig} needs to do nothing for it.
 *
 *     twice("8254", (test, hops) => {
 *       test("mode 2 counts down to 1 [8254]", () => {
 *         const r = new Rig(pitState, (clock) => new Pit({ clock, .. }), hops);
 *         r.write(3, 0x34);
 */
import { Clock, decodeState, encodeState, type Nanoseconds, type Plain, type Shape } from "@castaway/kit";
import { suite } from "uvu";
import type { Device, RegisterSpace } from "./device.ts";

export function twice(name: string, scenarios: (test: ReturnType<typeof suite>, hops: boolean) => void): void {
  for (const hops of [false, true]) {
    const test = suite(hops ? `${name}, saved and restored at every step` : name);
    scenarios(test, hops);
    test.run();
  }
}

/** A chip on a clock, driven through its registers. */
export class Rig<S, D extends Device<S>> {
  clock = new Clock();
  chip: D;
  readonly #shape: Shape<S>;
  readonly #make: (clock: Clock) => D;
  readonly #hops: boolean;

  constructor(shape: Shape<S>, make: (clock: Clock) => D, hops: boolean) {
    this.#shape = shape;
    this.#make = make;
    this.#hops = hops;
    this.chip = make(this.clock);
  }

  /** Saves the chip and goes on with a fresh one that is restored from it, if this run is the one with hops. */
  step(): D {
    if (!this.#hops) return this.chip;
    const bytes = encodeState("rig", 1, this.chip.save() as Plain);
    const clock = new Clock();
    clock.restore(this.clock.save());
    const chip = this.#make(clock);
    chip.restore(decodeState("rig", 1, this.#shape, bytes));
    this.clock = clock;
    this.chip = chip;
    return chip;
  }

  /** Lets time pass and timers fire. */
  after(time: Nanoseconds): void {
    this.step();
    this.clock.advanceTo(this.clock.now + time);
  }
}

/** What of a chip is told to the rest of the board, remembered: levels of lines, and a log of calls. */
export class Wires {
  readonly levels = new Map<string, boolean>();
  readonly log: string[] = [];

  /** A line of that name. */
  line(name: string): { set(asserted: boolean): void } {
    this.levels.set(name, false);
    return { set: (asserted) => this.levels.set(name, asserted) };
  }
  high(name: string): boolean {
    return this.levels.get(name) ?? false;
  }
  /** What was logged since the last call. */
  take(): string[] {
    return this.log.splice(0);
  }
}

/** A space of plain bytes. */
export function ram(size: number): RegisterSpace & { bytes: Uint8Array } {
  const bytes = new Uint8Array(size);
  return {
    bytes,
    read: (offset, count) => {
      let value = 0;
      for (let i = count - 1; i >= 0; i--) value = (value << 8) | bytes[offset + i];
      return value >>> 0;
    },
    write: (offset, count, value) => {
      for (let i = 0; i < count; i++) bytes[offset + i] = value >>> (8 * i);
    },
  };
}
