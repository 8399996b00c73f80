/**
 * What host and drive say to each other: the task file goes in, an outcome comes out. How the registers travel (a FIS, or
 * ports of a PC) is the controller's business. Citations: [ATA8-ACS] is
 * INCITS 452-2009 (T13/1699-D), by the names of its clauses.
 */
import { natural, record, type StateOf, u8, u16 } from "@castaway/kit";

/** Bits of the status register. [ATA8-ACS 6 "Status field"] */
export const STATUS = {
  ERR: 1 << 0,
  DRQ: 1 << 3,
  /** Obsolete "seek complete", which drives still show. */
  DSC: 1 << 4,
  DF: 1 << 5,
  DRDY: 1 << 6,
  BSY: 1 << 7,
} as const;

/** A drive that is ready and idle. */
export const READY = STATUS.DRDY | STATUS.DSC;

/** Bits of the error register. [ATA8-ACS 6 "Error field"] */
export const ERROR = {
  /** Command aborted: unknown, not allowed now, or with a wrong argument. */
  ABRT: 1 << 2,
  /** No such sector. */
  IDNF: 1 << 4,
  /** The medium cannot be read here. */
  UNC: 1 << 6,
} as const;

/** Bits of the device register. [ATA8-ACS 7.1 "Device field"] */
export const DEVICE = {
  /** The address is a block address, not cylinder, head and sector. */
  LBA: 1 << 6,
  /** Of FPDMA commands: force unit access. */
  FUA: 1 << 7,
} as const;

/**
 * A command as the host wrote it. Of commands with 28 bits of address only the low bytes of `features` and `count`, the
 * low 24 bits of `lba`, and bits 3:0 of `device` count.
 */
export const taskFile = record({ command: u8, features: u16, count: u16, lba: natural, device: u8 });
export type TaskFile = StateOf<typeof taskFile>;

/** What the drive's registers hold afterwards. */
export type Outcome = { status: number; error: number; count: number; lba: number; device: number };

/** What a reset or a self-test leaves in the registers: the signature of a disk. [ATA8-ACS "EXECUTE DEVICE DIAGNOSTIC"; ATA8-AAM "signature"] */
export const signature: Outcome = { status: READY, error: 1, count: 1, lba: 1, device: 0 };

/** The registers after a command that went well; `changes` are those that carry a result. */
export function success(task: TaskFile, changes: Partial<Outcome> = {}): Outcome {
  return { status: READY, error: 0, count: task.count, lba: task.lba, device: task.device, ...changes };
}

/** The registers after a command that failed with the given bits of {@link ERROR}. */
export function failure(task: TaskFile, error: number, changes: Partial<Outcome> = {}): Outcome {
  return success(task, { status: READY | STATUS.ERR, error, ...changes });
}
