/** Events that a VM entry injects [SDM 3C 24.8.3, 26.6]. */
import { vmread, vmwrite } from "../x86.ts";
import * as V from "./vmcs.ts";

const VALID: u32 = 0x80000000;
const HAS_ERROR_CODE: u32 = 0x800;
const HARDWARE: u32 = 3 << 8;
const NMI: u32 = 2 << 8;
/** Of a software interrupt or exception: types 4, 5 and 6 have an instruction length. */
const isSoftware = (info: u32): bool => ((info >> 8) & 7) >= 4 && ((info >> 8) & 7) <= 6;
/** Bit 12 is about unblocking of NMIs in what an exit reports, and reserved in what is injected. */
const REPORTED_ONLY: u32 = 0x1000;

/** CR0.PE. */
const PROTECTED: u64 = 1;

export const VECTOR_UD: u32 = 6;
export const VECTOR_DF: u32 = 8;
export const VECTOR_GP: u32 = 13;

export function injectException(vector: u32): void {
  vmwrite(V.ENTRY_INTERRUPTION_INFO, VALID | HARDWARE | vector);
}
/** In real mode there are no error codes, and a VM entry with one fails [SDM 3C 26.2.1.3]. */
export function injectExceptionWithCode(vector: u32, code: u32): void {
  if ((vmread(V.GUEST_CR0) & PROTECTED) === 0) {
    injectException(vector);
    return;
  }
  vmwrite(V.ENTRY_INTERRUPTION_INFO, VALID | HARDWARE | HAS_ERROR_CODE | vector);
  vmwrite(V.ENTRY_ERROR_CODE, code);
}
export function injectNmi(): void {
  vmwrite(V.ENTRY_INTERRUPTION_INFO, VALID | NMI | 2);
}
/** Is an event to be injected already? */
export const isInjecting = (): bool => (<u32>vmread(V.ENTRY_INTERRUPTION_INFO) & VALID) !== 0;

/** Did the exit interrupt the delivery of an event? */
export const isDelivering = (): bool => (<u32>vmread(V.IDT_VECTORING_INFO) & VALID) !== 0;

/** Is that event a double fault? The next fault is the third. */
export const isDoubleFault = (): bool => (<u32>vmread(V.IDT_VECTORING_INFO) & 0x7ff) === (HARDWARE | VECTOR_DF);

/** The event whose delivery the exit interrupted is delivered anew (R3.5). True if there was one. */
export function injectAgain(): bool {
  const info = <u32>vmread(V.IDT_VECTORING_INFO);
  if ((info & VALID) === 0) return false;
  vmwrite(V.ENTRY_INTERRUPTION_INFO, info & ~REPORTED_ONLY);
  if ((info & HAS_ERROR_CODE) !== 0) vmwrite(V.ENTRY_ERROR_CODE, vmread(V.IDT_VECTORING_ERROR_CODE));
  if (isSoftware(info)) vmwrite(V.ENTRY_INSTRUCTION_LENGTH, vmread(V.EXIT_INSTRUCTION_LENGTH));
  return true;
}
/** A delivery of an NMI that did not get through must not block it when it is tried again [SDM 3C 27.7.1.2]. */
export function unblockNmiOfDelivery(): void {
  const info = <u32>vmread(V.IDT_VECTORING_INFO);
  const blocked: u64 = 8;
  if ((info & (VALID | 0x700)) === (VALID | NMI))
    vmwrite(V.GUEST_INTERRUPTIBILITY, vmread(V.GUEST_INTERRUPTIBILITY) & ~blocked);
}
