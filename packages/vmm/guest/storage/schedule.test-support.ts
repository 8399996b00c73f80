/**
 * A guest at random on a bench at random (T4): before each of its register accesses time passes, the VMM polls, and the
 * network brings something, or not. The oracle knows only what the guest wrote and when; each sector holds a version, so
 * that every read says what it saw.
 */
import { blankDisk } from "@castaway/devices";
import { Random, writeLittle } from "@castaway/kit";
import {
  Bench,
  buffer,
  IS,
  PxCI,
  PxCMD,
  PxIE,
  PxIS,
  PxSACT,
  PxSCTL,
  PxSERR,
  PxSSTS,
  PxTFD,
  type Sent,
} from "./bench.test-support.ts";

const sectors = 0x300;
const shift = 3;
/** What a record takes of the disk. */
const record = 24;

/** What sector `lba` holds in `version`: the image is version 1, garbage of before 0. */
function contents(lba: number, version: number, into: Uint8Array): void {
  const words = new Uint32Array(into.buffer, into.byteOffset, 128);
  for (let i = 0; i < 128; i += 2) {
    words[i] = lba + i * 0x10000;
    words[i + 1] = version;
  }
}

/** @returns the version, or -1 if it is no whole sector of any */
function versionOf(lba: number, bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.slice(0, 512).buffer);
  if (words.every((word) => word === 0)) return trimmed;
  for (let i = 0; i < 128; i += 2) if (words[i] !== lba + i * 0x10000 || words[i + 1] !== words[1]) return -1;
  return words[1];
}

type Outstanding = {
  slot: number;
  write: boolean;
  queued: boolean;
  lba: number;
  count: number;
  version: number;
  /** Durable when it ends. */
  fua: boolean;
  /** By sector: what a read may see; of a write, what may be there after it. */
  allowed: Set<number>[];
};

/** Any content: a write that was cut off (rule 6). */
const anything = -2;
/** Zeros: no version begins with them, for its other words are not zero. */
const trimmed = -3;

export class Guest {
  bench: Bench;
  readonly random: Random;
  readonly #imageSectors: number;
  /** By sector: the versions that may be there. */
  readonly #may: Set<number>[] = [];
  /** The same after a power cut. Versions come in the order of their writes, and each may fall back to any since. */
  readonly #durable: Set<number>[] = [];
  readonly #image: Uint8Array;
  readonly #open = new Map<number, Outstanding>();
  #versions = 1;
  #completed = 0;
  #resets = 0;
  #spoils = true;
  reads = 0;
  writes = 0;

