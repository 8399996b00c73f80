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
import { physRead8 } from "../x86.ts";
import { E1000 } from "./e1000.ts";
import { commandOf, Exchange } from "./exchange.ts";
import { Fragment } from "./fragment.ts";
import {
  AOE,
  ATA_DATA,
  ATA_STATUS,
  BROADCAST,
  COMMAND,
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
  TAG,
  TO,
  TYPE,
  UNKNOWN_COMMAND,
  VERSION_1,
  VERSION_BITS,
} from "./frame.ts";
import { Request } from "./reads.ts";
import { netStatistics } from "./statistics.ts";
import { NOTHING, REQUESTS, TAG_BITS, Tags, Target } from "./target.ts";

/** What a poll takes in at most: frames, and bytes before the last one. */
const framesPerPoll: u32 = 64;
const bytesPerPoll: u32 = 0x2_0000;
/** A server may say something new so often, in ns. */
const newsInterval: u64 = 1_000_000_000;
/** Sectors of an Ethernet frame that every network carries, and its bytes. */
const SMALL: u32 = 2;
const smallFrame: u32 = 1514;
/** Arguments of the extended read stand before the data in each frame. */
const extendedArguments: u32 = EXTENDED_DATA - 14;
const BAD_ARGUMENT: u32 = 2;

export class AoeClient extends ImageSource {
  readonly target: Target;
  /** Whether the disk is known. It stays so when the server is gone for a while. */
  ready: bool = false;
  private readonly card: E1000;
  private readonly tags: Tags;
  private readonly exchange: Exchange;
  private readonly fragment: Fragment = new Fragment();
  private mtu: u32 = 9000;
  private started: bool = false;
  /** The target answers: requests may go out. */
  private flows: bool = false;
  /** The target was asked anew without a loss. */
  private refreshes: bool = false;
  private newsAt: u64 = 0;
  /** Whether a long frame has come since it flows; and whether none is asked for. */
  private provenLong: bool = false;
  private onlySmall: bool = false;

  /** At boot. @param most sectors of a read */
  constructor(card: E1000, most: u32) {
    super();
    this.card = card;
    const tags = new Tags();
    const target = new Target(card, tags);
    this.tags = tags;
    this.target = target;
    this.exchange = new Exchange(card, target, tags, most);
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

  /** Requests that are out. */
  get inFlight(): u32 {
    return this.exchange.inFlight;
  }

  submit(read: DiskRead): bool {
    if (!this.ready || read.lba > this.sectors || read.sectors > this.sectors - read.lba) return false;
    return this.exchange.submit(read);
  }

  cancel(read: DiskRead): void {
    this.exchange.cancel(read);
  }

  poll(now: u64): void {
    this.card.poll(now);
    if (!this.started) return;
    const drained = this.receive(now);
    // Without a link nothing can come; and answers may lie behind the frames that were too many for one poll.
    if (this.card.linked) {
      this.target.poll(now);
      if (!this.flows || this.refreshes) this.welcome(now);
      if (drained && this.exchange.expire(now)) this.lose(now);
      if (this.flows) this.exchange.pump(now);
      this.card.flush();
    }
    this.exchange.report();
  }

  /** No frame leaves any more; reads under way are forgotten, and their sinks are not told. */
  stop(): void {
    this.started = false;
    this.flows = false;
    this.exchange.clear();
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
    if ((tag & ((1 << TAG_BITS) - 1)) >= REQUESTS) {
      if (!this.target.answer(tag, now)) netStatistics.stale++;
      return;
    }
    const request = this.exchange.find(tag);
    const isTargets = this.target.isFrom(frame);
    const command = physRead8(frame + COMMAND);
    if (isTargets && this.card.length > smallFrame) this.proveLong(now);
    if (request === null) {
      netStatistics.stale++;
      if (isTargets) this.exchange.late(tag, command === COMMAND_EXTENDED, now);
    } else if (!isTargets || command !== commandOf(request)) netStatistics.malformed++;
    else this.take(request, now);
  }

  /** A long frame has come, perhaps too late: the server was slow, not the network narrow. */
  private proveLong(now: u64): void {
    this.provenLong = true;
    if (!this.onlySmall) return;
    this.onlySmall = false;
    if (this.flows && !this.refreshes) this.askAnew(now);
  }

  /** An answer of the target's to a request that is out. */
  private take(request: Request, now: u64): void {
    const frame = this.card.frame;
    this.exchange.heard(now);
    if ((physRead8(frame + FLAGS) & ERRS) !== 0) this.refused(request, physRead8(frame + ERROR), now);
    else if (request.extended) this.takeFragment(request, now);
    else this.takePlain(request, now);
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
    const perFrame = min<u32>(this.onlySmall ? SMALL : carried, this.target.sectorCount);
    this.exchange.open(now, perFrame, !this.flows);
    this.ready = true;
    this.flows = true;
    this.refreshes = false;
    this.provenLong = false;
  }

  /** The target is looked for again. If no long frame came, then perhaps because none can: the other kind is tried. */
  private lose(now: u64): void {
    if (!this.provenLong) this.onlySmall = this.exchange.perFrame > SMALL;
    this.flows = false;
    this.refreshes = false;
    this.exchange.giveUpAll();
    this.target.find(now);
  }

  /** Answers to a plain read are as long as asked, and without an error of the disk's. */
  private takePlain(request: Request, now: u64): void {
    const frame = this.card.frame;
    if (this.card.length >= ATA_DATA && !isGood(physRead8(frame + ATA_STATUS)))
      return this.exchange.failed(request, now);
    if (this.card.length !== ATA_DATA + (request.sectors << 9)) {
      netStatistics.malformed++;
      return;
    }
    this.exchange.time(request, now);
    this.exchange.store(request, request.first, request.sectors, ATA_DATA, false);
    this.exchange.answered(request);
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
      this.exchange.time(request, now);
    }
    request.total = fragment.total;
    request.heardAt = now;
    if (fragment.index === fragment.total - 1) request.ended = true;
    if (active.lacks(fragment.first, fragment.sectors) === 0) netStatistics.duplicates++;
    else this.exchange.store(request, fragment.first, fragment.sectors, EXTENDED_DATA, fragment.hole);
    if (active.lacks(request.first, request.sectors) === 0) this.exchange.answered(request);
  }

  /** An AoE error [AoEr11 2.4]. After one to an extended read plain ones tell more. */
  private refused(request: Request, error: u32, now: u64): void {
    const active = request.of!;
    if (!request.extended) {
      this.exchange.failed(request, now);
      // Bad argument: fewer sectors fit a frame of the server's than it said when it was asked.
      if (error === BAD_ARGUMENT && !this.refreshes && now >= this.newsAt) this.askAnew(now);
      return;
    }
    if (error === UNKNOWN_COMMAND) this.target.extended = 0;
    else active.plain = true;
    netStatistics.serverErrors++;
    this.exchange.giveUp(request);
  }

  private askAnew(now: u64): void {
    this.newsAt = now + newsInterval;
    this.refreshes = true;
    this.target.find(now);
  }
}
