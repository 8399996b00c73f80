/** Ethernet II frames [IEEE 802.3 3.1.1], with one 802.1Q tag [IEEE 802.1Q 9.6] or none, without check sequence. */
import { readBig, writeBig } from "@castaway/kit";
import { readMac, writeMac } from "./address.ts";

/** What follows the addresses. */
export const etherType = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;

/** Frames are padded to so many bytes by whoever sends them. */
export const shortestFrame = 60;

export type Ethernet = {
  to: number;
  from: number;
  type: number;
  /** The tag control information of 802.1Q, or null. */
  vlan: number | null;
  /** A view of the frame: what follows the type, with the padding. */
  payload: Uint8Array;
};

/** @returns the parts of a frame, or why it is none. A length in place of a type (802.3, LLC) is no type of ours. */
export function parseEthernet(frame: Uint8Array): Ethernet | "frame too short" {
  if (frame.length < 14) return "frame too short";
  const [to, from] = [readMac(frame, 0), readMac(frame, 6)];
  const type = readBig(frame, 12, 2);
  if (type !== etherType.vlan) return { to, from, type, vlan: null, payload: frame.subarray(14) };
  if (frame.length < 18) return "frame too short";
  const vlan = readBig(frame, 14, 2);
  return { to, from, type: readBig(frame, 16, 2), vlan, payload: frame.subarray(18) };
}

/** The frame, padded. */
export function buildEthernet({ to, from, type, vlan, payload }: Ethernet): Uint8Array {
  const header = vlan === null ? 14 : 18;
  const frame = new Uint8Array(Math.max(shortestFrame, header + payload.length));
  writeMac(frame, 0, to);
  writeMac(frame, 6, from);
  if (vlan !== null) {
    writeBig(frame, 12, 2, etherType.vlan);
    writeBig(frame, 14, 2, vlan);
  }
  writeBig(frame, header - 2, 2, type);
  frame.set(payload, header);
  return frame;
}
