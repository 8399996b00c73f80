/** A table of cases with names, of which those are played that somebody asks for: a line each, and a count. */
import type { Counts } from "../../scripts/counts.ts";
import type { SystemOptions } from "./cpu.ts";

export interface Case<T> {
  readonly name: string;
  readonly about: string;
  /** Takes minutes: only when it is named, or with --all. */
  readonly long?: boolean;
  /** Throws if something is wrong. */
  readonly play: () => T | Promise<T>;
}

/** Those that `only` names: one exactly, else all whose names contain it. Without it the quick ones, or all. */
function chosen<T>(cases: readonly Case<T>[], { only, all }: SystemOptions): readonly Case<T>[] {
  if (only === undefined) return cases.filter(({ long }) => all || !long);
  const exact = cases.filter(({ name }) => name === only);
  return exact.length > 0 ? exact : cases.filter(({ name }) => name.includes(only));
}

/** @param tell what a case that went well has to say */
export async function playCases<T>(
  cases: readonly Case<T>[],
  options: SystemOptions,
  tell: (result: T) => string,
): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const wanted = chosen(cases, options);
  if (wanted.length === 0) {
    console.log(`WRONG there is no "${options.only}"; there are: ${cases.map(({ name }) => name).join(", ")}`);
    counts.failed++;
  }
  for (const { name, about, play } of wanted) {
    const start = performance.now();
    const host = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
    try {
      console.log(`ok    ${name}: ${about}: ${tell(await play())}; ${host()}`);
      counts.passed++;
    } catch (error) {
      console.log(`WRONG ${name}: ${about}: ${error instanceof Error ? error.message : String(error)}; ${host()}`);
      counts.failed++;
    }
  }
  return counts;
}
