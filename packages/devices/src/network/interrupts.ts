/**
 * Causes, masks and moderation [8254x 3.2.7, 3.4.3, 13.4.17 to 13.4.21]. The line is a level, ICR & IMS; two rising
 * edges are never closer than ITR says.
 */
import {
  type Clock,
  flag,
  type IrqLine,
  type Nanoseconds,
  record,
  type StateOf,
  type Timer,
  timerState,
} from "@castaway/kit";
import type { Device } from "../device.ts";
import { CAUSE, type MacRegisters } from "./registers.ts";

export const interruptsState = record({
  asserted: flag,
  throttle: timerState,
  receive: timerState,
  receiveLimit: timerState,
  transmit: timerState,
  transmitLimit: timerState,
});
export type InterruptsState = StateOf<typeof interruptsState>;

export type InterruptsEnv = { readonly clock: Clock; readonly irq: IrqLine; readonly regs: MacRegisters };

/** Units of ITR, and of the four delays. */
const throttleUnit: Nanoseconds = 256;
const delayUnit: Nanoseconds = 1024;

export class Interrupts implements Device<InterruptsState> {
  readonly #env: InterruptsEnv;
  readonly #throttle: Timer;
  readonly #receive: Delay;
  readonly #transmit: Delay;
  #asserted = false;

  constructor(name: string, env: InterruptsEnv) {
    this.#env = env;
    const { clock } = env;
    this.#throttle = clock.timer(`${name}.throttle`, () => this.drive());
    this.#receive = new Delay(`${name}.receive`, clock, () => this.raise(CAUSE.RXT0));
    this.#transmit = new Delay(`${name}.transmit`, clock, () => this.raise(CAUSE.TXDW));
  }

  /** Something happened. */
  raise(causes: number): void {
    this.#env.regs.ICR |= causes;
    this.drive();
  }

  /** ICR is read: all causes are acknowledged. */
  take(): number {
    const { regs } = this.#env;
    const causes = regs.ICR;
    regs.ICR = 0;
    this.drive();
    return causes;
  }

  /** Computes the line's level anew. */
  drive(): void {
    const { regs, irq } = this.#env;
    const wanted = (regs.ICR & regs.IMS) !== 0;
    if (regs.ITR === 0) this.#throttle.disarm();
    if (wanted && !this.#asserted) {
      if (this.#throttle.armed) return;
      if (regs.ITR !== 0) this.#throttle.arm(regs.ITR * throttleUnit);
    }
    this.#asserted = wanted;
    irq.set(wanted);
  }

  /** A frame of `length` bytes with its CRC was stored. [8254x 3.2.7.1] */
  received(length: number): void {
    const { RDTR, RADV, RSRPD } = this.#env.regs;
    if (length <= RSRPD) {
      this.#receive.cancel();
      this.raise(CAUSE.SRPD);
    } else if (RDTR === 0) {
      this.raise(CAUSE.RXT0);
    } else this.#receive.start(RDTR, RADV);
  }

  /** RDTR.FPD: what was received is told now. [8254x 13.4.30] */
  flushReceived(): void {
    this.#receive.cancel();
    this.raise(CAUSE.RXT0);
  }

  /** A descriptor that asked for it was written back. @param delayed it has IDE set. [8254x 3.4.3.1] */
  transmitted(delayed: boolean): void {
    const { TIDV, TADV } = this.#env.regs;
    if (delayed && TIDV !== 0) return this.#transmit.start(TIDV, TADV);
    this.#transmit.cancel();
    this.raise(CAUSE.TXDW);
  }

  reset(): void {
    this.#throttle.disarm();
    this.#receive.cancel();
    this.#transmit.cancel();
    this.drive();
  }
  save(): InterruptsState {
    return {
      asserted: this.#asserted,
      throttle: this.#throttle.save(),
      receive: this.#receive.idle.save(),
      receiveLimit: this.#receive.limit.save(),
      transmit: this.#transmit.idle.save(),
      transmitLimit: this.#transmit.limit.save(),
    };
  }
  restore(state: InterruptsState): void {
    this.#asserted = state.asserted;
    this.#throttle.restore(state.throttle);
    this.#receive.idle.restore(state.receive);
    this.#receive.limit.restore(state.receiveLimit);
    this.#transmit.idle.restore(state.transmit);
    this.#transmit.limit.restore(state.transmitLimit);
    this.#env.irq.set(this.#asserted);
  }
}

/** One direction's delay: a timer that every event restarts, and one that none does; the first to expire ends both. */
class Delay {
  readonly idle: Timer;
  readonly limit: Timer;

  constructor(name: string, clock: Clock, expire: () => void) {
    const end = () => {
      this.cancel();
      expire();
    };
    this.idle = clock.timer(name, end);
    this.limit = clock.timer(`${name}Limit`, end);
  }

  /** @param delay units since the last event; @param limit units since the first, 0 for no limit */
  start(delay: number, limit: number): void {
    this.idle.arm(delay * delayUnit);
    if (limit !== 0 && !this.limit.armed) this.limit.arm(limit * delayUnit);
  }

  cancel(): void {
    this.idle.disarm();
    this.limit.disarm();
  }
}
