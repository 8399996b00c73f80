/**
 * How fast to ask: the round-trip time as RFC 6298 estimates it, and a window that grows while answers come and is
 * halved when they do not (R11.3). Times are in nanoseconds.
 */

/** Before the first answer; at least, since a server's disk has to seek now and then; at most by backing off. */
const unknown: u64 = 250_000_000;
const least: u64 = 10_000_000;
const most: u64 = 8_000_000_000;

export class RoundTrip {
  smooth: u64 = 0;
  private deviation: u64 = 0;
  private backoff: u32 = 0;
  /** For the first time. */
  private floor: u64 = unknown;

  /** An answer has come after `time`. Every request has a tag of its own, so there is no doubt which one it answers. */
  sample(time: u64): void {
    this.backoff = 0;
    if (this.smooth === 0) {
      this.smooth = max<u64>(time, 1);
      this.deviation = time >> 1;
      return;
    }
    const error = time > this.smooth ? time - this.smooth : this.smooth - time;
    this.deviation += (error >> 2) - (this.deviation >> 2);
    this.smooth = max<u64>(this.smooth + (time >> 3) - (this.smooth >> 3), 1);
  }

  /** A target was found, which answers questions that need no disk after `time`. */
  restart(time: u64): void {
    this.backoff = 0;
    this.floor = max<u64>(unknown, 3 * time);
  }

  /** A silence: the next one is borne for twice as long. */
  slower(): void {
    if (this.backoff < 8) this.backoff++;
  }

  /** How long an answer takes at most, by all that is known. */
  get usual(): u64 {
    return this.smooth + max<u64>(this.deviation << 2, this.smooth >> 2);
  }

  /**
   * After which silence a request counts as lost. Twice the time, since a window that has doubled doubles the time of a
   * server that works on one request after the other.
   */
  get timeout(): u64 {
    const base = this.smooth === 0 ? this.floor : max<u64>(this.usual + this.smooth, least);
    return max<u64>(base, min<u64>(base << this.backoff, most));
  }
}

/** Window sizes are in 1/256 of a request. */
const one: u32 = 256;
const first: u32 = 2 * one;
const crowded: u64 = 250_000_000;

export class Window {
  private size: u32 = first;
  private threshold: u32 = u32.MAX_VALUE;
  private limit: u32 = one;
  /** Losses of requests before this number belong to a loss that has been answered for. */
  private recovered: u32 = 0;

  /** Starts anew, for a server that queues `buffers` requests. */
  open(buffers: u32): void {
    this.limit = buffers * one;
    this.size = min<u32>(first, this.limit);
    this.threshold = u32.MAX_VALUE;
  }

  /** The server has changed its mind. */
  bound(buffers: u32): void {
    this.limit = buffers * one;
    this.size = min<u32>(this.size, this.limit);
  }

  /** Requests that may be out. */
  get requests(): u32 {
    return this.size / one;
  }

  /** A request was answered in full. If answers take `time` that is long, more requests would only wait longer. */
  grow(time: u64): void {
    if (time > crowded) return;
    this.size += this.size < this.threshold ? one : (one * one) / this.size;
    this.size = min<u32>(this.size, this.limit);
  }

  /**
   * Request number `order` was lost; `next` is the number of the next one.
   * @returns whether it is a new loss: the requests that were out together are lost together
   */
  shrink(order: u32, next: u32): bool {
    if (<i32>(order - this.recovered) < 0) return false;
    this.recovered = next;
    this.size = max<u32>(this.size / 2, one);
    this.threshold = this.size;
    return true;
  }
}

/** Requests that were given up. An answer that comes after all tells how long answers take: nothing else would. */
export class GivenUp {
  private readonly tags: StaticArray<u32> = new StaticArray<u32>(64);
  private readonly sentAt: StaticArray<u64> = new StaticArray<u64>(64);
  private turn: u32 = 0;

  add(tag: u32, sentAt: u64): void {
    unchecked((this.tags[this.turn] = tag));
    unchecked((this.sentAt[this.turn] = sentAt));
    this.turn = (this.turn + 1) & 63;
  }

  /** When the request was sent, once; 0: it is not known. */
  take(tag: u32): u64 {
    for (let i: u32 = 0; i < 64; i++) {
      if (unchecked(this.tags[i]) !== tag) continue;
      unchecked((this.tags[i] = 0));
      return unchecked(this.sentAt[i]);
    }
    return 0;
  }
}
