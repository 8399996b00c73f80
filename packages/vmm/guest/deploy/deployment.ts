/**
 * One disk being deployed, from the first look at it to the end: what the VMM's start makes once, and polls.
 *
 *     const deployment = new Deployment(ahci, port, source, imageSectors, imageId, done);
 *     while (!deployment.settled) deployment.poll(now);      // before there is a guest
 */
import { DeploymentDone } from "../api/disk.ts";
import { Periodic } from "../api/intercepts.ts";
import { allocate } from "../memory.ts";
import { FLUSH_CACHE_EXT, IDENTIFY_DEVICE, READ_NATIVE_MAX_EXT, SET_MAX_EXT } from "../storage/ata.ts";
import { DiskRequest, DiskSink } from "../storage/internal.ts";
import { AhciMediator } from "../storage/mediator.ts";
import { Port } from "../storage/port.ts";
import { Redirect } from "../storage/redirect.ts";
import { Blocks } from "./blocks.ts";
import { Copier } from "./copier.ts";
import { ImageSource } from "./fetch.ts";
import { Identity, recordSectors, serialBytes } from "./format.ts";
import { DAMAGED, FINISHED, Persist, UNABLE } from "./persist.ts";
import { Transfers } from "./transfers.ts";

// Where it stands.
export const ASKING: u32 = 0;
/** The record is looked for. */
export const RECALLING: u32 = 1;
/** A record is begun; or there is nothing to copy, and that is recorded. */
export const PREPARING: u32 = 2;
/** The guest may run. */
export const COPYING: u32 = 3;
export const DONE: u32 = 4;
/** Nothing of the image was written to the disk: {@link Deployment.refusal} says why. */
export const REFUSED: u32 = 5;

// Why not.
export const NO_DISK: u32 = 1;
/** No addresses of 48 bits, or sectors that are not of 512 bytes (R6.3). */
export const UNFIT_DISK: u32 = 2;
/** The image is longer than what the guest would see of the disk (R6.3). */
export const IMAGE_TOO_LONG: u32 = 3;
/** The record of an earlier run is damaged: nobody knows which blocks are the guest's. */
export const RECORD_DAMAGED: u32 = 4;

/** Blocks of 64 KiB, sixteen of them on their way. */
const blockShift: u32 = 7;
const poolSize: i32 = 16;
const soon: u64 = 50_000;

class Answers extends DiskSink {
  owner: Deployment | null = null;

  done(request: DiskRequest, ok: bool): void {
    this.owner!.answered(request, ok);
  }
}

export class Deployment extends Periodic {
  stage: u32 = ASKING;
  refusal: u32 = 0;
  /** Sectors that the guest sees. */
  visible: u64 = 0;
  blocks: Blocks | null = null;
  copier: Copier | null = null;
  persist: Persist | null = null;
  redirect: Redirect | null = null;
  transfers: Transfers | null = null;
  /** Sectors a block as a power of two: to be set before the first poll. */
  shift: u32 = blockShift;
  pool: i32 = poolSize;
  private readonly ahci: AhciMediator;
  private readonly port: Port;
  private readonly source: ImageSource;
  private readonly identity: Identity = new Identity();
  private readonly request!: DiskRequest;
  private readonly answer: usize;
  private readonly done: DeploymentDone;
  private lastFlush: u32 = 0;

  /**
   * Boot; the controller is attached.
   * @param port of the disk
   * @param imageId 32 bytes that name the image and its version, linear
   * @param done told when the disk needs the VMM no more
   */
  constructor(
    ahci: AhciMediator,
    port: Port,
    source: ImageSource,
    imageSectors: u64,
    imageId: usize,
    done: DeploymentDone,
  ) {
    super();
    this.ahci = ahci;
    this.port = port;
    this.source = source;
    this.done = done;
    this.answer = allocate(512, 512);
    this.identity.imageSectors = imageSectors;
    this.identity.imageId = imageId;
    this.identity.serial = allocate(serialBytes, 8);
    const answers = new Answers();
    answers.owner = this;
    this.request = new DiskRequest(answers);
    this.request.urgent = true;
    port.internal.byForce = true;
    port.internal.work = this;
    this.ask(IDENTIFY_DEVICE, 0, 0, 512);
    port.internal.submit(this.request);
  }

  /** Whether the guest may start: the disk is prepared, or refused. */
  get settled(): bool {
    return this.stage >= COPYING;
  }

  poll(now: u64): void {
    this.pollQuietly(now);
    if (this.stage === RECALLING && this.persist!.found !== 0) this.begin();
    else if (this.stage === PREPARING) this.prepare();
    if (this.stage === COPYING) {
      this.copier!.poll(now);
      if (this.blocks!.complete && this.transfers!.busy === 0) this.conclude();
    }
    this.due = this.dueAt(now);
  }