  constructor(seed: string, whole = false) {
    this.random = new Random(seed);
    this.#imageSectors = this.random.pick([sectors, sectors - 5, 0x123, 64]);
    const image = new Uint8Array(this.#imageSectors * 512);
    for (let lba = 0; lba < this.#imageSectors; lba++) contents(lba, 1, image.subarray(lba * 512, lba * 512 + 512));
    this.#image = image;
    const pool = this.random.pick([2, 4, 8]);
    const medium = blankDisk((sectors + (whole ? record : 0)) * 512);
    this.bench = new Bench({ sectors: medium.sectors, image, shift, pool, whole, medium });
    const { bench } = this;
    const sector = new Uint8Array(512);
    for (let lba = 0; lba < sectors; lba++) {
      contents(lba, 0, sector);
      bench.medium.write(lba, sector);
      this.#may.push(new Set([lba < this.#imageSectors ? 1 : 0]));
      this.#durable.push(new Set(this.#may[lba]));
    }
    this.#settle();
    if (!whole && this.random.chance(0.3)) this.#spoil();
  }

  /** Some of the VMM's own writes fail (rule 6). */
  #spoil(): void {
    const { faulty, vmm } = this.bench;
    const write = faulty.write.bind(faulty);
    faulty.write = (lba, from) => {
      if (this.#spoils && vmm.isTaken() === 1 && this.random.chance(0.3)) return false;
      return write(lba, from);
    };
  }

  #settle(): void {
    const { bench } = this;
    bench.vmm.moderate(BigInt(this.random.pick([0, 50_000, 2_000_000])), this.random.pick([1, 2, 4]));
    bench.copying = this.random.chance(0.8);
    bench.vmm.setRoom(this.random.pick([1, 3, 64]));
    bench.vmm.storeFirst(this.random.below(2));
    bench.start();
    bench.before = () => this.#world();
  }

  /** The power fails, wherever the VMM is: what was written since the last FLUSH may be lost, sector by sector. */
  powerCut(): void {
    this.drain();
    for (let i = this.random.below(30); i > 0; i--) this.#world();
    const { medium, drive } = this.bench;
    drive.powerCut(this.random);
    this.bench = new Bench({
      image: this.#image,
      shift,
      pool: 4,
      whole: true,
      medium,
      visible: drive.persistentSectors,
    });
    if (this.bench.vmm.found() === 4) throw new Error("the record is damaged");
    for (const [lba, may] of this.#may.entries()) for (const one of this.#durable[lba]) may.add(one);
    this.#completed = this.#resets = 0;
    this.#settle();
  }

  /** FLUSH: what may be there now is all that may be there after a power cut. */
  flush(): void {
    this.drain();
    this.#alone(0xea);
    for (const [lba, may] of this.#may.entries()) this.#durable[lba] = new Set(may);
  }

  /** Something happens, or nothing. */
  #world(): void {
    const { bench, random } = this;
    for (let i = random.below(3); i > 0; i--) {
      if (random.chance(0.5)) bench.machine.after(random.below(random.pick([10, 1000, 60_000])));
      if (random.chance(0.6)) bench.poll();
      const count = bench.vmm.fetchCount();
      if (count > 0 && random.chance(0.3)) bench.deliver(random.below(count));
    }
  }

  /** One phase: queued commands or others, then all of them end or are cut off. */
  phase(): void {
    const { random } = this;
    const queued = random.chance(0.6);
    for (let i = random.below(12) + 1; i > 0; i--) {
      if (random.chance(0.7)) this.#issue(queued);
      if (random.chance(0.5)) this.#look();
      if (random.chance(0.02)) return this.#reset();
    }
    if (random.chance(0.1)) return this.#reset();
    this.drain();
    if (random.chance(0.3)) this.#simple();
    if (random.chance(0.5)) this.#idle();
  }

  drain(): void {
    for (let i = 0; this.#open.size > 0; i++) {
      if (i > 5000) throw new Error(`commands do not end: ${[...this.#open.keys()]}`);
      if (i > 1000) this.bench.machine.after(10_000_000); // a store that failed is tried again only then
      this.#look();
    }
  }

  /** Lets all be copied, and compares the disk with what the guest believes. @returns blocks that are still not local */
  finish(): number {
    const { bench } = this;
    this.drain();
    bench.copying = true;
    bench.vmm.setRoom(64);
    this.#spoils = false;
    bench.run(() => bench.vmm.remaining() === 0, 500_000);
    this.#simple(); // a PxTFD of before the VMM's commands would keep the port
    if (!bench.run(() => bench.vmm.remaining() === 0 && bench.vmm.isQuiet() === 1)) {
      throw new Error(`never done: ${bench.vmm.remaining()} left`);
    }
    for (let lba = 0; lba < sectors; lba++) this.#see(lba, bench.disk(lba, 1), this.#may[lba], "at the end");
    const issued = bench.vmm.issuedByVmm();
    for (let register = 0x110; register < 0x140; register += 4) {
      same(bench.read(register), bench.hba.read(register, 4), `register ${register.toString(16)} at the end`);
    }
    bench.run(() => false, 50);
    if (bench.vmm.issuedByVmm() !== issued) throw new Error("rule 12: the VMM is not silent");
    return bench.vmm.remaining();
  }

  #issue(queued: boolean): void {
    const { bench, random } = this;
    const slot = random.below(random.pick([2, 32]));
    if (this.#open.has(slot)) return;
    const write = random.chance(0.45);
    const count = random.pick([1, 3, 8, 16, random.below(40) + 1]);
    const near = random.pick([0, 64, random.below(sectors)]);
    const lba = Math.min(near + random.below(20), sectors - count);
    const version = write ? ++this.#versions : 0;
    const at = buffer(slot);
    const data = bench.machine.ram.subarray(at, at + count * 512);
    if (write) {
      for (let i = 0; i < count; i++) contents(lba + i, version, data.subarray(i * 512, i * 512 + 512));
      this.writes++;
    } else data.fill(0xcc);
    const regions = this.#regions(at, count * 512);
    const fua = queued && write && random.chance(0.1);
    if (queued) {
      bench.prepare(slot, {
        command: write ? 0x61 : 0x60,
        lba,
        count: slot << 3,
        features: count,
        device: fua ? 0xc0 : 0x40,
        write,
        regions,
      });
    } else bench.prepare(slot, { command: write ? 0x35 : random.pick([0x25, 0x24]), lba, count, write, regions });
    const allowed = Array.from({ length: count }, (_, i) => new Set(this.#may[lba + i]));
    if (write) for (const set of allowed) set.clear();
    for (const other of this.#open.values()) {
      for (let i = 0; i < count; i++) {
        const there = lba + i - other.lba;
        if (there < 0 || there >= other.count) continue;
        if (other.write) allowed[i].add(other.version); // its data may be there before or after
        if (write) other.allowed[there].add(version);
      }
    }
    this.#open.set(slot, { slot, write, queued, lba, count, version, fua, allowed });
    if (queued) bench.write(PxSACT, 1 << slot);
    bench.write(PxCI, 1 << slot);
    if (random.chance(0.2)) new Uint8Array(bench.machine.ram.buffer, 0x1000 + 32 * slot, 32).fill(0xff); // R8.2
  }

  /** The same memory in pieces. */
  #regions(at: number, bytes: number): [number, number][] {
    const regions: [number, number][] = [];
    for (let done = 0; done < bytes; ) {
      const piece = Math.min(bytes - done, this.random.pick([bytes, 512, 2 * (this.random.below(400) + 1)]));
      regions.push([at + done, piece]);
      done += piece;
    }
    return regions;
  }

  /** What a driver does in its interrupt. */
  #look(): void {
    const { bench } = this;
    const pending = bench.read(IS);
    const is = bench.read(PxIS);
    if ((is & 0x4000_0000) !== 0) throw new Error(`an error that is nobody's: ${bench.read(PxTFD).toString(16)}`);
    if (is !== 0) bench.write(PxIS, is);
    if (pending !== 0) bench.write(IS, pending);
    const [sact, ci] = [bench.read(PxSACT), bench.read(PxCI)];
    for (const command of [...this.#open.values()]) {
      if ((((command.queued ? sact : ci) >>> command.slot) & 1) === 0) this.#completedOne(command);
    }
    if (this.#open.size === 0) this.#nothing();
  }

  /** Without a command of the guest's nothing moves. */
  #nothing(): void {
    const { bench } = this;
    const is = bench.read(PxIS);
    if (is !== 0) bench.write(PxIS, is);
    bench.write(IS, 1);
    for (const register of [PxIS, PxCI, PxSACT, IS]) same(bench.read(register), 0, `register ${register.toString(16)}`);
    same(bench.read(PxTFD) & 0x88, 0, "PxTFD");
    same(bench.read(PxIE), 0x7dc0_00ff, "PxIE");
    same(bench.read(PxCMD) & ~0x1f00, 0xc017, "PxCMD");
    same(bench.read(PxSSTS), 0x113, "PxSSTS");
    const allowed = this.#completed + this.#resets;
    if (bench.raised > allowed) throw new Error(`${bench.raised} interrupts for ${allowed} causes`);
  }

  #completedOne({ slot, write, fua, lba, count, version, allowed }: Outstanding): void {
    this.#open.delete(slot);
    this.#completed += 2; // one when its frame came, one for a descriptor
    for (let i = 0; i < count; i++) {
      if (write) {
        this.#may[lba + i] = new Set([version, ...allowed[i]]);
        if (fua) this.#durable[lba + i] = new Set(this.#may[lba + i]);
        else for (const one of this.#may[lba + i]) this.#durable[lba + i].add(one);
        continue;
      }
      const at = buffer(slot) + i * 512;
      this.#see(lba + i, this.bench.machine.ram.subarray(at, at + 512), allowed[i], `read by slot ${slot}`);
    }
    if (!write) this.reads++;
  }

  #see(lba: number, bytes: Uint8Array, allowed: Set<number>, where: string): void {
    const version = versionOf(lba, bytes);
    if (allowed.has(version) || allowed.has(anything)) return;
    throw new Error(`sector ${lba} ${where}: version ${version}, not of ${[...allowed]}`);
  }

  /** Commands that are not the medium's, alone on the port. */
  #simple(): void {
    const { random } = this;
    if (random.chance(0.3)) this.#trim();
    else this.#alone(random.pick([0xec, 0xe5, 0x27]));
  }

  /** One range or two. */
  #trim(): void {
    const { random } = this;
    const { ram } = this.bench.machine;
    ram.fill(0, buffer(0), buffer(0) + 512);
    const ranges = [buffer(0), buffer(0) + 8].slice(random.below(2)).map((at) => {
      const count = random.below(30) + 1;
      const lba = random.below(sectors - count);
      writeLittle(ram, at, 4, lba);
      writeLittle(ram, at + 6, 2, count);
      return { lba, count };
    });
    this.#alone(0x06, { features: 1, count: 1, write: true, regions: [[buffer(0), 512]] });
    for (const { lba, count } of ranges) {
      for (let at = lba; at < lba + count; at++) {
        this.#may[at] = new Set([trimmed]);
        this.#durable[at].add(trimmed);
      }
    }
  }

