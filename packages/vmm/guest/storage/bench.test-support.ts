/** The mediator between a driver, which is the test, and the real controller and drive; the network is the test's too. */
import { AhciHba, AtaDrive, blankDisk, type DiskTiming, FaultyDisk, ssdTiming } from "@castaway/devices";
import { mib, type Random, writeLittle } from "@castaway/kit";
import { compileGuest } from "../rig/compile.test-support.ts";
import { type Loaded, Machine } from "../rig/machine.test-support.ts";

// The driver's side of the specification, typed again on purpose.
export const [GHC, IS] = [0x04, 0x08];
export const [PxCLB, PxCLBU, PxFB, PxFBU, PxIS, PxIE, PxCMD] = [0x100, 0x104, 0x108, 0x10c, 0x110, 0x114, 0x118];
export const [PxTFD, PxSIG, PxSSTS, PxSCTL, PxSERR, PxSACT, PxCI] = [0x120, 0x124, 0x128, 0x12c, 0x130, 0x134, 0x138];
export const abar = 0xe000_0000;
/** Where the driver has its structures. */
export const list = 0x1000;
export const received = 0x2000;
export const table = (slot: number): number => 0x1_0000 + 0x2000 * slot;
export const buffer = (slot: number): number => 0x10_0000 + 0x4_0000 * slot;

type Guest = {
  setup(delta: bigint, bytes: bigint, abar: bigint): number;
  deploy(diskSectors: bigint, imageSectors: bigint, shift: number, pool: number): void;
  start(imageSectors: bigint, shift: number, pool: number): void;
  stage(): number;
  adopt(): void;
  refusal(): number;
  found(): number;
  isBroken(): number;
  timesDone(): number;
  handBack(): number;
  storeFirst(yes: number): void;
  moderate(idle: bigint, chunk: number): void;
  read(address: bigint, bytes: number): bigint;
  write(address: bigint, bytes: number, value: bigint): void;
  pairRead(port: number): number;
  pairWrite(port: number, value: number): void;
  poll(now: bigint, copy: number): void;
  isQuiet(): number;
  isTaken(): number;
  remaining(): number;
  isLocal(block: number): number;
  issuedByVmm(): bigint;
  failedByVmm(): bigint;
  fetched(): bigint;
  setRoom(room: number): void;
  fetchCount(): number;
  fetchLba(at: number): bigint;
  fetchSectors(at: number): number;
  fetchBuffer(at: number): number;
  fetchArrived(at: number): void;
  extend(): void;
  observed(): number;
  observedLba(): bigint;
  observedSectors(): number;
};

const guest = await compileGuest("storage/bench.test-entry.ts");

export type Sent = {
  command: number;
  lba?: number;
  count?: number;
  features?: number;
  device?: number;
  write?: boolean;
  /** Address and length of each piece of memory. */
  regions?: [address: number, bytes: number][];
};

export type BenchOptions = {
  sectors?: number;
  image?: Uint8Array;
  shift?: number;
  pool?: number;
  timing?: DiskTiming;
  /** With the record on the disk, as at a real start. */
  whole?: boolean;
  /** A disk that was used before, and what its drive shows. */
  medium?: ReturnType<typeof blankDisk>;
  visible?: number;
};

export class Bench {
  readonly machine = new Machine({ ram: mib(40), delta: mib(16) });
  readonly medium: ReturnType<typeof blankDisk>;
  readonly faulty: FaultyDisk;
  readonly drive: AtaDrive;
  readonly hba: AhciHba;
  readonly vmm: Guest & Loaded;
  readonly image: Uint8Array;
  high = false;
  /** How many times the interrupt line went up. */
  raised = 0;
  /** Before every register access of the driver's. */
  before: () => void = () => {};
  copying = false;

  constructor(options: BenchOptions = {}) {
    const { sectors = 0x800, image = new Uint8Array(0), shift = 3, pool = 8, timing, medium, visible } = options;
    const { clock, dma, ram } = this.machine;
    this.image = image;
    this.medium = medium ?? blankDisk(sectors * 512);
    this.faulty = new FaultyDisk(this.medium);
    // TRIM goes to the medium below: faults are for reads and writes.
    Object.assign(this.faulty, { discard: (lba: number, count: number) => this.medium.discard(lba, count) });
    this.drive = new AtaDrive({ clock, medium: this.faulty, timing: timing ?? ssdTiming() }, { visible });
    const set = (high: boolean) => {
      if (high && !this.high) this.raised++;
      this.high = high;
    };
    this.hba = new AhciHba({ clock, dma, irq: { set }, signal: () => this.raised++, drives: [this.drive] });
    this.machine.map("memory", abar, 0x1000, this.hba);
    this.settleHardware();
    this.vmm = this.machine.load<Guest>(guest);
    if (!this.vmm.setup(BigInt(this.machine.delta), BigInt(mib(16)), BigInt(abar))) throw new Error("no attach");
    if (options.whole) this.#begin(shift, pool);
    else this.vmm.deploy(BigInt(sectors), BigInt(image.length / 512), shift, pool);
    ram.fill(0xee, 0x10_0000, 0xa0_0000);
  }

