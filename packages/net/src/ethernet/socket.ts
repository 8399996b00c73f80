/**
 * A socket in the wall for a machine, which has a clock of its own. What passes between the two clocks are messages with
 * their times: the machine's side may live elsewhere.
 */
import {
  assert,
  bytes,
  type Clock,
  type EthernetCard,
  type EthernetPort,
  flag,
  list,
  natural,
  nullable,
  record,
  type StateOf,
} from "@castaway/kit";
import { kept } from "./kept.ts";
import { TimedQueue, timedQueueState } from "./timed-queue.ts";

/** A frame that a machine sent, or that it will receive; or, with a null frame, news of its link. */
export const message = record({ at: natural, frame: nullable(bytes()), up: flag });
export type Message = StateOf<typeof message>;

const arrival = record({ frame: nullable(bytes()), up: flag });
type Arrival = StateOf<typeof arrival>;

export const socketStatistics = record({ sent: natural, received: natural, linkDown: natural, absent: natural });
export const socketState = record({
  up: flag,
  outbox: list(message),
  inbox: nullable(timedQueueState(arrival)),
  statistics: socketStatistics,
});
export type SocketState = StateOf<typeof socketState>;

/** The machine's side: a port for its card. Made by `Network.socket`; it works once its machine has joined. */
export class Socket implements EthernetPort {
  readonly name: string;
  statistics: StateOf<typeof socketStatistics> = { sent: 0, received: 0, linkDown: 0, absent: 0 };
  #clock: Clock | null = null;
  #inbox: TimedQueue<Arrival> | null = null;
  #outbox: Message[] = [];
  #card: EthernetCard | null = null;
  #up = true;

  constructor(name: string) {
    this.name = name;
  }

  send(frame: Uint8Array): void {
    if (this.#clock === null) this.statistics.absent++;
    else if (!this.#up) this.statistics.linkDown++;
    else {
      this.statistics.sent++;
      this.#outbox.push({ at: this.#clock.now, frame: kept(frame), up: true });
    }
  }

  connect(card: EthernetCard | null): void {
    this.#card = card;
    card?.link(this.#up);
  }

  /** The machine's clock is known: from now on frames come and go. */
  bind(clock: Clock): void {
    assert(this.#clock === null, "a socket has one machine", { socket: this.name });
    this.#clock = clock;
    this.#inbox = new TimedQueue(clock, `${this.name}.arrive`, (arrival) => this.#arrive(arrival));
  }

  get bound(): boolean {
    return this.#clock !== null;
  }

  /** Whether {@link collect} would give anything. */
  get hasSent(): boolean {
    return this.#outbox.length > 0;
  }

  /** Takes what the machine has sent since the last call, in the order of sending. */
  collect(): Message[] {
    const sent = this.#outbox;
    this.#outbox = [];
    return sent;
  }

  /** Hands over what will arrive. With `present` false the machine is off, or there is none: it is lost. */
  deliver(messages: readonly Message[], present: boolean): void {
    for (const { at, frame, up } of messages) {
      if (this.#inbox !== null && present) this.#inbox.add(at, { frame, up });
      else if (frame === null) this.#turn(up);
      else this.statistics.absent++;
    }
  }

  #arrive({ frame, up }: Arrival): void {
    if (frame === null) this.#turn(up);
    else if (!this.#up) this.statistics.linkDown++;
    else {
      this.statistics.received++;
      this.#card?.receive(frame);
    }
  }

  #turn(up: boolean): void {
    this.#up = up;
    this.#card?.link(up);
  }

  save(): SocketState {
    return {
      up: this.#up,
      outbox: [...this.#outbox],
      inbox: this.#inbox?.save() ?? null,
      statistics: { ...this.statistics },
    };
  }

  /** Restores what {@link save} gave, after the machine's clock. */
  restore(state: SocketState): void {
    this.#up = state.up;
    this.#outbox = [...state.outbox];
    if (state.inbox !== null) this.#inbox?.restore(state.inbox);
    this.statistics = { ...state.statistics };
  }
}
