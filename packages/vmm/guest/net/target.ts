/**
 * The AoE target: finding it, and asking it what it can (R11.1). Three questions in turn, each asked again until it is
 * answered: Query Config by broadcast, IDENTIFY DEVICE, and an extended read of no sectors.
 */
import { allocate } from "../memory.ts";
import { physRead8, physRead16, physRead64 } from "../x86.ts";
import { E1000 } from "./e1000.ts";
import {
  ATA_DATA,
  ATA_STATUS,
  BROADCAST,
  byteAt,
  COMMAND,
  COMMAND_ATA,
  COMMAND_CONFIG,
  COMMAND_EXTENDED,
  CONFIG_BUFFERS,
  CONFIG_COMMAND,
  CONFIG_HEADER,
  CONFIG_SECTORS,
  ERRS,
  EVERY_SHELF,
  EVERY_SLOT,
  EXTENDED_DATA,
  EXTENDED_SECTORS,
  EXTENDED_TOTAL,
  FLAGS,
  FROM,
  isGood,
  MAJOR,
  MINOR,
  readBig16,
  readBig32,
  readBig48,
  SHORTEST,
  writeAta,
  writeConfig,
  writeExtended,
  writeHeader,
} from "./frame.ts";
import { RoundTrip } from "./pace.ts";
import { netStatistics } from "./statistics.ts";

/** A tag's low bits say whose it is, the rest never comes again while anybody remembers it (R11.2). */
export const TAG_BITS: u32 = 6;
export const REQUESTS: u32 = 56;
const QUERIES: u32 = (1 << TAG_BITS) - REQUESTS;

export class Tags {
  private generation: u32 = 0;

  /** Answers to a system that ran here before are not taken for ours. */
  begin(now: u64): void {
    this.generation = <u32>(now ^ (now >> 20));
  }

  next(slot: u32): u32 {
    this.generation++;
    if (this.generation << TAG_BITS === 0) this.generation++; // tag 0 is for what a server says unasked
    return (this.generation << TAG_BITS) | slot;
  }
}

// What is being asked.
export const NOTHING: u32 = 0;
const CONFIG: u32 = 1;
const IDENTIFY: u32 = 2;
const PROBE: u32 = 3;

const IDENTIFY_DEVICE: u32 = 0xec;
const firstInterval: u64 = 100_000_000;
const leastInterval: u64 = 20_000_000;
const mostInterval: u64 = 1_000_000_000;
/** How long others than the first may answer a question to all. */
const auditionTime: u64 = 50_000_000;
/** A server that says nothing to an extended read so often does not know it. */
const mostProbes: u32 = 4;
const mostExtended: u32 = 2048;

/** A question that was sent. The last few are remembered, since a slow server answers when the next was sent. */
class Query {
  tag: u32 = 0;
  kind: u32 = NOTHING;
  sentAt: u64 = 0;
}

export class Target {
  shelf: u32 = EVERY_SHELF;
  slot: u32 = EVERY_SLOT;
  mac: u64 = 0;
  /** Messages that it queues, sectors that its frames carry, sectors of an extended read (0: it knows none). */
  buffers: u32 = 0;
  sectorCount: u32 = 0;
  extended: u32 = 0;
  /** The disk's size; 0: not known yet. */
  sectors: u64 = 0;
  /** 20 characters of the disk's serial number. */
  readonly serial: usize = allocate(20, 8);
  asking: u32 = NOTHING;
  private readonly card: E1000;
  private readonly tags: Tags;
  private readonly trip: RoundTrip = new RoundTrip();
  private readonly queries: StaticArray<Query> = new StaticArray<Query>(QUERIES);
  private turn: u32 = 0;
  private due: u64 = 0;
  private interval: u64 = firstInterval;
  private asked: u32 = 0;
  /** When the audition of all who answer ends; 0: nobody has answered. */
  private decideAt: u64 = 0;

  constructor(card: E1000, tags: Tags) {
    this.card = card;
    this.tags = tags;
    for (let i: u32 = 0; i < QUERIES; i++) this.queries[i] = new Query();
  }

  /** How long it takes to answer a question, in ns; 0 before it was found. */
  get time(): u64 {
    return this.trip.smooth;
  }

  /** Looks for it from now on. */
  find(now: u64): void {
    netStatistics.discoveries++;
    this.decideAt = 0;
    this.ask(CONFIG, now);
  }

  poll(now: u64): void {
    if (this.asking === NOTHING) return;
    if (this.decideAt !== 0 && now >= this.decideAt) return this.ask(IDENTIFY, now);
    if (now < this.due) return;
    if (this.asking === PROBE && this.asked === mostProbes) {
      this.extended = 0;
      this.asking = NOTHING;
      return;
    }
    if (this.decideAt === 0) this.send(now);
  }

  /** An answer of AoE's with a tag of a query, at the card's frame. @returns false: nobody waits for it */
  answer(tag: u32, now: u64): bool {
    const query = this.queries[(tag & ((1 << TAG_BITS) - 1)) - REQUESTS];
    if (query.tag !== tag || query.kind !== this.asking) return false;
    const frame = this.card.frame;
    const command = physRead8(frame + COMMAND);
    if (command !== commandOf(query.kind) || (query.kind !== CONFIG && !this.isFrom(frame))) {
      netStatistics.malformed++;
      return true;
    }
    const failed = (physRead8(frame + FLAGS) & ERRS) !== 0;
    if (failed && query.kind !== PROBE) {
      netStatistics.serverErrors++;
      return true; // it is asked again
    }
    const taken =
      query.kind === CONFIG
        ? this.configured(frame, now)
        : query.kind === IDENTIFY
          ? this.identified(frame, now)
          : this.probed(frame, failed);
    if (taken) this.trip.sample(now - query.sentAt);
    else netStatistics.malformed++;
    return true;
  }

