/**
 * Blocks on their way from the image to the disk: a fixed pool. A block is at most once among them (rule 8), so
 * copy-on-read and background copy fetch it once.
 */
import { allocate } from "../memory.ts";
import { WRITE_DMA_EXT } from "../storage/ata.ts";
import { DiskRequest, DiskSink, Internal } from "../storage/internal.ts";
import { Blocks } from "./blocks.ts";
import { DiskRead, ImageSource, ReadSink } from "./fetch.ts";

export const FREE: u32 = 0;
/** To be fetched as soon as the network has room. */
export const WANTED: u32 = 1;
export const FETCHING: u32 = 2;
/** In memory, waiting for the disk. */
export const ARRIVED: u32 = 3;
/** Its write may be on the device. */
export const STORING: u32 = 4;

/** After so many failures the store is reported; it is still tried again. */
const reportAfter: u32 = 5;
const firstBackoff: u64 = 10_000_000;
const mostBackoff: u64 = 10_000_000_000;

export class Transfer {
  state: u32 = FREE;
  block: u32 = 0;
  /** A guest's command waits for it. */
  urgent: bool = false;
  /** A guest's write overtook it: what arrives is of no use (rule 4). */
  discard: bool = false;
  failures: u32 = 0;
  retryAt: u64 = 0;
  readonly buffer: usize;
  readonly read: DiskRead;
  readonly request!: DiskRequest;

  constructor(owner: Transfers, blockSectors: u32) {
    this.buffer = allocate((<usize>blockSectors) << 9, 4096);
    this.read = new DiskRead(blockSectors, owner);
    this.read.buffer = this.buffer;
    this.request = new DiskRequest(owner.stores);
  }
}

class Stores extends DiskSink {
  owner: Transfers | null = null;

  begin(request: DiskRequest): bool {
    return this.owner!.begin(request);
  }

  done(request: DiskRequest, ok: bool): void {
    this.owner!.stored(request, ok);
  }
}

export class Transfers extends ReadSink {
  readonly stores!: DiskSink;
  readonly pool!: StaticArray<Transfer>;
  /** Stores that failed too often: reported to the operator. */
  troubled: u32 = 0;
  fetched: u64 = 0;
  discarded: u64 = 0;
  private now: u64 = 0;
  /** Transfers that are not free: usually none, and then there is nothing to look through. */
  private used: u32 = 0;
  private readonly blocks: Blocks;
  private readonly source: ImageSource;
  private readonly internal: Internal;

  constructor(blocks: Blocks, source: ImageSource, internal: Internal, most: i32) {
    super();
    this.blocks = blocks;
    this.source = source;
    this.internal = internal;
    const stores = new Stores();
    stores.owner = this;
    this.stores = stores;
    this.pool = new StaticArray<Transfer>(most);
    for (let i = 0; i < most; i++) this.pool[i] = new Transfer(this, blocks.blockSectors);
  }

