/** A wire for tests: whatever one station sends all others receive, a little later, with faults from a seeded generator. */
import {
  Clock,
  decodeState,
  type EthernetCard,
  type EthernetPort,
  encodeState,
  type Nanoseconds,
  type Plain,
  Random,
  type Shape,
  us,
} from "@castaway/kit";

export type Faults = { loss?: number; duplication?: number; reordering?: number };

export class Wire {
  readonly clock = new Clock();
  /** All frames sent, with the station that sent them. */
  readonly sent: { from: number; frame: Uint8Array }[] = [];
  readonly #cards: (EthernetCard | null)[] = [];
  readonly #random: Random;
  readonly #faults: Faults;

  constructor(faults: Faults = {}, seed = 1) {
    this.#faults = faults;
    this.#random = new Random(seed);
  }

  /** One more station's port. */
  port(): EthernetPort {
    const station = this.#cards.push(null) - 1;
    return {
      connect: (card) => {
        this.#cards[station] = card;
        card?.link(true);
      },
      send: (frame) => {
        this.sent.push({ from: station, frame: frame.slice() });
        const { loss = 0, duplication = 0 } = this.#faults;
        if (this.#random.chance(loss)) return;
        this.#deliver(station, frame.slice());
        if (this.#random.chance(duplication)) this.#deliver(station, frame.slice());
      },
    };
  }

  /** Lets time pass. */
  run(time: Nanoseconds): void {
    this.clock.advanceTo(this.clock.now + time);
  }

  #deliver(from: number, frame: Uint8Array): void {
    const late = this.#random.chance(this.#faults.reordering ?? 0) ? us(1 + this.#random.below(3000)) : 0;
    const arrive = () => {
      for (const [station, card] of this.#cards.entries()) if (station !== from) card?.receive(frame);
    };
    this.clock.timer("wire", arrive).arm(us(10) + late);
  }
}

/** A saved state through its bytes and back. */
export const roundTrip = <T extends Plain>(shape: Shape<T>, state: T): T =>
  decodeState("test", 1, shape, encodeState("test", 1, state));

/** `frame` with some bytes changed, or cut short. */
export function mutate(random: Random, frame: Uint8Array): Uint8Array {
  const copy = frame.slice(0, random.chance(0.2) ? random.below(frame.length + 1) : frame.length);
  for (let n = random.below(4); n > 0 && copy.length > 0; n--) copy[random.below(copy.length)] = random.u32();
  return copy;
}
