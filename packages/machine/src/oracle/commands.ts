/** The guest's commands, read from its memory at the moment it issues them. [AHCI 1.3.1 4.2], [ATA8-ACS 7], [SATA 3.x 13.6] */
import { type Dma, join32, natural, readLittle, record, type StateOf } from "@castaway/kit";

/** Guest memory. */
export type Memory = Pick<Dma, "read">;

/** Sectors of the disk, and a piece of guest memory. */
export const extent = record({ lba: natural, sectors: natural });
export type Extent = StateOf<typeof extent>;
export const region = record({ address: natural, bytes: natural });
export type Region = StateOf<typeof region>;

/** The geometry that addresses by cylinder, head and sector mean. */
export interface Geometry {
  readonly heads: number;
  readonly track: number;
}

/** A command that moves sectors, or gives them up. */
export interface Transfer {
  readonly does: "read" | "write" | "trim";
  readonly name: string;
  /** Whether SACT tells when it is over, and not CI. */
  readonly queued: boolean;
  readonly extents: readonly Extent[];
  readonly regions: readonly Region[];
}

export type GuestCommand =
  | Transfer
  | { readonly does: "geometry"; readonly geometry: Geometry }
  /** Software reset. */
  | { readonly does: "reset" }
  /** Nothing that has to do with the disk's contents. */
  | { readonly does: "nothing" };

const nothing: GuestCommand = { does: "nothing" };

type Addressing = "28" | "48" | "queued";
const transfers: ReadonlyMap<number, readonly [name: string, addressing: Addressing]> = new Map([
  [0x20, ["READ SECTORS", "28"]],
  [0x21, ["READ SECTORS", "28"]],
  [0x24, ["READ SECTORS EXT", "48"]],
  [0x25, ["READ DMA EXT", "48"]],
  [0x29, ["READ MULTIPLE EXT", "48"]],
  [0x60, ["READ FPDMA QUEUED", "queued"]],
  [0xc4, ["READ MULTIPLE", "28"]],
  [0xc8, ["READ DMA", "28"]],
  [0xc9, ["READ DMA", "28"]],
  [0x30, ["WRITE SECTORS", "28"]],
  [0x31, ["WRITE SECTORS", "28"]],
  [0x34, ["WRITE SECTORS EXT", "48"]],
  [0x35, ["WRITE DMA EXT", "48"]],
  [0x39, ["WRITE MULTIPLE EXT", "48"]],
  [0x3d, ["WRITE DMA FUA EXT", "48"]],
  [0x61, ["WRITE FPDMA QUEUED", "queued"]],
  [0xc5, ["WRITE MULTIPLE", "28"]],
  [0xca, ["WRITE DMA", "28"]],
  [0xcb, ["WRITE DMA", "28"]],
  [0xce, ["WRITE MULTIPLE FUA EXT", "48"]],
]);
const dataSetManagement = 0x06;
const initializeParameters = 0x91;

const hostToDevice = 0x27;
const byBlockAddress = 1 << 6;
/** Addresses from here on are nobody's. */
const beyond = 2 ** 52;

/** The fields of a command FIS. */
interface Task {
  readonly command: number;
  readonly features: number;
  readonly count: number;
  readonly lba: number;
  readonly device: number;
}

/** Reads the command in a slot: header, FIS and descriptors. */
export function readCommand(
  memory: Memory,
  { low, high }: { readonly low: number; readonly high: number },
  slot: number,
  sectorSize: number,
  geometry: Geometry,
): GuestCommand {
  const header = fetch(memory, join32(high, low) + 32 * slot, 16);
  const table = join32(readLittle(header, 12, 4), (readLittle(header, 8, 4) & ~0x7f) >>> 0);
  const fis = fetch(memory, table, 20);
  if (fis[0] !== hostToDevice) return nothing;
  if ((fis[1]! & 0x80) === 0) return (fis[15]! & 4) !== 0 ? { does: "reset" } : nothing;
  const task = taskOf(fis);
  const descriptors = readLittle(header, 2, 2);
  if (task.command === initializeParameters)
    return { does: "geometry", geometry: { heads: (task.device & 0xf) + 1, track: task.count & 0xff } };
  if (task.command === dataSetManagement)
    return trim(memory, task, readRegions(memory, table, descriptors, 512 * task.count));
  const transfer = transfers.get(task.command);
  if (transfer === undefined) return nothing;
  const [name, addressing] = transfer;
  const extent = extentOf(task, addressing, geometry);
  if (extent === null) return nothing;
  const regions = readRegions(memory, table, descriptors, extent.sectors * sectorSize);
  const does = name.startsWith("READ") ? "read" : "write";
  return { does, name, queued: addressing === "queued", extents: [extent], regions };
}

