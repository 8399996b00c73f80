/**
 * Who has which MAC address: the cache of a host's ARP [RFC 826, RFC 1122 2.3.2]. Packets for an unknown neighbour wait
 * while it is asked for; entries age; everything is bounded, the oldest goes first.
 */
import {
  bytes,
  type Clock,
  list,
  ms,
  natural,
  record,
  type StateOf,
  seconds,
  type Timer,
  timerState,
  u32,
} from "@castaway/kit";

export const neighboursState = record({
  known: list(record({ ip: u32, mac: natural, expires: natural })),
  sought: list(record({ ip: u32, tries: natural, due: natural, queue: list(bytes()) })),
  timer: timerState,
});
export type NeighboursState = StateOf<typeof neighboursState>;

/** How many neighbours are known at most, how many are sought at once, how many packets wait for each. */
const limits = { known: 256, sought: 32, queue: 16 };
const lifetime = seconds(300);
const retryAfter = ms(250);
const tries = 4;

export type NeighboursEnv = {
  readonly clock: Clock;
  /** Asks all stations for the owner of `ip`. */
  ask(ip: number): void;
  /** Sends a packet that waited. */
  transmit(mac: number, packet: Uint8Array): void;
  /** So many packets will never be sent. */
  lose(reason: "arp unresolved" | "arp queue full", packets: number): void;
};

type Sought = { tries: number; due: number; queue: Uint8Array[] };

export class Neighbours {
  readonly #env: NeighboursEnv;
  /** The one heard of last at the end. */
  readonly #known = new Map<number, { mac: number; expires: number }>();
  readonly #sought = new Map<number, Sought>();
  readonly #timer: Timer;

  constructor(env: NeighboursEnv) {
    this.#env = env;
    this.#timer = env.clock.timer("host.arp", () => this.#retry());
  }

  /** How many are known; those that aged since may count. */
  get size(): number {
    return this.#known.size;
  }

  /** The MAC address of `ip` if it is known. */
  find(ip: number): number | null {
    const entry = this.#known.get(ip);
    if (entry === undefined) return null;
    if (entry.expires > this.#env.clock.now) return entry.mac;
    this.#known.delete(ip);
    return null;
  }

  /** `ip` was heard of: whatever waited for it leaves. */
  learn(ip: number, mac: number): void {
    this.#known.delete(ip);
    if (this.#known.size >= limits.known) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(ip, { mac, expires: this.#env.clock.now + lifetime });
    const sought = this.#sought.get(ip);
    if (sought === undefined) return;
    this.#sought.delete(ip);
    this.#schedule();
    for (const packet of sought.queue) this.#env.transmit(mac, packet);
  }

  /** Sends `packet` to `ip`: now, or when its MAC address is known. The packet is kept. */
  deliver(ip: number, packet: Uint8Array): void {
    const mac = this.find(ip);
    if (mac !== null) return this.#env.transmit(mac, packet);
    const sought = this.#sought.get(ip);
    if (sought !== undefined) {
      if (sought.queue.length < limits.queue) sought.queue.push(packet);
      else this.#env.lose("arp queue full", 1);
      return;
    }
    if (this.#sought.size >= limits.sought) return this.#env.lose("arp queue full", 1);
    this.#sought.set(ip, { tries: 1, due: this.#env.clock.now + retryAfter, queue: [packet] });
    this.#schedule();
    this.#env.ask(ip);
  }

  save(): NeighboursState {
    return {
      known: [...this.#known].map(([ip, entry]) => ({ ip, ...entry })),
      sought: [...this.#sought].map(([ip, { tries, due, queue }]) => ({ ip, tries, due, queue: [...queue] })),
      timer: this.#timer.save(),
    };
  }

  restore(state: NeighboursState): void {
    this.#known.clear();
    for (const { ip, mac, expires } of state.known) this.#known.set(ip, { mac, expires });
    this.#sought.clear();
    for (const { ip, tries, due, queue } of state.sought) this.#sought.set(ip, { tries, due, queue: [...queue] });
    this.#timer.restore(state.timer);
  }

  /** Asks again for those that have not answered in time, and gives up on those asked for often enough. */
  #retry(): void {
    const now = this.#env.clock.now;
    const late = [...this.#sought].filter(([, sought]) => sought.due <= now);
    for (const [ip, sought] of late) {
      if (sought.tries >= tries) {
        this.#sought.delete(ip);
        this.#env.lose("arp unresolved", sought.queue.length);
        continue;
      }
      sought.tries++;
      sought.due = now + retryAfter;
      this.#env.ask(ip);
    }
    this.#schedule();
  }

  #schedule(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#sought.values()) next = Math.min(next, due);
    if (next === Number.POSITIVE_INFINITY) this.#timer.disarm();
    else this.#timer.armAt(next);
  }
}
