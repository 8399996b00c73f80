/** The frame check sequence of Ethernet: CRC-32 [802.3 3.2.9]. Ports carry frames without it; a chip can be asked for it. */
import { readLittle } from "@castaway/kit";

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});

/** The FCS of `frame` as a number whose lowest byte is sent first. */
export function frameCheck(frame: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < frame.length; i++) crc = (crc >>> 8) ^ table[(crc ^ frame[i]) & 0xff];
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
