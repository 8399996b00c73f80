/**
 * The extended read, vendor command F0h: one request, many frames of answer, runs of zeros as holes without data.
 * docs/aoe-extension.md describes it; offsets count from the frame's first byte:
 *
 *     24      | 25    | 26, 27  | 28 to 33 | 34 to 37 | 38, 39              | 40, 41   | 42
 *     version | flags | request | LBA      | sectors  | most, or fragment n | 0, or of | data
 */
import { type BlockDevice, readBig, writeBig } from "@castaway/kit";
import { readMac, writeMac } from "../ip/address.ts";
import { type AoeError, aoeError, sectorSize } from "./protocol.ts";

/** Bytes before a fragment's data, and all of a request. */
export const extendedHeaderSize = 42;
export const extendedVersion = 1;
/** In a request: holes are understood. In an answer: so many sectors of zeros, without data. */
export const holesFlag = 0x01;

export type ExtendedRequest = {
  version: number;
  holes: boolean;
  id: number;
  lba: number;
  sectors: number;
  /** Sectors of data in a frame at most; 0: as many as the server's SectorCount. */
  most: number;
};

/** The request in `frame`, which is at least {@link extendedHeaderSize} long. */
export function readExtended(frame: Uint8Array): ExtendedRequest {
  return {
    version: frame[24],
    holes: (frame[25] & holesFlag) !== 0,
    id: readBig(frame, 26, 2),
    lba: readMac(frame, 28), // 48 bits, big-endian, as an address is
    sectors: readBig(frame, 34, 4),
    most: readBig(frame, 38, 2),
  };
}

/** A part of the answer: sectors from `lba` on; null: all zeros. */
export type Fragment = { lba: number; sectors: number; data: Uint8Array | null };

/**
 * Reads what is asked for, in fragments that follow one another without a gap.
 * @param limit sectors in a request at most
 * @param perFrame sectors that fit a frame
 */
export function runExtended(
  { version, holes, lba, sectors, most }: ExtendedRequest,
  disk: BlockDevice,
  limit: number,
  perFrame: number,
): Fragment[] | AoeError {
  if (version !== extendedVersion || sectors > limit || lba + sectors > disk.sectors) return aoeError.argument;
  const data = new Uint8Array(sectors * sectorSize);
  if (sectors > 0 && !disk.read(lba, data)) return aoeError.unavailable;
  const size = most === 0 ? perFrame : Math.min(most, perFrame);
  const zeros = holes ? runsOfZeros(data) : new Uint32Array(sectors);
  // A hole is worth a frame of its own if it saves one, and at the end, where it splits nothing.
  const isHole = (at: number) => zeros[at] >= size || (zeros[at] > 0 && at + zeros[at] === sectors);
  const fragments: Fragment[] = [];
  for (let at = 0; at < sectors; ) {
    let end = at;
    if (isHole(at)) end = at + zeros[at];
    else while (end < sectors && end - at < size && !isHole(end)) end++;
    const part = isHole(at) ? null : data.subarray(at * sectorSize, end * sectorSize);
    fragments.push({ lba: lba + at, sectors: end - at, data: part });
    at = end;
  }
  return fragments;
}

/** For each sector how many of zeros start with it. */
function runsOfZeros(data: Uint8Array): Uint32Array {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length / 4);
  const perSector = sectorSize / 4;
  const runs = new Uint32Array(data.length / sectorSize);
  for (let i = runs.length - 1; i >= 0; i--) {
    let at = i * perSector;
    const end = at + perSector;
    while (at < end && words[at] === 0) at++;
    if (at === end) runs[i] = 1 + (i + 1 < runs.length ? runs[i + 1] : 0);
  }
  return runs;
}

/** Fills in a fragment's arguments and data. */
export function writeFragment(
  into: Uint8Array,
  id: number,
  { lba, sectors, data }: Fragment,
  index: number,
  total: number,
): void {
  into[24] = extendedVersion;
  into[25] = data === null ? holesFlag : 0;
  writeBig(into, 26, 2, id);
  writeMac(into, 28, lba);
  writeBig(into, 34, 4, sectors);
  writeBig(into, 38, 2, index);
  writeBig(into, 40, 2, total);
  if (data !== null) into.set(data, extendedHeaderSize);
}
