/**
 * AoE client of the VMM (R11.1 to R11.5): reads sectors of an image on the network, whatever the network does.
 *
 *     const client = new AoeClient(card, 2048);
 *     client.start(now, shelf, slot);              // EVERY_SHELF, EVERY_SLOT: the lowest that answers
 *     client.submit(read);                         // read.sink.arrived(read) comes from within poll()
 *     client.poll(now);                            // often: nothing happens in between
 *
 * A read is cut into requests, each with a tag that is used once. What does not come is asked for again in new requests:
 * for single frames by plain ATA reads, for more by extended reads (docs/aoe-extension.md).
 */
import { DiskRead, ImageSource } from "../deploy/fetch.ts";
import { physicalOf } from "../memory.ts";
import { physCopy, physRead8 } from "../x86.ts";
import { E1000, RECEIVE_BUFFER, RECEIVE_BUFFERS } from "./e1000.ts";
import { Fragment } from "./fragment.ts";
import {
  AOE,
  ATA_DATA,
  ATA_STATUS,
  BROADCAST,
  COMMAND,
  COMMAND_ATA,
  COMMAND_CONFIG,
  COMMAND_EXTENDED,
  ERROR,
  ERRS,
  EXTENDED_DATA,
  FLAGS,
  HEADER,
  isGood,
  RESPONSE,
  readBig16,
  readBig32,
  readBig48,
  SHORTEST,
  TAG,
  TO,
  TYPE,
  UNKNOWN_COMMAND,
  VERSION_1,
  VERSION_BITS,
  writeAta,
  writeExtended,
  writeHeader,
} from "./frame.ts";
import { GivenUp, RoundTrip, Window } from "./pace.ts";
import { ActiveRead, Request } from "./reads.ts";
import { netStatistics } from "./statistics.ts";
import { NOTHING, REQUESTS, TAG_BITS, Tags, Target } from "./target.ts";

const READ_SECTORS_EXT: u32 = 0x24;
/** Reads that it works on at once. */
const READS: u32 = 32;
/** What a poll takes in at most: frames, and bytes before the last one; and requests that it sends. */
const framesPerPoll: u32 = 64;
const bytesPerPoll: u32 = 0x2_0000;
const requestsPerPoll: u32 = 16;
/** Receive buffers that answers may need: a few are left for what others send. */
const buffersForAnswers: u32 = RECEIVE_BUFFERS - 16;
/** So many losses one after the other without any answer, or some and so long: the server is gone, or is another. */
const silencesToLose: u32 = 8;
const silencesAtLeast: u32 = 3;
const longSilence: u64 = 1_000_000_000;
/** So many later requests answered: it did not just take another way. */
const overtakings: u32 = 3;
/** A server may say something new so often, in ns. */
const newsInterval: u64 = 1_000_000_000;
/** Sectors of an Ethernet frame that every network carries. */
const SMALL: u32 = 2;
const smallFrame: u32 = 1514;
/** Arguments of the extended read stand before the data in each frame. */
const extendedArguments: u32 = EXTENDED_DATA - 14;

export class AoeClient extends ImageSource {
  readonly target: Target;
  /** Whether the disk is known. It stays so when the server is gone for a while. */
  ready: bool = false;
  /** Requests that are out. */
  inFlight: u32 = 0;
  private readonly card: E1000;
  private readonly tags: Tags;
  private readonly queryTrip: RoundTrip;
  private readonly plainTrip: RoundTrip = new RoundTrip();
  private readonly extendedTrip: RoundTrip = new RoundTrip();
  private readonly givenUp: GivenUp = new GivenUp();
  private readonly window: Window = new Window();
  private readonly reads: StaticArray<ActiveRead> = new StaticArray<ActiveRead>(READS);
  private readonly requests: StaticArray<Request> = new StaticArray<Request>(REQUESTS);
  private readonly fragment: Fragment = new Fragment();
  private readonly most: u32;
  private mtu: u32 = 9000;
  private readOrder: u64 = 0;
  private order: u32 = 1;
  private buffersOut: u32 = 0;
  private perFrame: u32 = SMALL;
  private started: bool = false;
  /** The target answers: requests may go out. */
  private flows: bool = false;
  /** The target was asked anew without a loss. */
  private refreshes: bool = false;
  private newsAt: u64 = 0;
  private silences: u32 = 0;
  /** When the target last answered. */
  private heardAt: u64 = 0;
  /** Whether a long frame has come since it flows; and whether none ever will. */
  private provenLong: bool = false;
  private onlySmall: bool = false;

  /** At boot. @param most sectors of a read */
  constructor(card: E1000, most: u32) {
    super();
    this.card = card;
    this.most = most;
    const tags = new Tags();
    const trip = new RoundTrip();
    this.tags = tags;
    this.queryTrip = trip;
    this.target = new Target(card, tags, trip);
    for (let i: u32 = 0; i < READS; i++) this.reads[i] = new ActiveRead(most);
    for (let i: u32 = 0; i < REQUESTS; i++) this.requests[i] = new Request();
  }

