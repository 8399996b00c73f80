/**
 * The one list of what the processor does not do yet. Such a thing never gives a silent wrong answer: it ends the run
 * with a typed outcome before the instruction that asked for it, and CI prints the list.
 */
import type { Processor } from "./processor.ts";

export const UNIMPLEMENTED = {
  "system-management mode": "an SMI, and RSM [SDM 3C 32]",
} as const;
export type Unimplemented = keyof typeof UNIMPLEMENTED;

/** Stands in place of a vector in `cpu.pendingFault`: the instruction was abandoned and the run ends. */
export const STOP = 0x100;

/** Abandons the instruction at hand, which did nothing yet, and stops the run. */
export function unimplemented(cpu: Processor, what: Unimplemented): never {
  cpu.stopped = `unimplemented: ${what}`;
  cpu.stepTrap = false;
  cpu.attend();
  if (cpu.probes.unimplemented.active) cpu.probes.unimplemented.emit({ processor: cpu.id, what });
  cpu.pendingFault.vector = STOP;
  throw cpu.pendingFault;
}
