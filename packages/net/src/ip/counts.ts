/** Counters by name, as statistics keep them: how often what happened. */
import { natural, record, type Shape } from "@castaway/kit";

export type Counts<N extends string> = { [name in N]: number };

/** All counters of a kind, at zero. */
export const zeros = <N extends string>(names: readonly N[]): Counts<N> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Counts<N>;

/** The shape of saved counters. */
export const countsState = <N extends string>(names: readonly N[]): Shape<Counts<N>> =>
  record(Object.fromEntries(names.map((name) => [name, natural]))) as Shape<Counts<N>>;
