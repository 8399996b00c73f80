/**
 * Tables of what a processor answered, for the tests of this folder. One row a line:
 *
 *     operation control operands = result flags  # why
 *
 * all in hexadecimal. `control` is FCW or MXCSR. `flags` are the exceptions; then "+" when C1 reports a result rounded up.
 */
import type { FpEnv } from "./env.ts";

export interface Row {
  readonly text: string;
  readonly operation: string;
  readonly control: number;
  readonly operands: readonly bigint[];
  readonly expected: string;
}

export function rows(table: string): Row[] {
  return table
    .trim()
    .split("\n")
    .map((line) => {
      const text = line.trim();
      const [question, answer] = text.replace(/ *#.*/, "").split(" = ") as [string, string];
      const [operation, control, ...operands] = question.split(" ") as [string, string, ...string[]];
      return {
        text,
        operation,
        control: Number.parseInt(control, 16),
        operands: operands.map((digits) => BigInt(`0x${digits}`)),
        expected: answer,
      };
    });
}

/** The answer as the table writes it. */
export function answer(env: FpEnv, result: string, suppressed = env.suppressed): string {
  const up = env.style === "x87" && env.roundedUp && !suppressed ? "+" : "";
  return `${suppressed ? "kept" : result} ${env.reported.toString(16)}${up}`;
}
