/** What the guest has done to the drive that the VMM must know before it sends a command of its own. */
import {
  CONTROL,
  disableWriteCache,
  enableWriteCache,
  queueErrorLog,
  READ_LOG_DMA_EXT,
  READ_LOG_EXT,
  SET_FEATURES,
  SLEEP,
} from "./ata.ts";
import { Command } from "./command.ts";

/** SLEEP as old drives know it. */
const sleepOfOld: u32 = 0x99;

export class DriveCondition {
  /** Its write cache is off, as far as is known. */
  uncached: bool = false;
  /** A queued command failed, and the guest has not asked why: the drive answers nothing else (R8.17). */
  queueFailed: bool = false;
  /** The guest stopped the port while the drive had queued commands: only a reset ends them for certain. */
  private queueLeft: bool = false;
  private asleep: bool = false;
  private inSoftReset: bool = false;

  /** Whether the VMM must keep off. */
  get isAway(): bool {
    return this.queueFailed || this.queueLeft || this.asleep || this.inSoftReset;
  }

  /** The command goes to the drive. */
  sent(command: Command): void {
    const opcode = command.opcode;
    if (command.kind === CONTROL) {
      this.reset();
      this.inSoftReset = command.softReset;
    } else if (opcode === SLEEP || opcode === sleepOfOld) this.asleep = true;
    else if (readsQueueError(command)) this.queueFailed = false;
    else if (opcode === SET_FEATURES && command.features === disableWriteCache) this.uncached = true;
    else if (opcode === SET_FEATURES && command.features === enableWriteCache) this.uncached = false;
  }

  /**
   * The guest stops the port while queued commands are out. If it does because one failed, the drive keeps why until it is
   * asked. Without an error the drive does not hear of it: it has its queue, and answers anything else with an error.
   */
  stopped(failed: bool): void {
    if (failed) this.queueFailed = true;
    else this.queueLeft = true;
  }

  /** The drive begins anew. */
  reset(): void {
    this.queueFailed = false;
    this.queueLeft = false;
    this.asleep = false;
    this.inSoftReset = false;
  }
}

/** Whether the command asks why a queued one failed. */
function readsQueueError(command: Command): bool {
  const readsLog = command.opcode === READ_LOG_EXT || command.opcode === READ_LOG_DMA_EXT;
  return readsLog && (<u32>command.lba & 0xff) === queueErrorLog;
}
