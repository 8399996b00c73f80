/** An AoE server on a port of wire, and the frames of its clients, their offsets typed here once more on purpose. */
import {
  type BlockDevice,
  Clock,
  decodeState,
  type EthernetCard,
  type EthernetPort,
  encodeState,
  hex,
  type Nanoseconds,
  type Plain,
} from "@castaway/kit";
import { AoeServer, type AoeServerOptions, aoeServerState } from "./server.ts";

export const serverMac = 0x5254_0000_0001;
export const clientMac = 0x5254_0000_00c1;
export const everyone = 0xffff_ffff_ffff;

/** A disk in memory. Byte n of sector s is (s * 7 + n) mod 251, but for `zeros`. */
export class RamDisk implements BlockDevice {
  readonly sectorSize = 512;
  readonly readOnly: boolean;
  readonly bytes: Uint8Array;
  broken = false;
  flushes = 0;
  constructor(sectors: number, { readOnly = false, bytes = new Uint8Array(sectors * 512) } = {}) {
    this.readOnly = readOnly;
    this.bytes = bytes;
  }
  static patterned(sectors: number, readOnly = false, isZero = (_sector: number) => false): RamDisk {
    const disk = new RamDisk(sectors, { readOnly });
    for (let s = 0; s < sectors; s++) {
      if (!isZero(s)) for (let n = 0; n < 512; n++) disk.bytes[s * 512 + n] = (s * 7 + n) % 251;
    }
    return disk;
  }
  get sectors() {
    return this.bytes.length / 512;
  }
  read(lba: number, into: Uint8Array) {
    into.set(this.bytes.subarray(lba * 512, lba * 512 + into.length));
    return !this.broken;
  }
  write(lba: number, from: Uint8Array) {
    if (this.readOnly || this.broken) return false;
    this.bytes.set(from, lba * 512);
    return true;
  }
  flush() {
    this.flushes++;
    return !this.broken;
  }
}

/** Bytes of numbers: `[value, size]`, big-endian, or bytes as they are. */
export function pack(...parts: ([number, number] | Uint8Array)[]): Uint8Array {
  const size = (part: [number, number] | Uint8Array) => (part instanceof Uint8Array ? part.length : part[1]);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + size(part), 0));
  let at = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) all.set(part, at);
    else for (let i = 0; i < part[1]; i++) all[at + i] = Math.floor(part[0] / 2 ** (8 * (part[1] - 1 - i))) % 256;
    at += size(part);
  }
  return all;
}

export type Asked = { to?: number; from?: number; first?: number; major?: number; minor?: number; tag?: number };

/** A frame of an AoE request, padded. */
export function request(command: number, args: Uint8Array, asked: Asked = {}): Uint8Array {
  const { to = serverMac, from = clientMac, first = 0x10, major = 1, minor = 2, tag = 0xdead_beef } = asked;
  const type: [number, number] = [0x88a2, 2];
  const head = pack([to, 6], [from, 6], type, [first, 1], [0, 1], [major, 2], [minor, 1], [command, 1], [tag, 4]);
  const frame = pack(head, args);
  return pack(frame, new Uint8Array(Math.max(0, 60 - frame.length)));
}

/** A frame of an ATA command: AFlags, features, count, command, LBA. */
export function ata(
  opcode: number,
  lba = 0,
  count = 1,
  { flags = 0, data = new Uint8Array(0), ...asked }: Asked & { flags?: number; data?: Uint8Array } = {},
): Uint8Array {
  const address = pack([lba, 6]).reverse();
  return request(0, pack([flags, 1], [0, 1], [count, 1], [opcode, 1], address, [0, 2], data), asked);
}

/** A frame of a config query. */
export function config(ccmd: number, text = "", asked: Asked = {}): Uint8Array {
  const string = Uint8Array.from(text, (char) => char.charCodeAt(0));
  return request(1, pack([0, 4], [0, 1], [0x10 | ccmd, 1], [string.length, 2], string), asked);
}

/** A frame of an extended read. */
export function extended(
  lba: number,
  sectors: number,
  asked: Asked & { flags?: number; most?: number; version?: number } = {},
): Uint8Array {
  const { flags = 1, most = 0, version = 1 } = asked;
  const args = pack([version, 1], [flags, 1], [0x77, 2], [lba, 6], [sectors, 4], [most, 2], [0, 2]);
  return request(0xf0, args, asked);
}

export const big = (bytes: Uint8Array, at: number, size: number): number =>
  bytes.subarray(at, at + size).reduce((value, byte) => value * 256 + byte, 0);

/** A frame as a text: addresses of Ethernet and of AoE, flags and error, command, tag. */
export const head = (frame: Uint8Array): string =>
  [
    `${hex(big(frame, 6, 6))}>${hex(big(frame, 0, 6))}`,
    `${hex(frame[14])}/${frame[15]}`,
    `${big(frame, 16, 2)}.${frame[18]}`,
    `${hex(frame[19])}#${hex(big(frame, 20, 4))}`,
  ].join(" ");

/** A server on a wire; with `hops` it is saved and restored into a fresh one at every step. */
export class Rig {
  clock = new Clock();
  server: AoeServer;
  sent: Uint8Array[] = [];
  readonly #hops: boolean;
  readonly #options: Omit<AoeServerOptions, "clock" | "port" | "mac">;

  constructor(options: Omit<AoeServerOptions, "clock" | "port" | "mac">, hops = false) {
    this.#hops = hops;
    this.#options = options;
    this.server = this.#make();
  }
  #make(): AoeServer {
    const port: EthernetPort = {
      send: (frame) => void this.sent.push(frame.slice()),
      connect: (card: EthernetCard | null) => card?.link(true),
    };
    return new AoeServer({ clock: this.clock, port, mac: serverMac, ...this.#options });
  }
  step(): void {
    if (!this.#hops) return;
    const bytes = encodeState("aoe", 1, this.server.save() as Plain);
    const clock = new Clock();
    clock.restore(this.clock.save());
    this.clock = clock;
    this.server = this.#make();
    this.server.restore(decodeState("aoe", 1, aoeServerState, bytes));
  }
  /** Hands the server a frame. @returns what it sent meanwhile */
  ask(frame: Uint8Array): Uint8Array[] {
    this.step();
    this.server.receive(frame);
    return this.take();
  }
  after(time: Nanoseconds): Uint8Array[] {
    this.step();
    this.clock.advanceTo(this.clock.now + time);
    return this.take();
  }
  take(): Uint8Array[] {
    return this.sent.splice(0);
  }
}
