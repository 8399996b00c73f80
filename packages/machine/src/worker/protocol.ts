/** What passes between a page and the worker that runs its machines: values that structured cloning can copy. */
import type { ProxyMarked } from "comlink";
import type { MachineStop } from "../machine.ts";
import type { MachineOptions, TimingName } from "../options.ts";

/** Bytes, which the caller may `transfer`; or an address that the worker reads: a URL in a browser, a path in Node. */
export type Source = Uint8Array | string;

export interface RemoteDisk {
  /** An image, raw or gzip, that is read through a copy-on-write overlay. */
  readonly medium: Source;
  /** How long its commands take in virtual time. Default "none". */
  readonly timing?: TimingName;
  /** What messages call it. Default: its address, if it has one. */
  readonly name?: string;
}

type Copied = "memory" | "cpus" | "executor" | "startDate" | "msi" | "serialConsole" | "exitPort" | "quantum" | "seed";

/** `MachineOptions`, as far as they can be copied. */
export interface RemoteOptions extends Pick<MachineOptions, Copied | "costs"> {
  readonly firmware: { readonly bios: Source; readonly videoBios?: Source };
  /** At most six. The first one is booted. */
  readonly disks?: readonly (RemoteDisk | Source)[];
  /** The processors' model by its name. */
  readonly model?: string;
}

/** Where a machine shows text: first serial port, screen, firmware's log (port 402), debug port (E9). */
export type Place = "com1" | "screen" | "firmware" | "debug";

export interface RemoteRun {
  /** Ends the run when one of these texts appears; a text alone means the first serial port. */
  readonly until?: string | readonly (string | { readonly text: string; readonly on: Place })[];
  /** Virtual nanoseconds. Default: no limit. */
  readonly atMost?: number;
  /** Instructions of all processors together, to the next block boundary. Default: no limit. */
  readonly instructions?: number;
  /** Hold virtual time back to the wall clock. Default false. */
  readonly pace?: boolean;
}

/** A {@link MachineStop}; what is a 64-bit value there is a bigint here. */
export type RemoteStop = { readonly [Name in keyof MachineStop]: Copy<MachineStop[Name]> };
type Copy<T> = T extends string | number | boolean | bigint | null | undefined ? T : bigint;

export interface RemoteStatus {
  /** Virtual nanoseconds since power-on. */
  readonly now: number;
  /** Instructions retired since power-on, all processors together. */
  readonly instructions: number;
  readonly poweredOff: boolean;
  /** Whether a `run` is under way. */
  readonly running: boolean;
}

/** Takes what the first serial port printed in a slice. Made with `proxy((bytes: Uint8Array) => ...)`. */
export type SerialListener = ((bytes: Uint8Array) => unknown) & ProxyMarked;
