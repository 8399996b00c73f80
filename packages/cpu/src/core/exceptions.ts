/** Exceptions by their mnemonics [SDM 3A table 6-1]. */
export const VECTORS = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
  VE: 20,
  CP: 21,
} as const;
export type Exception = keyof typeof VECTORS;

/** Exceptions that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP. */
export const HAS_ERROR_CODE =
  (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17) | (1 << 21);

/**
 * A fault on its way to the processor's loop. Within emitted code and the paths it calls often, faults are values; the
 * evaluator and the rare helpers unwind with this object instead, which is made once and carries no stack trace.
 */
export class Fault {
  vector = 0;
  code = 0;
  /** Linear address of a page fault as two words, for CR2. */
  addressLow = 0;
  addressHigh = 0;
}
