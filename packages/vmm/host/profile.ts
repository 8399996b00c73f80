/** What the access profiler wrote to the log (guest/extensions/access-profiler.ts), and a picture of it. */

export interface Touch {
  /** After the guest's first instruction. */
  readonly microseconds: number;
  readonly write: boolean;
  /** Units of the disk that were touched for the first time. */
  readonly first: number;
  readonly count: number;
}
export interface Profile {
  /** Sectors of 512 bytes. */
  readonly unitSectors: number;
  readonly units: number;
  readonly touches: readonly Touch[];
  /** Commands of the guest. */
  readonly reads: number;
  readonly writes: number;
}

/** Reads a log that has other lines too, as they come or behind something else, as `castaway deploy` prints them. @returns null if it has no profile */
export function parseProfile(log: string): Profile | null {
  const title = /(?<!\S)profile (\d+) (\d+)$/m.exec(log);
  if (title === null) return null;
  const touches = [...log.matchAll(/(?<!\S)profile ([rw]) (\d+) (\d+)\+(\d+)$/gm)].map(
    ([, kind, time, first, count]) => {
      return { microseconds: Number(time), write: kind === "w", first: Number(first), count: Number(count) };
    },
  );
  const [reads, writes] = [...log.matchAll(/(?<!\S)profile end (\d+) (\d+)$/gm)].at(-1)?.slice(1).map(Number) ?? [0, 0];
  return { unitSectors: Number(title[1]), units: Number(title[2]), touches, reads: reads!, writes: writes! };
}

export interface Picture {
  /** Characters of a line. Default 64. */
  readonly columns?: number;
  /** Lines of the map. Default 16; fewer if the disk has fewer units. */
  readonly rows?: number;
}

const NEVER = "·";

/**
 * The disk from its first to its last unit, line by line: when each part was first read, from 0, in the first tenth of the
 * time, to 9. What was never read is a dot, or w if it was written.
 */
export function drawProfile(
  { unitSectors, units, touches }: Profile,
  { columns = 64, rows = 16 }: Picture = {},
): string {
  const perCell = Math.max(1, Math.ceil(units / (columns * rows)));
  const cells = new Array<string>(Math.ceil(units / perCell)).fill(NEVER);
  const total = touches.reduce((latest, { microseconds }) => Math.max(latest, microseconds), 0);
  for (const { microseconds, write, first, count } of touches) {
    const tenth = `${Math.min(9, Math.floor((10 * microseconds) / Math.max(1, total)))}`;
    for (let cell = Math.floor(first / perCell); cell <= Math.floor((first + count - 1) / perCell); cell++) {
      if (!write) cells[cell] = cells[cell]! < tenth ? cells[cell]! : tenth;
      else if (cells[cell] === NEVER) cells[cell] = "w";
    }
  }
  const lines = Array.from({ length: Math.ceil(cells.length / columns) }, (_, row) =>
    cells.slice(row * columns, (row + 1) * columns).join(""),
  );
  const kib = (perCell * unitSectors) / 2;
  return [...lines, `a character: ${kib} KiB; 0 to 9: tenths of ${(total / 1e6).toFixed(3)} s`].join("\n");
}
