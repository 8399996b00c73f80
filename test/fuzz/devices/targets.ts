/** What can be reached on a board. The board itself is asked, so a new device is covered as soon as it is plugged in. */
import type { Board } from "castaway";

/** A range of ports or of physical addresses, or a function's configuration space, which is reached through CF8. */
export interface Target {
  readonly kind: "ports" | "memory" | "config";
  /** The first port or address; for configuration spaces what CF8 takes. */
  readonly base: number;
  readonly size: number;
  /** For people and for `--only`: where the board keeps the device, and where it stands: `"vga.dispiPorts 1ce"`. */
  readonly name: string;
}

/** Everything that is mapped now. */
export function targetsOf(board: Board): Target[] {
  const names = known.get(board) ?? namesOf(board);
  known.set(board, names);
  const named = (kind: Target["kind"], base: number, size: number, space: object): Target => {
    const name = `${names.get(space) ?? space.constructor.name} ${kind} ${base.toString(16)}`;
    return { kind, base, size, name };
  };
  return [
    ...board.ports.ranges().map(({ base, size, space }) => named("ports", base, size, space)),
    ...board.memoryMap.ranges().map(({ base, size, space }) => named("memory", base, size, space)),
    ...board.pci.functions.map(({ device, fn, space }) =>
      named("config", 0x80000000 + (device << 11) + (fn << 8), 256, space),
    ),
  ];
}

const known = new WeakMap<Board, Map<object, string>>();
/** How deep a register space may lie in the board: `ahci.pci.config`. */
const DEPTH = 3;

/** Objects by the names of the fields that lead to them; the first and shortest way counts. */
function namesOf(board: Board): Map<object, string> {
  const names = new Map<object, string>();
  let level: [object, string][] = [[board, ""]];
  for (let depth = 0; depth <= DEPTH; depth++) {
    const next: [object, string][] = [];
    for (const [object, path] of level) {
      for (const [field, value] of Object.entries(object)) {
        if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || names.has(value)) continue;
        if (value === board.cpu || value === board.clock) continue;
        const name = path === "" ? field : `${path}.${field}`;
        names.set(value, name);
        next.push([value, name]);
      }
    }
    level = next;
  }
  return names;
}
