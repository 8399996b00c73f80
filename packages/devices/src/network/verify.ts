/** Checksums of received frames [8254x 3.2.9, 13.4.47]. */
import { readBig } from "@castaway/kit";
import { sum } from "./offload.ts";
import { RXCSUM } from "./registers.ts";

/** Which checksums were computed, and whether they were right; undefined: not computed. */
export type Verdict = { readonly ip?: boolean; readonly transport?: boolean };

const allOnes = 0xffff;
const PROTOCOL = { TCP: 6, UDP: 17 };
/** Extension headers that the chip steps over: hop-by-hop, routing, destination options. */
const EXTENSION = { HOP: 0, ROUTING: 43, DESTINATION: 60 };

/**
 * @param control RXCSUM
 * @param VET the type of a VLAN tag, if the frame still has one
 */
export function verify(frame: Uint8Array, control: number, VET: number): Verdict {
  if ((control & (RXCSUM.IPOFLD | RXCSUM.TUOFLD)) === 0) return {};
  let at = 12;
  if (word(frame, at) === VET) at += 4;
  let type = word(frame, at);
  at += 2;
  if (type <= 1500 && isSnap(frame, at)) {
    type = word(frame, at + 6);
    at += 8;
  }
  if (type === 0x0800) return verify4(frame, at, control);
  const six = RXCSUM.TUOFLD | RXCSUM.IPV6OFL;
  return type === 0x86dd && (control & six) === six ? verify6(frame, at) : {};
}

function verify4(frame: Uint8Array, at: number, control: number): Verdict {
  const header = 4 * (frame[at] & 0xf);
  const total = word(frame, at + 2);
  if (frame[at] >>> 4 !== 4 || header < 20 || total < header || at + total > frame.length) return {};
  const ip = (control & RXCSUM.IPOFLD) !== 0 ? sum(frame, at, at + header) === allOnes : undefined;
  const isFragment = (word(frame, at + 6) & 0x3fff) !== 0;
  if ((control & RXCSUM.TUOFLD) === 0 || isFragment) return { ip };
  return {
    ip,
    transport: verifyTransport(frame, at + header, at + total, frame[at + 9], sum(frame, at + 12, at + 20)),
  };
}

function verify6(frame: Uint8Array, at: number): Verdict {
  const fixed = 40;
  const end = at + fixed + word(frame, at + 4);
  if (frame[at] >>> 4 !== 6 || end > frame.length) return {};
  let next = frame[at + 6];
  let place = at + fixed;
  while (next === EXTENSION.HOP || next === EXTENSION.ROUTING || next === EXTENSION.DESTINATION) {
    if (place + 8 > end) return {};
    // On its way the packet has another destination than in its pseudo header.
    if (next === EXTENSION.ROUTING && frame[place + 3] !== 0) return {};
    next = frame[place];
    place += 8 * (frame[place + 1] + 1);
  }
  return { transport: verifyTransport(frame, place, end, next, sum(frame, at + 8, at + fixed)) };
}

/** @param pseudo the sum of the two IP addresses */
function verifyTransport(
  frame: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  pseudo: number,
): boolean | undefined {
  const length = end - at;
  if (protocol === PROTOCOL.UDP) {
    if (length < 8 || word(frame, at + 6) === 0) return undefined; // sent without a checksum
  } else if (protocol !== PROTOCOL.TCP || length < 20) return undefined;
  const total = pseudo + protocol + length + sum(frame, at, end);
  return total % allOnes === 0; // ffff or a multiple: one's complement zero
}

const word = (frame: Uint8Array, at: number): number => (at + 2 <= frame.length ? readBig(frame, at, 2) : 0);

/** 802.2 LLC with a SNAP header of organization 0. */
function isSnap(frame: Uint8Array, at: number): boolean {
  return word(frame, at) === 0xaaaa && word(frame, at + 2) === 0x0300 && word(frame, at + 4) === 0;
}
