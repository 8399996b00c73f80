/**
 * The VMM's own commands (R8.12 to R8.17): unqueued, one at a time, only while the port is totally idle.
 *
 * For their time the port is taken from the guest, which keeps a virtual one (port.ts): PxIE is 0, the engine runs from
 * a list and a received FIS area of the VMM's own. Both engines have to be stopped to change these, and to change them
 * back. What the VMM's commands leave in PxIS is cleared, so that no interrupt comes of them (R8.15).
 */
import { Periodic } from "../api/intercepts.ts";
import { allocate, physicalOf } from "../memory.ts";
import { mmioRead32, mmioWrite32, physRead8, physWrite32 } from "../x86.ts";
import {
  CMD_CCS,
  CMD_CLO,
  CMD_CR,
  CMD_FR,
  CMD_FRE,
  CMD_ICC,
  CMD_ST,
  DET_UP,
  HEADER_WRITE,
  IS_FATAL,
  PxCI,
  PxCLB,
  PxCMD,
  PxFB,
  PxIE,
  PxIS,
  PxSSTS,
  PxTFD,
  RFIS,
  receivedBytes,
  TFD_BSY,
  TFD_DRQ,
  TFD_ERR,
  tableHead,
} from "./ahci.ts";
import { encode } from "./ata.ts";
import { writeEntry } from "./prdt.ts";

/** Told how a command ended. */
export abstract class DiskSink {
  /** The command is about to be issued; nothing of the guest's is on the device. @returns false: do not */
  begin(_request: DiskRequest): bool {
    return true;
  }
  abstract done(request: DiskRequest, ok: bool): void;
}

export class DiskRequest {
  opcode: u32 = 0;
  write: bool = false;
  lba: u64 = 0;
  /** The count register. */
  sectors: u32 = 0;
  /** Linear; `bytes` of it are moved. */
  buffer: usize = 0;
  bytes: u32 = 0;
  /** A guest's command waits for it: new ones of the guest's are held until it is done. */
  urgent: bool = false;
  /** Waiting or on the device. */
  queued: bool = false;
  /** It failed because the guest reset the port. */
  aborted: bool = false;
  /** What the drive left in its address registers. */
  result: u64 = 0;
  readonly sink: DiskSink;

  constructor(sink: DiskSink) {
    this.sink = sink;
  }
}

/** What the VMM's engine needs to know of the guest's port, and tells it. */
export abstract class PortOwner {
  /** Nothing of the guest's is on the device, and the port may be taken. `byForce`: at boot, before there is a guest. */
  abstract isIdle(byForce: bool): bool;
  /** Whether the guest wants something of the disk now. */
  abstract isWanted(): bool;
  abstract taken(): void;
  /** The engines are stopped: PxCLB and PxFB are to be the guest's again. @returns PxCMD as the guest wants it */
  abstract givenBack(): u32;
  /** PxCMD is restored: what is left is PxIS and PxIE. */
  abstract resumed(): void;
}

const GUEST: u32 = 0;
const STOPPING: u32 = 1;
const FREEING: u32 = 2;
const RECEIVING: u32 = 3;
const RUNNING: u32 = 4;
const RECOVERING: u32 = 5;
const CLEARING: u32 = 6;
const LEAVING: u32 = 7;
const RETURNING: u32 = 8;

/** Bits of PxCMD that are no state: requests, and what the engines show. */
const unkept: u32 = CMD_CLO | CMD_ICC | CMD_CR | CMD_FR | CMD_CCS;

const mostRequests: i32 = 64;
/** A drive may spin up first. */
const patience: u64 = 30_000_000_000;
const spins: u32 = 1000;

export class Internal {
  /** Boot: the port is taken whatever the guest's engine is. */
  byForce: bool = false;
  /** Commands that were issued, and those that failed. */
  issued: u64 = 0;
  failed: u64 = 0;
  /** What polls it, if that waits until it is due. */
  work: Periodic | null = null;
  private phase: u32 = GUEST;
  private base: u64;
  private readonly owner: PortOwner;
  private readonly list: usize;
  private readonly received: usize;
  private readonly table: usize;
  private readonly queue: StaticArray<DiskRequest | null> = new StaticArray<DiskRequest | null>(mostRequests);
  private waiting: i32 = 0;
  private current: DiskRequest | null = null;
  private deadline: u64 = 0;
  private cmd: u32 = 0;

