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

/** A VM exit, also that of a VM entry which failed (bit 31 of the reason). */
export interface VmExit {
  readonly processor: number;
  /** The exit reason field; `exitName` names it. */
  readonly reason: number;
  /** The exit qualification; exact below 2^53. */
  readonly qualification: number;
  /** The guest's RIP; signed, as canonical addresses are. */
  readonly ip: number;
  /** The VM-exit interruption information: which event it was, if bit 31 is 1. */
  readonly interruption: number;
  /** The guest-physical address of an EPT violation or misconfiguration; otherwise null. */
  readonly guestPhysical: number | null;
  /** Virtual time in nanoseconds. */
  readonly time: number;
}
/** A VM entry that succeeded; `ip` is the guest's RIP before an event is injected. */
export interface VmEntry {
  readonly processor: number;
  readonly ip: number;
  readonly time: number;
}
/** A VM entry that was refused, and the manual's rule that the VMCS breaks. */
export interface VmRefusal {
  readonly processor: number;
  readonly rule: string;
  readonly cite: string;
  /** 7 or 8: VM-instruction error; 33: VM exit for an invalid guest state. */
  readonly code: number;
  readonly time: number;
}

/** VMXON and VMXOFF. */
export interface VmxOperation {
  readonly processor: number;
  readonly on: boolean;
  readonly time: number;
}

/** The probes of one machine, shared by its processors. */
export class CpuProbes {
  readonly deliveries = new Probe<Delivery>("exceptions and interrupts");
  readonly vmxOperation = new Probe<VmxOperation>("VMXON and VMXOFF");
  readonly vmExit = new Probe<VmExit>("VM exits");
  readonly vmEntry = new Probe<VmEntry>("VM entries");
  readonly vmRefused = new Probe<VmRefusal>("VM entries refused");
  /** The guest asked for something that is not implemented; the run ends. */
  readonly unimplemented = new Probe<{ readonly processor: number; readonly what: Unimplemented }>("not implemented");
}
