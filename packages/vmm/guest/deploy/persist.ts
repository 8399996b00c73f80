/**
 * Keeps the bitmap on the disk, behind what the guest can address: in a host-protected area that the drive itself
 * enforces, now and after the VMM is gone (R6.4 to R6.6).
 *
 * A record is a chain of the VMM's commands that nothing comes between: FLUSH, so that what the bits say is true; show the
 * area; write what changed of the bitmap; FLUSH; hide the area. Its bits are chosen when the port is the VMM's and no
 * command of the guest's is on the device.
 *
 * R6.5: what the guest wrote must never be fetched over. So each write of the guest's to a block that is not recorded as
 * local, whoever made it local, asks for a record before the guest's next FLUSH ends.
 */
import { allocate } from "../memory.ts";
import { FLUSH_CACHE_EXT, READ_DMA_EXT, READ_NATIVE_MAX_EXT, SET_MAX_EXT, WRITE_DMA_EXT } from "../storage/ata.ts";
import { DiskRequest, DiskSink, Internal } from "../storage/internal.ts";
import { Blocks } from "./blocks.ts";
import { Durability } from "./durability.ts";
import {
  fingerprint,
  headerSpacing,
  Identity,
  isComplete,
  isMap,
  mapFrom,
  mapSectors,
  readHeader,
  recordSectors,
  sealMap,
  wordsOfSector,
  writeHeader,
} from "./format.ts";

const IDLE: u32 = 0;
const FLUSHING: u32 = 1;
const SHOWING: u32 = 2;
const SHOWN: u32 = 3;
const WRITING: u32 = 4;
const SETTLING: u32 = 5;
const HIDING: u32 = 6;
const HIDDEN: u32 = 7;
const READING_HEADERS: u32 = 8;
const READING_MAP: u32 = 9;
/** The bitmap becomes durable before the header that vouches for it is written. */
const SEALING: u32 = 10;

/** Nothing of this deployment was on the disk. */
export const FRESH: u32 = 1;
/** It goes on where it stood. */
export const RESUMED: u32 = 2;
/** It was over already. */
export const FINISHED: u32 = 3;
/** There is a header, and the bitmap is not whole: nobody knows what is the guest's. */
export const DAMAGED: u32 = 4;
/** The disk cannot keep a record. */
export const UNABLE: u32 = 5;

const mostFailures: u32 = 3;

class Chain extends DiskSink {
  owner: Persist | null = null;

  begin(_request: DiskRequest): bool {
    this.owner!.begins();
    return true;
  }

  done(request: DiskRequest, ok: bool): void {
    this.owner!.stepped(request, ok);
  }
}

export class Persist extends Durability {
  /** 0 until {@link load} has ended: FRESH to UNABLE. */
  found: u32 = 0;
  /** It failed too often, and is no longer tried: a reboot would lose what the guest wrote since. */
  broken: bool = false;
  records: u64 = 0;
  private readonly blocks: Blocks;
  private readonly internal: Internal;
  private readonly identity: Identity;
  private readonly request!: DiskRequest;
  /** One sector that is being moved; headers: two. */
  private readonly sector: usize;
  /** The last sector that the guest can address, and the last of all. */
  private readonly visibleMax: u64;
  private readonly nativeMax: u64;
  /** Bits that are on the disk, and those that this record brings there. */
  private readonly recorded: StaticArray<u64>;
  private readonly recording: StaticArray<u64>;
  private step: u32 = IDLE;
  /** What {@link found} will be. */
  private outcome: u32 = UNABLE;
  private loading: bool = false;
  private fresh: bool = false;
  private index: u32 = 0;
  private generation: u64 = 0;
  private markComplete: bool = false;
  /** This record says that all is local. */
  private sealing: bool = false;
  private completed: bool = false;
  private wanted: bool = false;
  private dirty: bool = false;
  private failed: bool = false;
  private failures: u32 = 0;
  /** It failed because the guest reset the link. */
  private cut: bool = false;

  /** @param visible sectors that the guest can address: the record is behind them */
  constructor(blocks: Blocks, internal: Internal, identity: Identity, visible: u64) {
    super();
    this.blocks = blocks;
    this.internal = internal;
    this.identity = identity;
    this.visibleMax = visible - 1;
    this.nativeMax = identity.nativeSectors - 1;
    this.sector = allocate((headerSpacing + 1) * 512, 512);
    this.recorded = new StaticArray<u64>(<i32>blocks.words);
    this.recording = new StaticArray<u64>(<i32>blocks.words);
    const chain = new Chain();
    chain.owner = this;
    this.request = new DiskRequest(chain);
    this.request.urgent = true;
  }

