/**
 * A command slot: what the controller has fetched of it, and how far its data have come through the physical region
 * descriptor table. Each descriptor is read once. [AHCI 1.3.1 4.2.2, 4.2.3]
 */
import {
  type Dma,
  flag,
  join32,
  natural,
  nullable,
  readLittle,
  record,
  type StateOf,
  u8,
  u16,
  writeLittle,
} from "@castaway/kit";

/** Addresses from here on are nobody's. */
const beyond = 2 ** 52;
const emptyRead = 0xff;

/** An address of 64 bits as a number; those that no memory can have become {@link beyond}. */
export const address64 = (low: number, high: number): number => Math.min(join32(high, low), beyond);

/** Reads guest memory wherever a guest may point. */
export function fetch(dma: Dma, address: number, into: Uint8Array): Uint8Array {
  if (address + into.length <= beyond) dma.read(address, into);
  else into.fill(emptyRead);
  return into;
}

/** Writes guest memory wherever a guest may point. */
export function store(dma: Dma, address: number, from: Uint8Array): void {
  if (address + from.length <= beyond) dma.write(address, from);
}

export const slotState = record({
  /** Where its header is: its byte count is told there. */
  header: natural,
  /** Whether the header asks to clear BSY once the FIS is sent. */
  clearBusy: flag,
  /** Where its command table is. */
  table: natural,
  /** How many descriptors follow in the table. */
  descriptors: u16,
  /** How many have been read. */
  used: natural,
  /** The descriptor that data go to or come from; null before the first, and between two. */
  region: nullable(record({ address: natural, left: natural, tell: flag })),
  /** Bytes moved. */
  moved: natural,
  /** The length of the command FIS in bytes. */
  length: u8,
});
export type SlotState = StateOf<typeof slotState>;

/** Reads the header of slot `number` in the list at `list`. [AHCI 1.3.1 4.2.2] */
export function fetchSlot(dma: Dma, list: number, number: number): SlotState {
  const address = list + 32 * number;
  const header = fetch(dma, address, new Uint8Array(16));
  const flags = readLittle(header, 0, 2);
  return {
    header: address,
    clearBusy: (flags & (1 << 10)) !== 0,
    table: address64((readLittle(header, 8, 4) & ~0x7f) >>> 0, readLittle(header, 12, 4)),
    descriptors: readLittle(header, 2, 2),
    used: 0,
    region: null,
    moved: 0,
    length: 4 * (flags & 0x1f),
  };
}

/** Reads the slot's command FIS. */
export const fetchFis = (dma: Dma, slot: SlotState): Uint8Array => fetch(dma, slot.table, new Uint8Array(64));

/**
 * Moves data between `data` and the memory that the slot's table lists, from where the last piece ended.
 * @returns how many bytes found a place: fewer if the table is too short; and whether a used up region wants to tell
 */
export function moveData(dma: Dma, slot: SlotState, data: Uint8Array, toMemory: boolean) {
  let moved = 0;
  let tell = false;
  while (moved < data.length) {
    const region = slot.region ?? nextRegion(dma, slot);
    if (region === null) break;
    slot.region = region;
    const piece = data.subarray(moved, moved + Math.min(region.left, data.length - moved));
    if (toMemory) store(dma, region.address, piece);
    else fetch(dma, region.address, piece);
    moved += piece.length;
    region.left -= piece.length;
    region.address = Math.min(region.address + piece.length, beyond);
    if (region.left > 0) continue;
    tell ||= region.tell;
    slot.region = null;
  }
  slot.moved += moved;
  return { moved, tell };
}

/** Descriptors are 16 bytes: address, 4 bytes nothing, length less one and the I bit. [AHCI 1.3.1 4.2.3.3] */
function nextRegion(dma: Dma, slot: SlotState): SlotState["region"] {
  if (slot.used >= slot.descriptors) return null;
  const entry = fetch(dma, slot.table + 0x80 + 16 * slot.used, new Uint8Array(16));
  slot.used++;
  const address = address64(readLittle(entry, 0, 4), readLittle(entry, 4, 4));
  return { address, left: regionLength(entry), tell: entry[15] >= 0x80 };
}

/** 1 byte to 4 MiB. Real controllers need even lengths; an odd one is taken as it is. */
const regionLength = (entry: Uint8Array): number => (readLittle(entry, 12, 4) & 0x3f_ffff) + 1;

/** Tells the host how far the data came: PRDBC of the header. */
export function storeCount(dma: Dma, slot: SlotState): void {
  const count = new Uint8Array(4);
  writeLittle(count, 0, 4, slot.moved);
  store(dma, slot.header + 4, count);
}
