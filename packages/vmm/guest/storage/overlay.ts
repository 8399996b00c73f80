/**
 * A read of blocks that are in the VMM's memory but not on the disk (M-A of 8.4). They are copied to the guest's pages, and
 * then the drive is given the guest's command, with a table in which these blocks go nowhere. So the drive answers as it
 * always does: frames, byte count, tag, status and interrupt are its own, and what is local comes from the disk in the
 * same command.
 */
import { Blocks } from "../deploy/blocks.ts";
import { Transfer, Transfers } from "../deploy/transfers.ts";
import { physicalOf } from "../memory.ts";
import { physCopy, physRead32, physWrite32 } from "../x86.ts";
import { DBC, entryBytes, tableHead } from "./ahci.ts";
import { Command, mostEntries, Shared } from "./command.ts";
import { isGuestMemory } from "./guard.ts";
import { writeEntry } from "./prdt.ts";

/** Each descriptor is cut at the borders of blocks: it must fit into the long table, which may be another's. */
export function canOverlay(command: Command, shared: Shared): bool {
  if (shared.tableUser !== null) return false;
  return command.entries + (command.sectors << 1) <= mostEntries;
}

/** To be called right before the command is issued, with its empty blocks all ARRIVED. */
export function overlay(command: Command, shared: Shared, blocks: Blocks, transfers: Transfers, sink: usize): void {
  const total: u64 = (<u64>command.sectors) << 9;
  const from = physicalOf(command.table) + tableHead;
  const to = physicalOf(shared.table) + tableHead;
  let made: u32 = 0;
  let offset: u64 = 0;
  for (let i: u32 = 0; i < command.entries && offset < total; i++) {
    const entry = from + i * entryBytes;
    const count = physRead32(entry + 12);
    let address = ((<u64>physRead32(entry + 4)) << 32) | physRead32(entry);
    for (let left = (count & DBC) + 1; left > 0; ) {
      const lba = command.lba + (offset >> 9);
      const one = holder(blocks, transfers, lba);
      let piece = <u32>min<u64>(left, ((border(blocks, lba, one) - command.lba) << 9) - offset);
      if (one !== null) give(one, address, ((command.lba - one.read.lba) << 9) + offset, piece);
      if (offset + piece >= total) piece = left; // no more comes; the entry is as long as the guest made it
      const told = piece === left ? count & ~DBC : 0;
      writeEntry(to + made * entryBytes, one !== null ? physicalOf(sink) : address, piece);
      physWrite32(to + made * entryBytes + 12, told | (piece - 1));
      made++;
      offset += piece;
      address += piece;
      left -= piece;
    }
  }
  memory.copy(shared.table, command.table, tableHead);
  shared.tableUser = command;
  command.table = shared.table;
  command.entries = made;
}

/** Who has the sector; null: the disk. */
function holder(blocks: Blocks, transfers: Transfers, lba: u64): Transfer | null {
  const block = blocks.blockOf(lba);
  if (lba >= blocks.imageSectors || blocks.isLocal(block)) return null;
  return transfers.of(<u32>block);
}

/** Up to which sector the answer to {@link holder} is the same. */
function border(blocks: Blocks, lba: u64, one: Transfer | null): u64 {
  if (one !== null) return one.read.lba + one.read.sectors;
  return (blocks.blockOf(lba) + 1) * blocks.blockSectors;
}

function give(one: Transfer, to: u64, from: u64, bytes: u32): void {
  if (isGuestMemory(to, bytes)) physCopy(to, physicalOf(one.buffer) + from, bytes);
}
