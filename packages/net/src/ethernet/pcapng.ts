/**
 * Captures as files that tshark and Wireshark read: pcap-ng, little-endian, with virtual time as nanoseconds since 1970.
 * [PCAPNG] = IETF draft-ietf-opsawg-pcapng.
 *
 *     const capture = new Capture();
 *     capture.watch(link.a);
 *     net.run(seconds(1));
 *     writeFile("lan.pcapng", capture.bytes());
 */
import { alignUp, type Bytes, type Nanoseconds, type Probe, writeLittle } from "@castaway/kit";
import type { FrameSeen } from "./link.ts";

const SHB = 0x0a0d_0d0a;
const IDB = 1;
const EPB = 6;
/** Options of every block, of interfaces and of packets. [PCAPNG 3.5, 4.2, 4.3] */
const opt = { endofopt: 0, comment: 1 } as const;
const shb = { userappl: 4 } as const;
const idb = { name: 2, tsresol: 9 } as const;
const epb = { flags: 2 } as const;
/** epb_flags, bits 1:0. */
const directions = { in: 1, out: 2 } as const;

const LINKTYPE_ETHERNET = 1;
/** if_tsresol: 10^-9 s. */
const nanoseconds = 9;

type Option = readonly [code: number, value: Uint8Array];

/** The first block of a file. [PCAPNG 4.1] */
export function sectionHeader(): Uint8Array {
  const body = new Uint8Array(16);
  writeLittle(body, 0, 4, 0x1a2b_3c4d);
  writeLittle(body, 4, 2, 1);
  body.fill(0xff, 8); // length unknown
  return block(SHB, body, [[shb.userappl, text("castaway")]]);
}

/** An interface, of those numbered from 0 in a section. [PCAPNG 4.2] */
export function interfaceDescription(name: string, snaplen: Bytes): Uint8Array {
  const body = new Uint8Array(8);
  writeLittle(body, 0, 2, LINKTYPE_ETHERNET);
  writeLittle(body, 4, 4, snaplen);
  return block(IDB, body, [
    [idb.name, text(name)],
    [idb.tsresol, Uint8Array.of(nanoseconds)],
  ]);
}

export type Packet = {
  /** The number of the interface in this section. */
  readonly interface: number;
  readonly time: Nanoseconds;
  /** As far as it was captured. */
  readonly data: Uint8Array;
  /** Bytes on the wire, without FCS. */
  readonly length: Bytes;
  readonly direction: "in" | "out";
  readonly comment?: string;
};

/** A frame. [PCAPNG 4.3] */
export function enhancedPacket(packet: Packet): Uint8Array {
  const { data, time } = packet;
  const body = new Uint8Array(20 + padded(data.length));
  writeLittle(body, 0, 4, packet.interface);
  writeLittle(body, 4, 4, Math.floor(time / 2 ** 32));
  writeLittle(body, 8, 4, time % 2 ** 32);
  writeLittle(body, 12, 4, data.length);
  writeLittle(body, 16, 4, packet.length);
  body.set(data, 20);
  const flags: Option = [epb.flags, Uint8Array.of(directions[packet.direction], 0, 0, 0)];
  return block(EPB, body, packet.comment === undefined ? [flags] : [flags, [opt.comment, text(packet.comment)]]);
}

/** Type, total length, body, options, total length again. [PCAPNG 3.1] */
function block(type: number, body: Uint8Array, options: readonly Option[]): Uint8Array {
  const optionBytes = options.reduce((sum, [, value]) => sum + 4 + padded(value.length), 4);
  const bytes = new Uint8Array(12 + body.length + optionBytes);
  writeLittle(bytes, 0, 4, type);
  writeLittle(bytes, 4, 4, bytes.length);
  bytes.set(body, 8);
  let at = 8 + body.length;
  for (const [code, value] of options) {
    writeLittle(bytes, at, 2, code);
    writeLittle(bytes, at + 2, 2, value.length);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  writeLittle(bytes, at, 2, opt.endofopt);
  writeLittle(bytes, bytes.length - 4, 4, bytes.length);
  return bytes;
}

const padded = (length: number): number => alignUp(length, 4);

/** UTF-8, cut where an option's length would not fit. */
const text = (value: string): Uint8Array => new TextEncoder().encode(value.slice(0, 10_000));

export type CaptureOptions = {
  /** Bytes of each frame that are kept, 14 to 262,144. Default: all. */
  readonly snaplen?: Bytes;
  /** Where the blocks go as they are made; without it they are kept for {@link Capture.bytes}. */
  readonly write?: (block: Uint8Array) => void;
};

/** Something that shows frames: an end of a link, a tap. */
export type FrameSource = { readonly name: string; readonly seen: Probe<FrameSeen> };

/** Writes down what taps see. */
export class Capture {
  readonly #blocks: Uint8Array[] = [];
  readonly #write: (block: Uint8Array) => void;
  readonly #snaplen: Bytes;
  #interfaces = 0;
  #stops: (() => void)[] = [];

  constructor({ snaplen = 0x40000, write }: CaptureOptions = {}) {
    this.#snaplen = snaplen;
    this.#write = write ?? ((block) => this.#blocks.push(block));
    this.#write(sectionHeader());
  }

  /** Captures all that `source` sees from now on; it is an interface of its own in the file. */
  watch(source: FrameSource): void {
    const number = this.#interfaces++;
    this.#write(interfaceDescription(source.name, this.#snaplen));
    const stop = source.seen.on(({ time, frame, direction, drop }) => {
      const data = frame.subarray(0, this.#snaplen);
      const comment = drop === undefined ? undefined : `dropped: ${drop}`;
      this.#write(enhancedPacket({ interface: number, time, data, length: frame.length, direction, comment }));
    });
    this.#stops.push(stop);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }

  /** The file so far. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#blocks.reduce((sum, block) => sum + block.length, 0));
    let at = 0;
    for (const block of this.#blocks) {
      bytes.set(block, at);
      at += block.length;
    }
    return bytes;
  }
}
