/** Descriptors, 16 bytes each: what their fields say [8254x 3.2.3, 3.3]. */
import { readLittle } from "@castaway/kit";
import { address64 } from "../storage/ahci/slot.ts";

export const descriptorBytes = 16;

/** Commands of transmit descriptors of all kinds. [8254x 3.3.3.1, 3.3.6.1, 3.3.7.1] */
export const CMD = {
  /** End of packet. */
  EOP: 0x01,
  /** Insert the CRC. */
  IFCS: 0x02,
  /** Insert a checksum: legacy descriptors only. */
  IC: 0x04,
  /** Segment: all others. */
  TSE: 0x04,
  /** Report status. */
  RS: 0x08,
  /** Not a legacy descriptor. */
  DEXT: 0x20,
  /** Insert a VLAN tag. */
  VLE: 0x40,
  /** Delay the interrupt. */
  IDE: 0x80,
} as const;

/** Where a transmit descriptor's status is, and its bit: descriptor done. */
export const statusAt = 12;
export const DD = 1;

export function kindOf(descriptor: Uint8Array): "legacy" | "context" | "data" | "reserved" {
  if ((descriptor[11] & CMD.DEXT) === 0) return "legacy";
  const type = descriptor[10] >>> 4;
  return type === 0 ? "context" : type === 1 ? "data" : "reserved";
}

/** Where its buffer is. */
export const bufferOf = (descriptor: Uint8Array): number =>
  address64(readLittle(descriptor, 0, 4), readLittle(descriptor, 4, 4));

/** How many bytes a transmit descriptor's buffer has. */
export const lengthOf = (descriptor: Uint8Array, extended: boolean): number =>
  readLittle(descriptor, 8, 4) & (extended ? 0xf_ffff : 0xffff);

/** The VLAN tag to insert. */
export const specialOf = (descriptor: Uint8Array): number => readLittle(descriptor, 14, 2);
