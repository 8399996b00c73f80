/**
 * The checks of VM entry [SDM 3C 26.2, 26.3], each a row. Whatever passed is not looked at again until something that
 * it read has changed, see view.ts: most entries find RIP, RFLAGS and a segment register or two changed.
 */
import { CONTROL_GROUPS } from "./controls.ts";
import { POINTER_GROUPS, REGISTER_GROUPS, TABLE_GROUPS } from "./guest-registers.ts";
import { SEGMENT_GROUPS } from "./guest-segments.ts";
import { STATE_GROUPS } from "./guest-state.ts";
import { HOST_GROUPS } from "./host.ts";
import { type Around, type Group, type Row, View } from "./view.ts";

interface Judged extends Group {
  /** Its bit among those of all groups; there is room for 32. */
  readonly bit: number;
}
/** The groups of one area, and their bits together. */
interface Area {
  readonly groups: readonly Judged[];
  readonly bits: number;
}

const lists: readonly (readonly Group[])[] = [
  CONTROL_GROUPS,
  HOST_GROUPS,
  [...REGISTER_GROUPS, ...SEGMENT_GROUPS, ...TABLE_GROUPS, ...POINTER_GROUPS, ...STATE_GROUPS],
];
let next = 0;
const [CONTROLS, HOST, GUEST] = lists.map((list): Area => {
  const groups = list.map(({ name, blocks }) => ({ name, blocks, bit: 1 << next++ }));
  return { groups, bits: groups.reduce((bits, { bit }) => bits | bit, 0) };
}) as [Area, Area, Area];

/** Every group, in the order in which they are judged: for documentation and tests. */
export const GROUPS: readonly Group[] = lists.flat();
/** Every row in that order. */
export const ROWS: readonly Row[] = GROUPS.flatMap(({ blocks }) => blocks.flatMap(({ rows }) => rows));

/** The checks of one processor. They alone clear `vmcs.changed`. */
export class EntryChecks {
  readonly #view: View;
  /** Groups to judge: something they read has changed, or lies outside of the VMCS, or they did not pass. */
  #due = -1;

  constructor(around: Around) {
    this.#view = new View(around);
  }

  /** Checks on control fields, to be called first: the row that fails (VMfail 7), or null. */
  controls(): Row | null {
    this.#due |= this.#view.gather();
    return this.#judge(CONTROLS);
  }
  /** Checks on host state, after `controls` with nothing changed between: the row that fails (VMfail 8), or null. */
  host(): Row | null {
    return this.#judge(HOST);
  }
  /** Checks on guest state, after `host`: the row that fails, with its exit qualification, or null. */
  guest(): Row | null {
    return this.#judge(GUEST);
  }

  #judge({ groups, bits }: Area): Row | null {
    if ((this.#due & bits) === 0) return null;
    const view = this.#view;
    for (const { bit, blocks } of groups) {
      if ((this.#due & bit) === 0) continue;
      view.begin(bit);
      for (const { when, rows } of blocks) {
        if (!when(view)) continue;
        for (const row of rows) if (!row.ok(view)) return row;
      }
      if (!view.outside) this.#due &= ~bit;
    }
    return null;
  }
}
