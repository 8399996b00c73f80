/** The address resolution protocol for IPv4 over Ethernet [RFC 826]. */
import { readBig, writeBig } from "@castaway/kit";
import { readMac, writeMac } from "./address.ts";
import { etherType } from "./ethernet.ts";

export const arpOperation = { request: 1, reply: 2 } as const;

export type Arp = {
  operation: number;
  senderMac: number;
  senderIp: number;
  targetMac: number;
  targetIp: number;
};

const length = 28;

/** @returns the packet, or why it is none: too short, of other hardware or protocol, or neither request nor reply. */
export function parseArp(bytes: Uint8Array): Arp | "arp malformed" {
  if (bytes.length < length) return "arp malformed";
  const ethernetAndIpv4 = readBig(bytes, 0, 4) === ((1 << 16) | etherType.ipv4) && readBig(bytes, 4, 2) === 0x0604;
  const operation = readBig(bytes, 6, 2);
  if (!ethernetAndIpv4 || operation < arpOperation.request || operation > arpOperation.reply) return "arp malformed";
  return {
    operation,
    senderMac: readMac(bytes, 8),
    senderIp: readBig(bytes, 14, 4),
    targetMac: readMac(bytes, 18),
    targetIp: readBig(bytes, 24, 4),
  };
}

export function buildArp({ operation, senderMac, senderIp, targetMac, targetIp }: Arp): Uint8Array {
  const bytes = new Uint8Array(length);
  writeBig(bytes, 0, 4, (1 << 16) | etherType.ipv4);
  writeBig(bytes, 4, 2, 0x0604);
  writeBig(bytes, 6, 2, operation);
  writeMac(bytes, 8, senderMac);
  writeBig(bytes, 14, 4, senderIp);
  writeMac(bytes, 18, targetMac);
  writeBig(bytes, 24, 4, targetIp);
  return bytes;
}
