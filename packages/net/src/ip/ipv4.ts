/** IPv4 datagrams [RFC 791]. Options are skipped; fragments are told from whole datagrams, not put together. */
import { readBig, writeBig } from "@castaway/kit";
import { checksum } from "./checksum.ts";

export const protocol = { icmp: 1, tcp: 6, udp: 17 } as const;

export type Ipv4 = {
  source: number;
  destination: number;
  protocol: number;
  ttl: number;
  identification: number;
  /** What follows the header, without the frame's padding: a view. */
  payload: Uint8Array;
  /** The header as it came, options included, for ICMP errors; ignored when a datagram is built. */
  header?: Uint8Array;
};

export type Ipv4Fault = "ipv4 too short" | "ipv4 version" | "ipv4 length" | "ipv4 checksum" | "ipv4 fragment";

/** The header that {@link buildIpv4} writes, in bytes. */
export const ipv4Header = 20;

/** @returns the datagram, or why it is none, or that it is a fragment. */
export function parseIpv4(bytes: Uint8Array): Ipv4 | Ipv4Fault {
  if (bytes.length < ipv4Header) return "ipv4 too short";
  if (bytes[0] >> 4 !== 4) return "ipv4 version";
  const headerLength = (bytes[0] & 15) * 4;
  const length = readBig(bytes, 2, 2);
  if (headerLength < ipv4Header || length < headerLength || length > bytes.length) return "ipv4 length";
  const header = bytes.subarray(0, headerLength);
  if (checksum(header) !== 0) return "ipv4 checksum";
  if ((readBig(bytes, 6, 2) & 0x3fff) !== 0) return "ipv4 fragment"; // more fragments, or an offset
  return {
    source: readBig(bytes, 12, 4),
    destination: readBig(bytes, 16, 4),
    protocol: bytes[9],
    ttl: bytes[8],
    identification: readBig(bytes, 4, 2),
    payload: bytes.subarray(headerLength, length),
    header,
  };
}

/** The datagram with a header of 20 bytes, "do not fragment" set. Its payload is at most 65,515 bytes. */
export function buildIpv4(datagram: Ipv4): Uint8Array {
  const bytes = new Uint8Array(ipv4Header + datagram.payload.length);
  bytes[0] = 0x45;
  writeBig(bytes, 2, 2, bytes.length);
  writeBig(bytes, 4, 2, datagram.identification);
  writeBig(bytes, 6, 2, 0x4000);
  bytes[8] = datagram.ttl;
  bytes[9] = datagram.protocol;
  writeBig(bytes, 12, 4, datagram.source);
  writeBig(bytes, 16, 4, datagram.destination);
  writeBig(bytes, 10, 2, checksum(bytes.subarray(0, ipv4Header)));
  bytes.set(datagram.payload, ipv4Header);
  return bytes;
}
