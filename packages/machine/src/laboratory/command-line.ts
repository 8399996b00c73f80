/** The hypervisor's command line: what it is told at its start. */
import { type Bytes, ConfigError, type Nanoseconds } from "@castaway/kit";

export interface VmmArguments {
  /** Bytes that are fetched and recorded together: a power of two, 4096 to 1048576. Default: the hypervisor's. */
  readonly block?: Bytes;
  /** How long the guest must leave its disk alone before blocks are copied, in whole microseconds. */
  readonly idle?: Nanoseconds;
  /** How many blocks are then copied at a stretch, 1 to 65536. */
  readonly chunk?: number;
  /** How the guest's reads of missing blocks are served: stored first and read from there, or given beside a dummy read. */
  readonly redirect?: "store" | "dummy";
  /** How much is logged on port E9, 0 to 3. */
  readonly log?: number;
}

/** @throws ConfigError */
export function vmmCommandLine({ block, idle, chunk, redirect, log }: VmmArguments = {}): string {
  if (block !== undefined && !(within(block, 4096, 1 << 20) && (block & (block - 1)) === 0))
    throw new ConfigError("block", block, "a power of two, 4096 to 1048576 bytes");
  if (idle !== undefined && !(within(idle, 0, 60e9) && idle % 1000 === 0))
    throw new ConfigError("idle", idle, "whole microseconds, at most a minute");
  if (chunk !== undefined && !within(chunk, 1, 65_536)) throw new ConfigError("chunk", chunk, "1 to 65536 blocks");
  if (redirect !== undefined && redirect !== "store" && redirect !== "dummy")
    throw new ConfigError("redirect", redirect, '"store" or "dummy"');
  if (log !== undefined && !within(log, 0, 3)) throw new ConfigError("log", log, "0 to 3");
  const words = { block, idle: idle === undefined ? undefined : idle / 1000, chunk, redirect, log };
  const given = Object.entries(words).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => `${name}=${value}`).join(" ");
}

const within = (value: number, least: number, most: number) =>
  Number.isSafeInteger(value) && value >= least && value <= most;
