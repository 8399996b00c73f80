/**
 * Lockstep: machines and the network, each on a clock of its own, advance together in windows.
 *
 * A window is no longer than the smallest latency between a machine and the network. First every machine runs to the
 * window's end; what it sends on the way are messages with their times. Then the network runs to the same end and takes
 * each message at its time. What it sends to a machine within the window arrives at least a latency later, so after the
 * window's end: it is handed over in time, and a timer on the machine's clock delivers it at its exact time. So nothing
 * depends on the order in which the machines run, nor on whether they run at once.
 *
 * Windows end at multiples of their length, wherever a run is cut: cutting it changes nothing.
 */
import type { Clock, Nanoseconds, Timer } from "@castaway/kit";
import type { Link } from "./link.ts";
import type { Message, Socket } from "./socket.ts";
import { TimedQueue } from "./timed-queue.ts";

/** A machine, as the network sees it. */
export interface Party {
  /** The clock that its cards live on. */
  readonly clock: Clock;
  /** Virtual time that it has reached. Starts where the network's does when it joins, or before. */
  readonly now: Nanoseconds;
  /** When the next thing happens if it waits, Infinity if nothing will; null while it runs. Without it: it always runs. */
  readonly waitsUntil?: Nanoseconds | null;
  /** Powered off for good: it needs no time, and frames to it are lost. */
  readonly poweredOff?: boolean;
  /** Runs up to `time`, a few ns more, or less if something stops it: the network's run then ends as well. */
  run(time: Nanoseconds): void;
}

/** A machine's socket, the cable behind it, with the machine at end `b`, and the machine once it has joined. */
type Outlet = { readonly socket: Socket; readonly link: Link; readonly coming: Message[]; party: Party | null };
type Member = { readonly party: Party; readonly window: Timer };
export type Sent = { readonly outlet: number; readonly frame: Uint8Array };

/** The longest window, though all latencies be longer. */
export const longestWindow: Nanoseconds = 1_000_000;

export class Lockstep {
  readonly #clock: Clock;
  readonly #outlets: Outlet[] = [];
  readonly #members: Member[] = [];
  /** What machines have sent, for the network to take at its time. */
  readonly sent: TimedQueue<Sent>;
  /** Where the window ends that a machine has stopped in; otherwise the network's now. */
  end: Nanoseconds = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.sent = new TimedQueue(clock, "network.sent", ({ outlet, frame }) => this.#outlets[outlet].link.b.pass(frame));
  }

  /** A machine's socket at the end of `link`. */
  add(socket: Socket, link: Link): void {
    const outlet: Outlet = { socket, link, coming: [], party: null };
    this.#outlets.push(outlet);
    link.b.connectFar({
      arrives: (frame, at) => void outlet.coming.push({ at: Math.max(at, this.end), frame, up: true }),
      link: (up, at) => void outlet.coming.push({ at: Math.max(at, this.end), frame: null, up }),
    });
  }

  join(party: Party, sockets: readonly Socket[]): void {
    for (const socket of sockets) socket.bind(party.clock);
    for (const outlet of this.#outlets) if (sockets.includes(outlet.socket)) outlet.party = party;
    this.#members.push({ party, window: party.clock.timer("network.window", () => {}) });
  }

  /** How long windows are now; Infinity without machines. */
  get window(): Nanoseconds {
    if (this.#members.length === 0) return Number.POSITIVE_INFINITY;
    let least = longestWindow;
    for (const { party, link } of this.#outlets)
      if (party !== null) least = Math.min(least, link.toA.settings.latency, link.toB.settings.latency);
    return Math.max(1, least);
  }

  /** Runs up to `time` or the first end of a window after it. @returns the machine that stopped before, if one did */
  run(time: Nanoseconds): Party | null {
    if (this.#clock.now < time && this.end <= this.#clock.now) this.#takeUp();
    while (this.#clock.now < time) {
      if (this.end <= this.#clock.now) this.end = this.#nextEnd(time);
      let stopped: Party | null = null;
      for (const member of this.#members) if (!this.#runMember(member)) stopped ??= member.party;
      if (stopped !== null) return stopped;
      this.#collect();
      this.#clock.advanceTo(this.end);
      this.#deliver();
    }
    for (const { party } of this.#members) this.#catchUp(party);
    return null;
  }

  /**
   * A machine that waits comes to the end of the run, but not to what is due at that very moment: that belongs to the next
   * window, as it does where no run ends.
   */
  #catchUp(party: Party): void {
    const time = Math.min(this.end, (party.waitsUntil ?? Number.POSITIVE_INFINITY) - 1);
    if (!party.poweredOff && party.now < time) party.run(time);
  }

  /** What was sent between two runs, by machines or by servers, counts for where the window ends. */
  #takeUp(): void {
    this.#collect();
    this.#deliver();
  }

  /** The end of the next window; windows in which nobody does anything are passed over. */
  #nextEnd(time: Nanoseconds): Nanoseconds {
    const { window } = this;
    if (window === Number.POSITIVE_INFINITY) return time;
    let next = Math.min(time - 1, this.#clock.nextDue);
    for (const { party } of this.#members) if (!party.poweredOff) next = Math.min(next, party.waitsUntil ?? 0);
    return (Math.floor(Math.max(this.#clock.now, next) / window) + 1) * window;
  }

  /** @returns false if it stopped before the window's end */
  #runMember({ party, window }: Member): boolean {
    if (this.#needsNoTime(party)) return true;
    window.armAt(this.end); // a machine's round of processors ends with the window, so that a new timer counts at once
    party.run(this.end);
    window.disarm();
    return this.#needsNoTime(party);
  }

  /** Whether it has come to the window's end, or nothing happens there before. */
  #needsNoTime(party: Party): boolean {
    return party.poweredOff === true || party.now >= this.end || (party.waitsUntil ?? 0) >= this.end;
  }

  /** What the network has sent to machines and has not handed over yet, socket by socket. */
  saveComing(): Message[][] {
    return this.#outlets.map(({ coming }) => [...coming]);
  }
  restoreComing(state: readonly Message[][]): void {
    for (const [n, { coming }] of this.#outlets.entries()) coming.splice(0, coming.length, ...(state[n] ?? []));
  }

  /** Takes what machines sent, in the order of time, then of sockets. */
  #collect(): void {
    for (let outlet = 0; outlet < this.#outlets.length; outlet++) {
      const { socket } = this.#outlets[outlet];
      if (!socket.hasSent) continue;
      for (const { at, frame } of socket.collect()) if (frame !== null) this.sent.add(at, { outlet, frame });
    }
  }

  #deliver(): void {
    for (const outlet of this.#outlets) if (outlet.coming.length > 0) handOver(outlet);
  }
}

/** What will arrive at a machine goes to its socket; if there is none, or it is off, it is lost. */
function handOver({ socket, coming, party }: Outlet): void {
  socket.deliver(coming.splice(0), party !== null && !party.poweredOff);
}
