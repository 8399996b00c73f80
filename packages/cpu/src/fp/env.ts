import { Operand } from "./formats.ts";

/** Exceptions, as in MXCSR bits 5:0 and FSW bits 5:0; the masks have the same order. [SDM 1 8.1.3, 10.2.3] */
export const IE = 1 << 0;
export const DE = 1 << 1;
export const ZE = 1 << 2;
export const OE = 1 << 3;
export const UE = 1 << 4;
export const PE = 1 << 5;
/** Found before the operation is computed, so unmasked they leave every destination untouched. [SDM 1 4.9.1] */
export const PRE_COMPUTATION = IE | DE | ZE;
export const ALL_MASKED = 0x3f;

/** Rounding control, encoded as in MXCSR.RC and FCW.RC. [SDM 1 table 4-8] */
export const NEAREST = 0;
export const DOWN = 1;
export const UP = 2;
export const TOWARD_ZERO = 3;

export type Style = "sse" | "x87";

/**
 * What an operation reads besides its operands, and what it reports besides its result.
 *
 * One instance serves many operations: call {@link begin} before an instruction, run one operation per element (flags
 * accumulate), then ask {@link suppressed} whether results may be written, and take {@link reported} into MXCSR or FSW.
 */
export class FpEnv {
  readonly style: Style;
  rounding = NEAREST;
  /** x87 precision control: significand bits of the results of FADD, FSUB, FMUL, FDIV and FSQRT. [SDM 1 8.1.5.2] */
  precision = 64;
  /** A set bit masks the exception of that bit. */
  masks = ALL_MASKED;
  daz = false;
  ftz = false;

  flags = 0;
  /** C1 of x87: the last inexact result was rounded away from zero. [SDM 1 8.1.3.2] */
  roundedUp = false;
  /** C2 of x87: FPREM is partial, or the operand of a trigonometric instruction is out of range. */
  incomplete = false;
  /** Low three bits of the quotient of FPREM and FPREM1. */
  quotient = 0;
  /** The second result of FXTRACT, FSINCOS and FPTAN: the one on top of the stack. */
  second = 0n;

  /** Operand slots, so that an operation allocates none. */
  readonly a = new Operand();
  readonly b = new Operand();
  readonly c = new Operand();

  constructor(style: Style) {
    this.style = style;
  }

  /** Takes rounding, masks, DAZ and FTZ from an MXCSR value. [SDM 1 figure 10-3] */
  loadMxcsr(mxcsr: number): this {
    this.rounding = (mxcsr >>> 13) & 3;
    this.masks = (mxcsr >>> 7) & 0x3f;
    this.daz = (mxcsr & 0x40) !== 0;
    this.ftz = (mxcsr & 0x8000) !== 0;
    return this;
  }

  /** Takes rounding, precision and masks from an x87 control word. [SDM 1 figure 8-6] */
  loadFcw(fcw: number): this {
    this.rounding = (fcw >>> 10) & 3;
    this.masks = fcw & 0x3f;
    const control = (fcw >>> 8) & 3;
    this.precision = control === 0 ? 24 : control === 2 ? 53 : 64;
    return this;
  }

  begin(): void {
    this.flags = 0;
    this.roundedUp = false;
    this.incomplete = false;
  }

  /** Raises pre-computation exceptions; true when the operation must stop here. */
  stops(exceptions: number): boolean {
    this.flags |= exceptions;
    return (exceptions & ~this.masks & PRE_COMPUTATION) !== 0;
  }

  isUnmasked(exceptions: number): boolean {
    return (exceptions & ~this.masks) !== 0;
  }

  /**
   * The result must not be written. SSE: any unmasked exception. [SDM 1 11.5.2] x87 registers: pre-computation
   * exceptions only; the result of an unmasked overflow, underflow or inexact exception is written. [SDM 1 8.5]
   */
  get suppressed(): boolean {
    const unmasked = this.flags & ~this.masks;
    return this.style === "sse" ? unmasked !== 0 : (unmasked & PRE_COMPUTATION) !== 0;
  }

  /**
   * The same for an x87 store to memory, which unmasked overflow and underflow suppress as well. [SDM 1 8.5.4, 8.5.5]
   */
  get storeSuppressed(): boolean {
    return (this.flags & ~this.masks & (PRE_COMPUTATION | OE | UE)) !== 0;
  }

  /**
   * Flags to OR into MXCSR or FSW: an unmasked pre-computation exception of one element hides the other class of all
   * elements.
   */
  get reported(): number {
    return (this.flags & ~this.masks & PRE_COMPUTATION) !== 0 ? this.flags & PRE_COMPUTATION : this.flags;
  }
}
