/** One command under way in a drive, and what a kind of command has to say for itself. */
import { type Nanoseconds, natural, nullable, oneOf, record, type StateOf, u8 } from "@castaway/kit";
import type { CachedMedium } from "./cached-medium.ts";
import type { ProtectedArea } from "./protected-area.ts";
import type { QueueError } from "./queue-error.ts";
import type { Identity, Settings } from "./settings.ts";
import { type Outcome, type TaskFile, taskFile } from "./taskfile.ts";

/** What commands work on: the parts of a drive. */
export type Parts = {
  readonly identity: Identity;
  readonly settings: Settings;
  readonly area: ProtectedArea;
  readonly medium: CachedMedium;
  readonly queueError: QueueError;
};

/** How a command moves its data. [ATA8-AAM "command protocols"] */
export type Protocol = "none" | "pio" | "dma" | "ncq";

/** What all commands of one opcode have in common. */
export type Kind = {
  readonly name: string;
  readonly protocol: Protocol;
  /** Where data go: "in" is to the host. */
  readonly direction: "none" | "in" | "out";
  /** Whether lba and sectors are the medium's; else data are the drive's own, in units of 512 bytes. */
  readonly medium: boolean;
  /** Whether its address has 48 bits, not 28. */
  readonly wide?: boolean;
  /** Whether it may stand between READ NATIVE MAX ADDRESS and SET MAX ADDRESS. */
  readonly ofNativeMax?: boolean;
  /** What it costs; by default a read or write of the medium as direction and `medium` say. */
  readonly access?: "read" | "flush";
  /** Sectors a DRQ block of PIO; 1 by default. */
  readonly block?: (parts: Parts) => number;
  /** Whether the written sectors must survive a power cut. */
  readonly durable?: (task: TaskFile) => boolean;
  /**
   * Looks at a command that has just arrived: sets its `lba` and `sectors`.
   * @returns bits of `ERROR`; the command then ends with them, and nothing else happens
   */
  readonly check?: (parts: Parts, command: Command) => number;
  /** Fills one unit of data for the host: the drive's own. */
  readonly produce?: (parts: Parts, task: TaskFile, unit: number, into: Uint8Array) => void;
  /** What happens when its time has come: after data in, before data out (see `accept`). */
  readonly finish?: (parts: Parts, command: Command) => Outcome;
  /** Takes the data out that are not the medium's, all at once. */
  readonly accept?: (parts: Parts, command: Command, data: Uint8Array) => Outcome;
};

export const commandState = record({
  /** The controller's name for it: a slot, or a queue tag. */
  tag: u8,
  task: taskFile,
  /** The first sector, and how many; units of 512 bytes for data that are not the medium's. */
  lba: natural,
  sectors: natural,
  /** How many of them the host has seen or given. */
  moved: natural,
  /** Bits of `ERROR` that its check found. */
  error: u8,
  since: natural,
  /** waiting for the mechanism, working until `due`, or stalled by the host. */
  phase: oneOf("waiting", "working", "stalled"),
  due: nullable(natural),
});

export type Command = StateOf<typeof commandState> & { readonly kind: Kind };

/** A command is over: for people and tools. */
export type CommandEvent = {
  name: string;
  task: TaskFile;
  tag: number;
  lba: number;
  sectors: number;
  /** Sectors that came through. */
  moved: number;
  issued: Nanoseconds;
  ended: Nanoseconds;
  status: number;
  error: number;
};
