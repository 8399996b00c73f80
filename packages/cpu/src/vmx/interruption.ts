/**
 * Interruption information: one format for what is injected, what caused an exit, and what was being delivered
 * [SDM 3C 24.8.3, 24.9.2, 24.9.3].
 */
import { HARDWARE, PRIVILEGED, SOFTWARE, TRAP } from "../core/events.ts";
import { HAS_ERROR_CODE } from "../core/exceptions.ts";
import type { Processor } from "../core/processor.ts";

export const VALID = 0x80000000,
  HAS_CODE = 0x800,
  /** The exit came in an IRET that had unblocked NMIs. */
  NMI_UNBLOCKING = 0x1000;
export const kindOf = (info: number): number => (info >>> 8) & 7;
export const vectorOf = (info: number): number => info & 0xff;
/** Type 7 of VM-entry information: a VM exit by the monitor trap flag is pending. */
export const OTHER_EVENT = 7;

/** Of the valid kinds those that an instruction raised on purpose: they have an instruction length. */
export function isSoftware(info: number): boolean {
  const kind = kindOf(info);
  return (info & VALID) !== 0 && (kind === SOFTWARE || kind === PRIVILEGED || kind === TRAP);
}
/** Does this exception push an error code here? Not in real-address mode. */
export const pushesCode = (cpu: Processor, vector: number, kind: number): boolean =>
  kind === HARDWARE && cpu.protectedMode && ((HAS_ERROR_CODE >>> vector) & 1) !== 0;
