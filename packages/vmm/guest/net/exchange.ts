/**
 * Reads cut into requests, and the requests that are out: what to ask next, when to wait no longer, and what has come.
 * Times are in nanoseconds.
 */
import { DiskRead } from "../deploy/fetch.ts";
import { physicalOf } from "../memory.ts";
import { physCopy } from "../x86.ts";
import { E1000, RECEIVE_BUFFER, RECEIVE_BUFFERS } from "./e1000.ts";
import {
  COMMAND_ATA,
  COMMAND_EXTENDED,
  EXTENDED_DATA,
  SHORTEST,
  writeAta,
  writeExtended,
  writeHeader,
} from "./frame.ts";
import { GivenUp, RoundTrip, Window } from "./pace.ts";
import { ActiveRead, Request } from "./reads.ts";
import { netStatistics } from "./statistics.ts";
import { REQUESTS, TAG_BITS, Tags, Target } from "./target.ts";

const READ_SECTORS_EXT: u32 = 0x24;
/** Reads that it works on at once. */
const READS: u32 = 32;
const requestsPerPoll: u32 = 16;
/** Receive buffers that answers may need: a few are left for what others send. */
const buffersForAnswers: u32 = RECEIVE_BUFFERS - 16;
/** So many losses one after the other without any answer, or some and so long: the server is gone, or is another. */
const silencesToLose: u32 = 8;
const silencesAtLeast: u32 = 3;
const longSilence: u64 = 1_000_000_000;
/** So many later requests answered: it did not just take another way. */
const overtakings: u32 = 3;

export class Exchange {
  /** Sectors that a frame carries, by what the network and the server can. */
  perFrame: u32 = 2;
  /** Requests that are out. */
  inFlight: u32 = 0;
  private readonly card: E1000;
  private readonly target: Target;
  private readonly tags: Tags;
  private readonly most: u32;
  private readonly plainTrip: RoundTrip = new RoundTrip();
  private readonly extendedTrip: RoundTrip = new RoundTrip();
  private readonly givenUp: GivenUp = new GivenUp();
  private readonly window: Window = new Window();
  private readonly reads: StaticArray<ActiveRead> = new StaticArray<ActiveRead>(READS);
  private readonly requests: StaticArray<Request> = new StaticArray<Request>(REQUESTS);
  private readOrder: u64 = 0;
  private order: u32 = 1;
  private buffersOut: u32 = 0;
  private silences: u32 = 0;
  /** When the target last answered. */
  private heardAt: u64 = 0;

  /** At boot. @param most sectors of a read */
  constructor(card: E1000, target: Target, tags: Tags, most: u32) {
    this.card = card;
    this.target = target;
    this.tags = tags;
    this.most = most;
    for (let i: u32 = 0; i < READS; i++) this.reads[i] = new ActiveRead(most);
    for (let i: u32 = 0; i < REQUESTS; i++) this.requests[i] = new Request();
  }

  /** The target has said what it can. @param anew after it was gone, so that nothing is known of how fast it is */
  open(now: u64, perFrame: u32, anew: bool): void {
    this.perFrame = perFrame;
    const buffers = min<u32>(this.target.buffers, REQUESTS);
    if (anew) this.window.open(buffers);
    else this.window.bound(buffers);
    this.plainTrip.restart(this.target.time);
    this.extendedTrip.restart(this.target.time);
    this.heard(now);
  }

  /** The target has answered something. */
  heard(now: u64): void {
    this.silences = 0;
    this.heardAt = now;
  }

  /** @returns false: there is no room, or it is larger than what fits */
  submit(read: DiskRead): bool {
    if (read.sectors === 0 || read.sectors > this.most || read.sectors > (<u32>read.holes.length) << 6) return false;
    for (let i: u32 = 0; i < READS; i++) {
      const active = unchecked(this.reads[i]);
      if (active.read !== null) continue;
      active.begin(read, this.readOrder++);
      return true;
    }
    return false;
  }