  constructor(base: u64, owner: PortOwner) {
    this.base = base;
    this.owner = owner;
    this.list = allocate(1024, 1024);
    this.received = allocate(receivedBytes, 256);
    this.table = allocate(256, 128);
  }

  /** Whether the port is taken. */
  get active(): bool {
    return this.phase !== GUEST;
  }

  get idle(): bool {
    return this.waiting === 0 && this.current === null && this.phase === GUEST;
  }

  get hasUrgent(): bool {
    for (let i = 0; i < this.waiting; i++) if (unchecked(this.queue[i])!.urgent) return true;
    return false;
  }

  /** There is something to do at once. */
  wake(): void {
    const work = this.work;
    if (work !== null) work.due = 0;
  }

  submit(request: DiskRequest): void {
    if (request.queued || this.waiting === mostRequests) return;
    this.wake();
    request.queued = true;
    request.aborted = false;
    unchecked((this.queue[this.waiting++] = request));
  }

  /** The request goes before all that wait: what must follow the command just done at once. */
  submitNext(request: DiskRequest): void {
    if (request.queued || this.waiting === mostRequests) return;
    this.wake();
    for (let i = this.waiting; i > 0; i--) unchecked((this.queue[i] = this.queue[i - 1]));
    this.waiting++;
    unchecked((this.queue[0] = request));
    request.queued = true;
    request.aborted = false;
  }

  /** Takes back a request that is not on the device. */
  withdraw(request: DiskRequest): void {
    for (let i = 0; i < this.waiting; i++) {
      if (unchecked(this.queue[i]) !== request) continue;
      this.remove(i);
      request.queued = false;
      return;
    }
  }

  /** Goes on as far as it can without waiting. */
  poll(now: u64): void {
    while (this.step(now)) {}
  }

  /**
   * The guest resets the link or the controller: whatever the VMM does ends here, and the port is the guest's. The only
   * place that waits, and not for long: a link in reset has nothing to finish.
   */
  abort(): void {
    if (this.phase === GUEST) return;
    this.stop(CMD_ST, CMD_CR);
    this.stop(CMD_FRE, CMD_FR);
    const request = this.current;
    this.current = null;
    this.restore();
    if (request !== null) {
      request.queued = false;
      request.aborted = true;
      request.sink.done(request, false);
    }
  }

  private step(now: u64): bool {
    switch (this.phase) {
      case GUEST:
        return this.enter();
      case STOPPING:
        return this.when(CMD_CR, 0) && this.go(FREEING, CMD_FRE, 0);
      case FREEING:
        return this.when(CMD_FR, 0) && this.aim();
      case RECEIVING:
        return this.when(CMD_FR, CMD_FR) && this.go(RUNNING, 0, CMD_ST);
      case RUNNING:
        return this.current === null ? this.next(now) : this.watch(now);
      case RECOVERING:
        return this.when(CMD_CR, 0) && this.recover();
      case CLEARING:
        return this.when(CMD_CLO, 0) && this.restart();
      case LEAVING:
        return this.when(CMD_CR, 0) && this.go(RETURNING, CMD_FRE, 0);
      default:
        return this.when(CMD_FR, 0) && this.restore();
    }
  }

  private enter(): bool {
    if (this.waiting === 0 || !this.owner.isIdle(this.byForce)) return false;
    if (!this.hasUrgent && this.owner.isWanted()) return false;
    this.put(PxIE, 0);
    this.owner.taken();
    this.cmd = this.get(PxCMD) & ~(unkept | CMD_ST | CMD_FRE);
    return this.go(STOPPING, CMD_ST, 0);
  }

  /** Both engines stand: they get the VMM's places. */
  private aim(): bool {
    this.putAddress(PxCLB, physicalOf(this.list));
    this.putAddress(PxFB, physicalOf(this.received));
    this.put(PxCMD, this.cmd | CMD_FRE);
    this.phase = RECEIVING;
    return true;
  }

