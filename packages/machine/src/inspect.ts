/** Looking into a machine by path: `cpu0.RIP`, `ahci.hba.ports[0].regs.CMD`, `pic`, `clock.pending`. */
import type { Cpu } from "@castaway/cpu";
import { STATE_TABLE } from "@castaway/cpu";
import { ConfigError } from "@castaway/kit";
import type { Board } from "./board.ts";

/** @throws ConfigError that lists what there is where the path goes wrong */
export function inspect(board: Board, path: string): unknown {
  const steps = path.split(/[.[\]]+/).filter((step) => step !== "");
  const [first, ...rest] = steps;
  if (first === undefined) return roots(board);
  let value = root(board, first);
  if (value === undefined) throw unknown(path, first, roots(board));
  for (const step of joinDotted(rest, value)) {
    const holder = value as Record<string, unknown>;
    const there = typeof value === "object" && value !== null && Object.hasOwn(holder, step);
    if (!there) throw unknown(path, step, typeof value === "object" && value !== null ? Object.keys(value) : []);
    value = holder[step];
  }
  return value;
}

/** Names of registers have dots of their own: `CS.base` is one step if there is such a name. */
function joinDotted(steps: readonly string[], value: unknown): readonly string[] {
  const whole = steps.join(".");
  const isName = typeof value === "object" && value !== null && Object.hasOwn(value, whole);
  return isName ? [whole] : steps;
}

const roots = (board: Board): string[] => [
  ...board.cpu.processors.map(({ id }) => `cpu${id}`),
  "clock",
  "memory",
  "ports",
  ...board.parts.names,
];

function root(board: Board, name: string): unknown {
  const processor = /^cpu(\d+)$/.exec(name);
  if (processor && Number(processor[1]) < board.cpu.processors.length)
    return registers(board.cpu, Number(processor[1]));
  if (name === "clock") return { now: board.clock.now, pending: board.clock.pending };
  if (name === "memory") return board.memoryMap.ranges().map(place);
  if (name === "ports") return board.ports.ranges().map(place);
  return board.parts.inspect(name);
}

const place = ({ base, size }: { base: number; size: number }) => ({ base, size });

/** Registers by name: 64-bit values, and bytes of wider ones; and the local APIC. */
function registers(cpu: Cpu, id: number): Record<string, unknown> {
  const values = STATE_TABLE.filter((field) => field.architectural).map(({ name, bytes }) => [
    name,
    bytes > 8 ? cpu.bytes(name, id) : cpu.get(name, id),
  ]);
  return { ...Object.fromEntries(values), apic: cpu.processors[id]?.apic?.save() };
}

function unknown(path: string, step: string, names: readonly string[]): ConfigError {
  const allowed = names.length === 0 ? "nothing below it" : `"${step}" to be one of: ${names.join(", ")}`;
  return new ConfigError("path", path, allowed);
}
