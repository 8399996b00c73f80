/** An 82540EM as a driver sets it up, and then with something wrong. Typed from the specification, not from the device. */
import { type Random, writeLittle } from "@castaway/kit";
import type { Board } from "castaway";
import { hexOf } from "./actions.ts";
import type { Act } from "./generate.ts";
import { pointer, STRUCTURES } from "./values.ts";

const [CTRL, ICR, ITR, ICS, IMS, RCTL, TCTL] = [0x0000, 0x00c0, 0x00c4, 0x00c8, 0x00d0, 0x0100, 0x0400];
const [RDTR, RXCSUM, TIDV, RA] = [0x2820, 0x5000, 0x3820, 0x5400];
/** A ring's registers from its base address on: low and high half, length, head, tail. */
const RINGS = { receive: 0x2800, transmit: 0x3800 };
const [LENGTH, HEAD, TAIL] = [0x08, 0x10, 0x18];

const OUR_ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

/** One thing that a driver, or the network, does to a card. */
export function driveNetwork(random: Random, { pci, networkCards }: Board, act: Act): void {
  const found = pci.functions.filter(({ space }) => space.config.read(0, 4) === 0x100e8086);
  const card = random.below(Math.max(1, networkCards.length));
  const at = found[card] === undefined ? 0 : (found[card].space.config.read(0x10, 4) & ~15) >>> 0;
  if (at === 0) return;
  const write = (register: number, value: number) => void act(["write", at + register, 4, value >>> 0]);
  const ring = (kind: keyof typeof RINGS) => STRUCTURES + 0x80000 + 0x10000 * card + (kind === "receive" ? 0 : 0x8000);
  switch (random.below(8)) {
    case 0:
      return setUp();
    case 1:
      write(CTRL, random.pick([0x04000000, 0x40, 0x80000040, 0x48, 0x58000040]));
      return random.chance(0.8) ? setUp() : undefined;
    case 2:
      write(random.pick([ITR, RDTR, RDTR + 12, TIDV, TIDV + 12]), random.pick([0, 1, 100, 0xffff, 0x80000010]));
      write(random.pick([IMS, ICS]), random.chance(0.7) ? 0xffffffff : random.u32());
      return void act(["read", at + ICR, 4]);
    case 3:
      write(random.pick([RCTL, TCTL, RXCSUM, RA + 8 * random.below(16) + 4]), random.u32());
      return;
    case 4:
    case 5:
      return transmit();
    default:
      for (let frames = random.pick([1, 1, 3, 40]); frames > 0; frames--) act(["frame", card, hexOf(frame(random))]);
      if (random.chance(0.1)) act(["link", card, random.below(2)]);
      if (random.chance(0.7)) write(RINGS.receive + TAIL, random.below(64));
      return void act(["wait", random.below(1_000_000)]);
  }

  function setUp(): void {
    for (const kind of ["receive", "transmit"] as const) {
      const base = RINGS[kind];
      write(base, random.chance(0.9) ? ring(kind) : pointer(random));
      write(base + 4, random.chance(0.97) ? 0 : random.u32());
      write(base + LENGTH, random.chance(0.9) ? random.pick([128, 256, 1024]) : random.u32());
      write(base + HEAD, random.chance(0.9) ? 0 : random.u32());
      write(base + TAIL, random.chance(0.9) ? 0 : random.u32());
      act(["store", ring(kind), hexOf(buffers(random, 64))]);
    }
    write(RCTL, 0x2 | random.pick([0x801c, 0x8000, 0x4001c, 0x1c, 0x0200801c, 0xc0]));
    write(TCTL, random.pick([0x4010a, 0x2, 0x8, 0xffffffff]));
    write(IMS, random.chance(0.7) ? 0x1f6dc : random.u32());
    write(CTRL, 0x40);
    write(RINGS.receive + TAIL, random.below(64));
    act(["wait", random.pick([0, 1_000_000, 3_000_000_000])]);
  }
  function transmit(): void {
    const count = random.pick([1, 1, 2, 8, 60]);
    const descriptors = buffers(random, count);
    for (let n = 0; n < count; n++) {
      const [type, length] = random.pick([
        [0x0b, 60],
        [0x09, 1514],
        [0x2b, 400],
        [0x20, 0x5dc],
        [0x25, 9000],
        [random.below(256), random.below(0x10000)],
      ] as const);
      writeLittle(descriptors, 16 * n + 8, 2, length);
      descriptors[16 * n + 10] = random.pick([0, 0, 0x10]);
      descriptors[16 * n + 11] = type;
      if (random.chance(0.2)) random.fill(descriptors.subarray(16 * n, 16 * n + 8)); // a context: offsets of checksums
    }
    act(["store", ring("transmit"), hexOf(descriptors)]);
    write(RINGS.transmit + TAIL, random.chance(0.8) ? count : random.below(64));
    act(["wait", random.below(1_000_000)]);
  }
}

/** Descriptors whose buffers are in memory, mostly. */
function buffers(random: Random, count: number): Uint8Array {
  const bytes = new Uint8Array(16 * count);
  for (let at = 0; at < bytes.length; at += 16) {
    writeLittle(bytes, at, 4, pointer(random) >>> 0);
    if (random.chance(0.02)) writeLittle(bytes, at + 4, 4, random.u32());
  }
  return bytes;
}

/** A frame: to the card, to all, to some; long, short, tagged, or flow control. */
function frame(random: Random): Uint8Array {
  const bytes = random.fill(new Uint8Array(random.pick([14, 60, 60, 64, 100, 1514, 1518, 1522, 9000, 16_000])));
  const to = random.pick([OUR_ADDRESS, new Array(6).fill(0xff), [1, 0x80, 0xc2, 0, 0, 1], [1, 0, 0x5e, 0, 0, 1]]);
  const type = random.pick([
    [8, 0, 0x45],
    [0x81, 0],
    [0x88, 8, 0, 1],
    [8, 6],
  ]);
  bytes.set(to);
  bytes.set(type.slice(0, bytes.length - 12), 12);
  return bytes;
}