  /** Issues what waits; nothing more, or the guest wants the disk: gives the port back. */
  private next(now: u64): bool {
    const at = this.choose();
    if (at < 0) return this.go(LEAVING, CMD_ST, 0);
    const request = unchecked(this.queue[at])!;
    this.remove(at);
    if (!request.sink.begin(request)) {
      request.queued = false;
      return true;
    }
    this.current = request;
    this.deadline = now + patience;
    this.write(request);
    this.issued++;
    this.put(PxIS, this.get(PxIS) & IS_FATAL);
    this.put(PxCI, 1);
    return true;
  }

  /** @returns -1: nothing now */
  private choose(): i32 {
    for (let i = 0; i < this.waiting; i++) if (unchecked(this.queue[i])!.urgent) return i;
    return this.waiting > 0 && !this.owner.isWanted() ? 0 : -1;
  }

  private write(request: DiskRequest): void {
    const fis = this.table;
    encode(fis, request.opcode, request.lba, request.sectors);
    const entries: u32 = request.bytes > 0 ? 1 : 0;
    if (entries !== 0) writeEntry(physicalOf(this.table) + tableHead, physicalOf(request.buffer), request.bytes);
    const header = physicalOf(this.list);
    physWrite32(header, 5 | (request.write ? HEADER_WRITE : 0) | (entries << 16));
    physWrite32(header + 4, 0);
    physWrite32(header + 8, <u32>physicalOf(this.table));
    physWrite32(header + 12, <u32>(physicalOf(this.table) >> 32));
  }

  private watch(now: u64): bool {
    const failed = (this.get(PxIS) & IS_FATAL) !== 0 || (this.get(PxSSTS) & 0xf) !== DET_UP || now > this.deadline;
    if (failed) return this.go(RECOVERING, CMD_ST, 0);
    if ((this.get(PxCI) & 1) !== 0) return false;
    if ((this.get(PxTFD) & TFD_ERR) !== 0) return this.go(RECOVERING, CMD_ST, 0);
    this.finish(true);
    return true;
  }

  /** The engine stands after an error: start it again, [AHCI 6.2.2.1] (R8.16). */
  private recover(): bool {
    this.put(PxIS, IS_FATAL);
    if ((this.get(PxTFD) & (TFD_BSY | TFD_DRQ)) === 0) return this.restart();
    this.put(PxCMD, this.cmd | CMD_FRE | CMD_CLO);
    this.phase = CLEARING;
    return true;
  }

  private restart(): bool {
    this.go(RUNNING, 0, CMD_ST);
    this.failed++;
    this.finish(false);
    return true;
  }

  private finish(ok: bool): void {
    const request = this.current;
    if (request === null) return;
    this.current = null;
    request.queued = false;
    const fis = physicalOf(this.received) + RFIS;
    request.result = 0;
    for (let i: u64 = 0; i < 3; i++) {
      request.result |= ((<u64>physRead8(fis + 4 + i)) << (8 * i)) | ((<u64>physRead8(fis + 8 + i)) << (24 + 8 * i));
    }
    request.sink.done(request, ok);
  }

  /** The guest's places, engines and interrupts again. */
  private restore(): bool {
    const cmd = this.owner.givenBack() & ~unkept;
    this.put(PxCMD, cmd & ~CMD_ST);
    if ((cmd & CMD_ST) !== 0) this.put(PxCMD, cmd);
    this.phase = GUEST;
    this.owner.resumed();
    return false;
  }

  private remove(at: i32): void {
    this.waiting--;
    for (let i = at; i < this.waiting; i++) unchecked((this.queue[i] = this.queue[i + 1]));
    unchecked((this.queue[this.waiting] = null));
  }

  private get(register: u32): u32 {
    return mmioRead32(this.base + register);
  }

  private put(register: u32, value: u32): void {
    mmioWrite32(this.base + register, value);
  }

  private putAddress(register: u32, address: u64): void {
    this.put(register, <u32>address);
    this.put(register + 4, <u32>(address >> 32));
  }

  private when(bits: u32, value: u32): bool {
    return (this.get(PxCMD) & bits) === value;
  }

  private go(phase: u32, clear: u32, set: u32): bool {
    this.put(PxCMD, (this.get(PxCMD) & ~(clear | CMD_CLO)) | set);
    this.phase = phase;
    return true;
  }

  private stop(bit: u32, until: u32): void {
    this.put(PxCMD, this.get(PxCMD) & ~(bit | CMD_CLO));
    for (let i: u32 = 0; i < spins && (this.get(PxCMD) & until) !== 0; i++) {}
  }
}
