/** Frames, cards and machines for tests of the network. */
import { Clock, type EthernetPort, type Nanoseconds, type Timer, writeBig } from "@castaway/kit";
import type { Party } from "./lockstep.ts";

/** A frame from station `from` to station `to` (255: to all) with a number in it. */
export function frame(to: number, from: number, number = 0, length = 60): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(to === 255 ? [255, 255, 255, 255, 255, 255] : [2, 0, 0, 0, 0, to]);
  bytes.set([2, 0, 0, 0, 0, from, 0x88, 0xb5], 6);
  if (length >= 18) writeBig(bytes, 14, 4, number);
  return bytes;
}
export const numberIn = (bytes: Uint8Array): number =>
  (bytes[14] << 24) | (bytes[15] << 16) | (bytes[16] << 8) | bytes[17];

/** A card that writes down what arrives when. */
export class Card {
  readonly got: { at: Nanoseconds; bytes: Uint8Array }[] = [];
  readonly links: boolean[] = [];
  readonly clock: Clock;
  readonly port: EthernetPort;
  onFrame: (bytes: Uint8Array) => void = () => {};
  constructor({ clock, port }: { clock: Clock; port: EthernetPort }) {
    this.clock = clock;
    this.port = port;
    port.connect(this);
  }
  receive(bytes: Uint8Array): void {
    this.got.push({ at: this.clock.now, bytes: bytes.slice() });
    this.onFrame(bytes);
  }
  link(up: boolean): void {
    this.links.push(up);
  }
  get times(): Nanoseconds[] {
    return this.got.map(({ at }) => at);
  }
  get numbers(): number[] {
    return this.got.map(({ bytes }) => numberIn(bytes));
  }
}

/** A machine of nothing but a clock and a card: it sends when told, and counts how often it was run. */
export class FakeMachine implements Party {
  readonly clock = new Clock();
  readonly card: Card;
  poweredOff = false;
  runs = 0;
  /** It stops there once, as at a breakpoint. */
  stopAt = Number.POSITIVE_INFINITY;
  readonly #port: EthernetPort;
  readonly #timers: Timer[] = [];
  constructor(port: EthernetPort) {
    this.#port = port;
    this.card = new Card({ clock: this.clock, port });
  }
  get now(): Nanoseconds {
    return this.clock.now;
  }
  get waitsUntil(): Nanoseconds {
    return this.clock.nextDue;
  }
  sendAt(time: Nanoseconds, bytes: Uint8Array): void {
    const timer = this.clock.timer("test.send", () => this.#port.send(bytes));
    this.#timers.push(timer);
    timer.armAt(time);
  }
  run(time: Nanoseconds): void {
    this.runs++;
    const end = this.stopAt >= this.now ? Math.min(time, this.stopAt) : time;
    if (end < time) this.stopAt = -1;
    this.clock.advanceTo(end);
  }
}
