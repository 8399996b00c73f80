/** UDP [RFC 768]. */
import { readBig, writeBig } from "@castaway/kit";
import { addWords, fold, pseudoHeader4 } from "./checksum.ts";
import { protocol } from "./ipv4.ts";

export type Udp = { sourcePort: number; destinationPort: number; data: Uint8Array };

export type UdpFault = "udp length" | "udp checksum";

/** The header, in bytes. */
export const udpHeader = 8;

/**
 * @param bytes the payload of a datagram from `source` to `destination`
 * @returns its parts, or why it is none. A checksum of 0 means that the sender made none
 */
export function parseUdp(bytes: Uint8Array, source: number, destination: number): Udp | UdpFault {
  if (bytes.length < udpHeader) return "udp length";
  const length = readBig(bytes, 4, 2);
  if (length < udpHeader || length > bytes.length) return "udp length";
  const whole = bytes.subarray(0, length);
  const sum = addWords(pseudoHeader4(source, destination, protocol.udp, length), whole);
  if (readBig(bytes, 6, 2) !== 0 && fold(sum) !== 0) return "udp checksum";
  return { sourcePort: readBig(bytes, 0, 2), destinationPort: readBig(bytes, 2, 2), data: whole.subarray(udpHeader) };
}

/** The payload of a datagram from `source` to `destination`, with checksum. `data` is at most 65,507 bytes. */
export function buildUdp({ sourcePort, destinationPort, data }: Udp, source: number, destination: number): Uint8Array {
  const bytes = new Uint8Array(udpHeader + data.length);
  writeBig(bytes, 0, 2, sourcePort);
  writeBig(bytes, 2, 2, destinationPort);
  writeBig(bytes, 4, 2, bytes.length);
  bytes.set(data, udpHeader);
  const sum = fold(addWords(pseudoHeader4(source, destination, protocol.udp, bytes.length), bytes));
  writeBig(bytes, 6, 2, sum === 0 ? 0xffff : sum); // 0 would mean none
  return bytes;
}
