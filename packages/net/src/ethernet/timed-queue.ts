/** Things that happen at known times on a clock, by one timer: frames on their way, for the most part. */
import { type Clock, list, type Nanoseconds, natural, record, type Shape, type Timer, timerState } from "@castaway/kit";
import { Fifo } from "./fifo.ts";

export type Timed<T> = { readonly at: Nanoseconds; readonly item: T };

/** The shape of a queue's state, given the shape of what waits in it. */
export const timedQueueState = <T>(item: Shape<T>) =>
  record({ waiting: list(record({ at: natural, item })), timer: timerState });
export type TimedQueueState<T> = { waiting: Timed<T>[]; timer: ReturnType<Timer["save"]> };

/** Items in the order of their times; those of one time in the order in which they were added. */
export class TimedQueue<T> {
  readonly #waiting = new Fifo<Timed<T>>();
  readonly #timer: Timer;
  readonly #happen: (item: T, at: Nanoseconds) => void;

  /** @param happen what to do with an item when its time has come; may add more */
  constructor(clock: Clock, name: string, happen: (item: T, at: Nanoseconds) => void) {
    this.#happen = happen;
    this.#timer = clock.timer(name, (due) => this.#fire(due));
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Lets `item` happen at `at`; a time that has passed means now. */
  add(at: Nanoseconds, item: T): void {
    let place = this.#waiting.length;
    while (place > 0 && this.#waiting.at(place - 1).at > at) place--;
    this.#waiting.insert(place, { at, item });
    if (place === 0) this.#timer.armAt(at);
  }

  clear(): void {
    this.#waiting.all = [];
    this.#timer.disarm();
  }

  #fire(due: Nanoseconds): void {
    let next = this.#waiting.first;
    for (; next !== undefined && next.at <= due; next = this.#waiting.first) {
      this.#waiting.shift();
      this.#happen(next.item, next.at);
    }
    if (next !== undefined) this.#timer.armAt(next.at);
    else this.#timer.disarm();
  }

  save(): TimedQueueState<T> {
    return { waiting: this.#waiting.all, timer: this.#timer.save() };
  }

  restore(state: TimedQueueState<T>): void {
    this.#waiting.all = state.waiting;
    this.#timer.restore(state.timer);
  }
}
