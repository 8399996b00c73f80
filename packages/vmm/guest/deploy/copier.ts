/**
 * Background copy (R8.19): fetches what is still empty, beginning near the guest's last access, only while the guest
 * leaves its disk alone, and a limited number of blocks at once. Who asks often is left alone for longer.
 */
import { CopyChoice, CopyPolicy } from "../api/disk.ts";
import { Redirect } from "../storage/redirect.ts";
import { Blocks } from "./blocks.ts";
import { Transfers } from "./transfers.ts";

/** Copies forward from where the guest was last. */
export class NearGuest extends CopyPolicy {
  private readonly redirect: Redirect;
  private last: u32 = 0;
  private cursor: u32 = 0;

  constructor(redirect: Redirect) {
    super();
    this.redirect = redirect;
  }

  next(blocks: Blocks, _now: u64): i64 {
    if (this.redirect.lastBlock !== this.last) {
      this.last = this.redirect.lastBlock;
      this.cursor = this.last;
    }
    const block = blocks.nextEmpty(this.cursor);
    if (block >= 0) this.cursor = <u32>block + 1;
    return block;
  }
}

export class Copier {
  /** The guest's disk must have been idle for so long, in nanoseconds. */
  idleInterval: u64 = 2_000_000;
  /** Blocks on their way at once. */
  chunk: u32 = 8;
  /** From one look to the next. */
  pause: u64 = 0;
  /** Above so many commands in {@link window} the guest counts as busy: the idle interval is eight times as long. */
  busyCommands: u32 = 64;
  readonly window: u64 = 100_000_000;
  readonly choice: CopyChoice;
  private readonly blocks: Blocks;
  private readonly transfers: Transfers;
  private readonly redirect: Redirect;
  private known: u64 = 0;
  private lastSeen: u64 = 0;
  private windowFrom: u64 = 0;
  private windowCount: u64 = 0;
  private busy: bool = false;
  private startedAt: u64 = 0;

  constructor(blocks: Blocks, transfers: Transfers, redirect: Redirect) {
    this.blocks = blocks;
    this.transfers = transfers;
    this.redirect = redirect;
    this.choice = new CopyChoice(new NearGuest(redirect));
  }

  poll(now: u64): void {
    this.watch(now);
    const interval = this.busy ? this.idleInterval << 3 : this.idleInterval;
    if (now - this.lastSeen < interval || now - this.startedAt < this.pause) return;
    const most = min<u32>(this.chunk, (this.transfers.most + 1) >> 1); // the rest is for the guest's reads
    const moving = this.transfers.moving;
    if (this.blocks.complete || moving >= most) return;
    this.startedAt = now;
    for (let i = moving; i < most; i++) {
      const block = this.choice.policy.next(this.blocks, now);
      if (block < 0 || <u64>block >= this.blocks.count || this.blocks.isLocal(block)) return;
      if (!this.transfers.want(<u32>block, false)) return;
    }
  }

  /** When it wants to look again. */
  dueAt(now: u64): u64 {
    return now + min<u64>(this.idleInterval, 1_000_000);
  }

  /** How often the guest asks. */
  private watch(now: u64): void {
    const seen = this.redirect.seenCommands;
    if (seen !== this.known) this.lastSeen = now;
    this.windowCount += seen - this.known;
    this.known = seen;
    if (now - this.windowFrom < this.window) return;
    this.busy = this.windowCount > this.busyCommands;
    this.windowFrom = now;
    this.windowCount = 0;
  }
}
