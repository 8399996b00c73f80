/** A card with guest memory and a wall on a bench, driven as a driver does it: by registers, descriptors and frames. */
import {
  Clock,
  decodeState,
  type EthernetCard,
  encodeState,
  low32,
  ms,
  type Nanoseconds,
  type Plain,
  readLittle,
  us,
  type Width,
  writeLittle,
} from "@castaway/kit";
import { type DropEvent, E1000Mac, e1000MacState } from "./mac.ts";

// The driver's side of the manual, typed a second time on purpose.
export const [CTRL, STATUS, EECD, EERD, CTRL_EXT, MDIC] = [0x0000, 0x0008, 0x0010, 0x0014, 0x0018, 0x0020];
export const [FCAL, FCAH, FCT, VET, FCTTV] = [0x0028, 0x002c, 0x0030, 0x0038, 0x0170];
export const [ICR, ITR, ICS, IMS, IMC] = [0x00c0, 0x00c4, 0x00c8, 0x00d0, 0x00d8];
export const [RCTL, TCTL, RXCSUM] = [0x0100, 0x0400, 0x5000];
export const [RDBAL, RDBAH, RDLEN, RDH, RDT, RDTR, RADV, RSRPD] = [
  0x2800, 0x2804, 0x2808, 0x2810, 0x2818, 0x2820, 0x282c, 0x2c00,
];
export const [TDBAL, TDBAH, TDLEN, TDH, TDT, TIDV, TXDCTL, TADV] = [
  0x3800, 0x3804, 0x3808, 0x3810, 0x3818, 0x3820, 0x3828, 0x382c,
];
export const [MTA, RAL, RAH, VFTA] = [0x5200, 0x5400, 0x5404, 0x5600];

/** Where the driver has its rings and buffers. */
export const receiveRing = 0x1_0000;
export const transmitRing = 0x2_0000;
export const buffers = 0x4_0000;
export const payload = 0x10_0000;

export const station = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
const sender = [0x02, 0x00, 0x00, 0x00, 0x00, 0x01];
export const broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/** A frame of `length` bytes without CRC, of an experimental type unless `head` says more, filled with a pattern. */
export function frameTo(to: readonly number[], length = 60, head: readonly number[] = [0x88, 0xb5]): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, i) => i);
  frame.set([...to, ...sender, ...head]);
  return frame;
}

/** What a descriptor that was given back says. */
export type Received = {
  length: number;
  checksum: number;
  status: number;
  errors: number;
  special: number;
  data: Uint8Array;
};

export class Rig {
  readonly ram = new Uint8Array(0x40_0000);
  clock!: Clock;
  mac!: E1000Mac;
  high = false;
  /** How often the line rose. */
  edges = 0;
  /** What has reached the wall, and what was dropped. */
  readonly sent: Uint8Array[] = [];
  readonly dropped: DropEvent["reason"][] = [];
  /** Whether the wall's end of the link is up when a card is plugged in. */
  plugged = true;
  readonly #hops: boolean;
  #tail = 0;

  /** @param hops the card is saved and restored into a new one at every access */
  constructor(hops = false) {
    this.#hops = hops;
    this.#make();
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

  #make(): void {
    this.clock = new Clock();
    this.mac = new E1000Mac({
      clock: this.clock,
      dma: this.dma,
      irq: {
        set: (high) => {
          if (high && !this.high) this.edges++;
          this.high = high;
        },
      },
      port: {
        send: (frame) => void this.sent.push(frame.slice()),
        connect: (card: EthernetCard | null) => card?.link(this.plugged),
      },
      address: Uint8Array.from(station),
    });
    this.mac.dropped.on(({ reason }) => this.dropped.push(reason));
  }

  /** Saves the card, and restores it into one that was made a moment ago. */
  hop(): void {
    const { high, edges } = this;
    const clock = this.clock.save();
    const bytes = encodeState("rig", 1, this.mac.save() as Plain);
    this.#make();
    this.clock.restore(clock);
    this.mac.restore(decodeState("rig", 1, e1000MacState, bytes));
    if (this.high !== high) throw new Error("the line differs after restore");
    this.edges = edges;
  }