  /** Looks for a target. The card has been started. @param mtu the longest payload that the network carries, at most 9,000 */
  start(now: u64, shelf: u32, slot: u32, mtu: u32): void {
    this.target.shelf = shelf;
    this.target.slot = slot;
    this.mtu = min<u32>(max<u32>(mtu, 1500), 9000);
    this.tags.begin(now);
    this.target.find(now);
    this.started = true;
  }

  /** The disk's size; 0 before it is {@link ready}. */
  get sectors(): u64 {
    return this.target.sectors;
  }

  submit(read: DiskRead): bool {
    if (!this.ready || read.sectors === 0 || read.sectors > this.most) return false;
    if (read.lba > this.sectors || read.sectors > this.sectors - read.lba) return false;
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

  poll(now: u64): void {
    this.card.poll(now);
    if (!this.started) return;
    const drained = this.receive(now);
    // Without a link nothing can come; and answers may lie behind the frames that were too many for one poll.
    if (this.card.linked) {
      this.target.poll(now);
      if (!this.flows || this.refreshes) this.welcome(now);
      if (drained) this.expire(now);
      if (this.flows) this.pump(now);
      this.card.flush();
    }
    this.report();
  }

  /** No frame leaves any more; reads under way are forgotten, and their sinks are not told. */
  stop(): void {
    this.started = false;
    this.flows = false;
    for (let i: u32 = 0; i < READS; i++) this.finish(unchecked(this.reads[i]));
    this.card.stop();
  }

  /** @returns whether all that has come was taken */
  private receive(now: u64): bool {
    let bytes: u32 = 0;
    let taken: u32 = 0;
    let drained = false;
    while (taken < framesPerPoll && bytes < bytesPerPoll) {
      drained = !this.card.next();
      if (drained) break;
      bytes += this.card.length;
      taken++;
      this.sort(now);
      this.card.release();
    }
    if (taken > 0) this.card.refill();
    return drained;
  }

  /** Whose answer is the frame at hand? */
  private sort(now: u64): void {
    const frame = this.card.frame;
    const isOurs = this.card.length >= HEADER && readBig16(frame + TYPE) === AOE;
    if (!isOurs || (physRead8(frame + FLAGS) & (VERSION_BITS | RESPONSE)) !== (VERSION_1 | RESPONSE)) {
      netStatistics.foreign++;
      return;
    }
    const tag = readBig32(frame + TAG);
    if (tag === 0) return this.hear(frame, now);
    if (readBig48(frame + TO) !== this.card.mac) {
      netStatistics.foreign++;
      return;
    }
    const slot = tag & ((1 << TAG_BITS) - 1);
    if (slot >= REQUESTS) {
      if (!this.target.answer(tag, now)) netStatistics.stale++;
      return;
    }
    const request = unchecked(this.requests[slot]);
    if (request.tag !== tag || request.of === null) this.late(tag, now);
    else if (!this.target.isFrom(frame) || physRead8(frame + COMMAND) !== commandOf(request)) netStatistics.malformed++;
    else this.take(request, now);
  }

  /** An answer of the target's to a request that is out. */
  private take(request: Request, now: u64): void {
    const frame = this.card.frame;
    this.silences = 0;
    this.heardAt = now;
    if ((physRead8(frame + FLAGS) & ERRS) !== 0) this.refused(request, physRead8(frame + ERROR), now);
    else if (request.extended) this.takeFragment(request, now);
    else this.takePlain(request, now);
  }

  /** Nobody waits for this answer; but how long it took is worth knowing. */
  private late(tag: u32, now: u64): void {
    netStatistics.stale++;
    const sentAt = this.givenUp.take(tag);
    if (sentAt === 0 || !this.target.isFrom(this.card.frame)) return;
    const isExtended = physRead8(this.card.frame + COMMAND) === COMMAND_EXTENDED;
    (isExtended ? this.extendedTrip : this.plainTrip).sample(now - sentAt);
  }

  /** A server says unasked what it can, as at its start [AoEr11 3.2]. It is only a reason to ask. */
  private hear(frame: u64, now: u64): void {
    const to = readBig48(frame + TO);
    const isNews = physRead8(frame + COMMAND) === COMMAND_CONFIG && this.target.isPlace(frame);
    if (!isNews || (to !== BROADCAST && to !== this.card.mac)) {
      netStatistics.foreign++;
      return;
    }
    if (!this.flows || this.refreshes || now < this.newsAt) return;
    this.askAnew(now);
  }

  /** The target's answers are complete: reads go on. */
  private welcome(now: u64): void {
    if (this.target.asking !== NOTHING) return;
    const carried = (this.mtu - extendedArguments) >> 9;
    this.perFrame = min<u32>(this.onlySmall ? SMALL : carried, this.target.sectorCount);
    const buffers = min<u32>(this.target.buffers, REQUESTS);
    if (this.flows) this.window.bound(buffers);
    else this.window.open(buffers);
    this.plainTrip.restart(this.queryTrip.smooth);
    this.extendedTrip.restart(this.queryTrip.smooth);
    this.ready = true;
    this.flows = true;
    this.refreshes = false;
    this.provenLong = false;
    this.silences = 0;
    this.heardAt = now;
  }

  /** The target is looked for again. If no long frame ever came, then perhaps because none can. */
  private lose(now: u64): void {
    if (!this.provenLong && this.perFrame > SMALL) this.onlySmall = true;
    this.flows = false;
    this.refreshes = false;
    for (let i: u32 = 0; i < REQUESTS; i++) {
      const request = unchecked(this.requests[i]);
      if (request.of !== null) this.giveUp(request);
    }
    this.target.find(now);
  }

  /** Answers to a plain read are as long as asked, and without an error of the disk's. */
  private takePlain(request: Request, now: u64): void {
    const frame = this.card.frame;
    if (this.card.length >= ATA_DATA && !isGood(physRead8(frame + ATA_STATUS))) return this.failed(request, now);
    if (this.card.length !== ATA_DATA + (request.sectors << 9)) {
      netStatistics.malformed++;
      return;
    }
    this.plainTrip.sample(now - request.sentAt);
    this.store(request, request.first, request.sectors, ATA_DATA, false);
    this.answered(request);
  }

  private takeFragment(request: Request, now: u64): void {
    const fragment = this.fragment;
    const active = request.of!;
    if (!fragment.parse(this.card.frame, this.card.length, request, active.read!.lba)) {
      netStatistics.malformed++;
      return;
    }
    if (!request.heard) {
      request.heard = true;
      this.extendedTrip.sample(now - request.sentAt);
    }
    request.total = fragment.total;
    request.heardAt = now;
    if (fragment.index === fragment.total - 1) request.ended = true;
    if (active.lacks(fragment.first, fragment.sectors) === 0) netStatistics.duplicates++;
    else this.store(request, fragment.first, fragment.sectors, EXTENDED_DATA, fragment.hole);
    if (active.lacks(request.first, request.sectors) === 0) this.answered(request);
  }

  private store(request: Request, first: u32, sectors: u32, from: u32, hole: bool): void {
    const active = request.of!;
    if (!hole) {
      physCopy(physicalOf(active.read!.buffer + (first << 9)), this.card.frame + from, sectors << 9);
      netStatistics.sectors += sectors;
    } else netStatistics.holes += sectors;
    if (this.card.length > smallFrame) this.provenLong = true;
    active.take(first, sectors, hole);
  }

  /** All of a request has come, perhaps all of its read. */
  private answered(request: Request): void {
    const active = request.of!;
    this.window.grow(request.extended ? this.extendedTrip.smooth : this.plainTrip.smooth);
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

  /** An AoE error [AoEr11 2.4]. After one to an extended read plain ones tell more. */
  private refused(request: Request, error: u32, now: u64): void {
    const active = request.of!;
    if (!request.extended) {
      this.failed(request, now);
      // Bad argument: fewer sectors fit a frame of the server's than it said when it was asked.
      if (error === 2 && !this.refreshes && now >= this.newsAt) this.askAnew(now);
      return;
    }
    if (error === UNKNOWN_COMMAND) this.target.extended = 0;
    else active.plain = true;
    netStatistics.serverErrors++;
    this.giveUp(request);
  }

  private askAnew(now: u64): void {
    this.newsAt = now + newsInterval;
    this.refreshes = true;
    this.target.find(now);
  }

  /** The server cannot read it now: it is asked again, ever more seldom. */
  private failed(request: Request, now: u64): void {
    netStatistics.serverErrors++;
    request.of!.rest(now);
    this.giveUp(request);
  }

  /** Gives up what has not been heard of for too long. */
  private expire(now: u64): void {
    let lost = false;
    for (let i: u32 = 0; i < REQUESTS; i++) {
      const request = unchecked(this.requests[i]);
      if (request.of === null) continue;
      const trip = request.extended ? this.extendedTrip : this.plainTrip;
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
    if (lost) this.lose(now);
  }

  private giveUp(request: Request): void {
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
  private pump(now: u64): void {
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

  private report(): void {
    const trip = this.target.extended !== 0 ? this.extendedTrip : this.plainTrip;
    netStatistics.rtt = trip.smooth;
    netStatistics.timeout = trip.timeout;
    netStatistics.window = this.window.requests;
    netStatistics.inFlight = this.inFlight;
    netStatistics.perFrame = this.perFrame;
    netStatistics.extended = this.target.extended;
  }
}

function commandOf(request: Request): u32 {
  return request.extended ? COMMAND_EXTENDED : COMMAND_ATA;
}
