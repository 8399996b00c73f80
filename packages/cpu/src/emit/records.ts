/** Records: decoded instructions as emitted code reads them, one after the other in memory. Small: caches are, too. */

export const RECORD_BYTES = 32;
/** Before a block's first record: instruction count, length in bytes. */
export const HEADER_BYTES = 16;
export const HEADER = { count: -16, bytes: -12 } as const;
/** After its last one: a record of which only the handler is there. It goes on behind the instruction before it. */
export const END_BYTES = 16;

/** Offsets within a record. */
export const REC = {
  /** Index of the handler in the table, 16 bits. */
  handler: 0,
  /** Instructions from this one to the end of the block, this one included; 8 bits. */
  remaining: 2,
  /** Shift of the index register, 8 bits. */
  scale: 3,
  /** Addresses of up to three register operands in the state window, 16 bits each. */
  operands: 4,
  base: 10,
  index: 12,
  /** Address of the memory operand's segment register. */
  segment: 14,
  /** First immediate, cut to its operand's size; a branch displacement counts from the block's start. Or a memory offset. */
  imm: 16,
  /** Displacement, 32 bits. */
  disp: 24,
  /** Offset of the next instruction from the block's start, 16 bits, and the length of this one, 8 bits. */
  next: 28,
  length: 30,
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
