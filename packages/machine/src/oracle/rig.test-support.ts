/**
 * A machine whose processor halts, and a driver that is a guest without a hypervisor, a guest whose accesses leave it, or
 * the hypervisor, as the test says.
 */
import { EXIT } from "@castaway/cpu";
import { OverlayDisk, ZeroDisk } from "@castaway/devices";
import { type BlockDevice, high32, low32, ms, Random, writeLittle } from "@castaway/kit";
import { Machine } from "../machine.ts";
import { halt, withRom } from "../rom.test-support.ts";
import { DiskOracle } from "./oracle.ts";

const ABAR = 0xf000_0000;
export const PAIR = 0xc000;
export const [GHC, PxCLB, PxFB, PxCMD, PxSCTL, PxSACT, PxCI] = [0x04, 0x100, 0x108, 0x118, 0x12c, 0x134, 0x138];
export const SIZE = 512;
/** Sectors of the image and of the disk. */
export const IMAGE = 64;
export const DISK = 256;
/** Where the guest has its command list, and the hypervisor its own. */
const LISTS = { guest: 0x1000, hypervisor: 0x2000 };
const table = (list: number, slot: number) => 0x1_0000 + (list === LISTS.guest ? 0 : 0x8000) + 0x400 * slot;
const CODE = 0x5000;
const OUTSIDE = 0;
const ROOT = 1;

export type Sent = {
  readonly command: number;
  readonly lba?: number;
  readonly count?: number;
  readonly features?: number;
  readonly device?: number;
  /** Address and length of each region. */
  readonly regions?: readonly (readonly [address: number, bytes: number])[];
};

/** Below the drive: what it stores can be lost or spoilt. */
export class BadMedium extends OverlayDisk {
  drop = false;
  flip = false;
  override write(lba: number, from: Uint8Array): boolean {
    if (this.drop) return true;
    const data = from.slice();
    if (this.flip) data[7]! ^= 0x10;
    return super.write(lba, data);
  }
}

export class Rig {
  readonly image = new Random(1).fill(new Uint8Array(IMAGE * SIZE));
  readonly medium: BadMedium;
  readonly pc: Machine;
  readonly oracle: DiskOracle;

  constructor({ base = new ZeroDisk(DISK * SIZE), oracle }: { base?: BlockDevice; oracle?: boolean } = {}) {
    this.medium = new BadMedium(base);
    this.pc = new Machine(withRom(halt, { disks: [this.medium] }));
    const { ports, cpu } = this.pc.board;
    const config = (offset: number, value: number) => {
      ports.write(0xcf8, 4, (0x8000_0000 | (4 << 11) | offset) >>> 0);
      ports.write(0xcfc, 4, value);
    };
    this.pc.run({ atMost: ms(2) });
    cpu.enter("long", 0x6000);
    cpu.write(0x6000, [0xf4, 0xeb, 0xfd]);
    config(0x24, ABAR);
    config(0x20, PAIR);
    config(0x04, 7);
    this.oracle = new DiskOracle(this.pc, { image: this.image });
    if (oracle === false) this.oracle.close();
  }

  /** The image is on the disk already, as without a hypervisor. */
  static deployed(): Rig {
    const rig = new Rig();
    rig.medium.write(0, rig.image);
    return rig;
  }

  /** An access of the processor, in the guest without a hypervisor or by the hypervisor. */
  access(who: "guest" | "hypervisor", offset: number, value: number, bytes = 4): void {
    const { cpu } = this.pc.board;
    const { vmx } = cpu.processors[0]!;
    vmx.operation = who === "hypervisor" ? ROOT : OUTSIDE;
    cpu.physical.handler(ABAR / 4096).write(ABAR + offset, bytes, value);
    vmx.operation = OUTSIDE;
  }
  /** An access that leaves the guest, by `code` with these registers. Without code: MOV to memory of EAX. */
  leave(
    offset: number,
    value: number,
    code: readonly number[] = [0x89, 0x07],
    registers: Record<string, number> = {},
  ): void {
    const { cpu } = this.pc.board;
    cpu.write(CODE, code);
    for (const [name, held] of Object.entries({ RAX: value, ...registers })) cpu.set(name, held);
    this.pc.probes.vmExit.emit({
      processor: 0,
      reason: EXIT.eptViolation,
      qualification: 0x182,
      ip: CODE,
      interruption: 0,
      guestPhysical: ABAR + offset,
      time: this.pc.now,
    });
  }

