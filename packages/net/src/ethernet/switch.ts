/**
 * A learning switch [802.1D 7]: it takes a frame in full, learns where its sender is, and sends it to where the receiver
 * is, or everywhere. Queues and bandwidth are those of the links that are plugged in.
 *
 *     const lan = new Switch({ clock, name: "lan", ports: 8 });
 *     lan.attach(cable.a);
 */
import {
  type Clock,
  ConfigError,
  type EthernetCard,
  join32,
  list,
  type Nanoseconds,
  natural,
  readBig,
  record,
  type StateOf,
  seconds,
} from "@castaway/kit";
import type { LinkEnd } from "./link.ts";
import { Stations } from "./stations.ts";

export type SwitchOptions = {
  /** Sockets, 1 to 1024. Default 8. */
  readonly ports?: number;
  /** Stations that it remembers, 0 to 65,536; 0 makes it a hub. Default 1,024. */
  readonly table?: number;
  /** How long a silent station is remembered, in ns. Default 300 s. [802.1D 7.9.2] */
  readonly ageing?: Nanoseconds;
};

/** Counters of one port; docs/network.md says when each counts. */
export const switchPortStatistics = record({
  received: natural,
  forwarded: natural,
  flooded: natural,
  filtered: natural,
  learned: natural,
  moved: natural,
  tableFull: natural,
  badSource: natural,
  reserved: natural,
});
export type SwitchPortStatistics = StateOf<typeof switchPortStatistics>;

const station = record({ address: natural, port: natural, seen: natural });
export const switchState = record({ stations: list(station), statistics: list(switchPortStatistics) });
export type SwitchState = StateOf<typeof switchState>;

/** 01-80-C2-00-00-00 to -0F: between neighbours, pause frames among them; never forwarded. [802.1D 7.12.6] */
const reserved = 0x0180c200000;

export class Switch {
  readonly name: string;
  readonly #clock: Clock;
  readonly #slots: (LinkEnd | null)[];
  readonly #ageing: Nanoseconds;
  readonly #stations: Stations;
  statistics: SwitchPortStatistics[];

  /** @throws ConfigError that says which option is out of range */
  constructor({ clock, name, ports = 8, table = 1024, ageing = seconds(300) }: SwitchOptions & SwitchEnv) {
    within("ports", ports, 1, 1024);
    within("table", table, 0, 65_536);
    within("ageing", ageing, 1, Number.MAX_SAFE_INTEGER);
    this.name = name;
    this.#clock = clock;
    this.#slots = new Array(ports).fill(null);
    this.#ageing = ageing;
    this.#stations = new Stations(table);
    this.statistics = this.#slots.map(() => ({
      received: 0,
      forwarded: 0,
      flooded: 0,
      filtered: 0,
      learned: 0,
      moved: 0,
      tableFull: 0,
      badSource: 0,
      reserved: 0,
    }));
  }

  /** Plugs a cable into the next free socket. @returns the socket's number, from 0 @throws ConfigError if all are taken */
  attach(end: LinkEnd): number {
    const port = this.#slots.indexOf(null);
    if (port < 0) throw new ConfigError(this.name, "one more cable", `${this.#slots.length} ports`);
    this.#slots[port] = end;
    const card: EthernetCard = {
      receive: (frame) => this.#receive(frame, port),
      link: (up) => {
        if (!up) this.#stations.forgetPort(port);
      },
    };
    end.connect(card);
    return port;
  }

  /** The stations that it remembers: address as 12 hexadecimal digits, port, and when it was heard last. */
  get stations(): { address: string; port: number; seen: Nanoseconds }[] {
    this.#age();
    return this.#stations.all.map(({ address, ...at }) => ({ address: address.toString(16).padStart(12, "0"), ...at }));
  }

  #receive(frame: Uint8Array, port: number): void {
    const counts = this.statistics[port];
    counts.received++;
    const to = addressAt(frame, 0);
    const from = addressAt(frame, 6);
    if ((frame[6] & 1) !== 0 || from === 0) counts.badSource++;
    else if (Math.floor(to / 16) === reserved) counts.reserved++;
    else {
      this.#age();
      this.#learn(from, port, counts);
      this.#forward(frame, to, port, counts);
    }
  }

  #learn(address: number, port: number, counts: SwitchPortStatistics): void {
    const news = this.#stations.hear(address, port, this.#clock.now);
    if (news === "learned" || news === "moved") counts[news]++;
    else if (news === "full") counts.tableFull++;
  }

  #forward(frame: Uint8Array, to: number, port: number, counts: SwitchPortStatistics): void {
    const known = (frame[0] & 1) === 0 ? this.#stations.portOf(to) : undefined;
    if (known === port) counts.filtered++;
    else if (known !== undefined) {
      counts.forwarded++;
      this.#slots[known]?.pass(frame);
    } else {
      counts.flooded++;
      for (const [n, end] of this.#slots.entries()) if (n !== port) end?.pass(frame);
    }
  }

  /** Forgets who has been silent for too long. */
  #age(): void {
    this.#stations.forgetUntil(this.#clock.now - this.#ageing);
  }

  save(): SwitchState {
    return {
      stations: this.#stations.all,
      statistics: this.statistics.map((counts) => ({ ...counts })),
    };
  }

  restore(state: SwitchState): void {
    this.#stations.all = state.stations.filter(({ port }) => port < this.#slots.length);
    this.statistics = this.statistics.map((counts, port) => ({ ...(state.statistics[port] ?? counts) }));
  }
}

export type SwitchEnv = { readonly clock: Clock; readonly name: string };

const addressAt = (frame: Uint8Array, at: number): number => join32(readBig(frame, at, 2), readBig(frame, at + 2, 4));

function within(setting: string, value: number, least: number, most: number): void {
  if (!(Number.isSafeInteger(value) && value >= least && value <= most))
    throw new ConfigError(setting, value, `${least} to ${most}`);
}
