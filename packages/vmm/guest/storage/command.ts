/**
 * A guest's command: what the VMM copied of it, and the command table that the controller gets instead (R8.1 to R8.3).
 */
import { allocate, physicalOf } from "../memory.ts";
import { physCopy, physRead32, physWrite32 } from "../x86.ts";
import { HEADER_BIST, HEADER_PMP, HEADER_WRITE, headerBytes, tableHead } from "./ahci.ts";
import { AtaCommand, CONTROL, decode, PASS, READ, REFUSE, refuse, TRIM, WRITE } from "./ata.ts";
import { isGuestMemory } from "./guard.ts";
import { copyTable, REFUSED, TOO_LONG, writeEntry } from "./prdt.ts";

/** The slot is the guest's to use. */
export const EMPTY: u32 = 0;
/** The guest has issued it, the VMM has not. */
export const HELD: u32 = 1;
/** The controller has it. */
export const ISSUED: u32 = 2;
/** A software reset took it: it looks issued until the guest stops the port, and nothing comes of it. */
export const LOST: u32 = 3;

/** Entries of a slot's own table, which has 4 KiB. */
const entriesOfSlot: u32 = 248;
/** No table is longer: PRDTL has 16 bits. */
export const mostEntries: u32 = 0xffff;
const tableBytes: u32 = 4096;
/** Blocks of 512 bytes that list what TRIM is for. [ACS "IDENTIFY DEVICE" word 105] */
const mostTrimBlocks: u32 = 8;

/** What commands of a port share: one takes it, the others wait. */
export class Shared {
  /** A table for the rare command with a long one. */
  readonly table: usize;
  tableUser: Command | null = null;
  /** The copy of TRIM's ranges. */
  readonly ranges: usize;
  rangesUser: Command | null = null;

  constructor() {
    this.table = allocate(tableHead + mostEntries * 16, 128);
    this.ranges = allocate(mostTrimBlocks * 512, 512);
  }
}

export class Command extends AtaCommand {
  readonly slot: u32;
  state: u32 = EMPTY;
  /** Some of its blocks are empty until it is over: {@link Gate}. */
  writing: bool = false;
  /** The guest's header, physical; 0: it is not to be written. */
  header: u64 = 0;
  /** PRDBC as the guest has it. */
  moved: u32 = 0;
  /** A read of which some blocks come from memory: overlay.ts. */
  overlaid: bool = false;
  /** Everything is copied. */
  prepared: bool = false;
  /** The command table that the controller gets, linear. */
  table: usize;
  private flags: u32 = 0;
  /** Descriptors in its table. */
  entries: u32 = 0;
  private guestTable: u64 = 0;
  private readonly own: usize;

  constructor(slot: u32) {
    super();
    this.slot = slot;
    this.own = allocate(tableBytes, tableBytes);
    this.table = this.own;
  }

  /**
   * The guest has set the slot's bit in PxCI: header and command FIS are copied, and read from nowhere else.
   * @param list the guest's command list, physical
   * @param strict whether what is not known is refused: the disk is being deployed
   */
  take(list: u64, strict: bool): void {
    const header = list + this.slot * headerBytes;
    this.table = this.own;
    this.prepared = false;
    this.writing = false;
    this.overlaid = false;
    this.header = isGuestMemory(header, headerBytes) ? header : 0;
    this.flags = 0;
    this.guestTable = 0;
    if (this.header !== 0) {
      this.flags = physRead32(header);
      this.moved = physRead32(header + 4);
      this.guestTable = ((<u64>physRead32(header + 12)) << 32) | (physRead32(header + 8) & 0xffff_ff80);
    }
    if (this.header === 0 || !isGuestMemory(this.guestTable, tableHead)) {
      memory.fill(this.own, 0, tableHead); // as the CPU would find it there
      decode(this.own, this);
    } else {
      physCopy(physicalOf(this.own), this.guestTable, tableHead);
      decode(this.own, this);
      if (strict && (this.flags & (HEADER_BIST | HEADER_PMP)) !== 0 && this.kind !== CONTROL) this.kind = REFUSE;
      if (!strict && this.kind !== CONTROL) this.kind = PASS;
    }
  }

