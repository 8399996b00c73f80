/** Records: decoded instructions as emitted code reads them, one after the other in memory. */

export const RECORD_BYTES = 48;
/** Before a block's first record: instruction count, length in bytes. */
export const HEADER_BYTES = 16;
export const HEADER = { count: -16, bytes: -12 } as const;

/** Offsets within a record. */
export const REC = {
  /** Index of the handler in the table. */
  handler: 0,
  /** Addresses of up to three register operands in the state window. */
  operands: 4,
  base: 10,
  index: 12,
  scale: 14,
  /** First immediate, cut to its operand's size; a branch displacement counts from the block's start. */
  imm: 16,
  disp: 24,
  /** Address of the memory operand's segment register. */
  segment: 32,
  /** Instructions from this one to the end of the block, this one included. */
  remaining: 34,
  /** Offsets of this instruction and of the next from the block's start. */
  delta: 36,
  next: 40,
} as const;

/** What handlers tell the loop that called them. */
export const STATUS = {
  /** Go on with the next record. */
  next: 0,
  /** RIP is set: look up the next block. */
  jumped: 1,
  /** The processor's fault object holds a fault. */
  fault: 2,
  /** An exception by value: vector in ARG0, error code in ARG1. */
  raise: 3,
  /** A segment's limit or a non-canonical address: #SS for the stack segment, else #GP. ARG0: number of the segment, or −1 for the operand's. */
  segment: 4,
  /** The block was overwritten: go on behind the instruction that did it. */
  stale: 5,
  /** Leave: the budget is used up or attention is wanted; or the block must be looked up in TypeScript. */
  budget: 6,
  lookUp: 7,
} as const;
