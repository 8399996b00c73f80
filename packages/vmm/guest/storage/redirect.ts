/**
 * The guest's commands against the blocks (section 7). Copy-on-read has two ways (8.4). By "store, then issue" (M-B) a
 * read that touches an empty block waits until the block is on the disk, and then goes to the drive as the guest gave it.
 * By overlay (M-A) it goes as soon as the block is in memory: overlay.ts.
 *
 * A guest's write that covers an empty block goes through at once, and wins over what is being fetched (rule 4). Until it
 * is over the block counts as empty, since the disk may still hold garbage there (rule 7), but nobody fetches it.
 */
import { Blocks } from "../deploy/blocks.ts";
import { Durability } from "../deploy/durability.ts";
import { ARRIVED, Transfers } from "../deploy/transfers.ts";
import { allocate } from "../memory.ts";
import { FLUSH, READ, REFUSE, TRIM, WRITE } from "./ata.ts";
import { Command, ISSUED } from "./command.ts";
import { ADMIT, DENY, Gate, WAIT } from "./gate.ts";
import { canOverlay, overlay } from "./overlay.ts";
import { Port } from "./port.ts";

export class Redirect extends Gate {
  /** Where the guest last read or wrote: background copy begins there. */
  lastBlock: u32 = 0;
  /** The guest's disk commands, and how many of them had to wait. */
  seenCommands: u64 = 0;
  durability: Durability | null = null;
  /** M-B; else M-A. */
  storeFirst: bool = true;
  /** Takes what the drive reads of blocks that it has not got. */
  private readonly sink: usize;
  private readonly blocks: Blocks;
  private readonly transfers: Transfers;
  private readonly port: Port;
  /** What the guest can address. */
  private readonly sectors: u64;

  constructor(port: Port, blocks: Blocks, transfers: Transfers, sectors: u64) {
    super();
    this.port = port;
    this.blocks = blocks;
    this.transfers = transfers;
    this.sectors = sectors;
    this.sink = allocate((<usize>blocks.blockSectors) << 9, 4096);
  }

  seen(command: Command): void {
    this.seenCommands++;
    if (command.kind !== READ && command.kind !== WRITE) return;
    const block = this.blocks.blockOf(command.lba);
    if (block < this.blocks.count) this.lastBlock = <u32>block;
  }

  admit(command: Command): u32 {
    switch (command.kind) {
      case REFUSE:
        return DENY;
      case READ:
        return !this.reaches(command.lba, command.sectors) || this.readable(command) ? ADMIT : WAIT;
      case WRITE:
        return !this.reaches(command.lba, command.sectors) || this.writable(command) ? ADMIT : WAIT;
      case TRIM:
        return this.trimmable(command) ? ADMIT : WAIT;
      case FLUSH:
        return this.flushable() ? ADMIT : WAIT;
    }
    return ADMIT;
  }

  issued(command: Command): void {
    command.writing = false;
    if (command.kind === READ && command.overlaid) {
      overlay(command, this.port.shared, this.blocks, this.transfers, this.sink);
    } else if (command.kind === WRITE && this.reaches(command.lba, command.sectors)) this.begin(command);
    else if (command.kind === TRIM) this.eachRange(command, 1);
  }

  ended(command: Command, completed: bool): void {
    if (command.kind === WRITE && command.writing) this.blocks.guestWrote(command.lba, command.sectors);
    if (command.kind === TRIM && completed) this.eachRange(command, 2); // one that failed has left the image's contents
  }

  reset(): void {
    this.transfers.calm();
  }

  /** R8.5: what goes beyond the end fails by itself, and moves nothing. */
  private reaches(lba: u64, sectors: u32): bool {
    return lba + sectors <= this.sectors;
  }