  read(offset: number, bytes: Width = 4): number {
    if (this.#hops) this.hop();
    return this.mac.read(offset, bytes);
  }

  write(offset: number, value: number, bytes: Width = 4): void {
    if (this.#hops) this.hop();
    this.mac.write(offset, bytes, value);
  }

  set(offset: number, bits: number): void {
    this.write(offset, this.read(offset) | bits);
  }

  after(time: Nanoseconds): void {
    if (this.#hops) this.hop();
    this.clock.advanceTo(this.clock.now + time);
  }

  /** A frame comes from the wall. */
  arrive(frame: Uint8Array): void {
    if (this.#hops) this.hop();
    this.mac.receive(frame);
  }

  phy(register: number): number {
    this.write(MDIC, 0x0820_0000 | (register << 16));
    return this.read(MDIC) & 0xffff;
  }

  setPhy(register: number, value: number): void {
    this.write(MDIC, 0x0420_0000 | (register << 16) | value);
  }

  /** The link comes up. */
  up(): this {
    this.after(ms(50));
    this.read(ICR);
    return this;
  }

  /** Rings of `count` descriptors, all receive buffers given; both directions are on. @param control RCTL besides EN */
  start(control = 0x0400_8000, count = 16, size = 0x4000): this {
    this.up();
    for (let i = 0; i < count; i++) {
      this.ram.fill(0, receiveRing + 16 * i, receiveRing + 16 * i + 16);
      writeLittle(this.ram, receiveRing + 16 * i, 4, buffers + size * i);
    }
    this.write(RDBAL, receiveRing);
    this.write(RDLEN, 16 * count);
    this.write(RDT, count - 1);
    this.write(RCTL, 2 | control);
    this.write(TDBAL, transmitRing);
    this.write(TDLEN, 16 * count);
    this.write(TCTL, 0x0a);
    this.#tail = 0;
    return this;
  }

  /** A descriptor that came back, with the bytes of its buffer. */
  received(index: number): Received {
    const at = receiveRing + 16 * index;
    const { ram } = this;
    const length = readLittle(ram, at + 8, 2);
    const data = ram.slice(readLittle(ram, at, 4), readLittle(ram, at, 4) + length);
    const [status, errors] = [ram[at + 12], ram[at + 13]];
    return {
      length,
      checksum: readLittle(ram, at + 10, 2),
      status,
      errors,
      special: readLittle(ram, at + 14, 2),
      data,
    };
  }

  /** Writes a transmit descriptor of four words at the driver's tail. @returns its index */
  put(words: readonly [number, number, number, number]): number {
    const index = this.#tail;
    for (const [i, word] of words.entries()) writeLittle(this.ram, transmitRing + 16 * index + 4 * i, 4, word);
    this.#tail = (index + 1) % (this.mac.regs.TDLEN / 16);
    return index;
  }

  /** A legacy descriptor: EOP, IFCS and RS unless given. */
  legacy(address: number, length: number, { command = 0x0b, cso = 0, css = 0, special = 0 } = {}): number {
    return this.put([low32(address), 0, ((command << 24) | (cso << 16) | length) >>> 0, (special << 16) | (css << 8)]);
  }

  /** A data descriptor: DEXT, EOP, IFCS and RS unless given. */
  data(address: number, length: number, { command = 0x2b, options = 0, special = 0 } = {}): number {
    return this.put([
      low32(address),
      0,
      ((command << 24) | (1 << 20) | length) >>> 0,
      ((special << 16) | (options << 8)) >>> 0,
    ]);
  }

  context(c: {
    ip?: number[];
    tu?: number[];
    paylen?: number;
    command: number;
    hdrlen?: number;
    mss?: number;
  }): number {
    const [ipcss, ipcso, ipcse] = c.ip ?? [0, 0, 0];
    const [tucss, tucso, tucse] = c.tu ?? [0, 0, 0];
    return this.put([
      (ipcse << 16) | (ipcso << 8) | ipcss,
      (tucse << 16) | (tucso << 8) | tucss,
      ((c.command << 24) | (c.paylen ?? 0)) >>> 0,
      (((c.mss ?? 0) << 16) | ((c.hdrlen ?? 0) << 8)) >>> 0,
    ]);
  }

  /** Hands the descriptors over and waits until all are done. */
  send(): this {
    this.write(TDT, this.#tail);
    for (let i = 0; i < 1000 && this.mac.regs.TDH !== this.#tail; i++) this.after(us(10));
    return this;
  }

  transmitStatus(index: number): number {
    return this.ram[transmitRing + 16 * index + 12];
  }
}
