/**
 * What the chip does to the contents of frames: checksums inserted and verified, segmentation of what is larger than a
 * frame, VLAN tags [8254x 3.2.9, 3.3, 3.5, 3.6, 9]. Functions of their arguments: no state, no registers.
 */
import { readBig, readLittle, record, type StateOf, u8, u16, u32, writeBig } from "@castaway/kit";
import { sumWords } from "./bulk.ts";

/** The context that a context descriptor sets: where headers and checksums are, in bytes of the frame. [8254x 3.3.6] */
export const contextState = record({
  IPCSS: u8,
  IPCSO: u8,
  IPCSE: u16,
  TUCSS: u8,
  TUCSO: u8,
  TUCSE: u16,
  PAYLEN: u32,
  TUCMD: u8,
  HDRLEN: u8,
  MSS: u16,
});
export type Context = StateOf<typeof contextState>;

export const TUCMD = { TCP: 1 << 0, IP: 1 << 1, TSE: 1 << 2 } as const;
/** What a data descriptor asks for: the IP checksum, that of TCP or UDP. [8254x 3.3.7.3] */
export const POPTS = { IXSM: 1 << 0, TXSM: 1 << 1 } as const;

export const noContext: Context = {
  IPCSS: 0,
  IPCSO: 0,
  IPCSE: 0,
  TUCSS: 0,
  TUCSO: 0,
  TUCSE: 0,
  PAYLEN: 0,
  TUCMD: 0,
  HDRLEN: 0,
  MSS: 0,
};

export function parseContext(descriptor: Uint8Array): Context {
  return {
    IPCSS: descriptor[0],
    IPCSO: descriptor[1],
    IPCSE: readLittle(descriptor, 2, 2),
    TUCSS: descriptor[4],
    TUCSO: descriptor[5],
    TUCSE: readLittle(descriptor, 6, 2),
    PAYLEN: readLittle(descriptor, 8, 4) & 0xf_ffff,
    TUCMD: descriptor[11],
    HDRLEN: descriptor[13],
    MSS: readLittle(descriptor, 14, 2),
  };
}

/** As many bytes are summed up sooner here than they are copied to where they are summed up fast. */
const few = 128;

/** The one's complement sum of the words of 16 bits from byte `from` to before `to`, which the frame has. */
export function sum(bytes: Uint8Array, from: number, to: number): number {
  if (to - from <= few) return fold(sumFew(bytes, from, to));
  const swapped = fold(sumWords(bytes, from, to)); // the order of bytes only turns the sum round [RFC 1071 2]
  return ((swapped & 0xff) << 8) | (swapped >>> 8);
}

function sumFew(bytes: Uint8Array, from: number, to: number): number {
  let total = 0;
  let at = from;
  for (; at + 1 < to; at += 2) total += (bytes[at] << 8) | bytes[at + 1];
  return at < to ? total + (bytes[at] << 8) : total;
}

/** The sum of a few sums, at most 2^48. */
function fold(total: number): number {
  let rest = total;
  while (rest > 0xffff) rest = (rest % 0x1_0000) + Math.floor(rest / 0x1_0000);
  return rest;
}

/**
 * Writes the complement of the sum from `start` on at `at`, unless one of them lies beyond the frame. [8254x 3.3.3.1]
 * @param end the last byte of the sum; 0: the frame's
 * @param nonzero write ffff in place of 0, which would mean that there is no checksum [RFC 768]
 */
export function insertChecksum(frame: Uint8Array, start: number, at: number, end: number, nonzero: boolean): void {
  const { length } = frame;
  if (start >= length || at + 2 > length) return;
  const to = end === 0 ? length : Math.min(end + 1, length);
  const checksum = 0xffff - sum(frame, start, to);
  writeBig(frame, at, 2, checksum === 0 && nonzero ? 0xffff : checksum);
}

/** The checksums that the first data descriptor of a frame asked for. [8254x 3.6] */
export function insertChecksums(frame: Uint8Array, context: Context, options: number): void {
  const { IPCSS, IPCSO, IPCSE, TUCSS, TUCSO, TUCSE } = context;
  if ((options & POPTS.IXSM) !== 0) insertChecksum(frame, IPCSS, IPCSO, IPCSE, false);
  if ((options & POPTS.TXSM) !== 0) insertChecksum(frame, TUCSS, TUCSO, TUCSE, true);
}

export type Segment = {
  /** How many frames of this context went before, and how many bytes of payload in them. */
  readonly index: number;
  readonly sent: number;
  readonly last: boolean;
};

/**
 * Completes the headers of one of the frames that a large one is cut into: the frame is the prototype of the headers
 * and its piece of payload. [8254x 3.5.9]
 */
export function completeSegment(frame: Uint8Array, context: Context, options: number, segment: Segment): void {
  const { IPCSS, TUCSS, TUCSO, TUCMD: command } = context;
  const { length } = frame;
  if ((command & TUCMD.IP) !== 0) {
    put(frame, IPCSS + 2, length - IPCSS);
    put(frame, IPCSS + 4, get(frame, IPCSS + 4) + segment.index);
  } else {
    put(frame, IPCSS + 4, length - IPCSS - 40); // the manual forgets that IPv6 does not count its header [82583V 7.3.6.2.3]
  }
  if ((command & TUCMD.TCP) !== 0) {
    if (TUCSS + 14 <= length) {
      writeBig(frame, TUCSS + 4, 4, readBig(frame, TUCSS + 4, 4) + segment.sent);
      if (!segment.last) frame[TUCSS + 13] &= ~FIN_PSH;
    }
  } else put(frame, TUCSS + 4, length - TUCSS);
  // Software has summed up the pseudo header without its length. [8254x 3.5.7]
  if ((options & POPTS.TXSM) !== 0) put(frame, TUCSO, fold(get(frame, TUCSO) + Math.max(length - TUCSS, 0)));
  insertChecksums(frame, context, options);
}

const FIN_PSH = 0x09;
const get = (frame: Uint8Array, at: number): number => (at + 2 <= frame.length ? readBig(frame, at, 2) : 0);
function put(frame: Uint8Array, at: number, value: number): void {
  if (at + 2 <= frame.length) writeBig(frame, at, 2, value);
}

const addresses = 12;
const tagBytes = 4;

/** The frame with a VLAN tag after its addresses. [8254x 9.1] */
export function insertTag(frame: Uint8Array, type: number, tag: number): Uint8Array {
  const tagged = new Uint8Array(frame.length + tagBytes);
  tagged.set(frame.subarray(0, addresses));
  writeBig(tagged, addresses, 2, type);
  writeBig(tagged, addresses + 2, 2, tag);
  tagged.set(frame.subarray(addresses), addresses + tagBytes);
  return tagged;
}

/** The frame with zeros up to `shortest`, if it is shorter. */
export function pad(frame: Uint8Array, shortest: number): Uint8Array {
  if (frame.length >= shortest) return frame;
  const padded = new Uint8Array(shortest);
  padded.set(frame);
  return padded;
}

/** The frame without its VLAN tag. */
export function stripTag(frame: Uint8Array): Uint8Array {
  const plain = new Uint8Array(frame.length - tagBytes);
  plain.set(frame.subarray(0, addresses));
  plain.set(frame.subarray(addresses + tagBytes), addresses);
  return plain;
}