  #alone(command: number, rest: Partial<Sent> = {}): void {
    const { bench } = this;
    const regions: [number, number][] = command === 0xec ? [[buffer(0), 512]] : [];
    bench.prepare(0, { command, regions, ...rest });
    bench.write(PxCI, 1);
    for (let i = 0; (bench.read(PxCI) & 1) !== 0; i++) {
      if (i > 5000) throw new Error(`${command} does not end`);
      if (i > 1000) bench.machine.after(10_000_000); // see drain
    }
    this.#completed += 2;
    this.#look();
  }

  #idle(): void {
    const { bench } = this;
    for (let i = this.random.below(40); i > 0; i--) {
      this.#world();
      bench.machine.after(20_000);
      if (this.random.chance(0.1)) this.#nothing();
    }
  }

  /** The driver gives up: everything outstanding is cut off, and no memory of it is written any more (R8.10). */
  #reset(): void {
    const { bench, random } = this;
    const { ram } = bench.machine;
    const local = (lba: number) => bench.vmm.isLocal(lba >>> shift) === 1;
    const empty = [...this.#open.values()].flatMap(({ write, lba, count }) =>
      write ? Array.from({ length: count }, (_, i) => lba + i).filter((at) => !local(at)) : [],
    );
    const how = random.pick(["comreset", "hba", "softReset", this.#open.size === 0 ? "stop" : "softReset"]);
    if (how === "hba") bench.write(0x04, 0x8000_0001);
    else if (how === "comreset" && random.chance(0.5)) this.#comreset();
    bench.write(PxCMD, 0x16);
    for (const { write, lba, count, version, allowed } of this.#open.values()) {
      if (!write) continue;
      for (let i = 0; i < count; i++) for (const one of [version, ...allowed[i]]) this.#may[lba + i].add(one);
    }
    for (const lba of empty) this.#may[lba].add(anything);
    for (const [lba, may] of this.#may.entries()) for (const one of may) this.#durable[lba].add(one);
    this.#open.clear();
    if (how === "comreset") this.#comreset();
    ram.fill(0xdd, buffer(0), buffer(32));
    const held = ram.slice(buffer(0), buffer(32));
    for (let i = 0; i < 30; i++) bench.read(PxCI);
    bench.settleLink();
    if (Buffer.compare(held, ram.subarray(buffer(0), buffer(32))) !== 0) throw new Error("late write to guest memory");
    this.#resets += 4;
    bench.start();
    if (how === "softReset") {
      bench.write(PxCMD, 0x16);
      bench.write(PxCMD, 0x1e); // CLO: the drive may be busy for ever
      bench.write(PxCMD, 0x17);
      this.#softReset();
    }
    bench.write(PxSERR, 0xffff_ffff);
    bench.write(PxIS, 0xffff_ffff);
    bench.write(IS, 1);
    same(bench.read(PxSACT) | bench.read(PxCI), 0, "after a reset");
  }

  #comreset(): void {
    const { bench } = this;
    bench.write(PxSCTL, 0x301);
    bench.read(PxSSTS);
    bench.write(PxSCTL, 0x300);
  }

  /** As libahci does: two frames that are no commands. */
  #softReset(): void {
    const { bench } = this;
    const { ram } = bench.machine;
    for (const control of [0x04, 0x00]) {
      bench.prepare(0, { command: 0 });
      ram[0x1_0000 + 1] = 0;
      ram[0x1_0000 + 15] = control;
      if (control !== 0) ram[0x1000 + 1] = 0x05; // R and C: clear BSY once it is sent
      bench.write(PxCI, 1);
      for (let i = 0; (bench.read(PxCI) & 1) !== 0; i++) if (i > 1000) throw new Error("software reset does not end");
    }
  }
}

function same(actual: number, expected: number, what: string): void {
  if (actual === expected) return;
  throw new Error(`${what}: ${(actual >>> 0).toString(16)}, not ${(expected >>> 0).toString(16)}`);
}