  /** Boot: looks for a record, takes over what it says, or begins one. Ends when {@link found} is set. */
  load(): void {
    if (this.nativeMax - this.visibleMax < recordSectors(this.blocks.words)) {
      this.found = UNABLE;
      return;
    }
    this.loading = true;
    this.start(SHOWING, READ_NATIVE_MAX_EXT);
  }

  isDurable(block: u32): bool {
    if (this.broken) return true;
    return ((unchecked(this.recorded[<i32>(block >> 6)]) >> (block & 63)) & 1) !== 0;
  }

  touched(block: u32): void {
    if (!this.isDurable(block)) this.dirty = true;
  }

  isSettled(): bool {
    return this.broken || (!this.dirty && this.step === IDLE);
  }

  want(): void {
    if (this.step !== IDLE) return; // who wants it asks again
    this.wanted = true;
    this.poll();
  }

  /** Every block is local: records that, once. @returns whether it is on the disk */
  complete(): bool {
    if (this.completed || this.broken) return true;
    this.markComplete = true;
    this.want();
    return false;
  }

  /** Goes on after a failure. */
  poll(): void {
    if (this.step !== IDLE || !this.wanted || this.broken || this.found === 0) return;
    this.wanted = false;
    this.start(FLUSHING, FLUSH_CACHE_EXT);
  }

  /** The port is the VMM's: what is local now is what the first FLUSH makes true. */
  begins(): void {
    if (this.step !== FLUSHING) return;
    for (let i: u32 = 0; i < this.blocks.words; i++) unchecked((this.recording[<i32>i] = this.blocks.word(i)));
    this.dirty = false;
    this.sealing = this.markComplete && this.blocks.complete;
  }

  stepped(request: DiskRequest, ok: bool): void {
    if (request.aborted) return this.repair();
    if (!ok) this.failed = true;
    switch (this.step) {
      case FLUSHING:
        return ok ? this.follow(SHOWING, READ_NATIVE_MAX_EXT) : this.end();
      case SHOWING:
        return this.setMax(SHOWN, this.nativeMax);
      case SHOWN:
        if (!ok) return this.follow(HIDING, READ_NATIVE_MAX_EXT);
        if (this.loading) return this.move(READING_HEADERS, READ_DMA_EXT, 0, headerSpacing + 1);
        this.index = 0;
        return this.writeNext();
      case READING_HEADERS:
        return ok ? this.recallHeaders() : this.follow(HIDING, READ_NATIVE_MAX_EXT);
      case READING_MAP:
        return ok ? this.recallMap() : this.follow(HIDING, READ_NATIVE_MAX_EXT);
      case WRITING:
        if (!ok) return this.follow(HIDING, READ_NATIVE_MAX_EXT);
        return this.writeNext();
      case SEALING:
        return ok ? this.seal() : this.follow(HIDING, READ_NATIVE_MAX_EXT);
      case SETTLING:
        return this.follow(HIDING, READ_NATIVE_MAX_EXT);
      case HIDING:
        return this.setMax(HIDDEN, this.visibleMax);
      default:
        return ok ? this.end() : this.stuck();
    }
  }

  /** The guest reset the link in the middle: the area may still be shown, so it is hidden before anything else. */
  private repair(): void {
    this.failed = true;
    this.cut = true;
    if (this.step === FLUSHING) return this.end();
    this.start(HIDING, READ_NATIVE_MAX_EXT);
  }

  /** The area cannot be hidden again: tried until it is. */
  private stuck(): void {
    this.start(HIDING, READ_NATIVE_MAX_EXT);
  }

  private end(): void {
    this.step = IDLE;
    if (this.loading) return this.loaded();
    if (this.failed) {
      this.failed = false;
      this.dirty = true;
      this.wanted = true;
      if (!this.cut) this.broken = ++this.failures >= mostFailures;
      this.cut = false;
      return;
    }
    this.failures = 0;
    this.records++;
    this.fresh = false;
    for (let i = 0; i < this.recorded.length; i++) unchecked((this.recorded[i] |= this.recording[i]));
    if (this.sealing) this.completed = true;
  }