  cancel(read: DiskRead): void {
    for (let i: u32 = 0; i < READS; i++) {
      const active = unchecked(this.reads[i]);
      if (active.read === read) this.finish(active);
    }
  }

  /** Forgets all reads. */
  clear(): void {
    for (let i: u32 = 0; i < READS; i++) this.finish(unchecked(this.reads[i]));
  }

  /** The request that `tag` was made for, if it is out. */
  find(tag: u32): Request | null {
    const request = unchecked(this.requests[tag & ((1 << TAG_BITS) - 1)]);
    return request.tag === tag && request.of !== null ? request : null;
  }

  /** An answer that nobody waits for; but how long it took is worth knowing. */
  late(tag: u32, extended: bool, now: u64): void {
    const sentAt = this.givenUp.take(tag);
    if (sentAt !== 0) this.trip(extended).sample(now - sentAt);
  }

  /** The first answer to a request, or all of it. */
  time(request: Request, now: u64): void {
    this.trip(request.extended).sample(now - request.sentAt);
  }

  /** Sectors of a request have come: data at `from` in the card's frame, or a hole. */
  store(request: Request, first: u32, sectors: u32, from: u32, hole: bool): void {
    const active = request.of!;
    if (!hole) {
      physCopy(physicalOf(active.read!.buffer + (first << 9)), this.card.frame + from, sectors << 9);
      netStatistics.sectors += sectors;
    } else netStatistics.holes += sectors;
    active.take(first, sectors, hole);
  }

  /** All of a request has come, perhaps all of its read. */
  answered(request: Request): void {
    const active = request.of!;
    this.window.grow(this.trip(request.extended).smooth);
    this.free(request);
    for (let i: u32 = 0; i < REQUESTS; i++) {
      const other = unchecked(this.requests[i]);
      if (other.of !== null && <i32>(request.order - other.order) > 0) other.overtaken++;
    }
    if (!active.complete) return;
    const read = active.read!;
    this.finish(active);
    netStatistics.readsDone++;
    read.sink.arrived(read);
  }

  /** The server cannot read it now: it is asked again, ever more seldom. */
  failed(request: Request, now: u64): void {
    netStatistics.serverErrors++;
    request.of!.rest(now);
    this.giveUp(request);
  }

  /** Gives up what has not been heard of for too long. @returns whether the target is gone */
  expire(now: u64): bool {
    let lost = false;
    if (this.inFlight === 0) return false;
    for (let i: u32 = 0; i < REQUESTS; i++) {
      const request = unchecked(this.requests[i]);
      if (request.of === null) continue;
      const trip = this.trip(request.extended);
      const silence = now - request.heardAt;
      const isLate = (request.ended || request.overtaken >= overtakings) && silence > trip.usual;
      if (!isLate && silence <= trip.timeout) continue;
      if (isLate) netStatistics.overtaken++;
      else netStatistics.timeouts++;
      const isNew = this.window.shrink(request.order, this.order);
      if (isNew && !isLate) {
        this.silences++;
        if (this.silences > 1) trip.slower();
        const isLong = now - this.heardAt > max<u64>(longSilence, trip.smooth << 2);
        if (this.silences >= (isLong ? silencesAtLeast : silencesToLose)) lost = true;
      }
      this.giveUp(request);
    }
    return lost;
  }

  /** Gives up all that is out. */
  giveUpAll(): void {
    for (let i: u32 = 0; i < REQUESTS; i++) {
      const request = unchecked(this.requests[i]);
      if (request.of !== null) this.giveUp(request);
    }
  }

  /** What has not come of it is asked for again. */
  giveUp(request: Request): void {
    this.givenUp.add(request.tag, request.sentAt);
    netStatistics.sectorsAgain += request.of!.askAgain(request.first, request.sectors);
    this.free(request);
  }

  private free(request: Request): void {
    request.of = null;
    this.inFlight--;
    this.buffersOut -= request.buffers;
  }

  private finish(active: ActiveRead): void {
    for (let i: u32 = 0; i < REQUESTS; i++) {
      const request = unchecked(this.requests[i]);
      if (request.of === active) this.free(request);
    }
    active.end();
  }