  /** As {@link poll}, without background copy: the operator has paused it. */
  pollQuietly(now: u64): void {
    this.ahci.poll(now);
    if (this.stage !== COPYING && this.stage !== PREPARING) return;
    this.persist!.poll();
    this.transfers!.poll(now);
  }

  /** Hardware is looked at every 50 us while something is under way. */
  private dueAt(now: u64): u64 {
    if (this.ahci.busy || this.stage < COPYING || (this.stage === COPYING && this.blocks!.complete)) return now + soon;
    if (this.stage !== COPYING) return u64.MAX_VALUE;
    return this.transfers!.busy !== 0 ? now + soon : this.copier!.dueAt(now);
  }

  answered(request: DiskRequest, ok: bool): void {
    if (this.stage > RECALLING) {
      this.lastFlush = ok ? 2 : 0;
      return;
    }
    if (request.opcode === IDENTIFY_DEVICE) return ok ? this.identify() : this.refuse(NO_DISK);
    if (request.opcode === READ_NATIVE_MAX_EXT) return this.place(ok ? request.result + 1 : this.visible);
    if (ok) this.visible = this.identity.nativeSectors - this.reserve();
    this.recall();
  }

  /** [ACS "IDENTIFY DEVICE"] words 10, 83, 100, 106. */
  private identify(): void {
    const longAddresses = (load<u16>(this.answer, 2 * 83) & 0x0400) !== 0;
    const size: u32 = load<u16>(this.answer, 2 * 106);
    const longSectors = (size & 0xc000) === 0x4000 && (size & 0x1000) !== 0;
    if (!longAddresses || longSectors) return this.refuse(UNFIT_DISK);
    this.visible = load<u64>(this.answer, 2 * 100);
    memory.copy(this.identity.serial, this.answer + 20, serialBytes);
    this.port.drive.uncached = (load<u16>(this.answer, 2 * 85) & 0x20) === 0;
    this.ask(READ_NATIVE_MAX_EXT, 0, 0, 0);
    this.port.internal.submitNext(this.request);
  }

  /** Chooses what the guest sees (R6.6): the area behind is set up once, and the drive keeps it. */
  private place(native: u64): void {
    this.identity.nativeSectors = native;
    this.identity.shift = this.shift;
    this.blocks = new Blocks(this.identity.imageSectors, this.shift);
    const reserve = this.reserve();
    const there = native - this.visible;
    const fits = native > reserve && this.identity.imageSectors <= native - reserve;
    if (there >= reserve || !fits) return this.recall();
    this.ask(SET_MAX_EXT, native - reserve - 1, 1, 0);
    this.port.internal.submitNext(this.request);
  }

  private reserve(): u64 {
    return recordSectors(this.blocks!.words);
  }

  private recall(): void {
    if (this.identity.imageSectors > this.visible) return this.refuse(IMAGE_TOO_LONG);
    const internal = this.port.internal;
    this.transfers = new Transfers(this.blocks!, this.source, internal, this.pool);
    this.redirect = new Redirect(this.port, this.blocks!, this.transfers!, this.visible);
    this.copier = new Copier(this.blocks!, this.transfers!, this.redirect!);
    this.persist = new Persist(this.blocks!, internal, this.identity, this.visible);
    this.persist!.load();
    this.stage = RECALLING;
  }

  private begin(): void {
    const found = this.persist!.found;
    if (found === DAMAGED) return this.refuse(RECORD_DAMAGED);
    this.stage = PREPARING;
    if (found !== UNABLE) this.redirect!.durability = this.persist;
    if (found === FINISHED) this.finish();
    else this.port.gate = this.redirect;
  }

  /** Before the guest: the VMM has the port by force. */
  private prepare(): void {
    if (this.blocks!.complete) return this.conclude();
    if (!this.port.internal.idle) return;
    this.port.internal.byForce = false;
    this.stage = COPYING;
  }

  private finish(): void {
    this.stage = DONE;
    this.port.internal.byForce = false;
    this.done.done();
  }

  /** Rule 12: all is local, then durable, then recorded; then the VMM's commands are over for ever. */
  private conclude(): void {
    if (this.persist!.found !== UNABLE && !this.persist!.broken) {
      if (!this.persist!.complete()) return;
    } else if (this.lastFlush !== 2) {
      if (this.lastFlush === 0) {
        this.lastFlush = 1;
        this.ask(FLUSH_CACHE_EXT, 0, 0, 0);
        this.port.internal.submit(this.request);
      }
      return;
    }
    if (this.port.quiet) this.finish();
  }

  private refuse(why: u32): void {
    this.stage = REFUSED;
    this.refusal = why;
    this.port.internal.byForce = false;
  }

  private ask(opcode: u32, lba: u64, count: u32, bytes: u32): void {
    this.request.opcode = opcode;
    this.request.lba = lba;
    this.request.sectors = count;
    this.request.buffer = this.answer;
    this.request.bytes = bytes;
  }
}