  /** @returns the transfer of the block, or null */
  of(block: u32): Transfer | null {
    if (this.used === 0) return null;
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      if (one.state !== FREE && one.block === block) return one;
    }
    return null;
  }

  /** How many there can be. */
  get most(): u32 {
    return <u32>this.pool.length;
  }

  /** How many go on by themselves: those that could not be stored, and rest, do not count. */
  get moving(): u32 {
    if (this.used === 0) return 0;
    let count: u32 = 0;
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      const rests = one.state === ARRIVED && one.failures > 0 && !one.request.queued;
      if (one.state !== FREE && !rests) count++;
    }
    return count;
  }

  get busy(): u32 {
    return this.used;
  }

  /**
   * Asks for an empty block. One that is on its way already becomes urgent if this is.
   * @returns false: there is no room, ask again
   */
  want(block: u32, urgent: bool): bool {
    let found = this.of(block);
    if (found === null) {
      found = this.free();
      if (found === null) return false;
      found.state = WANTED;
      this.used++;
      found.block = block;
      found.urgent = false;
      found.discard = false;
      found.failures = 0;
      found.retryAt = 0;
    }
    if (urgent) this.press(found);
    this.submit(found);
    return true;
  }

  /** A guest's write of the whole block goes to the device: it wins (rule 4). */
  overtaken(block: u32): void {
    const one = this.of(block);
    if (one === null) return;
    if (one.state === FETCHING) one.discard = true;
    else if (one.state === ARRIVED) {
      this.internal.withdraw(one.request);
      this.drop(one);
    } else if (one.state === WANTED) this.drop(one);
  }

  /** No guest's command waits for anything any more. */
  calm(): void {
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      one.urgent = false;
      one.request.urgent = false;
    }
  }

  /** Whether a write of the block may be on the device now. */
  isStoring(block: u32): bool {
    const one = this.of(block);
    return one !== null && one.state === STORING;
  }

  /** What could not be done before may be possible now. */
  poll(now: u64): void {
    this.now = now;
    if (this.used === 0) return;
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      if (one.state === WANTED) this.submit(one);
      else if (one.state === ARRIVED && !one.request.queued && now >= one.retryAt) this.queue(one);
    }
  }

  arrived(read: DiskRead): void {
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      if (one.read !== read || one.state !== FETCHING) continue;
      this.fetched += read.sectors;
      if (one.discard || this.blocks.isLocal(one.block)) return this.drop(one);
      fillHoles(read);
      one.state = ARRIVED;
      return this.queue(one);
    }
  }

  /**
   * The moment of rule 4: the write is about to be issued, and no guest command is on the device.
   * @returns false: there is nothing to store any more
   */
  begin(request: DiskRequest): bool {
    const one = this.owner(request);
    if (one === null) return true;
    if (this.blocks.isLocal(one.block)) {
      this.drop(one);
      return false;
    }
    one.state = STORING;
    return true;
  }

  stored(request: DiskRequest, ok: bool): void {
    const one = this.owner(request);
    if (one === null) return;
    if (ok) {
      this.blocks.setLocal(one.block);
      return this.drop(one);
    }
    one.state = ARRIVED;
    if (request.aborted) return this.queue(one); // by a reset of the guest's: nothing is wrong with the disk
    one.failures++;
    if (one.failures === reportAfter) this.troubled++;
    const backoff = firstBackoff << (<u64>min<u32>(one.failures, 16));
    one.retryAt = this.now + min<u64>(backoff, mostBackoff);
  }

  /** A guest's command waits for room: what takes it must not wait for the guest to be idle. */
  hurry(): void {
    for (let i = 0; i < this.pool.length; i++) this.press(unchecked(this.pool[i]));
  }

  private press(one: Transfer): void {
    one.urgent = true;
    one.request.urgent = true;
  }

  private owner(request: DiskRequest): Transfer | null {
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      if (one.request === request) return one;
    }
    return null;
  }

  private free(): Transfer | null {
    for (let i = 0; i < this.pool.length; i++) {
      const one = unchecked(this.pool[i]);
      if (one.state === FREE) return one;
    }
    return null;
  }

  private submit(one: Transfer): void {
    if (one.state !== WANTED) return;
    one.read.lba = this.blocks.firstSector(one.block);
    one.read.sectors = this.blocks.sectorsOf(one.block);
    one.state = FETCHING;
    if (this.source.submit(one.read)) this.source.wake();
    else one.state = WANTED;
  }

  private queue(one: Transfer): void {
    const request = one.request;
    request.opcode = WRITE_DMA_EXT;
    request.write = true;
    request.lba = one.read.lba;
    request.sectors = one.read.sectors;
    request.buffer = one.buffer;
    request.bytes = one.read.sectors << 9;
    request.urgent = one.urgent;
    this.internal.submit(request);
  }

  private drop(one: Transfer): void {
    if (one.discard) this.discarded++;
    if (one.state !== FREE) this.used--;
    one.state = FREE;
  }
}

/** Sectors that were not sent are zeros. */
function fillHoles(read: DiskRead): void {
  for (let i: u32 = 0; i < read.sectors; i++) {
    const word = unchecked(read.holes[<i32>(i >> 6)]);
    if (((word >> (i & 63)) & 1) !== 0) memory.fill(read.buffer + ((<usize>i) << 9), 0, 512);
  }
}
