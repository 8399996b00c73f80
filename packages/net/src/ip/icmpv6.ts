/**
 * As much of IPv6 [RFC 8200] and ICMPv6 [RFC 4443] as router discovery needs [RFC 4861]: a station that asks for
 * routers is told that there is none, and stops waiting.
 */
import { high32, low32, readBig, writeBig } from "@castaway/kit";
import { addWords, fold, pseudoHeader6 } from "./checksum.ts";

export const routerSolicitation = 133;
export const routerAdvertisement = 134;
/** Where advertisements go: all nodes, ff02::1, and its MAC address [RFC 2464 7]. */
export const allNodesMac = 0x3333_0000_0001;
/** Where solicitations go: all routers, ff02::2. */
export const allRoutersMac = 0x3333_0000_0002;

const icmpv6 = 58;
const header = 40;
/** Neighbour discovery is believed only from neighbours: nobody has forwarded it [RFC 4861 6.1.1]. */
const neighbour = 255;

/** An ICMPv6 message in an IPv6 packet without extension headers. Addresses are 16 bytes. */
export type Icmpv6 = {
  source: Uint8Array;
  destination: Uint8Array;
  hopLimit: number;
  type: number;
  code: number;
  body: Uint8Array;
};

export type Icmpv6Fault = "ipv6 malformed" | "ipv6 protocol" | "icmpv6 too short" | "icmpv6 checksum";

/** @returns the message, or why it is none. */
export function parseIcmpv6(bytes: Uint8Array): Icmpv6 | Icmpv6Fault {
  if (bytes.length < header || bytes[0] >> 4 !== 6) return "ipv6 malformed";
  const length = readBig(bytes, 4, 2);
  if (header + length > bytes.length) return "ipv6 malformed";
  if (bytes[6] !== icmpv6) return "ipv6 protocol";
  if (length < 4) return "icmpv6 too short";
  const [source, destination] = [bytes.subarray(8, 24), bytes.subarray(24, 40)];
  const message = bytes.subarray(header, header + length);
  if (fold(addWords(pseudoHeader6(source, destination, icmpv6, length), message)) !== 0) return "icmpv6 checksum";
  return { source, destination, hopLimit: bytes[7], type: message[0], code: message[1], body: message.subarray(4) };
}

/** The IPv6 packet. */
export function buildIcmpv6({ source, destination, hopLimit, type, code, body }: Icmpv6): Uint8Array {
  const length = 4 + body.length;
  const bytes = new Uint8Array(header + length);
  bytes[0] = 0x60;
  writeBig(bytes, 4, 2, length);
  bytes[6] = icmpv6;
  bytes[7] = hopLimit;
  bytes.set(source, 8);
  bytes.set(destination, 24);
  bytes[header] = type;
  bytes[header + 1] = code;
  bytes.set(body, header + 4);
  const sum = addWords(pseudoHeader6(source, destination, icmpv6, length), bytes.subarray(header));
  writeBig(bytes, header + 2, 2, fold(sum));
  return bytes;
}

/** Whether it is a router solicitation that may be answered [RFC 4861 6.1.1]. */
export const isSolicitation = ({ type, code, hopLimit, body }: Icmpv6): boolean =>
  type === routerSolicitation && code === 0 && hopLimit === neighbour && body.length >= 4;

/** The router advertisement of a station that is no router: a lifetime of 0 and no options [RFC 4861 4.2]. */
export function buildNoRouter(mac: number): Uint8Array {
  const destination = new Uint8Array(16);
  destination.set([0xff, 0x02]);
  destination[15] = 1;
  const source = linkLocal(mac);
  return buildIcmpv6({
    source,
    destination,
    hopLimit: neighbour,
    type: routerAdvertisement,
    code: 0,
    body: new Uint8Array(12),
  });
}

/** fe80::/64 with the MAC address as interface identifier [RFC 4291 A]. */
export function linkLocal(mac: number): Uint8Array {
  const address = new Uint8Array(16);
  writeBig(address, 0, 2, 0xfe80);
  const [top, rest] = [high32(mac), low32(mac)];
  address.set([(top >>> 8) ^ 2, top & 0xff, rest >>> 24, 0xff, 0xfe], 8);
  writeBig(address, 13, 1, rest >>> 16);
  writeBig(address, 14, 2, rest);
  return address;
}
