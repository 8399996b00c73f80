/** The reads under way: which of their sectors have come, and which are to be asked for. */
import { DiskRead } from "../deploy/fetch.ts";
import { clearBits, countSet, firstClear, firstSet, setBits } from "./bits.ts";

export class ActiveRead {
  read: DiskRead | null = null;
  /** Their order: the oldest is served first. */
  order: u64 = 0;
  /** Plain reads only: the server could not do an extended one here. */
  plain: bool = false;
  /** After an error it rests until then, ever longer. */
  restUntil: u64 = 0;
  private errors: u32 = 0;
  private sectors: u32 = 0;
  private missing: u32 = 0;
  /** No sector before it is needed. */
  private cursor: u32 = 0;
  private readonly needed: StaticArray<u64>;
  private readonly arrived: StaticArray<u64>;

  constructor(most: u32) {
    this.needed = new StaticArray<u64>(<i32>((most + 63) >> 6));
    this.arrived = new StaticArray<u64>(<i32>((most + 63) >> 6));
  }

  begin(read: DiskRead, order: u64): void {
    this.read = read;
    this.order = order;
    this.plain = false;
    this.restUntil = 0;
    this.errors = 0;
    this.sectors = this.missing = read.sectors;
    this.cursor = 0;
    clearBits(this.arrived, 0, read.sectors);
    setBits(this.needed, 0, read.sectors);
    clearBits(read.holes, 0, read.sectors);
  }

  end(): void {
    this.read = null;
    this.missing = 0;
  }

  get complete(): bool {
    return this.missing === 0;
  }

  /** The first sector to ask for; {@link run} says whether there is one. */
  get first(): u32 {
    this.cursor = firstSet(this.needed, this.cursor, this.sectors);
    return this.cursor;
  }

  /** How many sectors in a row are to be asked for from `first` on, at most `most`; 0: none. */
  run(first: u32, most: u32): u32 {
    if (first >= this.sectors) return 0;
    return firstClear(this.needed, first, min<u32>(first + most, this.sectors)) - first;
  }

  ask(first: u32, count: u32): void {
    clearBits(this.needed, first, count);
  }

  /** A request is given up: what has not come of it is asked for again. @returns how many sectors */
  askAgain(first: u32, count: u32): u32 {
    let again: u32 = 0;
    const end = first + count;
    for (let at = firstClear(this.arrived, first, end); at < end; at = firstClear(this.arrived, at, end)) {
      const stop = firstSet(this.arrived, at, end);
      setBits(this.needed, at, stop - at);
      again += stop - at;
      at = stop;
    }
    if (again > 0 && first < this.cursor) this.cursor = first;
    return again;
  }

  /** Sectors of these that have not come yet. */
  lacks(first: u32, count: u32): u32 {
    return count - countSet(this.arrived, first, count);
  }

  /** Sectors have come, or are known to be zero. */
  take(first: u32, count: u32, hole: bool): void {
    this.missing -= this.lacks(first, count);
    setBits(this.arrived, first, count);
    clearBits(this.needed, first, count);
    if (hole) setBits(this.read!.holes, first, count);
    else clearBits(this.read!.holes, first, count);
  }

  /** The server said an error: 100 ms at first, at most 3.2 s. */
  rest(now: u64): void {
    this.restUntil = now + ((<u64>100_000_000) << this.errors);
    if (this.errors < 5) this.errors++;
  }
}

/** A request for sectors that is out. */
export class Request {
  tag: u32 = 0;
  /** Which of the reads it is for; null: it is not out. */
  of: ActiveRead | null = null;
  /** Its number: later ones have greater ones. */
  order: u32 = 0;
  first: u32 = 0;
  sectors: u32 = 0;
  extended: bool = false;
  /** Sectors that a frame could carry when it was sent. */
  perFrame: u32 = 0;
  /** Receive buffers that its answer takes. */
  buffers: u32 = 0;
  sentAt: u64 = 0;
  /** When it was sent, or its last fragment came. */
  heardAt: u64 = 0;
  heard: bool = false;
  /** How many fragments there are, by the first that came; and whether the last one has come. */
  total: u32 = 0;
  ended: bool = false;
  /** How many that were sent later have been answered. */
  overtaken: u32 = 0;
}
