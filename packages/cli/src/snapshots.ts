/** Snapshot files, and what a snapshot's header says of the machine. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Configuration, type MachineOptions, readSnapshotHeader, type TimingName } from "castaway";
import { fileError } from "./exit.ts";

export interface Snapshot {
  readonly bytes: Uint8Array;
  readonly configuration: Configuration;
}

/** @throws UserError if the file cannot be read; StateError if it is no snapshot, or one of another version */
export function readSnapshotFile(path: string): Snapshot {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    throw fileError("read", path, error);
  }
  return { bytes, configuration: readSnapshotHeader(bytes).configuration };
}

/** Whole or not at all: a file that was there before stays until the new one is complete. @throws UserError */
export function writeWhole(path: string, bytes: Uint8Array | string): void {
  const part = `${path}.part`;
  try {
    writeFileSync(part, bytes);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw fileError("write", path, error);
  }
}

/** The machine that a snapshot is of, as far as options can say it; the machine itself checks the rest. */
export function optionsOf(
  configuration: Configuration,
): Partial<MachineOptions> & { timing?: TimingName; display: boolean } {
  const { memory, cpus, model, msi, startDate, seed, quantum, costs, serialConsole, videoBios, disk0Timing } =
    configuration;
  const known = { memory, cpus, model, msi, startDate, seed, quantum, serialConsole };
  const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null && value !== undefined));
  return {
    ...given,
    ...(typeof costs === "string" ? { costs: JSON.parse(costs) } : {}),
    timing: timingOf(disk0Timing),
    display: videoBios !== null,
  };
}

/** By the revolutions a minute that the header has beside depth and spin-up time: 0 "not reported", 1 none. */
function timingOf(timing: Configuration[string] | undefined): TimingName | undefined {
  if (typeof timing !== "string") return undefined;
  const rotation = Number(timing.split(" ")[1]);
  return rotation > 1 ? "hdd" : rotation === 1 ? "ssd" : "none";
}
