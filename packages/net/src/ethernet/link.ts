/**
 * A cable with two ends. Each end is an `EthernetPort` for whoever plugs in; what one sends arrives at the other.
 *
 *     const link = new Link({ clock, name: "uplink", seed: 1 }, { bandwidth: 100_000_000, loss: 0.01 });
 *     link.a.connect(card);
 *     link.toB.change({ loss: 0 });
 */
import {
  bytes,
  type Clock,
  type EthernetCard,
  type EthernetPort,
  flag,
  type Nanoseconds,
  Probe,
  Random,
  record,
  type StateOf,
} from "@castaway/kit";
import { type LinkOptions, wireDefaults, wireSettingsWith } from "./link-options.ts";
import { TimedQueue, timedQueueState } from "./timed-queue.ts";
import { Wire, type WireDrop, wireState } from "./wire.ts";

/** A frame as it is seen at an end of a link. Its bytes are borrowed: who keeps them copies them. */
export type FrameSeen = {
  readonly time: Nanoseconds;
  readonly frame: Uint8Array;
  /** "out": it leaves this end; "in": it arrives here. */
  readonly direction: "in" | "out";
  /** Why it goes no further, if it does not. */
  readonly drop?: WireDrop;
};

/** Who takes frames before they arrive, with the time of their arrival: the way to machines, which have clocks of their own. */
export interface FarCard {
  arrives(frame: Uint8Array, at: Nanoseconds): void;
  link(up: boolean, at: Nanoseconds): void;
}

export type LinkEnv = {
  readonly clock: Clock;
  /** For timers and messages. */
  readonly name: string;
  /** Of this link's own chance: with the name it decides all that the link will do to its frames. */
  readonly seed: number;
};

const onTheWay = timedQueueState(bytes());
export const linkState = record({ up: flag, toA: wireState, toB: wireState, inA: onTheWay, inB: onTheWay });
export type LinkState = StateOf<typeof linkState>;

/** One end of a link, to be plugged into. Made by {@link Link}. */
export class LinkEnd implements EthernetPort {
  /** Frames that leave and arrive here. Those towards a machine are only seen leaving the other end. */
  readonly seen: Probe<FrameSeen>;
  readonly name: string;
  readonly #clock: Clock;
  readonly #arriving: TimedQueue<Uint8Array>;
  readonly #link: Link;
  #card: EthernetCard | null = null;
  #far: FarCard | null = null;

  constructor(link: Link, clock: Clock, name: string) {
    this.#link = link;
    this.#clock = clock;
    this.name = name;
    this.seen = new Probe(`frames at ${name}`);
    this.#arriving = new TimedQueue(clock, `${name}.arrive`, (frame) => this.#arrive(frame));
  }

  send(frame: Uint8Array): void {
    this.#put(frame, false);
  }

  /** Sends a frame that came out of the network and belongs to it: nobody changes its bytes, so they are not copied. */
  pass(frame: Uint8Array): void {
    this.#put(frame, true);
  }

  #put(frame: Uint8Array, owned: boolean): void {
    const wire = this.#link.from(this);
    if (this.#link.up) wire.send(frame, owned);
    else wire.drop(frame, "linkDown");
  }

  connect(card: EthernetCard | null): void {
    this.#card = card;
    card?.link(this.#link.up);
  }

  /** Gives all that arrives here to `far`, ahead of its time. */
  connectFar(far: FarCard): void {
    this.#far = far;
  }

  get card(): EthernetCard | null {
    return this.#card;
  }

  /** A frame is on the wire to this end. */
  carry(frame: Uint8Array, at: Nanoseconds): void {
    if (this.#far === null) this.#arriving.add(at, frame);
    else {
      this.#count(frame);
      this.#far.arrives(frame, at);
    }
  }

  #arrive(frame: Uint8Array): void {
    if (!this.#link.up) return this.#lose(frame, "linkDown");
    if (this.#card === null) return this.#lose(frame, "unplugged");
    this.#count(frame);
    if (this.seen.active) this.seen.emit({ time: this.#clock.now, frame, direction: "in" });
    this.#card.receive(frame);
  }

  #count(frame: Uint8Array): void {
    const { statistics } = this.#link.to(this);
    statistics.deliveredFrames++;
    statistics.deliveredBytes += frame.length;
  }

  #lose(frame: Uint8Array, drop: WireDrop): void {
    this.#link.to(this).statistics[drop]++;
    if (this.seen.active) this.seen.emit({ time: this.#clock.now, frame, direction: "in", drop });
  }

  /** The cable was pulled, or put in again. */
  tell(up: boolean): void {
    this.#card?.link(up);
    this.#far?.link(up, this.#clock.now + this.#link.to(this).settings.latency);
  }

  save() {
    return this.#arriving.save();
  }

  restore(state: LinkState["inA"]): void {
    this.#arriving.restore(state);
  }
}

export class Link {
  readonly name: string;
  readonly a: LinkEnd;
  readonly b: LinkEnd;
  readonly toA: Wire;
  readonly toB: Wire;
  #up = true;

  /** @throws ConfigError that says which option is out of range */
  constructor({ clock, name, seed }: LinkEnv, { toA, toB, ...both }: LinkOptions = {}) {
    this.name = name;
    this.a = new LinkEnd(this, clock, `${name}.a`);
    this.b = new LinkEnd(this, clock, `${name}.b`);
    const settings = wireSettingsWith(wireDefaults, both);
    const wire = (direction: string, from: LinkEnd, to: LinkEnd, special: LinkOptions = {}) =>
      new Wire(
        {
          clock,
          name: `${name}.${direction}`,
          random: new Random(`${seed}/${name}/${direction}`),
          carry: (frame, at) => to.carry(frame, at),
          sent: (frame, drop) => {
            if (from.seen.active) from.seen.emit({ time: clock.now, frame, direction: "out", drop });
          },
        },
        wireSettingsWith(settings, special),
      );
    this.toA = wire("toA", this.b, this.a, toA);
    this.toB = wire("toB", this.a, this.b, toB);
  }

  /** The direction that leaves `end`, and the one that arrives there. */
  from(end: LinkEnd): Wire {
    return end === this.a ? this.toB : this.toA;
  }
  to(end: LinkEnd): Wire {
    return end === this.a ? this.toA : this.toB;
  }

  get up(): boolean {
    return this.#up;
  }
  /** Pulls the cable (false) or puts it in again. What waits for the wire, or arrives meanwhile, is lost. */
  set up(up: boolean) {
    if (up === this.#up) return;
    this.#up = up;
    if (!up) for (const wire of [this.toA, this.toB]) wire.cut();
    for (const end of [this.a, this.b]) end.tell(up);
  }

  save(): LinkState {
    return {
      up: this.#up,
      toA: this.toA.save(),
      toB: this.toB.save(),
      inA: this.a.save(),
      inB: this.b.save(),
    };
  }

  /** Restores what {@link save} gave, after the clock. Cards are not told: their own state knows. */
  restore(state: LinkState): void {
    this.#up = state.up;
    this.toA.restore(state.toA);
    this.toB.restore(state.toB);
    this.a.restore(state.inA);
    this.b.restore(state.inB);
  }
}
