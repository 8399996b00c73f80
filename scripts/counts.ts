/** How many checks of a suite held, and how many did not. */
export type Counts = { passed: number; failed: number };

/** The last line that every suite prints. */
export const closingLine = ({ passed, failed }: Counts) => `${passed} passed, ${failed} failed`;

/**
 * The counts in a suite's output: those of its last non-empty line.
 * A suite that ends without its closing line has crashed: undefined.
 */
export function readClosingLine(output: string): Counts | undefined {
  const match = /(?:^|\n)(\d+) passed, (\d+) failed\s*$/.exec(output);
  return match ? { passed: Number(match[1]), failed: Number(match[2]) } : undefined;
}
