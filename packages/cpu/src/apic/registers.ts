/** The registers of a local APIC [SDM 3A table 10-1, 10-6]; an x2APIC's MSR is 800h plus the offset divided by 16. */

/** Offsets divided by 16. ISR, TMR and IRR have eight registers each, from these on. */
export const REG = {
  ID: 0x02,
  VERSION: 0x03,
  TPR: 0x08,
  APR: 0x09,
  PPR: 0x0a,
  EOI: 0x0b,
  RRD: 0x0c,
  LDR: 0x0d,
  DFR: 0x0e,
  SVR: 0x0f,
  ISR: 0x10,
  TMR: 0x18,
  IRR: 0x20,
  ESR: 0x28,
  CMCI: 0x2f,
  ICR: 0x30,
  ICR_HIGH: 0x31,
  LVT_TIMER: 0x32,
  LVT_THERMAL: 0x33,
  LVT_PERF: 0x34,
  LVT_LINT0: 0x35,
  LVT_LINT1: 0x36,
  LVT_ERROR: 0x37,
  INITIAL_COUNT: 0x38,
  CURRENT_COUNT: 0x39,
  DIVIDE: 0x3e,
  SELF_IPI: 0x3f,
} as const;

/** Version 14h (integrated), highest LVT entry 5; no suppression of EOI broadcasts. */
export const VERSION = 0x00050014;

/** The bits of each LVT register that can be written: mask, trigger and polarity of pins, mode, vector [SDM 3A figure 10-8]. */
export const LVT_BITS: Readonly<Record<number, number>> = {
  [REG.LVT_TIMER]: 0x700ff,
  [REG.LVT_THERMAL]: 0x107ff,
  [REG.LVT_PERF]: 0x107ff,
  [REG.LVT_LINT0]: 0x1a7ff,
  [REG.LVT_LINT1]: 0x1a7ff,
  [REG.LVT_ERROR]: 0x100ff,
};
export const MASKED = 0x10000,
  LEVEL = 0x8000,
  REMOTE_IRR = 0x4000;
/** SVR: the software's switch. */
export const SOFTWARE_ENABLED = 0x100;

/** Errors in ESR [SDM 3A 10.5.3]. */
export const ERROR = { SEND_VECTOR: 0x20, RECEIVE_VECTOR: 0x40, REGISTER: 0x80 } as const;
