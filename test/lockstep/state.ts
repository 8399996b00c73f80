/** The processor's insides that both sides are compared by: addresses of its registers and names of bits. */

export { EFER_LMA } from "../../packages/cpu/src/core/paging.ts";
export { PAGE } from "../../packages/cpu/src/core/physical.ts";
export {
  CS,
  DS,
  ES,
  FS,
  GPR_NAMES,
  GS,
  LDTR,
  S,
  SEG,
  SEGMENT_NAMES,
  SS,
  segment,
  TR,
  WINDOW,
  WINDOW_BYTES,
} from "../../packages/cpu/src/core/state.ts";

/** Flags of EFLAGS by the names of the definitions' rules. */
export const FLAG: Readonly<Record<string, number>> = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
};
export const STATUS_FLAGS = 0x8d5;

export { EXECUTE } from "../../packages/cpu/src/core/tlb.ts";