  read(offset: number, bytes = 4): number {
    this.before();
    return Number(BigInt.asUintN(8 * bytes, this.vmm.read(BigInt(abar + offset), bytes)));
  }

  write(offset: number, value: number, bytes = 4): void {
    this.before();
    this.vmm.write(BigInt(abar + offset), bytes, BigInt(value >>> 0));
  }

  poll(): void {
    this.vmm.poll(BigInt(this.machine.clock.now), this.copying ? 1 : 0);
  }

  /** The network brings what fetch number `at` asked for. */
  deliver(at = 0): void {
    const { vmm, image } = this;
    const lba = Number(vmm.fetchLba(at));
    const bytes = 512 * vmm.fetchSectors(at);
    const data = image.subarray(lba * 512, lba * 512 + bytes);
    if (data.length !== bytes) throw new Error(`a fetch beyond the image: ${lba}`);
    new Uint8Array(vmm.memory.buffer).set(data, vmm.fetchBuffer(at));
    vmm.fetchArrived(at);
  }

  /** Lets time pass in steps, with polls, and the network answering at once. */
  run(until: () => boolean, most = 20_000): boolean {
    for (let i = 0; i < most; i++) {
      if (until()) return true;
      this.poll();
      while (this.vmm.fetchCount() > 0) this.deliver();
      this.machine.after(10_000);
    }
    return until();
  }

  /** Until the hardware alone has nothing more to do. */
  settleHardware(): void {
    const { clock } = this.machine;
    while (Number.isFinite(clock.nextDue)) clock.advanceTo(Math.max(clock.now, clock.nextDue));
  }

  /** Until the link is up again. */
  settleLink(): void {
    for (let i = 0; i < 200; i++) {
      this.poll();
      this.machine.after(10_000);
    }
  }

  #begin(shift: number, pool: number): void {
    this.vmm.start(BigInt(this.image.length / 512), shift, pool);
    if (!this.run(() => this.vmm.stage() >= 3)) throw new Error("the disk is never ready");
    if (this.vmm.stage() !== 5) this.vmm.adopt();
  }

  /** The port runs, all interrupts are on. */
  start(): this {
    this.write(GHC, 0x8000_0002);
    this.write(PxCLB, list);
    this.write(PxCLBU, 0);
    this.write(PxFB, received);
    this.write(PxFBU, 0);
    this.write(PxSERR, 0xffff_ffff);
    this.write(PxIS, 0xffff_ffff);
    this.write(IS, 1);
    this.write(PxIE, 0x7dc0_00ff);
    this.write(PxCMD, 0x16);
    this.write(PxCMD, 0x17);
    return this;
  }

  /** Writes header, command FIS and descriptors of a slot into memory. */
  prepare(slot: number, { command, lba = 0, count = 0, features = 0, device = 0x40, write, regions = [] }: Sent): void {
    const ram = this.machine.ram;
    const header = list + 32 * slot;
    ram.fill(0, header, header + 32);
    writeLittle(ram, header, 2, 5 | (write ? 0x40 : 0));
    writeLittle(ram, header + 2, 2, regions.length);
    writeLittle(ram, header + 8, 4, table(slot));
    const at = table(slot);
    ram.set([0x27, 0x80, command, features, lba, lba >> 8, lba >> 16, device], at);
    ram.set([lba / 2 ** 24, 0, 0, features >> 8, count, count >> 8, 0, 0, 0, 0, 0, 0], at + 8);
    for (const [index, [address, bytes]] of regions.entries()) {
      const entry = at + 0x80 + 16 * index;
      ram.fill(0, entry, entry + 16);
      writeLittle(ram, entry, 4, address);
      writeLittle(ram, entry + 12, 4, bytes - 1);
    }
  }

  /** Sends a command from slot 0 and waits for its end. @returns PxTFD */
  command(sent: Sent, slot = 0): number {
    this.prepare(slot, sent);
    if (sent.command === 0x60 || sent.command === 0x61) this.write(PxSACT, 1 << slot);
    this.write(PxCI, 1 << slot);
    const over = () => (((this.read(PxCI) | this.read(PxSACT)) >>> slot) & 1) === 0 || (this.read(PxTFD) & 0x81) === 1;
    if (!this.run(over)) throw new Error("the command does not end");
    return this.read(PxTFD);
  }

  readSectors(lba: number, count: number): Uint8Array {
    this.command({ command: 0x25, lba, count, regions: [[buffer(0), count * 512]] });
    return this.machine.ram.slice(buffer(0), buffer(0) + count * 512);
  }

  writeSectors(lba: number, data: Uint8Array): number {
    this.machine.ram.set(data, buffer(0));
    const regions: [number, number][] = [[buffer(0), data.length]];
    return this.command({ command: 0x35, lba, count: data.length / 512, write: true, regions });
  }

  /** What the disk holds, past drive and mediator. */
  disk(lba: number, count: number): Uint8Array {
    const into = new Uint8Array(count * 512);
    this.medium.read(lba, into);
    return into;
  }
}

/** Seeded bytes. */
export const noise = (random: Random, sectors: number): Uint8Array => random.fill(new Uint8Array(sectors * 512));
