/** A picture of a disk in characters: what of it is local, and where something came since the last picture. */

const SGR = { empty: "\x1b[90m", local: "\x1b[32m", fresh: "\x1b[93m" } as const;
const RESET = "\x1b[0m";

/** By how much of a piece is local, 0 to 1. */
const shade = (share: number) => (share <= 0 ? "░" : share < 0.5 ? "▒" : share < 1 ? "▓" : "█");

/**
 * @param shares of each piece of the disk what is local, 0 to 1: `columns` of them make a line
 * @param before the same of the last picture; pieces that have more now stand out
 */
export function drawMap(shares: readonly number[], before: readonly number[], columns: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < shares.length; at += columns) {
    let line = "";
    let colour = "";
    for (let n = at; n < Math.min(at + columns, shares.length); n++) {
      const share = shares[n]!;
      const wanted = share > (before[n] ?? share) ? SGR.fresh : share > 0 ? SGR.local : SGR.empty;
      if (wanted !== colour) line += wanted;
      colour = wanted;
      line += shade(share);
    }
    lines.push(line + RESET);
  }
  return lines;
}
