/** AHCI commands as a driver builds them, and then with something wrong. Typed from the specification, not from the device. */
import { type Random, writeLittle } from "@castaway/kit";
import type { Board } from "castaway";
import { hexOf } from "./actions.ts";
import type { Act } from "./generate.ts";
import { pointer, STRUCTURES } from "./values.ts";

const [PxCLB, PxCLBU, PxFB, PxFBU, PxIS, PxIE, PxCMD] = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18];
const [PxTFD, PxSCTL, PxSERR, PxSACT, PxCI] = [0x20, 0x2c, 0x30, 0x34, 0x38];

const READS = [0x20, 0x24, 0x25, 0x29, 0xc4, 0xc8, 0x42];
const WRITES = [0x30, 0x34, 0x35, 0x39, 0x3d, 0xc5, 0xca, 0xce];
const OTHERS = [0x00, 0x06, 0x08, 0x10, 0x27, 0x2f, 0x37, 0x91, 0xa1, 0xb0, 0xc6, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6];
const MORE = [0xe7, 0xea, 0xec, 0xef, 0xf5, 0xf8, 0xf9];

/** Where the registers of the AHCI controllers are mapped. */
function registers(board: Board): number[] {
  return board.pci.functions.flatMap(({ space }) => {
    if (space.config.read(8, 4) >>> 8 !== 0x010601) return [];
    const at = space.config.read(0x24, 4) & ~15;
    return at === 0 || at === -16 ? [] : [at >>> 0];
  });
}

/** One thing that a driver does to a port. */
export function driveAhci(random: Random, board: Board, act: Act): void {
  const found = registers(board);
  if (found.length === 0) return;
  const controller = random.pick(found);
  const number = random.below(board.drives.length || 1);
  const write = (register: number, value: number) =>
    void act(["write", controller + 0x100 + 0x80 * number + register, 4, value >>> 0]);
  const list = STRUCTURES + 0x10000 * number;
  switch (random.below(8)) {
    case 0:
      return start();
    case 1:
      return recover();
    case 2:
      write(PxSCTL, random.pick([0x301, 1, 4, 0x304]));
      if (random.chance(0.5)) act(["wait", random.below(1_000_000)]);
      write(PxSCTL, 0x300);
      if (random.chance(0.7)) act(["wait", 700_000]);
      return start();
    case 3:
      act(["write", controller + 4, 4, random.pick([0x80000002, 0x80000001, 0, 2])]);
      return void act(["wait", random.pick([0, 700_000])]);
    default:
      if (random.chance(0.8)) prepare();
      for (let commands = random.pick([1, 1, 1, 2, 8, 32]); commands > 0; commands--) issue();
      if (random.chance(0.8)) act(["wait", random.below(random.pick([100_000, 2_000_000, 30_000_000]))]);
  }

  function start(): void {
    write(PxSERR, 0xffffffff);
    write(PxCLB, random.chance(0.9) ? list : pointer(random));
    write(PxCLBU, random.chance(0.97) ? 0 : random.u32());
    write(PxFB, random.chance(0.9) ? list + 0x400 : pointer(random));
    write(PxFBU, random.chance(0.97) ? 0 : random.u32());
    write(PxIE, random.chance(0.7) ? 0xffffffff : random.u32());
    act(["write", controller + 4, 4, 0x80000002]);
    write(PxCMD, 0x10);
    write(PxCMD, 0x11);
  }
  /** Makes the port ready for commands, as far as a driver can. */
  function prepare(): void {
    const status = act(["read", controller + 0x100 + 0x80 * number + PxTFD, 4]) & 0xff;
    if (status === 0x50) return start();
    recover();
    if ((status & 0x88) !== 0) {
      write(PxSCTL, 0x301);
      write(PxSCTL, 0x300);
      act(["wait", 700_000]);
    }
    start();
  }
  function recover(): void {
    write(PxCMD, 0x10);
    write(PxSERR, 0xffffffff);
    write(PxIS, 0xffffffff);
    act(["write", controller + 8, 4, 0xffffffff]);
    write(PxCMD, 0x11);
  }
  function issue(): void {
    const slot = random.below(32);
    const queued = random.chance(0.3);
    const command = queued ? random.pick([0x60, 0x61]) : opcode(random);
    const header = new Uint8Array(32);
    const table = list + 0x1000 + 0x400 * slot;
    const descriptors = random.pick([0, 1, 1, 2, 5, 30]);
    const isWrite = WRITES.includes(command) || command === 0x61;
    writeLittle(header, 0, 2, (random.chance(0.95) ? 5 : random.below(32)) | (isWrite ? 0x40 : 0) | flags(random));
    writeLittle(header, 2, 2, random.chance(0.97) ? descriptors : random.below(0x10000));
    writeLittle(header, 8, 4, random.chance(0.95) ? table : pointer(random));
    writeLittle(header, 12, 4, random.chance(0.98) ? 0 : random.u32());
    act(["store", list + 32 * slot, hexOf(header)]);
    act(["store", table, hexOf(commandTable(random, { command, slot, queued, descriptors, list }))]);
    if (queued) write(PxSACT, 1 << (random.chance(0.95) ? slot : random.below(32)));
    write(PxCI, random.chance(0.95) ? 1 << slot : random.u32());
  }
}

const opcode = (random: Random): number =>
  random.chance(0.05) ? random.below(256) : random.pick(random.pick([READS, WRITES, OTHERS, MORE]));
/** Reset, clear busy, and the rest of the header's flags, rarely. */
const flags = (random: Random): number => (random.chance(0.05) ? random.below(8) << 8 : 0);

interface Sent {
  readonly command: number;
  readonly slot: number;
  readonly queued: boolean;
  readonly descriptors: number;
  readonly list: number;
}

/** The command FIS at 0 and the descriptors from 80 on [AHCI 1.3.1 4.2.3]. */
function commandTable(random: Random, { command, slot, queued, descriptors, list }: Sent): Uint8Array {
  const table = new Uint8Array(0x80 + 16 * descriptors);
  const lba = random.pick([
    0,
    1,
    5,
    8,
    0x40,
    0x3ff,
    0x7fe,
    0x7ff,
    0x800,
    0x3fff,
    0x4000,
    random.below(0x4000),
    2 ** 28 - 1,
  ]);
  const blocks = random.pick([0, 1, 1, 2, 8, 17, 128, 300]);
  const tag = (random.chance(0.95) ? slot : random.below(32)) << 3;
  const [count, features] = queued ? [tag, random.chance(0.95) ? Math.max(1, blocks) : 0] : [blocks, random.below(256)];
  const device = random.chance(0.9) ? 0x40 : random.below(256);
  table.set([0x27, 0x80, command, features, lba, lba >> 8, lba >> 16, device]);
  table.set([lba >> 24, 0, 0, features >> 8, count, count >> 8, 0, 0], 8);
  if (random.chance(0.03)) table[random.below(20)] = random.below(256);
  for (let at = 0x80; at < table.length; at += 16) {
    const loops = random.chance(0.05); // into the controller's own structures
    writeLittle(table, at, 4, loops ? list + random.below(0x2000) : pointer(random));
    writeLittle(table, at + 4, 4, random.chance(0.97) ? 0 : random.u32());
    const bytes = random.pick([1, 2, 511, 512, 512, 4096, 65536, 1 << 22]);
    writeLittle(table, at + 12, 4, ((bytes - 1) | (random.chance(0.1) ? 0x80000000 : 0)) >>> 0);
  }
  return table;
}
