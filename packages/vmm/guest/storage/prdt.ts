/**
 * Copies a guest's physical region descriptor table (R8.2, R8.3): each entry is read once, checked, and what the
 * controller then follows is the copy. The data pages stay the guest's. [AHCI 4.2.3.3]
 */
import { physRead32, physWrite32 } from "../x86.ts";
import { DBC, entryBytes } from "./ahci.ts";
import { isGuestMemory, touchesVmm } from "./guard.ts";

/** What {@link copyTable} says of a table that points into the VMM's memory. */
export const REFUSED: i32 = -1;
/** And of one that has more entries than there is room for. */
export const TOO_LONG: i32 = -2;

/**
 * Copies entries until they hold `needed` bytes; the rest no controller would look at.
 * @param from the guest's first entry, physical
 * @param to the copy's, physical
 * @param entries how many the guest has
 * @param room for how many there is in the copy
 * @returns how many were copied, REFUSED or TOO_LONG
 */
export function copyTable(from: u64, to: u64, entries: u32, room: u32, needed: u64): i32 {
  let bytes: u64 = 0;
  let copied: u32 = 0;
  if (entries > 0 && !isGuestMemory(from, <u64>entries * entryBytes)) return REFUSED;
  for (; copied < entries && bytes < needed; copied++) {
    if (copied === room) return TOO_LONG;
    const at = from + copied * entryBytes;
    const into = to + copied * entryBytes;
    const low = physRead32(at);
    const high = physRead32(at + 4);
    const count = physRead32(at + 12);
    const length: u64 = (count & DBC) + 1;
    if (touchesVmm(((<u64>high) << 32) | low, length)) return REFUSED;
    physWrite32(into, low);
    physWrite32(into + 4, high);
    physWrite32(into + 8, 0);
    physWrite32(into + 12, count);
    bytes += length;
  }
  return <i32>copied;
}

/** One entry, for the VMM's own memory. */
export function writeEntry(to: u64, address: u64, bytes: u32): void {
  physWrite32(to, <u32>address);
  physWrite32(to + 4, <u32>(address >> 32));
  physWrite32(to + 8, 0);
  physWrite32(to + 12, bytes - 1);
}
