/**
 * ATA over Ethernet on the wire [AoEr11]: the header that all messages share, commands, flags and errors. Numbers are
 * big-endian, except an ATA command's LBA. Offsets count from the frame's first byte.
 *
 *     0 to 5 | 6 to 11 | 12, 13 | 14          | 15    | 16, 17 | 18    | 19      | 20 to 23 | 24
 *     to     | from    | 88A2   | version:flags | error | major  | minor | command | tag      | arguments
 */
import { readBig, writeBig } from "@castaway/kit";
import { readMac, writeMac } from "../ip/address.ts";

/** [AoEr11 2.1] */
export const aoeType = 0x88a2;
/** [AoEr11 2.2] */
export const aoeVersion = 1;
/** Bytes of the header that all messages share. */
export const headerSize = 24;
/** Bytes of an ATA command's header, data follow [AoEr11 3.1]. */
export const ataHeaderSize = 36;
/** Bytes of a query's header, the config string follows [AoEr11 3.2]. */
export const configHeaderSize = 32;
/** AoE counts in sectors of so many bytes, whatever the disk. */
export const sectorSize = 512;
/** The longest config string [AoEr11 3.2]. */
export const longestConfig = 1024;
/** Frames are padded to so many bytes. */
const shortestFrame = 60;

/** Major and minor addresses that mean all of them [AoEr11 2.5]. */
export const everyShelf = 0xffff;
export const everySlot = 0xff;

/** The flags of byte 14 [AoEr11 2.3]. */
export const responseFlag = 0x08;
export const errorFlag = 0x04;

/** [AoEr11 2.6], and the vendor command of docs/aoe-extension.md. */
export const command = { ata: 0, config: 1, masks: 2, reserve: 3, extended: 0xf0 } as const;

/** What byte 15 of a response with the error flag says [AoEr11 2.4]. */
export const aoeError = {
  command: 1,
  argument: 2,
  unavailable: 3,
  configPresent: 4,
  version: 5,
  reserved: 6,
} as const;
export type AoeError = (typeof aoeError)[keyof typeof aoeError];

/** What a request's header says. */
export type Header = {
  to: number;
  from: number;
  version: number;
  response: boolean;
  major: number;
  minor: number;
  command: number;
  tag: number;
};

/** The header of `frame`, which is at least {@link headerSize} long. */
export function readHeader(frame: Uint8Array): Header {
  return {
    to: readMac(frame, 0),
    from: readMac(frame, 6),
    version: frame[14] >>> 4,
    response: (frame[14] & responseFlag) !== 0,
    major: readBig(frame, 16, 2),
    minor: frame[18],
    command: frame[19],
    tag: readBig(frame, 20, 4),
  };
}

/** Who answers. */
export type Source = { mac: number; shelf: number; slot: number };

/**
 * A response to `header` of `size` bytes (padded) with its header filled in: tag and command are the request's, major
 * and minor the target's own even if the request was for all [AoEr11 2.5].
 */
export function response(header: Pick<Header, "from" | "command" | "tag">, source: Source, size: number): Uint8Array {
  const frame = new Uint8Array(Math.max(shortestFrame, size));
  writeMac(frame, 0, header.from);
  writeMac(frame, 6, source.mac);
  writeBig(frame, 12, 2, aoeType);
  frame[14] = (aoeVersion << 4) | responseFlag;
  writeBig(frame, 16, 2, source.shelf);
  frame[18] = source.slot;
  frame[19] = header.command;
  writeBig(frame, 20, 4, header.tag);
  return frame;
}

/** A response that says what was wrong, without arguments. */
export function refusal(header: Pick<Header, "from" | "command" | "tag">, source: Source, error: AoeError): Uint8Array {
  const frame = response(header, source, headerSize);
  frame[14] |= errorFlag;
  frame[15] = error;
  return frame;
}
