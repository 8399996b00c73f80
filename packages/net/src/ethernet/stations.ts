/**
 * A switch's table: which station is behind which port, in the order in which they were heard. The order is a chain through
 * the entries, so that hearing one more frame and ageing cost the same however many stations there are.
 */
import type { Nanoseconds } from "@castaway/kit";

export type Station = { readonly address: number; readonly port: number; readonly seen: Nanoseconds };

class Entry {
  readonly address: number;
  port = 0;
  seen: Nanoseconds = 0;
  /** Those that were heard just before and after it. The chain's own entry closes it to a ring. */
  older: Entry = this;
  newer: Entry = this;

  constructor(address: number) {
    this.address = address;
  }

  remove(): void {
    this.older.newer = this.newer;
    this.newer.older = this.older;
  }

  putBefore(newer: Entry): void {
    this.newer = newer;
    this.older = newer.older;
    this.older.newer = this;
    newer.older = this;
  }
}

export class Stations {
  readonly #most: number;
  readonly #byAddress = new Map<number, Entry>();
  /** No station: it stands after the newest and before the oldest. */
  readonly #end = new Entry(0);

  /** @param most how many are remembered */
  constructor(most: number) {
    this.#most = most;
  }

  /** The port of a station, if it is known. */
  portOf(address: number): number | undefined {
    return this.#byAddress.get(address)?.port;
  }

  /** A station was heard. @returns what that says of it; "full": there is no room to remember it */
  hear(address: number, port: number, now: Nanoseconds): "learned" | "moved" | "known" | "full" {
    let entry = this.#byAddress.get(address);
    const news = entry === undefined ? "learned" : entry.port !== port ? "moved" : "known";
    if (entry !== undefined) entry.remove();
    else {
      if (this.#byAddress.size >= this.#most) return "full";
      entry = new Entry(address);
      this.#byAddress.set(address, entry);
    }
    entry.port = port;
    entry.seen = now;
    entry.putBefore(this.#end);
    return news;
  }

  /** Forgets who was heard at `time` or before. */
  forgetUntil(time: Nanoseconds): void {
    let oldest = this.#end.newer;
    for (; oldest !== this.#end && oldest.seen <= time; oldest = oldest.newer) this.#forget(oldest);
  }

  /** Forgets who is behind `port`. */
  forgetPort(port: number): void {
    for (const entry of this.#byAddress.values()) if (entry.port === port) this.#forget(entry);
  }

  #forget(entry: Entry): void {
    entry.remove();
    this.#byAddress.delete(entry.address);
  }

  /** All of them, who was heard last at the end; from now on, if given, those in their place. */
  get all(): Station[] {
    const stations: Station[] = [];
    for (let entry = this.#end.newer; entry !== this.#end; entry = entry.newer) {
      const { address, port, seen } = entry;
      stations.push({ address, port, seen });
    }
    return stations;
  }
  set all(stations: readonly Station[]) {
    for (const entry of this.#byAddress.values()) this.#forget(entry);
    for (const { address, port, seen } of stations) this.hear(address, port, seen);
  }
}