  /**
   * Copies the descriptors. @returns false: another command has what it needs, try again
   */
  prepare(shared: Shared): bool {
    if (this.prepared) return true;
    if (this.kind === TRIM && (this.sectors === 0 || this.sectors > mostTrimBlocks)) this.kind = REFUSE;
    if (this.kind === TRIM && shared.rangesUser !== null) return false;
    this.entries = 0;
    if (this.kind !== REFUSE && !this.copyEntries(shared)) return false;
    if (this.kind === TRIM) this.copyRanges(shared);
    this.prepared = true;
    return true;
  }

  /** Will fail as an unknown command does, and touch nothing. */
  deny(): void {
    this.kind = REFUSE;
  }

  /** Writes the header that the controller will fetch. @param list the VMM's command list, physical */
  writeHeader(list: u64): void {
    const header = list + this.slot * headerBytes;
    const table = physicalOf(this.table);
    if (this.kind === REFUSE) {
      refuse(this.table, this.queued);
      this.flags = 5;
      this.entries = 0;
    }
    physWrite32(header, (this.flags & 0xffff) | (this.entries << 16));
    physWrite32(header + 4, this.moved);
    physWrite32(header + 8, <u32>table);
    physWrite32(header + 12, <u32>(table >> 32));
  }

  /** Tells the guest how many bytes were moved, before it can see that they were (R8.7, R8.8). */
  tell(list: u64): void {
    if (this.header === 0 || this.queued) return;
    const moved = physRead32(list + this.slot * headerBytes + 4);
    if (moved === this.moved) return;
    this.moved = moved;
    physWrite32(this.header + 4, moved);
  }

  release(shared: Shared): void {
    if (shared.tableUser === this) shared.tableUser = null;
    if (shared.rangesUser === this) shared.rangesUser = null;
    this.state = EMPTY;
    this.writing = false;
  }

  private copyEntries(shared: Shared): bool {
    const from = this.guestTable + tableHead;
    const entries = this.flags >> 16;
    const needed = this.bytes();
    let copied = copyTable(from, physicalOf(this.own) + tableHead, entries, entriesOfSlot, needed);
    if (copied === TOO_LONG) {
      if (shared.tableUser !== null) return false;
      copied = copyTable(from, physicalOf(shared.table) + tableHead, entries, mostEntries, needed);
      memory.copy(shared.table, this.own, tableHead);
      shared.tableUser = this;
      this.table = shared.table;
    }
    if (copied === REFUSED) this.kind = REFUSE;
    else this.entries = <u32>copied;
    return true;
  }

  /** How far its descriptors are looked at. */
  private bytes(): u64 {
    if (this.kind === READ || this.kind === WRITE || this.kind === TRIM) return (<u64>this.sectors) << 9;
    return ~(<u64>0);
  }

  /** The drive must take the ranges that the VMM has seen: they are copied, and the copy is what is sent. */
  private copyRanges(shared: Shared): void {
    const bytes = this.sectors << 9;
    let done: u32 = 0;
    for (let i: u32 = 0; i < this.entries && done < bytes; i++) {
      const entry = physicalOf(this.table) + tableHead + i * 16;
      const from = ((<u64>physRead32(entry + 4)) << 32) | physRead32(entry);
      const piece = min<u32>((physRead32(entry + 12) & 0x3f_ffff) + 1, bytes - done);
      if (!isGuestMemory(from, piece)) break;
      physCopy(physicalOf(shared.ranges) + done, from, piece);
      done += piece;
    }
    if (done < bytes || (this.flags & HEADER_WRITE) === 0) {
      this.kind = REFUSE;
      return;
    }
    shared.rangesUser = this;
    writeEntry(physicalOf(this.table) + tableHead, physicalOf(shared.ranges), bytes);
    this.entries = 1;
  }
}
