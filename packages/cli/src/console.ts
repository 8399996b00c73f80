/** What commands that run a machine share: the process around them, its clock, and the files that they write. */
import { accessSync, constants, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Machine } from "castaway";
import { fileError } from "./exit.ts";
import type { Front } from "./front.ts";
import type { Ending, Session } from "./session.ts";
import { writeWhole } from "./snapshots.ts";

/** A multiboot program, as `castaway deploy` starts it. */
export interface Program {
  readonly bytes: Uint8Array;
}

/** What commands use of their process. */
export interface Console {
  readonly in: NodeJS.ReadStream;
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
  /** Where firmware and demo disk are: a folder, with "/" at its end. */
  readonly blobs: URL;
  /** The project's hypervisor: built if its sources have changed. */
  readonly vmm: () => Promise<Program>;
  /** The texts that it is compiled from, by path. */
  readonly vmmSources: () => Promise<Readonly<Record<string, string>>>;
}

export const clock = {
  now: () => performance.now(),
  sleep: (milliseconds: number) =>
    new Promise<void>((resolve) => (milliseconds > 0 ? setTimeout(resolve, milliseconds) : setImmediate(resolve))),
};

/** Whether somebody sits at a terminal and wants it used. */
export const isInteractive = ({ plain }: { plain: boolean }, console: Console): boolean =>
  !plain && console.in.isTTY === true && console.out.isTTY === true;

/** Runs with the terminal taken, which is given back whatever happens; a signal ends the run in an orderly way. */
export async function attended(session: Session, front: Front, { out }: Console): Promise<Ending> {
  const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  const ends = Object.entries(signals).map(([name, number]) => [name, () => session.quit(128 + number)] as const);
  const brokenPipe = () => session.quit(128 + 13);
  for (const [name, end] of ends) process.once(name, end);
  out.on("error", brokenPipe);
  front.open(session);
  try {
    return await session.run();
  } finally {
    front.close();
    for (const [name, end] of ends) process.off(name, end);
  }
}

/** Writes a snapshot. @returns what to tell. @throws UserError */
export async function saveTo(machine: Machine, path: string): Promise<string> {
  const bytes = await machine.save();
  writeWhole(path, bytes);
  return `saved ${path}, ${(bytes.length / 1e6).toFixed(1)} MB`;
}

/** @param lineEnds whether what is on stdout ends with a line */
export function writeReport(report: object, path: string, { out }: Console, lineEnds: boolean): void {
  if (path === "-") out.write(`${lineEnds ? "" : "\n"}${JSON.stringify(report)}\n`);
  else writeWhole(path, `${JSON.stringify(report, null, 2)}\n`);
}

/** @throws UserError */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileError("read", path, error);
  }
}

/** Better before a long run than after it. @throws UserError */
export function checkWritable(path: string | undefined): void {
  if (path === undefined || path === "-") return;
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw fileError("write", path, error);
  }
}
