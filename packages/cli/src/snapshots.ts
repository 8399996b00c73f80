/** Snapshot files, and what a snapshot's header says of the machine. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Configuration, type MachineOptions, readSnapshotHeader, type TimingName } from "castaway";
import { fileError } from "./exit.ts";
import type { BootDevice, NetworkOptions } from "./network-options.ts";

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

export interface SavedOptions extends Partial<Omit<MachineOptions, "boot">> {
  readonly timing?: TimingName;
  readonly display: boolean;
  readonly boot?: readonly BootDevice[];
  readonly seed?: number;
  /** Without the files that it serves, which are given again as images are. */
  readonly network: Partial<NetworkOptions>;
}

/** The machine that a snapshot is of, as far as options can say it; the machine itself checks the rest. */
export function savedOptions(snapshot: Snapshot | undefined): SavedOptions {
  if (snapshot === undefined) return { display: true, network: {} };
  const { configuration } = snapshot;
  const { memory, cpus, model, msi, startDate, seed, quantum, costs, serialConsole, videoBios, disk0Timing, boot } =
    configuration;
  const known = { memory, cpus, model, msi, startDate, seed, quantum, serialConsole };
  return {
    ...there(known),
    ...(typeof costs === "string" ? { costs: JSON.parse(costs) } : {}),
    ...(typeof boot === "string" ? { boot: boot.split(" ").filter((name) => name !== "") as BootDevice[] } : {}),
    timing: timingOf(disk0Timing),
    display: videoBios !== null,
    network: networkOf(configuration),
  };
}

const there = (options: Configuration) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== undefined));

function networkOf({ networkCards, link, bootFile, rootPath, beside }: Configuration): Partial<NetworkOptions> {
  if (typeof networkCards !== "string" || typeof beside !== "string") return {};
  const cards = networkCards.split(", ");
  const options = there({ bootFile: bootFile ?? null, rootPath: rootPath ?? null });
  const cable = typeof link === "string" ? { link: JSON.parse(link) as NetworkOptions["link"] } : {};
  return { net: true, nics: cards.length, mac: cards[0]!.split(" ")[0], ...options, ...cable };
}

/** By the revolutions a minute that the header has beside depth and spin-up time: 0 "not reported", 1 none. */
function timingOf(timing: Configuration[string] | undefined): TimingName | undefined {
  if (typeof timing !== "string") return undefined;
  const rotation = Number(timing.split(" ")[1]);
  return rotation > 1 ? "hdd" : rotation === 1 ? "ssd" : "none";
}
