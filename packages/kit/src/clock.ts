/**
 * Virtual time: the only time there is. Integer nanoseconds since the machine was built; a safe integer, so 104 days.
 * Whoever runs the machine moves the clock; parts arm timers on it; no part reads the host's clock.
 */
import { assert } from "./errors.ts";
import { natural, nullable, record, type StateOf } from "./state.ts";
import type { Nanoseconds } from "./units.ts";

/** What {@link Clock.save} gives. The timers are not in it: whoever owns a timer saves it. */
export const clockState = record({ now: natural, armings: natural });
export type ClockState = StateOf<typeof clockState>;

/** What {@link Timer.save} gives: when it is due and its place among those due at the same time; null: disarmed. */
export const timerState = nullable(record({ due: natural, order: natural }));
export type TimerState = StateOf<typeof timerState>;

/** What clocks and timers do for each other and for nobody else. */
const take = Symbol("take");
const insert = Symbol("insert");
const remove = Symbol("remove");
const expire = Symbol("expire");

/**
 * A clock and the timers on it. Timers fire in the order of their due times; those due at the same time fire in the
 * order in which they were armed. Nothing fires while time merely passes ({@link moveTo}): the caller chooses the
 * points where events are taken ({@link fire}), so that they depend on the guest's code alone.
 */
export class Clock {
  #now: Nanoseconds = 0;
  /** How many times a timer was armed on this clock: the next timer's place among equals. */
  #armings = 0;
  /** The armed timers, the next one to fire last. */
  readonly #queue: Timer[] = [];
  #firing = false;

  /** Nanoseconds since the machine was built. */
  get now(): Nanoseconds {
    return this.#now;
  }

  /** When the next timer is due, or Infinity if none is armed. May lie before {@link now} until {@link fire}. */
  get nextDue(): Nanoseconds {
    const next = this.#queue.at(-1);
    return next === undefined ? Number.POSITIVE_INFINITY : next.due;
  }

  /** The armed timers in the order in which they will fire, for people to read. */
  get pending(): { name: string; due: Nanoseconds }[] {
    return this.#queue.map(({ name, due }) => ({ name, due })).reverse();
  }

  /**
   * A timer on this clock, not armed.
   * @param name for traces and inspection, `"ahci.done"`
   * @param callback what to do when it is due. It is given the time at which the timer was due, which may be earlier
   *   than `now`: a periodic timer arms itself at `due + period` and so never drifts
   */
  timer(name: string, callback: (due: Nanoseconds) => void): Timer {
    return new Timer(name, callback, this);
  }

  /** Lets time pass up to `time` (not before `now`) without firing anything. */
  moveTo(time: Nanoseconds): void {
    if (!(time >= this.#now && Number.isSafeInteger(time))) {
      assert(false, "time is an integer and only moves on", { now: this.#now, time });
    }
    this.#now = time;
  }

  /** Fires all timers that are due by now, including those that are armed meanwhile. */
  fire(): void {
    this.advanceTo(this.#now);
  }

  /**
   * Lets time pass up to `time` (not before `now`) and fires all timers due by then. At each callback `now` is the
   * time at which its timer was due, unless that had already passed before.
   */
  advanceTo(time: Nanoseconds): void {
    if (!(time >= this.#now && Number.isSafeInteger(time)) || this.#firing) {
      assert(!this.#firing, "a timer's callback does not move the clock", { now: this.#now, time });
      assert(false, "time is an integer and only moves on", { now: this.#now, time });
    }
    this.#firing = true;
    try {
      for (;;) {
        const next = this.#queue.at(-1);
        if (next === undefined || next.due > time) break;
        this.#queue.pop();
        if (next.due > this.#now) this.#now = next.due;
        next[expire]();
      }
    } finally {
      this.#firing = false;
    }
    this.#now = time;
  }

  save(): ClockState {
    return { now: this.#now, armings: this.#armings };
  }

  /** Sets time, backwards too. Timers stay as they are: their owners restore them, before or after. */
  restore(state: ClockState): void {
    assert(!this.#firing, "a timer's callback does not move the clock");
    this.#now = state.now;
    this.#armings = state.armings;
    for (const timer of this.#queue) this.#armings = Math.max(this.#armings, timer.order + 1);
  }

  // The timers' doors. Methods, not functions that each clock would make anew: calls of those are never inlined.

  /** A place among equals: the next one, or the one given, which none after it will get again. */
  [take](order?: number): number {
    if (order === undefined) return this.#armings++;
    this.#armings = Math.max(this.#armings, order + 1);
    return order;
  }

  /** Most timers are armed for soon, so few others move: by hand, since `splice` costs more than all of them. */
  [insert](timer: Timer): void {
    const queue = this.#queue;
    let at = queue.length;
    queue.push(timer);
    for (; at > 0 && isBefore(queue[at - 1], timer); at--) queue[at] = queue[at - 1];
    queue[at] = timer;
  }

  [remove](timer: Timer): void {
    const queue = this.#queue;
    let at = queue.length - 1;
    while (at >= 0 && queue[at] !== timer) at--;
    for (at++; at < queue.length; at++) queue[at - 1] = queue[at];
    queue.pop();
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

/** One event in the future. Made by {@link Clock.timer}. */
export class Timer {
  /** For traces and inspection. */
  readonly name: string;
  readonly #callback: (due: Nanoseconds) => void;
  readonly #clock: Clock;
  #armed = false;
  #due: Nanoseconds = 0;
  #order = 0;

  /** Not for use outside: see {@link Clock.timer}. */
  constructor(name: string, callback: (due: Nanoseconds) => void, clock: Clock) {
    this.name = name;
    this.#callback = callback;
    this.#clock = clock;
  }

  /** Whether it will fire. False from just before its callback runs, which may arm it again. */
  get armed(): boolean {
    return this.#armed;
  }

  /** When it will fire; meaningful while it is armed. */
  get due(): Nanoseconds {
    return this.#due;
  }

  /** Its place among the timers due at the same time: smaller fires first. Meaningful while it is armed. */
  get order(): number {
    return this.#order;
  }

  /** Arms it to fire `delay` (0 or more) after now. If it was armed, it now fires at the new time only. */
  arm(delay: Nanoseconds): void {
    this.armAt(this.#clock.now + delay);
  }

  /** Arms it to fire at `time`; a time that has passed already means now. If it was armed, only the new time counts. */
  armAt(time: Nanoseconds): void {
    if (!Number.isSafeInteger(time)) assert(false, "a timer is due within 104 days", { timer: this.name, time });
    this.disarm();
    this.#due = Math.max(time, this.#clock.now);
    this.#order = this.#clock[take]();
    this.#armed = true;
    this.#clock[insert](this);
  }

  /** It does not fire, unless armed again. Nothing happens if it was not armed. */
  disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#clock[remove](this);
  }

  save(): TimerState {
    return this.#armed ? { due: this.#due, order: this.#order } : null;
  }

  restore(state: TimerState): void {
    this.disarm();
    if (state === null) return;
    this.#due = state.due;
    this.#order = this.#clock[take](state.order);
    this.#armed = true;
    this.#clock[insert](this);
  }

  /** The clock's door: it has taken the timer out of its queue. */
  [expire](): void {
    this.#armed = false;
    this.#callback(this.#due);
  }
}