  /** Whether a frame comes from the target. */
  isFrom(frame: u64): bool {
    return readBig48(frame + FROM) === this.mac && this.isPlace(frame);
  }

  /** Whether a frame speaks of the target's shelf and slot. */
  isPlace(frame: u64): bool {
    return readBig16(frame + MAJOR) === this.shelf && byteAt(frame + MINOR) === this.slot;
  }

  private ask(what: u32, now: u64): void {
    if (what !== CONFIG) this.decideAt = 0;
    this.asking = what;
    this.due = now;
    this.asked = 0;
    this.interval = this.trip.smooth === 0 ? firstInterval : max<u64>(leastInterval, this.trip.smooth << 2);
  }

  private send(now: u64): void {
    const at = this.card.room();
    if (at === 0) return;
    const slot = this.turn;
    this.turn = (this.turn + 1) % QUERIES;
    const query = this.queries[slot];
    query.tag = this.tags.next(REQUESTS + slot);
    query.kind = this.asking;
    query.sentAt = now;
    const to = this.asking === CONFIG ? BROADCAST : this.mac;
    writeHeader(at, to, this.card.mac, this.shelf, this.slot, commandOf(this.asking), query.tag);
    if (this.asking === CONFIG) writeConfig(at);
    if (this.asking === IDENTIFY) writeAta(at, IDENTIFY_DEVICE, 0, 1);
    if (this.asking === PROBE) writeExtended(at, query.tag & 0xffff, 0, 0, 0);
    this.card.send(SHORTEST);
    this.asked++;
    this.due = now + this.interval;
    this.interval = max<u64>(min<u64>(this.interval << 1, mostInterval), this.trip.smooth << 1);
  }

  /** Of several that answer the one with the lowest address is taken, if any would do. */
  private configured(frame: u64, now: u64): bool {
    const shelf = readBig16(frame + MAJOR);
    const slot = byteAt(frame + MINOR);
    const from = readBig48(frame + FROM);
    if (this.card.length < CONFIG_HEADER || (byteAt(frame + CONFIG_COMMAND) & 0xf) !== 0) return false;
    if ((from & ((<u64>1) << 40)) !== 0 || shelf === EVERY_SHELF || slot === EVERY_SLOT) return false;
    const isChoice = this.shelf === EVERY_SHELF || this.slot === EVERY_SLOT || this.decideAt !== 0;
    if (this.decideAt === 0 && !this.covers(shelf, slot)) return false;
    if (this.decideAt !== 0 && (shelf << 8) + slot >= (this.shelf << 8) + this.slot) return true;
    this.shelf = shelf;
    this.slot = slot;
    this.mac = from;
    this.buffers = max<u32>(readBig16(frame + CONFIG_BUFFERS), 1);
    this.sectorCount = byteAt(frame + CONFIG_SECTORS);
    if (this.sectorCount === 0) this.sectorCount = 2;
    if (!isChoice) this.ask(IDENTIFY, now);
    else if (this.decideAt === 0) this.decideAt = now + max<u64>(auditionTime, this.trip.smooth);
    return true;
  }

  private covers(shelf: u32, slot: u32): bool {
    return (this.shelf === EVERY_SHELF || this.shelf === shelf) && (this.slot === EVERY_SLOT || this.slot === slot);
  }

  /** [ATA8-ACS 7.16]: a disk of another size than before is not the one that was found. */
  private identified(frame: u64, now: u64): bool {
    if (this.card.length !== ATA_DATA + 512 || !isGood(byteAt(frame + ATA_STATUS))) return false;
    const data = frame + ATA_DATA;
    const wide = (physRead16(data + 2 * 83) & 0x0400) !== 0;
    const sectors = wide
      ? physRead64(data + 2 * 100)
      : <u64>physRead16(data + 2 * 60) | ((<u64>physRead16(data + 2 * 61)) << 16);
    if (sectors === 0 || sectors >> 48 !== 0 || (this.sectors !== 0 && this.sectors !== sectors)) return false;
    this.sectors = sectors;
    for (let i: u32 = 0; i < 20; i++) store<u8>(this.serial + i, <u8>physRead8(data + 20 + (i ^ 1)));
    this.ask(PROBE, now);
    return true;
  }

  private probed(frame: u64, failed: bool): bool {
    if (!failed && (this.card.length < EXTENDED_DATA || readBig16(frame + EXTENDED_TOTAL) !== 0)) return false;
    this.extended = failed ? 0 : min<u32>(readBig32(frame + EXTENDED_SECTORS), mostExtended);
    this.asking = NOTHING;
    return true;
  }
}

function commandOf(kind: u32): u32 {
  return kind === CONFIG ? COMMAND_CONFIG : kind === IDENTIFY ? COMMAND_ATA : COMMAND_EXTENDED;
}