  /** The guest reads a register without a hypervisor. */
  look(offset: number): number {
    return this.pc.board.cpu.physical.handler(ABAR / 4096).read(ABAR + offset, 4);
  }
  /** A load that leaves the guest: MOV EAX from memory. `enter` lets the guest go on, behind it with a value or at it again. */
  leaveByLoad(offset: number): void {
    const { cpu } = this.pc.board;
    cpu.write(CODE, [0x8b, 0x07]);
    const at = { processor: 0, ip: CODE, interruption: 0, time: this.pc.now };
    this.pc.probes.vmExit.emit({
      ...at,
      reason: EXIT.eptViolation,
      qualification: 0x181,
      guestPhysical: ABAR + offset,
    });
  }
  enter(value: number, ip = CODE + 2): void {
    this.pc.board.cpu.set("RAX", value);
    this.pc.probes.vmEntry.emit({ processor: 0, ip, time: this.pc.now });
  }

  /** The port runs, with somebody's list. */
  start(who: "guest" | "hypervisor" = "guest"): this {
    this.pc.run({ atMost: ms(2) });
    this.access(who, PxCLB, LISTS[who]);
    this.access(who, PxFB, 0x3000);
    this.access(who, PxCMD, 0x10);
    this.access(who, PxCMD, 0x11);
    return this;
  }
  /** The guest's port as the hypervisor lets it see it. */
  startBehind(): this {
    this.start("hypervisor");
    this.leave(PxCLB, LISTS.guest);
    this.leave(PxCMD, 0x11);
    return this;
  }

  prepare(
    slot: number,
    { command, lba = 0, count = 0, features = 0, device = 0x40, regions = [] }: Sent,
    who: "guest" | "hypervisor" = "guest",
  ): void {
    const at = table(LISTS[who], slot);
    const bytes = new Uint8Array(0x80 + 16 * regions.length);
    const [low, high] = [lba % 0x100_0000, Math.floor(lba / 0x100_0000)];
    bytes.set([0x27, 0x80, command, features, low, low >> 8, low >> 16, device]);
    bytes.set([high, high >> 8, high >> 16, features >> 8, count, count >> 8], 8);
    for (const [index, [address, length]] of regions.entries()) {
      writeLittle(bytes, 0x80 + 16 * index, 4, low32(address));
      writeLittle(bytes, 0x84 + 16 * index, 4, high32(address));
      writeLittle(bytes, 0x8c + 16 * index, 4, length - 1);
    }
    this.memory(at, bytes);
    const header = new Uint8Array(32);
    writeLittle(header, 0, 2, 5 | 0x40);
    writeLittle(header, 2, 2, regions.length);
    writeLittle(header, 8, 4, at);
    this.memory(LISTS[who] + 32 * slot, header);
  }
  memory(address: number, bytes: Uint8Array | readonly number[]): void {
    this.pc.board.cpu.write(address, bytes);
  }
  /** Sends a command from a slot. */
  send(sent: Sent, { slot = 0, who = "guest" }: { slot?: number; who?: "guest" | "hypervisor" } = {}): this {
    this.prepare(slot, sent, who);
    this.access(who, PxCI, 1 << slot);
    return this;
  }
  settle(): this {
    this.pc.run({ atMost: ms(5) });
    return this;
  }
}

/** WRITE DMA EXT of sectors from one piece of memory. */
export const writeDma = (lba: number, count: number, address: number): Sent => ({
  command: 0x35,
  lba,
  count,
  regions: [[address, count * SIZE]],
});
/** Sectors of one byte. */
export const sectors = (count: number, byte: number): Uint8Array => new Uint8Array(count * SIZE).fill(byte);
