/**
 * The timer of a local APIC [SDM 3A 10.5.4]: it counts virtual nanoseconds, divided, one-shot or periodic; or it waits
 * for a value of the time-stamp counter.
 */
import {
  type Clock,
  type Nanoseconds,
  nullable,
  real,
  record,
  type StateOf,
  type Timer,
  text,
  timerState,
  u32,
} from "@castaway/kit";

export const ONE_SHOT = 0,
  PERIODIC = 1,
  TSC_DEADLINE = 2;

/** `start`: when the count began, null while it does not run. `deadline`: hexadecimal. */
export const apicTimerState = record({
  mode: u32,
  initial: u32,
  divide: u32,
  start: nullable(real),
  deadline: text,
  due: timerState,
});
export type ApicTimerState = StateOf<typeof apicTimerState>;

export class ApicTimer {
  readonly #clock: Clock;
  readonly #timer: Timer;
  #mode: number = ONE_SHOT;
  #initial = 0;
  #divide = 0;
  #start: Nanoseconds | null = null;
  #deadline = 0n;

  /** `expired`: an interrupt is to be raised, unless it is masked. */
  constructor(name: string, clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#timer = clock.timer(name, (due) => {
      this.#expire(due);
      expired();
    });
  }
  #expire(due: Nanoseconds): void {
    if (this.#mode === PERIODIC && this.#initial !== 0) {
      this.#start = due;
      this.#timer.armAt(due + this.#initial * this.#divisor);
    } else {
      this.#start = null;
      this.#deadline = 0n;
    }
  }

  /** Divide configuration: 2, 4, 8, .. 128, 1 [SDM 3A figure 10-10]. */
  get #divisor(): number {
    const code = (this.#divide & 3) | ((this.#divide >> 1) & 4);
    return code === 7 ? 1 : 2 << code;
  }
  get divide(): number {
    return this.#divide;
  }
  /** Takes effect at once: the count goes on from where it is. */
  set divide(value: number) {
    const left = this.current;
    this.#divide = value & 11;
    if (this.#start !== null) this.#countFrom(left);
  }
  get initial(): number {
    return this.#initial;
  }
  /** Starts the count; 0 stops it. Ignored while the timer waits for a deadline. */
  set initial(value: number) {
    if (this.#mode === TSC_DEADLINE) return;
    this.#initial = value;
    if (value === 0) this.#stop();
    else this.#countFrom(value);
  }
  /** Counts `left` down to 0 from now on; the initial count is as it was. */
  #countFrom(left: number): void {
    this.#start = this.#clock.now - (this.#initial - left) * this.#divisor;
    this.#timer.armAt(Math.max(this.#clock.now, this.#start + this.#initial * this.#divisor));
  }
  get current(): number {
    if (this.#start === null) return 0;
    const left = this.#initial - Math.floor((this.#clock.now - this.#start) / this.#divisor);
    return Math.max(0, Math.min(left, 0xffffffff));
  }

  get mode(): number {
    return this.#mode;
  }
  /** To or from the deadline mode disarms the timer [SDM 3A 10.5.4.1]. */
  set mode(mode: number) {
    if ((mode === TSC_DEADLINE) !== (this.#mode === TSC_DEADLINE)) {
      this.#stop();
      this.#initial = 0;
    }
    this.#mode = mode;
  }
  /** In ticks of the counter; 0: not armed. */
  get deadline(): bigint {
    return this.#deadline;
  }
  setDeadline(deadline: bigint, time: Nanoseconds): void {
    if (this.#mode !== TSC_DEADLINE) return;
    this.#deadline = deadline;
    if (deadline === 0n) this.#timer.disarm();
    else this.#timer.armAt(time);
  }

  #stop(): void {
    this.#start = null;
    this.#deadline = 0n;
    this.#timer.disarm();
  }
  reset(): void {
    this.#stop();
    this.#mode = ONE_SHOT;
    this.#initial = this.#divide = 0;
  }
  save(): ApicTimerState {
    return {
      mode: this.#mode,
      initial: this.#initial,
      divide: this.#divide,
      start: this.#start,
      deadline: this.#deadline.toString(16),
      due: this.#timer.save(),
    };
  }
  restore(state: ApicTimerState): void {
    this.#mode = state.mode;
    this.#initial = state.initial;
    this.#divide = state.divide;
    this.#start = state.start;
    this.#deadline = BigInt(`0x${state.deadline}`);
    this.#timer.restore(state.due);
  }
}