/** Fills `into` from the memory of a command, from byte `at` of its data on. @returns how many bytes there are */
export function readData(memory: Memory, regions: readonly Region[], at: number, into: Uint8Array): number {
  let skip = at;
  let done = 0;
  for (const { address, bytes } of regions) {
    if (done === into.length) break;
    if (skip >= bytes) {
      skip -= bytes;
      continue;
    }
    const piece = into.subarray(done, done + Math.min(bytes - skip, into.length - done));
    readInto(memory, address + skip, piece);
    done += piece.length;
    skip = 0;
  }
  return done;
}

function taskOf(fis: Uint8Array): Task {
  const [low, high] = [readLittle(fis, 4, 3), readLittle(fis, 8, 3)];
  const features = fis[3]! | (fis[11]! << 8);
  return { command: fis[2]!, features, count: readLittle(fis, 12, 2), lba: high * 0x100_0000 + low, device: fis[7]! };
}

/** Which sectors a write means; null if the drive must refuse it. */
function extentOf({ features, count, lba, device }: Task, addressing: Addressing, geometry: Geometry): Extent | null {
  if (addressing === "queued") return { lba, sectors: features || 0x1_0000 };
  if (addressing === "48") return device & byBlockAddress ? { lba, sectors: count || 0x1_0000 } : null;
  const sectors = count & 0xff || 0x100;
  const low = lba % 0x100_0000;
  const head = device & 0xf;
  if (device & byBlockAddress) return { lba: head * 0x100_0000 + low, sectors };
  const [sector, cylinder] = [low & 0xff, low >>> 8];
  if (sector === 0 || sector > geometry.track || head >= geometry.heads) return null;
  return { lba: (cylinder * geometry.heads + head) * geometry.track + sector - 1, sectors };
}

/** TRIM: ranges of 8 bytes, 48 bits of address and 16 of length; length 0 is no range. [ATA8-ACS "DATA SET MANAGEMENT"] */
function trim(memory: Memory, { features, count }: Task, regions: Region[]): GuestCommand {
  if ((features & 1) === 0) return nothing;
  const data = new Uint8Array(512 * count);
  const extents: Extent[] = [];
  const there = readData(memory, regions, 0, data);
  for (let at = 0; at + 8 <= there; at += 8) {
    const sectors = readLittle(data, at + 6, 2);
    const lba = readLittle(data, at, 4) + readLittle(data, at + 4, 2) * 0x1_0000_0000;
    if (sectors > 0) extents.push({ lba, sectors });
  }
  return { does: "trim", name: "DATA SET MANAGEMENT (TRIM)", queued: false, extents, regions: [] };
}

/** As many descriptors as `bytes` need. [AHCI 1.3.1 4.2.3.3] */
function readRegions(memory: Memory, table: number, descriptors: number, bytes: number): Region[] {
  const regions: Region[] = [];
  let left = bytes;
  for (let i = 0; i < descriptors && left > 0; i++) {
    const entry = fetch(memory, table + 0x80 + 16 * i, 16);
    const address = Math.min(join32(readLittle(entry, 4, 4), readLittle(entry, 0, 4)), beyond);
    const length = Math.min((readLittle(entry, 12, 4) & 0x3f_ffff) + 1, left);
    regions.push({ address, bytes: length });
    left -= length;
  }
  return regions;
}

function fetch(memory: Memory, address: number, bytes: number): Uint8Array {
  return readInto(memory, address, new Uint8Array(bytes));
}
function readInto(memory: Memory, address: number, into: Uint8Array): Uint8Array {
  if (address + into.length <= beyond) memory.read(address, into);
  else into.fill(0xff);
  return into;
}

export const overlaps = (a: Extent, b: Extent): boolean => a.lba < b.lba + b.sectors && b.lba < a.lba + a.sectors;
