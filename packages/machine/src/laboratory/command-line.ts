/** The hypervisor's command line: what it is told at its start. */
import { type Bytes, ConfigError, type Nanoseconds } from "@castaway/kit";

export interface VmmArguments {
  /** Bytes that are fetched and recorded together: a power of two, 4096 to 1048576. Default: the hypervisor's. */
  readonly block?: Bytes;
  /** How long the guest must leave its disk alone before blocks are copied, in whole microseconds. */
  readonly idle?: Nanoseconds;
  /** The shortest time from one chunk of copied blocks to the next, in whole microseconds. */
  readonly pause?: Nanoseconds;
  /** How many blocks are copied at a time, 1 to 8. */
  readonly chunk?: number;
  /** How the guest's reads of missing blocks are served: stored first and read from there, or given beside a dummy read. */
  readonly redirect?: "store" | "dummy";
  /** The longest payload of frames, 1500 to 9000 bytes. Default: what the cable of a laboratory carries. */
  readonly mtu?: Bytes;
  /** How much is logged on port E9, 0 to 3. */
  readonly log?: number;
}

/** @throws ConfigError */
export function vmmCommandLine({ block, mtu, idle, pause, chunk, redirect, log }: VmmArguments = {}): string {
  if (block !== undefined && !(within(block, 4096, 1 << 20) && (block & (block - 1)) === 0))
    throw new ConfigError("block", block, "a power of two, 4096 to 1048576 bytes");
  if (mtu !== undefined && !within(mtu, 1500, 9000)) throw new ConfigError("mtu", mtu, "1500 to 9000 bytes");
  for (const [name, time] of Object.entries({ idle, pause })) {
    if (time !== undefined && !(within(time, 0, 60e9) && time % 1000 === 0))
      throw new ConfigError(name, time, "whole microseconds, at most a minute");
  }
  if (chunk !== undefined && !within(chunk, 1, 8)) throw new ConfigError("chunk", chunk, "1 to 8 blocks");
  if (redirect !== undefined && redirect !== "store" && redirect !== "dummy")
    throw new ConfigError("redirect", redirect, '"store" or "dummy"');
  if (log !== undefined && !within(log, 0, 3)) throw new ConfigError("log", log, "0 to 3");
  const inMicroseconds = (time: Nanoseconds | undefined) => (time === undefined ? undefined : time / 1000);
  const words = { block, mtu, idle: inMicroseconds(idle), pause: inMicroseconds(pause), chunk, redirect, log };
  const given = Object.entries(words).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => `${name}=${value}`).join(" ");
}

const within = (value: number, least: number, most: number) =>
  Number.isSafeInteger(value) && value >= least && value <= most;
