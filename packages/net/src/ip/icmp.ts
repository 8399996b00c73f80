/** ICMP over IPv4 [RFC 792]: echo, and "port unreachable". */
import { readBig, writeBig } from "@castaway/kit";
import { checksum } from "./checksum.ts";
import type { Ipv4 } from "./ipv4.ts";

export const icmpType = { echoReply: 0, unreachable: 3, echoRequest: 8 } as const;
/** The code of "destination unreachable" that says: nobody listens at this port. */
export const portUnreachable = 3;

/** `rest` is the second word of the header: for an echo its identifier and sequence number. */
export type Icmp = { type: number; code: number; rest: number; data: Uint8Array };

export type IcmpFault = "icmp too short" | "icmp checksum";

const header = 8;

export function parseIcmp(bytes: Uint8Array): Icmp | IcmpFault {
  if (bytes.length < header) return "icmp too short";
  if (checksum(bytes) !== 0) return "icmp checksum";
  return { type: bytes[0], code: bytes[1], rest: readBig(bytes, 4, 4), data: bytes.subarray(header) };
}

export function buildIcmp({ type, code, rest, data }: Icmp): Uint8Array {
  const bytes = new Uint8Array(header + data.length);
  bytes[0] = type;
  bytes[1] = code;
  writeBig(bytes, 4, 4, rest);
  bytes.set(data, header);
  writeBig(bytes, 2, 2, checksum(bytes));
  return bytes;
}

/** What an error quotes: the header of the datagram that caused it and the first 8 bytes after it. */
export function quote({ header: cause = new Uint8Array(0), payload }: Ipv4): Uint8Array {
  const first = payload.subarray(0, 8);
  const bytes = new Uint8Array(cause.length + first.length);
  bytes.set(cause);
  bytes.set(first, cause.length);
  return bytes;
}
