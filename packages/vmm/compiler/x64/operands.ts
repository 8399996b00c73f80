/** Registers, memory operands and conditions of x86 [SDM 2A 2.1]. */

/** A general register by its number in encodings, 0 to 15. */
export type Register = number;

export const RAX = 0,
  RCX = 1,
  RDX = 2,
  RBX = 3,
  RSP = 4,
  RBP = 5,
  RSI = 6,
  RDI = 7,
  R8 = 8,
  R9 = 9,
  R10 = 10,
  R11 = 11,
  R12 = 12,
  R13 = 13,
  R14 = 14,
  R15 = 15;

/** Operand sizes, in bytes. */
export type Size = 1 | 2 | 4 | 8;

/** `[base + index * scale + displacement]`. */
export interface Memory {
  readonly base: Register | null;
  /** Not RSP. */
  readonly index: Register | null;
  readonly scale: 1 | 2 | 4 | 8;
  /** 32 bits, sign-extended. */
  readonly displacement: number;
  /** In 64-bit code: the address is computed modulo 2^32. */
  readonly narrow: boolean;
  /** Added to the displacement when all is linked; without a base only. */
  readonly symbol?: string;
}

export function memory(base: Register | null, displacement = 0, more: Partial<Memory> = {}): Memory {
  return { base, index: null, scale: 1, displacement, narrow: false, ...more };
}

/** Conditions by the low four bits of Jcc, SETcc and CMOVcc; the opposite of one is it ^ 1 [SDM 1 B.1]. */
export const CC = {
  O: 0,
  B: 2,
  AE: 3,
  E: 4,
  NE: 5,
  BE: 6,
  A: 7,
  S: 8,
  NS: 9,
  L: 12,
  GE: 13,
  LE: 14,
  G: 15,
} as const;
export type Condition = number;

/** The condition after the operands of a comparison changed places. */
export const swapped = (cc: Condition): Condition => SWAPPED[cc] ?? cc;
const SWAPPED: Readonly<Record<number, Condition>> = {
  [CC.L]: CC.G,
  [CC.G]: CC.L,
  [CC.LE]: CC.GE,
  [CC.GE]: CC.LE,
  [CC.B]: CC.A,
  [CC.A]: CC.B,
  [CC.BE]: CC.AE,
  [CC.AE]: CC.BE,
};

/** The eight operations of the ALU by their number in encodings [SDM 2D A.4.1, group 1]. */
export const ALU = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7 } as const;
export type AluOperation = keyof typeof ALU;

/** Shifts and rotations by their number in encodings [SDM 2D A.4.1, group 2]. */
export const SHIFT = { rol: 0, ror: 1, shl: 4, shr: 5, sar: 7 } as const;
export type ShiftOperation = keyof typeof SHIFT;