  /** Rules 1, 2, 7 and 8; and rule 6: a block that cannot be stored is read from memory, whichever way is chosen. */
  private readable(command: Command): bool {
    let all = true;
    command.overlaid = false;
    const last = this.blocks.lastBlock(command.lba, command.sectors);
    const room = canOverlay(command, this.port.shared);
    const storeFirst = this.storeFirst || !room || last - this.blocks.blockOf(command.lba) >= this.transfers.most / 2;
    for (let b = this.blocks.blockOf(command.lba); b <= last; b++) {
      const block = <u32>b;
      if (this.blocks.isLocal(b)) continue;
      const one = this.transfers.of(block);
      if (room && one !== null && one.state === ARRIVED && (!storeFirst || one.failures > 0)) {
        command.overlaid = true;
        continue;
      }
      all = false;
      if (this.beingWritten(block) || this.transfers.want(block, storeFirst)) continue;
      this.transfers.hurry();
      return false;
    }
    return all;
  }

  /** Rules 3 and 4, and R6.5. */
  private writable(command: Command): bool {
    const durable = command.fua || this.port.drive.uncached;
    return this.mayWrite(command.lba, command.sectors, durable);
  }

  private mayWrite(lba: u64, sectors: u32, durable: bool): bool {
    let all = true;
    const strict = durable && this.durability !== null;
    const last = this.blocks.lastBlock(lba, sectors);
    for (let b = this.blocks.blockOf(lba); b <= last; b++) {
      const block = <u32>b;
      if (this.blocks.isLocal(b)) {
        if (!strict || b >= this.blocks.count || this.durability!.isDurable(block)) continue;
        this.durability!.want();
        all = false;
      } else if (!strict && this.blocks.covers(lba, sectors, block)) {
        if (this.transfers.isStoring(block)) all = false;
      } else {
        all = false;
        if (this.beingWritten(block) || this.transfers.want(block, true)) continue;
        this.transfers.hurry();
        return false;
      }
    }
    return all;
  }

  private begin(command: Command): void {
    this.overtake(command.lba, command.sectors);
    command.writing = true;
  }

  private overtake(lba: u64, sectors: u32): void {
    const last = this.blocks.lastBlock(lba, sectors);
    for (let b = this.blocks.blockOf(lba); b <= last && b < this.blocks.count; b++) {
      if (this.durability !== null) this.durability!.touched(<u32>b);
      if (!this.blocks.isLocal(b)) this.transfers.overtaken(<u32>b);
    }
  }

  /** Rule 10: ranges of 8 bytes, 48 bits of address and 16 of length. One that does not exist makes all fail. */
  private trimmable(command: Command): bool {
    return !this.rangesExist(command) || this.eachRange(command, 0);
  }

  private rangesExist(command: Command): bool {
    const from = this.port.shared.ranges;
    for (let at: usize = from; at < from + (command.sectors << 9); at += 8) {
      const range = load<u64>(at);
      if (range >> 48 !== 0 && !this.reaches(range & 0xffff_ffff_ffff, <u32>(range >> 48))) return false;
    }
    return true;
  }

  /** @param step 0: may it go? 1: it goes; 2: it is done */
  private eachRange(command: Command, step: u32): bool {
    if (step !== 0 && !this.rangesExist(command)) return true;
    const from = this.port.shared.ranges;
    let all = true;
    for (let at: usize = from; at < from + (command.sectors << 9); at += 8) {
      const range = load<u64>(at);
      const lba = range & 0xffff_ffff_ffff;
      const sectors = <u32>(range >> 48);
      if (sectors === 0) continue;
      if (step === 0) all = this.mayWrite(lba, sectors, this.port.drive.uncached) && all;
      else if (step === 1) this.overtake(lba, sectors);
      else this.blocks.guestWrote(lba, sectors);
    }
    return all;
  }

  /** Rule 9. */
  private flushable(): bool {
    const durability = this.durability;
    if (durability === null || durability.isSettled()) return true;
    durability.want();
    return false;
  }

  /** Whether a write of the guest's that covers the block is on the device. */
  private beingWritten(block: u32): bool {
    const commands = this.port.commands;
    for (let i = 0; i < 32; i++) {
      const one = unchecked(commands[i]);
      if (one.state !== ISSUED || !one.writing) continue;
      if (this.blocks.covers(one.lba, one.sectors, block)) return true;
    }
    return false;
  }
}
