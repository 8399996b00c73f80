/** What host and guest registers have in common: CR0, CR4 and IA32_EFER within what VMX operation and the model allow. */
import { CR0_FIXED0, CR0_FIXED1, CR4_FIXED0 } from "../capabilities.ts";
import type { View } from "./view.ts";

/** `free`: bits that may be 0 though they are fixed to 1 elsewhere. */
export function isLegalCr0(v: View, field: number, free = 0): boolean {
  const cr0 = v.low(field);
  return v.high(field) === 0 && (cr0 & ~CR0_FIXED1) === 0 && (~cr0 & CR0_FIXED0 & ~free) === 0;
}
export function isLegalCr4(v: View, field: number): boolean {
  const cr4 = v.low(field);
  return v.high(field) === 0 && (cr4 & v.cr4Reserved) === 0 && (~cr4 & CR4_FIXED0) === 0;
}
export const isLegalEfer = (v: View, field: number): boolean =>
  v.high(field) === 0 && (v.low(field) & v.eferReserved) === 0;
