/** The frame check sequence of Ethernet: CRC-32 [802.3 3.2.9]. Ports carry frames without it; a chip can be asked for it. */
import { readLittle } from "@castaway/kit";

/** Bytes that a step takes: many at once, since one by one each would wait for the CRC of the one before. */
const step = 16;

/** Entry 256 n + b: what a byte b makes of the CRC n bytes later. */
const tables = makeTables();

function makeTables(): Int32Array {
  const entries = new Int32Array(256 * step);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    entries[byte] = crc;
  }
  for (let at = 256; at < entries.length; at++) {
    const before = entries[at - 256];
    entries[at] = (before >>> 8) ^ entries[before & 0xff];
  }
  return entries;
}

/** What the four bytes of a little-endian word make of the CRC when `later` bytes have followed them. */
function ofWord(word: number, later: number): number {
  const first = 256 * later;
  return (
    tables[first + 0x300 + (word & 0xff)] ^
    tables[first + 0x200 + ((word >>> 8) & 0xff)] ^
    tables[first + 0x100 + ((word >>> 16) & 0xff)] ^
    tables[first + (word >>> 24)]
  );
}

/** The FCS of `frame` as a number whose lowest byte is sent first. */
export function frameCheck(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let crc = -1;
  let at = 0;
  for (; at + step <= frame.length; at += step) {
    crc =
      ofWord(crc ^ view.getInt32(at, true), 12) ^
      ofWord(view.getInt32(at + 4, true), 8) ^
      ofWord(view.getInt32(at + 8, true), 4) ^
      ofWord(view.getInt32(at + 12, true), 0);
  }
  for (; at < frame.length; at++) crc = (crc >>> 8) ^ tables[(crc ^ frame[at]) & 0xff];
  return ~crc >>> 0;
}

/**
 * A frame for which software makes the CRC (IFCS is 0): it goes without, as ports carry none. One whose last bytes are no
 * CRC is sent as it is, though a real wall would take it for damaged.
 */
export function withoutCheck(frame: Uint8Array): Uint8Array {
  const end = frame.length - 4;
  const has = end >= 14 && readLittle(frame, end, 4) === frameCheck(frame.subarray(0, end));
  return has ? frame.subarray(0, end) : frame;
}
