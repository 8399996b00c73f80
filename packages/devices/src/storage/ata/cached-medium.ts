/**
 * The medium behind a drive's volatile write cache. Writes reach the medium at once, so that reads and the host's other
 * users of it see them; until the guest flushes, the cache remembers what was there before, and a power cut puts some of
 * that back. A sector that was written twice without a flush so ends up with its first or its last contents.
 */
import { type BlockDevice, bytes, list, natural, Probe, type Random, record, type StateOf } from "@castaway/kit";

/** A medium that can forget sectors, which then read as zeros: what TRIM asks for. */
export interface Discardable {
  /** @returns false if the medium failed */
  discard(lba: number, sectors: number): boolean;
}

const canDiscard = (medium: BlockDevice): medium is BlockDevice & Discardable =>
  typeof (medium as Partial<Discardable>).discard === "function";

/** The medium, or the host under it, did not do what it was asked to: for the user; the guest sees a drive error. */
export type MediumFailure = { operation: "read" | "write" | "flush" | "discard"; lba: number; sectors: number };

/** The medium holds something new. `data` is borrowed; null: the sectors read as zeros, by TRIM. */
export type MediumWrite = { lba: number; sectors: number; data: Uint8Array | null };

export const cachedMediumState = record({ unflushed: list(record({ lba: natural, before: bytes() })) });
export type CachedMediumState = StateOf<typeof cachedMediumState>;

export class CachedMedium {
  readonly failures = new Probe<MediumFailure>("medium failures");
  /** What commands have stored; what a power cut takes back is not among it. */
  readonly writes = new Probe<MediumWrite>("sectors stored");
  readonly sectorSize: number;
  readonly sectors: number;
  readonly #medium: BlockDevice;
  /** How many sectors may be unflushed; beyond that the oldest are on the medium for good. */
  readonly #capacity: number;
  /** What an unflushed sector held before, the oldest write first. */
  readonly #unflushed = new Map<number, Uint8Array>();

  /** @param capacity of the write cache in bytes */
  constructor(medium: BlockDevice, capacity: number) {
    this.#medium = medium;
    this.sectorSize = medium.sectorSize;
    this.sectors = medium.sectors;
    this.#capacity = Math.floor(capacity / medium.sectorSize);
  }

  /** Whether TRIM has a meaning. */
  get discards(): boolean {
    return canDiscard(this.#medium);
  }

  /** How many sectors a power cut could lose. */
  get unflushed(): number {
    return this.#unflushed.size;
  }

  /** @returns how many sectors, from the first on, were read before one failed */
  read(lba: number, into: Uint8Array): number {
    return this.#each("read", lba, into, (at, piece) => this.#medium.read(at, piece));
  }

  /**
   * @param durable whether the sectors must survive a power cut from now on
   * @returns how many sectors, from the first on, were written before one failed
   */
  write(lba: number, from: Uint8Array, durable: boolean): number {
    if (!durable) this.#remember(lba, from.length / this.sectorSize);
    const good = this.#each("write", lba, from, (at, piece) => this.#medium.write(at, piece));
    if (good > 0 && this.writes.active)
      this.writes.emit({ lba, sectors: good, data: from.subarray(0, good * this.sectorSize) });
    if (!durable) return good;
    for (let i = 0; i < good; i++) this.#unflushed.delete(lba + i);
    return this.#flushMedium() ? good : 0;
  }

  /** Everything written so far survives a power cut. @returns false if the medium failed */
  flush(): boolean {
    if (!this.#flushMedium()) return false;
    this.#unflushed.clear();
    return true;
  }

  /** The sectors read as zeros from now on. @returns false if the medium failed or cannot */
  discard(lba: number, sectors: number): boolean {
    const medium = this.#medium;
    if (!canDiscard(medium) || !medium.discard(lba, sectors)) {
      this.failures.emit({ operation: "discard", lba, sectors });
      return false;
    }
    for (const at of this.#unflushed.keys()) if (at >= lba && at < lba + sectors) this.#unflushed.delete(at);
    if (this.writes.active) this.writes.emit({ lba, sectors, data: null });
    return true;
  }

  /**
   * The power fails: a subset of the unflushed sectors, chosen by `random`, falls back to what was there before.
   * Some cuts lose nothing, some everything, some the newest, some any.
   * @returns the sectors that were lost, in order of their addresses
   */
  powerCut(random: Random): number[] {
    const written = [...this.#unflushed.keys()];
    const how = random.pick(["none", "all", "newest", "any", "any"] as const);
    const kept = random.below(written.length + 1);
    const lost = written.filter((_, age) => {
      if (how === "any") return random.chance(0.5);
      return how === "all" || (how === "newest" && age >= kept);
    });
    for (const lba of lost) this.#medium.write(lba, this.#unflushed.get(lba)!);
    this.#unflushed.clear();
    return lost.sort((a, b) => a - b);
  }

  /** What a restored drive has to know about its cache. The medium's contents are saved by whoever owns the medium. */
  save(): CachedMediumState {
    return { unflushed: Array.from(this.#unflushed, ([lba, before]) => ({ lba, before: before.slice() })) };
  }

  restore(state: CachedMediumState): void {
    this.#unflushed.clear();
    for (const { lba, before } of state.unflushed) this.#unflushed.set(lba, before.slice());
  }

  #flushMedium(): boolean {
    if (this.#medium.flush()) return true;
    this.failures.emit({ operation: "flush", lba: 0, sectors: this.sectors });
    return false;
  }

  /** Keeps what `sectors` from `lba` on hold now, as far as the cache does not know an older content. */
  #remember(lba: number, sectors: number): void {
    const size = this.sectorSize;
    let held: Uint8Array | undefined;
    for (let i = 0; i < sectors; i++) {
      if (this.#unflushed.has(lba + i)) continue;
      if (held === undefined) {
        held = new Uint8Array(sectors * size);
        if (!this.#medium.read(lba, held)) return; // unreadable: there is nothing to fall back to
      }
      this.#unflushed.set(lba + i, held.slice(i * size, (i + 1) * size));
    }
    for (const oldest of this.#unflushed.keys()) {
      if (this.#unflushed.size <= this.#capacity) break;
      this.#unflushed.delete(oldest);
    }
  }

  /** All at once; if that fails, one by one, to find the first sector that does. */
  #each(
    operation: "read" | "write",
    lba: number,
    data: Uint8Array,
    access: (lba: number, piece: Uint8Array) => boolean,
  ): number {
    const sectors = data.length / this.sectorSize;
    if (access(lba, data)) return sectors;
    let good = 0;
    while (good < sectors) {
      const piece = data.subarray(good * this.sectorSize, (good + 1) * this.sectorSize);
      if (!access(lba + good, piece)) break;
      good++;
    }
    if (good < sectors) this.failures.emit({ operation, lba: lba + good, sectors: 1 });
    return good;
  }
}
