/** What an extension can be told of the guest's disk, and decide about the copying. */
import { Blocks } from "../deploy/blocks.ts";

export abstract class DiskObserver {
  /** The guest has issued a read or write: it may wait, be refused by the drive, or fail. */
  abstract onCommand(write: bool, lba: u64, sectors: u32): void;
}

export abstract class CopyPolicy {
  /** @returns the block to copy next, or -1: none now */
  abstract next(blocks: Blocks, now: u64): i64;
}

/** Who decides now. */
export class CopyChoice {
  constructor(public policy: CopyPolicy) {}
}

/** Told once, when the disk needs the VMM no more: every block is local and durable. */
export abstract class DeploymentDone {
  abstract done(): void;
}
