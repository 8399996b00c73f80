/** How many checks of a suite held, and how many did not. */
export type Counts = { passed: number; failed: number };

/** The last line that every suite prints. */
export const closingLine = ({ passed, failed }: Counts) => `${passed} passed, ${failed} failed`;

/**
 * Ends a suite: prints its closing line, and exits with 0 if nothing failed. Exits only when all that was printed has
 * left: a plain `process.exit` drops what a busy pipe has not taken yet.
 */
export function finish(counts: Counts): void {
  process.exitCode = counts.failed > 0 ? 1 : 0;
  process.stdout.write(`${closingLine(counts)}\n`, () => process.exit());
}

/**
 * The counts in a suite's output: those of its last non-empty line.
 * A suite that ends without its closing line has crashed: undefined.
 */
export function readClosingLine(output: string): Counts | undefined {
  const match = /(?:^|\n)(\d+) passed, (\d+) failed\s*$/.exec(output);
  return match ? { passed: Number(match[1]), failed: Number(match[2]) } : undefined;
}
