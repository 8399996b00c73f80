/** How the command ends: its exit codes, and errors as one line that says what to do. */
import { ConfigError, StateError } from "castaway";

export const EXIT = {
  /** The machine powered off, the user quit, or all that was expected has come. */
  done: 0,
  /** A limit was reached, or the run ended before all that was expected had come. */
  missed: 1,
  /** An option, an image or a snapshot is wrong; nothing ran. */
  wrong: 2,
  /** The guest waits for what cannot come, or did what castaway does not do yet. */
  stuck: 3,
  /** A deployed disk is not what it must be. */
  differs: 4,
  /** castaway itself is wrong. */
  broken: 70,
} as const;

export const exitCodesHelp = `Exit codes:
  0    powered off, quit by the user, or everything expected was seen
  1    something expected was not seen, or a limit was reached
  2    an option, an image or a snapshot is wrong
  3    the guest is stuck, or did what castaway does not do yet
  4    the deployed disk is not the image with the guest's writes (castaway deploy)
  70   castaway itself is wrong: please report it
  128+ ended by a signal: 130 for SIGINT, 143 for SIGTERM`;

/** What the user did wrong, as one line: what, and what to do. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The option that a setting of the machine is given by. */
const optionOf: Record<string, string> = {
  memory: "--memory",
  cpus: "--cpus",
  model: "--model",
  seed: "--seed",
  startDate: "--start-date",
  disks: "--disk",
  "disk size": "--disk-size",
  block: "--block-size",
  idle: "--idle",
  pause: "--pause",
  mac: "--mac",
  "aoe.targets": "--aoe",
  "aoe.perRequest": "--server request",
  "aoe.latency": "--server latency",
  "aoe.bytesPerSecond": "--server bandwidth",
  "aoe.threads": "--server threads",
  "aoe.queue": "--server queue",
  "boot.file": "--boot-file",
  "boot.rootPath": "--root-path",
  ...Object.fromEntries(
    ["bandwidth", "latency", "jitter", "reorderDelay", "mtu", "queue"].map((name) => [name, `--link ${name}`]),
  ),
};

/** What to print and how to end after an error; a stack trace only of our own mistakes. */
export function explain(error: unknown): { line: string; code: number } {
  if (error instanceof ConfigError) {
    const { message, setting } = error;
    const option = optionOf[setting];
    return { line: option ? option + message.slice(setting.length) : message, code: EXIT.wrong };
  }
  if (error instanceof StateError) {
    const advice = "load it with the options, the image and the castaway that it was saved with";
    return { line: `${error.message}; ${advice}`, code: EXIT.wrong };
  }
  if (error instanceof UserError) return { line: error.message, code: EXIT.wrong };
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { line: `a mistake in castaway itself, please report it:\n${trace}`, code: EXIT.broken };
}

/** An error of the host's file system as a user's: `cannot read disk.img: no such file`. */
export function fileError(doing: string, path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why: Record<string, string> = {
    ENOENT: "there is no such file or folder",
    EACCES: "permission denied",
    EPERM: "permission denied",
    EISDIR: "it is a folder",
    ENOTDIR: "a part of its path is no folder",
    EROFS: "the file system is read-only",
    ENOSPC: "no space is left",
  };
  return new UserError(`cannot ${doing} ${path}: ${why[code ?? ""] ?? message}`);
}
