/**
 * One direction of a link: a queue before the wire, the wire, and what may go wrong on it. All that chance decides about a
 * frame is decided when its first bit leaves.
 */
import {
  bytes,
  type Clock,
  list,
  type Nanoseconds,
  natural,
  type Random,
  randomState,
  record,
  type StateOf,
  type Timer,
  timerState,
} from "@castaway/kit";
import { Fifo } from "./fifo.ts";
import { kept } from "./kept.ts";
import { type WireOptions, type WireSettings, wireSettings, wireSettingsWith } from "./link-options.ts";

/** Besides its own bytes a frame takes preamble and SFD (8), FCS (4) and gap (12) on the wire. [802.3 3.1.1, 4.4.2] */
const overhead = 24;
/** A card pads what is shorter. [802.3 3.2.8] */
const shortest = 60;
const header = 14;

/** Counters of one direction; docs/network.md says when each counts. */
export const wireStatistics = record({
  sentFrames: natural,
  sentBytes: natural,
  deliveredFrames: natural,
  deliveredBytes: natural,
  lost: natural,
  corrupted: natural,
  duplicated: natural,
  reordered: natural,
  tooShort: natural,
  tooLong: natural,
  queueFull: natural,
  linkDown: natural,
  unplugged: natural,
});
export type WireStatistics = StateOf<typeof wireStatistics>;

/** Why a frame did not arrive. */
export type WireDrop = "lost" | "corrupted" | "tooShort" | "tooLong" | "queueFull" | "linkDown" | "unplugged";

export const wireState = record({
  settings: wireSettings,
  random: randomState,
  queue: list(bytes()),
  wireFree: timerState,
  lastArrival: natural,
  statistics: wireStatistics,
});
export type WireState = StateOf<typeof wireState>;

export type WireEnv = {
  readonly clock: Clock;
  readonly name: string;
  readonly random: Random;
  /** The frame will be there, in full, at `at`. */
  carry(frame: Uint8Array, at: Nanoseconds): void;
  /** The frame's first bit leaves, or it is dropped. */
  sent(frame: Uint8Array, drop: WireDrop | undefined): void;
};

export class Wire {
  readonly #env: WireEnv;
  readonly #free: Timer;
  #settings: WireSettings;
  /** Waiting for the wire, the next one first. */
  readonly #queue = new Fifo<Uint8Array>();
  #queued = 0;
  #lastArrival: Nanoseconds = 0;
  statistics: WireStatistics = {
    sentFrames: 0,
    sentBytes: 0,
    deliveredFrames: 0,
    deliveredBytes: 0,
    lost: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    tooShort: 0,
    tooLong: 0,
    queueFull: 0,
    linkDown: 0,
    unplugged: 0,
  };

  constructor(env: WireEnv, settings: WireSettings) {
    this.#env = env;
    this.#settings = settings;
    this.#free = env.clock.timer(`${env.name}.free`, () => this.#next());
  }

  get settings(): WireSettings {
    return this.#settings;
  }

  /** Changes some options; the others stay. @throws ConfigError; then nothing has changed */
  change(options: WireOptions): void {
    this.#settings = wireSettingsWith(this.#settings, options);
  }

  /** Bytes of frames that wait for the wire. */
  get queued(): number {
    return this.#queued;
  }

  /** @param owned the frame is the network's own, which nobody changes; otherwise it is copied */
  send(frame: Uint8Array, owned: boolean): void {
    const { mtu, queue } = this.#settings;
    if (frame.length < header) this.drop(frame, "tooShort");
    else if (frame.length > header + mtu + (isTagged(frame) ? 4 : 0)) this.drop(frame, "tooLong");
    else if (!this.#free.armed) this.#transmit(owned ? frame : kept(frame));
    else if (this.#queued + frame.length > queue) this.drop(frame, "queueFull");
    else {
      this.#queue.push(owned ? frame : kept(frame));
      this.#queued += frame.length;
    }
  }

  drop(frame: Uint8Array, reason: WireDrop): void {
    this.statistics[reason]++;
    this.#env.sent(frame, reason);
  }

  /** The link went down: what waits for the wire is lost. */
  cut(): void {
    const lost = this.#queue.all;
    this.#queue.all = [];
    this.#queued = 0;
    for (const frame of lost) this.drop(frame, "linkDown");
  }

  #next(): void {
    const frame = this.#queue.shift();
    if (frame === undefined) return;
    this.#queued -= frame.length;
    this.#transmit(frame);
  }

  #transmit(whole: Uint8Array): void {
    const { statistics } = this;
    const { loss, corruption, deliverCorrupted } = this.#settings;
    const { random, clock } = this.#env;
    let frame = whole;
    const left = clock.now + this.#serialisation(frame);
    this.#free.armAt(left);
    statistics.sentFrames++;
    statistics.sentBytes += frame.length;
    if (loss > 0 && random.chance(loss)) return this.drop(frame, "lost");
    if (corruption > 0 && random.chance(corruption)) {
      if (!deliverCorrupted) return this.drop(frame, "corrupted");
      statistics.corrupted++;
      frame = whole.slice(); // others may hold the whole one
      frame[random.below(frame.length)] ^= 1 << random.below(8);
    }
    this.#env.sent(frame, undefined);
    this.#carry(frame, left);
  }

  #carry(frame: Uint8Array, left: Nanoseconds): void {
    const { latency, jitter, reordering, reorderDelay, duplication } = this.#settings;
    const { random } = this.#env;
    let at = left + latency + (jitter > 0 ? Math.floor(random.fraction() * (jitter + 1)) : 0);
    if (reordering > 0 && random.chance(reordering)) {
      at += reorderDelay;
      this.statistics.reordered++;
    } else {
      at = Math.max(at, this.#lastArrival);
      this.#lastArrival = at;
    }
    this.#env.carry(frame, at);
    if (duplication > 0 && random.chance(duplication)) {
      this.statistics.duplicated++;
      this.#env.carry(frame, at);
    }
  }

  #serialisation(frame: Uint8Array): Nanoseconds {
    const bits = (Math.max(frame.length, shortest) + overhead) * 8;
    return Math.max(1, Math.ceil((bits * 1e9) / this.#settings.bandwidth)); // two who only answer each other still let time pass
  }

  save(): WireState {
    return {
      settings: { ...this.#settings },
      random: this.#env.random.save(),
      queue: this.#queue.all,
      wireFree: this.#free.save(),
      lastArrival: this.#lastArrival,
      statistics: { ...this.statistics },
    };
  }

  restore(state: WireState): void {
    this.#settings = { ...state.settings };
    this.#env.random.restore(state.random);
    this.#queue.all = state.queue;
    this.#queued = state.queue.reduce((sum, frame) => sum + frame.length, 0);
    this.#free.restore(state.wireFree);
    this.#lastArrival = state.lastArrival;
    this.statistics = { ...state.statistics };
  }
}

/** Whether a VLAN tag makes the header 4 bytes longer. [802.1Q 9.6] */
const isTagged = (frame: Uint8Array): boolean =>
  frame.length >= header + 4 && ((frame[12] === 0x81 && frame[13] === 0) || (frame[12] === 0x88 && frame[13] === 0xa8));
