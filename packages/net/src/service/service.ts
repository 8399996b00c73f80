/**
 * What work costs a server, in virtual time: a number of threads, each with one request at a time, and a queue before
 * them that is bounded. What finds the queue full is refused, so that too many clients overload a server as they do in
 * reality. With {@link noCost} work is done at once, within the call that brings it.
 */
import {
  type Bytes,
  type Clock,
  ConfigError,
  list,
  type Nanoseconds,
  natural,
  nullable,
  record,
  type Shape,
  StateError,
  type StateOf,
  type Timer,
  timerState,
} from "@castaway/kit";

/** What a request costs. */
export type ServiceCost = {
  /** Time that a thread spends on any request: interrupts, system calls, copies. 0 or more. */
  readonly perRequest: Nanoseconds;
  /** Time from a disk operation's start to its first byte. 0 or more. */
  readonly latency: Nanoseconds;
  /** Bytes that the disk moves in a second for one thread; Infinity for no time at all. */
  readonly bytesPerSecond: number;
  /** Requests in work at the same time: 1 to 1,024. */
  readonly threads: number;
  /** Requests that may wait for a thread: 0 to 65,536. Those beyond are refused. */
  readonly queue: number;
};

/** Everything at once. */
export const noCost: ServiceCost = {
  perRequest: 0,
  latency: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  threads: 1,
  queue: 64,
};

/** The time of a request that moves `bytes` from or to the disk; undefined for one that leaves the disk alone. */
export function timeOf(cost: ServiceCost, bytes?: Bytes): Nanoseconds {
  if (bytes === undefined) return cost.perRequest;
  return cost.perRequest + cost.latency + Math.round((bytes / cost.bytesPerSecond) * 1_000_000_000);
}

/** What {@link Service.save} gives, for requests of shape `job`. */
export const serviceState = <J>(job: Shape<J>) =>
  record({
    /** One for each thread. */
    threads: list(nullable(record({ job, timer: timerState }))),
    waiting: list(record({ job, time: natural })),
    served: natural,
    refused: natural,
    mostWaiting: natural,
  });
export type ServiceState<J> = StateOf<ReturnType<typeof serviceState<J>>>;

type Thread<J> = { job: J | null; timer: Timer };

/** Threads and the queue before them. `J` is a request, plain data; what it does is the owner's business. */
export class Service<J> {
  readonly cost: ServiceCost;
  readonly #run: (job: J) => void;
  readonly #threads: Thread<J>[] = [];
  #waiting: { job: J; time: Nanoseconds }[] = [];
  #served = 0;
  #refused = 0;
  #mostWaiting = 0;

  /**
   * @param name for its timers, `"aoe"`
   * @param run does a request, at the end of its time
   * @throws ConfigError if `cost` is out of range
   */
  constructor({ clock, name, cost, run }: { clock: Clock; name: string; cost: ServiceCost; run: (job: J) => void }) {
    check(name, cost);
    this.cost = cost;
    this.#run = run;
    for (let i = 0; i < cost.threads; i++) {
      this.#threads.push({ job: null, timer: clock.timer(`${name}.thread${i}`, () => this.#finish(i)) });
    }
  }

  /** Requests that wait for a thread. */
  get waiting(): number {
    return this.#waiting.length;
  }
  /** Requests that a thread works on. */
  get running(): number {
    return this.#threads.reduce((count, { job }) => count + (job === null ? 0 : 1), 0);
  }
  /** Requests done since the start. */
  get served(): number {
    return this.#served;
  }
  /** Requests that found the queue full. */
  get refused(): number {
    return this.#refused;
  }
  /** The most that ever waited. */
  get mostWaiting(): number {
    return this.#mostWaiting;
  }

  /**
   * Takes a request that costs `time` (see {@link timeOf}). One that costs nothing and need not wait is done before
   * this returns.
   * @returns false if the queue is full: the request is lost
   */
  submit(job: J, time: Nanoseconds): boolean {
    const idle = this.#threads.find((thread) => thread.job === null);
    if (idle !== undefined) {
      if (time > 0) start(idle, job, time);
      else this.#serve(job);
      return true;
    }
    if (this.#waiting.length >= this.cost.queue) {
      this.#refused++;
      return false;
    }
    this.#waiting.push({ job, time });
    this.#mostWaiting = Math.max(this.#mostWaiting, this.#waiting.length);
    return true;
  }

  /** Forgets all requests, in work or waiting. */
  clear(): void {
    this.#waiting = [];
    for (const thread of this.#threads) {
      thread.job = null;
      thread.timer.disarm();
    }
  }

  save(): ServiceState<J> {
    return {
      threads: this.#threads.map(({ job, timer }) => (job === null ? null : { job, timer: timer.save() })),
      waiting: this.#waiting.map(({ job, time }) => ({ job, time })),
      served: this.#served,
      refused: this.#refused,
      mostWaiting: this.#mostWaiting,
    };
  }

  /** @throws StateError if `state` is of a service with other threads or a shorter queue */
  restore(state: ServiceState<J>): void {
    if (state.threads.length !== this.#threads.length) {
      throw new StateError("service.threads", `${state.threads.length} are not the ${this.#threads.length} here`);
    }
    if (state.waiting.length > this.cost.queue) {
      throw new StateError("service.waiting", `${state.waiting.length} do not fit a queue of ${this.cost.queue}`);
    }
    this.clear();
    for (const [i, thread] of this.#threads.entries()) {
      const saved = state.threads[i];
      if (saved === null) continue;
      thread.job = saved.job;
      thread.timer.restore(saved.timer);
    }
    this.#waiting = state.waiting.map(({ job, time }) => ({ job, time }));
    this.#served = state.served;
    this.#refused = state.refused;
    this.#mostWaiting = state.mostWaiting;
  }

  /** The thread is free, and has its next request, before the finished one's answer can bring another. */
  #finish(index: number): void {
    const thread = this.#threads[index];
    const { job } = thread;
    thread.job = null;
    const next = this.#waiting.shift();
    if (next !== undefined) start(thread, next.job, next.time);
    if (job !== null) this.#serve(job);
  }

  #serve(job: J): void {
    this.#served++;
    this.#run(job);
  }
}

function start<J>(thread: Thread<J>, job: J, time: Nanoseconds): void {
  thread.job = job;
  thread.timer.arm(time);
}

/** The longest that a request may take before its bytes: far beyond any disk, and no sum leaves the safe integers. */
const longest: Nanoseconds = 3_600_000_000_000;

function check(name: string, { perRequest, latency, bytesPerSecond, threads, queue }: ServiceCost): void {
  const whole = (value: number, lowest: number, highest: number) =>
    Number.isInteger(value) && value >= lowest && value <= highest;
  if (!whole(perRequest, 0, longest)) throw new ConfigError(`${name}.perRequest`, perRequest, "0 to 1 hour, in ns");
  if (!whole(latency, 0, longest)) throw new ConfigError(`${name}.latency`, latency, "0 to 1 hour, in ns");
  if (!(bytesPerSecond >= 1000)) {
    throw new ConfigError(`${name}.bytesPerSecond`, bytesPerSecond, "1,000 or more, or Infinity");
  }
  if (!whole(threads, 1, 1024)) throw new ConfigError(`${name}.threads`, threads, "1 to 1,024");
  if (!whole(queue, 0, 0x1_0000)) throw new ConfigError(`${name}.queue`, queue, "0 to 65,536");
}