  /** Sends requests as long as the window, the card and the poll's bound allow. */
  pump(now: u64): void {
    for (let sent: u32 = 0; sent < requestsPerPoll; sent++) {
      if (this.inFlight >= this.window.requests) return;
      const active = this.oldest(now);
      if (active === null || !this.ask(active, now)) return;
    }
  }

  /** The read that has waited for the longest, of those with something to ask for. */
  private oldest(now: u64): ActiveRead | null {
    let found: ActiveRead | null = null;
    for (let i: u32 = 0; i < READS; i++) {
      const active = unchecked(this.reads[i]);
      if (active.read === null || now < active.restUntil) continue;
      if (found !== null && found.order < active.order) continue;
      if (active.run(active.first, 1) !== 0) found = active;
    }
    return found;
  }

  /** Sends the next request of a read. @returns false: there is no room for it */
  private ask(active: ActiveRead, now: u64): bool {
    const first = active.first;
    const most = active.plain ? 0 : min<u32>(this.target.extended, this.longestExtended);
    const run = active.run(first, max<u32>(most, this.perFrame));
    const extended = most !== 0 && run > this.perFrame;
    const sectors = extended ? min<u32>(run, most) : min<u32>(run, this.perFrame);
    const buffers = this.buffersFor(sectors);
    const slot = this.freeSlot();
    const at = this.card.room();
    if (at === 0 || slot === REQUESTS || this.buffersOut + buffers > buffersForAnswers) return false;
    const request = unchecked(this.requests[slot]);
    request.tag = this.tags.next(slot);
    request.of = active;
    request.order = this.order++;
    request.first = first;
    request.sectors = sectors;
    request.extended = extended;
    request.perFrame = this.perFrame;
    request.buffers = buffers;
    request.sentAt = request.heardAt = now;
    request.heard = request.ended = false;
    request.total = request.overtaken = 0;
    active.ask(first, sectors);
    this.inFlight++;
    this.buffersOut += buffers;
    this.write(at, request, active.read!.lba + first);
    return true;
  }

  private write(at: u64, request: Request, lba: u64): void {
    const to = this.target;
    writeHeader(at, to.mac, this.card.mac, to.shelf, to.slot, commandOf(request), request.tag);
    if (request.extended) writeExtended(at, request.tag & 0xffff, lba, request.sectors, request.perFrame);
    else writeAta(at, READ_SECTORS_EXT, lba, request.sectors);
    this.card.send(SHORTEST);
    netStatistics.requests++;
  }

  private freeSlot(): u32 {
    let slot: u32 = 0;
    while (slot < REQUESTS && unchecked(this.requests[slot]).of !== null) slot++;
    return slot;
  }

  /** Receive buffers that an answer takes: holes make a few frames more. */
  private buffersFor(sectors: u32): u32 {
    if (sectors <= this.perFrame) return this.buffersPerFrame;
    return ((sectors + this.perFrame - 1) / this.perFrame + 2) * this.buffersPerFrame;
  }
  private get buffersPerFrame(): u32 {
    return (EXTENDED_DATA + (this.perFrame << 9) + RECEIVE_BUFFER - 1) / RECEIVE_BUFFER;
  }
  /** Half of the receive buffers, so that the next answer's request is on its way while one comes. */
  private get longestExtended(): u32 {
    return (buffersForAnswers / 2 / this.buffersPerFrame - 2) * this.perFrame;
  }

  private trip(extended: bool): RoundTrip {
    return extended ? this.extendedTrip : this.plainTrip;
  }

  report(): void {
    const trip = this.trip(this.target.extended !== 0);
    netStatistics.rtt = trip.smooth;
    netStatistics.timeout = trip.timeout;
    netStatistics.window = this.window.requests;
    netStatistics.inFlight = this.inFlight;
    netStatistics.perFrame = this.perFrame;
    netStatistics.extended = this.target.extended;
  }
}

export function commandOf(request: Request): u32 {
  return request.extended ? COMMAND_EXTENDED : COMMAND_ATA;
}
