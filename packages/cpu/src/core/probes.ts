/** Typed events that tools can watch; they cost nothing while nobody listens, and a watched run is the same run. */
import { Probe } from "@castaway/kit";
import type { Unimplemented } from "./unimplemented.ts";

/** An exception or interrupt whose handler was reached. */
export interface Delivery {
  readonly processor: number;
  readonly vector: number;
  /** As in the VMCS's interruption information: 0 external, 2 NMI, 3 hardware exception, 4 INT n, 5 ICEBP, 6 INT3 and INTO. */
  readonly kind: number;
  /** Null if it has none. */
  readonly errorCode: number | null;
  /** Return address: offset in the CS that was interrupted. */
  readonly ip: number;
  /** Virtual time in nanoseconds. */
  readonly time: number;
}

/** The probes of one machine, shared by its processors. */
export class CpuProbes {
  readonly deliveries = new Probe<Delivery>("exceptions and interrupts");
  /** The guest asked for something that is not implemented; the run ends. */
  readonly unimplemented = new Probe<{ readonly processor: number; readonly what: Unimplemented }>("not implemented");
}