  private loaded(): void {
    this.loading = false;
    this.found = this.failed ? UNABLE : this.outcome;
    this.failed = false;
    if (this.found === UNABLE || this.found === DAMAGED) this.broken = true;
    this.fresh = this.found === FRESH;
    if (this.fresh) this.want();
  }

  /** The record's next sector: what changed of the bitmap (all of it at first), then the header if it says anything new. */
  private writeNext(): void {
    const sectors = mapSectors(this.blocks.words);
    for (; this.index < sectors; this.index++) {
      if (!this.fillMap()) continue;
      this.move(WRITING, WRITE_DMA_EXT, mapFrom + this.index, 1);
      this.index++;
      return;
    }
    const header = this.index === sectors && (this.fresh || this.sealing);
    this.index++;
    this.follow(header ? SEALING : SETTLING, FLUSH_CACHE_EXT);
  }

  private seal(): void {
    this.generation++;
    writeHeader(this.sector, this.identity, this.generation, this.sealing);
    this.move(WRITING, WRITE_DMA_EXT, <u32>(this.generation & 1) * headerSpacing, 1);
  }

  /** @returns whether the bitmap's sector `index` differs from the disk's */
  private fillMap(): bool {
    let changed = this.fresh;
    const first = this.index * wordsOfSector;
    memory.fill(this.sector, 0, 512);
    for (let i: u32 = 0; i < wordsOfSector && first + i < this.blocks.words; i++) {
      const at = <i32>(first + i);
      const bits = unchecked(this.recording[at]) | unchecked(this.recorded[at]);
      if (bits !== unchecked(this.recorded[at])) changed = true;
      store<u64>(this.sector + ((<usize>i) << 3), bits);
    }
    if (changed) sealMap(this.sector, this.index, fingerprint(this.identity));
    return changed;
  }

  private recallHeaders(): void {
    const second = this.sector + headerSpacing * 512;
    const even = readHeader(this.sector, this.identity);
    const odd = readHeader(second, this.identity);
    this.generation = max<u64>(even, odd);
    if (this.generation === 0) {
      this.outcome = FRESH;
      return this.follow(HIDING, READ_NATIVE_MAX_EXT);
    }
    this.outcome = isComplete(odd > even ? second : this.sector) ? FINISHED : RESUMED;
    this.completed = this.outcome === FINISHED;
    this.index = 0;
    this.move(READING_MAP, READ_DMA_EXT, mapFrom, 1);
  }

  private recallMap(): void {
    if (!isMap(this.sector, this.index, fingerprint(this.identity))) {
      this.outcome = DAMAGED;
      return this.follow(HIDING, READ_NATIVE_MAX_EXT);
    }
    const first = this.index * wordsOfSector;
    for (let i: u32 = 0; i < wordsOfSector && first + i < this.blocks.words; i++) {
      const bits = load<u64>(this.sector + ((<usize>i) << 3));
      this.blocks.recall(first + i, bits);
      unchecked((this.recorded[<i32>(first + i)] = bits));
    }
    if (++this.index < mapSectors(this.blocks.words)) this.move(READING_MAP, READ_DMA_EXT, mapFrom + this.index, 1);
    else this.follow(HIDING, READ_NATIVE_MAX_EXT);
  }

  // Commands

  private start(step: u32, opcode: u32): void {
    this.fill(step, opcode, 0, 0, 0);
    this.internal.submit(this.request);
  }

  private follow(step: u32, opcode: u32): void {
    this.fill(step, opcode, 0, 0, 0);
    this.internal.submitNext(this.request);
  }

  /** Volatile: at power-on the drive is clipped again by itself. [ACS "SET MAX ADDRESS EXT"] */
  private setMax(step: u32, last: u64): void {
    this.fill(step, SET_MAX_EXT, last, 0, 0);
    this.internal.submitNext(this.request);
  }

  /** @param at sector of the record */
  private move(step: u32, opcode: u32, at: u32, sectors: u32): void {
    this.fill(step, opcode, this.visibleMax + 1 + at, sectors, sectors << 9);
    this.internal.submitNext(this.request);
  }

  private fill(step: u32, opcode: u32, lba: u64, sectors: u32, bytes: u32): void {
    const request = this.request;
    this.step = step;
    request.opcode = opcode;
    request.write = opcode === WRITE_DMA_EXT;
    request.lba = lba;
    request.sectors = sectors;
    request.buffer = this.sector;
    request.bytes = bytes;
  }
}
