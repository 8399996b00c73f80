/** A controller with a disk and guest memory on a bench, driven as a driver does it: by registers and memory. */
import {
  Clock,
  type ClockState,
  clockState,
  decodeState,
  encodeState,
  high32,
  low32,
  type Plain,
  type Random,
  readLittle,
  record,
  type Width,
  writeLittle,
} from "@castaway/kit";
import { AtaDrive, type AtaDriveOptions, driveState } from "../ata/drive.ts";
import { FaultyDisk } from "../media/faulty.ts";
import { blankDisk, type OverlayDisk, overlayState } from "../media/overlay.ts";
import type { DiskTiming } from "../timing.ts";
import { AhciHba, ahciState } from "./hba.ts";

// The driver's side of the specification, typed a second time on purpose.
export const GHC = 0x04;
export const IS = 0x08;
export const [PxCLB, PxCLBU, PxFB, PxFBU, PxIS, PxIE, PxCMD] = [0x100, 0x104, 0x108, 0x10c, 0x110, 0x114, 0x118];
export const [PxTFD, PxSIG, PxSSTS, PxSCTL, PxSERR, PxSACT, PxCI] = [0x120, 0x124, 0x128, 0x12c, 0x130, 0x134, 0x138];

/** Where the driver has its structures. */
export const list = 0x1000;
export const received = 0x2000;
export const table = (slot: number): number => 0x1_0000 + 0x1000 * slot;

export type Sent = {
  command: number;
  lba?: number;
  count?: number;
  features?: number;
  device?: number;
  write?: boolean;
  /** Address and length of each region; bit 31 of the third asks for an interrupt. */
  regions?: [address: number, bytes: number, tell?: boolean][];
};

const shape = record({ clock: clockState, drive: driveState, hba: ahciState(1), medium: overlayState });

export type RigOptions = { timing?: DiskTiming; sectors?: number; disk?: AtaDriveOptions; sectorSize?: number };

export class Rig {
  readonly ram = new Uint8Array(0x40_0000);
  medium!: OverlayDisk;
  faulty!: FaultyDisk;
  clock!: Clock;
  drive!: AtaDrive;
  hba!: AhciHba;
  high = false;
  /** How many messages would have been sent. */
  raised = 0;
  readonly #options: RigOptions;

  constructor(options: RigOptions = {}) {
    this.#options = options;
    this.#make();
  }

  #make(): void {
    const { timing, sectors = 0x4000, disk, sectorSize = 512 } = this.#options;
    const bad = this.faulty;
    this.clock = new Clock();
    this.medium = blankDisk(sectors * sectorSize, { sectorSize });
    this.faulty = new FaultyDisk(this.medium);
    for (const lba of bad?.unreadable ?? []) this.faulty.unreadable.add(lba);
    for (const lba of bad?.unwritable ?? []) this.faulty.unwritable.add(lba);
    this.drive = new AtaDrive({ clock: this.clock, medium: this.faulty, timing }, disk);
    const { clock, drive } = this;
    this.hba = new AhciHba({
      clock,
      dma: this.dma,
      irq: {
        set: (high) => {
          if (high && !this.high) this.raised++;
          this.high = high;
        },
      },
      signal: () => this.raised++,
      drives: [drive],
    });
  }

  readonly dma = {
    read: (address: number, into: Uint8Array) => {
      into.fill(0xff);
      into.set(this.ram.subarray(Math.min(address, this.ram.length), Math.min(address + into.length, this.ram.length)));
    },
    write: (address: number, from: Uint8Array) => {
      const room = Math.max(0, this.ram.length - address);
      if (room > 0) this.ram.set(from.subarray(0, room), address);
    },
  };

  /** Saves all, and restores it into parts that were made a moment ago. */
  hop(): void {
    const { clock, drive, hba, medium } = this;
    const state = { clock: clock.save(), drive: drive.save(), hba: hba.save(), medium: medium.save() };
    const bytes = encodeState("rig", 1, state as unknown as Plain);
    const { high, raised } = this;
    this.#make();
    const again = decodeState("rig", 1, shape, bytes);
    this.clock.restore(again.clock as ClockState);
    this.medium.restore(again.medium);
    this.hba.restore(again.hba);
    this.drive.restore(again.drive);
    if (this.high !== high) throw new Error("the line differs after restore");
    this.raised = raised;
  }

  read(offset: number, bytes: Width = 4): number {
    return this.hba.read(offset, bytes);
  }

  write(offset: number, value: number, bytes: Width = 4): void {
    this.hba.write(offset, bytes, value);
  }

  after(time: number): void {
    this.clock.advanceTo(this.clock.now + time);
  }

  /** Until nothing more is to happen. */
  settle(): void {
    while (Number.isFinite(this.clock.nextDue)) this.clock.advanceTo(Math.max(this.clock.now, this.clock.nextDue));
  }

  /** The link is up, the port runs, all interrupts are on. */
  start(): this {
    this.settle();
    this.write(GHC, 0x8000_0002);
    this.write(PxCLB, list);
    this.write(PxFB, received);
    this.write(PxSERR, 0xffff_ffff);
    this.write(PxIE, 0xfdc0_00ff);
    this.write(PxCMD, 0x10);
    this.write(PxCMD, 0x11);
    return this;
  }

  /** Writes header, command FIS and descriptors of a slot into memory. */
  prepare(slot: number, { command, lba = 0, count = 0, features = 0, device = 0x40, write, regions = [] }: Sent): void {
    const { ram } = this;
    const header = list + 32 * slot;
    ram.fill(0, header, header + 32);
    writeLittle(ram, header, 2, 5 | (write ? 0x40 : 0));
    writeLittle(ram, header + 2, 2, regions.length);
    writeLittle(ram, header + 8, 4, table(slot));
    const low = lba % 0x100_0000;
    const high = (lba - low) / 0x100_0000;
    const at = table(slot);
    ram.set([0x27, 0x80, command, features, low, low >> 8, low >> 16, device], at);
    ram.set([high, high >> 8, high >> 16, features >> 8, count, count >> 8, 0, 0, 0, 0, 0, 0], at + 8);
    for (const [index, [address, bytes, tell]] of regions.entries()) {
      const entry = at + 0x80 + 16 * index;
      writeLittle(ram, entry, 4, low32(address));
      writeLittle(ram, entry + 4, 4, high32(address));
      writeLittle(ram, entry + 8, 4, 0);
      writeLittle(ram, entry + 12, 4, ((bytes - 1) | (tell ? 0x8000_0000 : 0)) >>> 0);
    }
  }

  /** Sends a command from slot 0 and waits for its end. @returns PxTFD */
  run(sent: Sent, slot = 0): number {
    this.prepare(slot, sent);
    this.write(PxCI, 1 << slot);
    this.settle();
    return this.read(PxTFD);
  }

  /** ST and IS as a driver clears them after an error. */
  recover(): void {
    this.write(PxCMD, 0x10);
    this.write(PxSERR, 0xffff_ffff);
    this.write(PxIS, 0xffff_ffff);
    this.write(IS, 1);
    this.write(PxCMD, 0x11);
  }

  word(address: number): number {
    return readLittle(this.ram, address, 4);
  }

  bytes(address: number, count: number): number[] {
    return [...this.ram.subarray(address, address + count)];
  }

  /** Puts seeded bytes on the medium. @returns them */
  fill(lba: number, sectors: number, random: Random): Uint8Array {
    const data = random.fill(new Uint8Array(sectors * this.medium.sectorSize));
    this.medium.write(lba, data);
    return data;
  }
}
