/**
 * How long a disk takes, in virtual time. A model is pure: it keeps what it must remember in a {@link TimingState} that
 * the drive owns and saves, so two runs take the same time to the nanosecond.
 */
import { ConfigError, ms, type Nanoseconds, natural, record, type StateOf, us } from "@castaway/kit";

/** One thing that a drive is asked to do. */
export type Access = {
  /** `control`: commands that do not touch the medium. */
  readonly kind: "read" | "write" | "flush" | "control";
  /** The first sector. */
  readonly lba: number;
  /** How much is moved; 0 for `flush` and `control`. */
  readonly bytes: number;
  /** Whether a write may end when the data are in the drive's cache. */
  readonly cached: boolean;
  /** When the drive was asked. */
  readonly since: Nanoseconds;
};

/** What a model remembers between accesses. Each model uses what it needs. */
export const timingState = record({ freeAt: natural, head: natural, backlog: natural });
export type TimingState = StateOf<typeof timingState>;

export const freshTiming = (): TimingState => ({ freeAt: 0, head: 0, backlog: 0 });

/** A timing model. */
export interface DiskTiming {
  /** How many accesses are under way at once; the others wait in the drive. */
  readonly depth: number;
  /** IDENTIFY word 217: 1 for no rotating parts, revolutions a minute, or 0 for "not reported". */
  readonly rotationRate: number;
  /** From standby to ready. */
  readonly spinUp: Nanoseconds;
  /** Which of `waiting` (at least one, the oldest first) to begin next, by its index. */
  pick(state: TimingState, waiting: readonly Access[], now: Nanoseconds): number;
  /** Begins an access. @returns when it is done, `now` or later */
  start(state: TimingState, access: Access, now: Nanoseconds): Nanoseconds;
}

/** Everything is done at once: at the first point after the command where events are taken. */
export const noTiming: DiskTiming = {
  depth: 32,
  rotationRate: 0,
  spinUp: 0,
  pick: () => 0,
  start: (_state, _access, now) => now,
};

export type SsdOptions = {
  /** From command to the first byte, of a read. */
  read?: Nanoseconds;
  /** The same of a write into the cache. */
  write?: Nanoseconds;
  /** What an uncached write or a flush adds. */
  program?: Nanoseconds;
  /** Bytes a second, of all reads together, and of all writes together. */
  bandwidth?: number;
  /** How many commands are under way at once: 1 to 32. */
  depth?: number;
};

/** A solid-state disk: latencies overlap up to the queue's depth, transfers share the bandwidth. */
export function ssdTiming(options: SsdOptions = {}): DiskTiming {
  const { read = us(80), write = us(20), program = us(200), bandwidth = 500e6, depth = 32 } = options;
  positive("bandwidth", bandwidth);
  if (!Number.isInteger(depth) || depth < 1 || depth > 32) throw new ConfigError("depth", depth, "1 to 32");
  return {
    depth,
    rotationRate: 1,
    spinUp: 0,
    pick: () => 0,
    start(state, { kind, bytes, cached }, now) {
      if (kind === "control") return now + us(5);
      if (kind === "flush") return Math.max(now, state.backlog) + program;
      if (kind === "read") {
        state.freeAt = Math.max(now + read, state.freeAt) + transfer(bytes, bandwidth);
        return state.freeAt;
      }
      state.backlog = Math.max(now + write, state.backlog) + transfer(bytes, bandwidth);
      return state.backlog + (cached ? 0 : program);
    },
  };
}

export type HardDiskOptions = {
  /** Sectors of the whole disk: seeks are longer, the farther. */
  sectors: number;
  /** Revolutions a minute. */
  rpm?: number;
  /** Sectors on one track. */
  track?: number;
  /** To the neighbouring track. */
  shortestSeek?: Nanoseconds;
  /** Across the whole disk. */
  longestSeek?: Nanoseconds;
  /** Bytes a second between host and cache. */
  link?: number;
  /** How far the cache may fall behind the platter before writes wait. */
  behind?: Nanoseconds;
  spinUp?: Nanoseconds;
};

/** A command that has waited so long is begun next, however far away it is. */
const patience = ms(200);

/**
 * A hard disk with one arm: seek by distance, wait for the sector to come round, transfer at the speed of rotation.
 * Of the queued commands the one that is reached first is begun next. Cached writes end when they are in the cache; what
 * they cost on the platter is a backlog that flushes wait for.
 */
export function hardDiskTiming(options: HardDiskOptions): DiskTiming {
  const { sectors, rpm = 7200, track = 1024, shortestSeek = ms(1), longestSeek = ms(15) } = options;
  const { link = 150e6, behind = ms(500), spinUp = ms(4000) } = options;
  for (const [name, value] of Object.entries({ sectors, rpm, track, link })) positive(name, value);
  const turn = Math.round(60e9 / rpm);
  const tracks = Math.max(1, Math.ceil(sectors / track));
  const sectorBytes = 512;

  /** From `begins` on: seek, rotation. */
  const position = (state: TimingState, lba: number, begins: Nanoseconds): Nanoseconds => {
    const distance = Math.abs(Math.floor(lba / track) - state.head) / tracks;
    const seek = distance === 0 ? 0 : shortestSeek + Math.round((longestSeek - shortestSeek) * Math.sqrt(distance));
    const angle = Math.floor(((lba % track) * turn) / track);
    const there = (begins + seek) % turn;
    return seek + ((angle - there + turn) % turn);
  };
  const onPlatter = (bytes: number): Nanoseconds => Math.ceil((bytes / sectorBytes / track) * turn);

  return {
    depth: 1,
    rotationRate: rpm,
    spinUp,
    pick(state, waiting, now) {
      if (now - waiting[0].since >= patience) return 0;
      let best = 0;
      let shortest = Number.POSITIVE_INFINITY;
      for (const [index, { kind, lba }] of waiting.entries()) {
        const way = kind === "control" || kind === "flush" ? 0 : position(state, lba, Math.max(now, state.freeAt));
        if (way < shortest) [best, shortest] = [index, way];
      }
      return best;
    },
    start(state, { kind, lba, bytes, cached }, now) {
      if (kind === "control") return now + us(50);
      if (kind === "flush") return Math.max(now, state.freeAt, state.backlog) + us(100);
      if (kind === "write" && cached) {
        const begins = Math.max(now, state.freeAt, state.backlog - behind);
        // The cache sorts what it holds: to go elsewhere costs it a short seek and half a turn.
        const near = Math.floor(lba / track) === state.head;
        const away = near ? 0 : shortestSeek + Math.round(turn / 2);
        state.backlog = Math.max(now, state.backlog) + away + onPlatter(bytes);
        state.head = Math.floor((lba + bytes / sectorBytes) / track);
        state.freeAt = begins + us(50) + transfer(bytes, link);
        return state.freeAt;
      }
      const begins = Math.max(now, state.freeAt);
      const done = begins + position(state, lba, begins) + onPlatter(bytes);
      state.head = Math.floor((lba + bytes / sectorBytes) / track);
      state.backlog = state.backlog > now ? state.backlog + (done - begins) : state.backlog;
      state.freeAt = done;
      return done;
    },
  };
}

const transfer = (bytes: number, bandwidth: number): Nanoseconds => Math.ceil((bytes * 1e9) / bandwidth);

function positive(setting: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw new ConfigError(setting, value, "a number above 0");
}
