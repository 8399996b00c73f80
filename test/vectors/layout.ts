/**
 * The state of a case as bytes: `struct state` of capture/protocol.h, which is the other side of this file.
 *
 * Requests, results and the vector runner all use this one image, so that comparing is comparing bytes.
 */

import type { Mode } from "./environment.ts";

/** Offsets in the image; registers and segment registers stand in encoding order. */
export const STATE = {
  GPR: 0,
  RIP: 128,
  RFLAGS: 136,
  FS_BASE: 144,
  GS_BASE: 152,
  SEGMENT: 160,
  /** As FXSAVE64 stores it, up to and including XMM15, but x87 registers by their physical numbers, not from the top. */
  FCW: 176,
  FSW: 178,
  FTW: 180,
  FOP: 182,
  FIP: 184,
  FDP: 192,
  MXCSR: 200,
  MXCSR_MASK: 204,
  /** R0-7, 16 bytes apart, of which ten count: significand (also the MMX register), then sign and exponent. */
  R: 208,
  XMM: 336,
  /** Bits 255:128 of YMM0-15. */
  YMM_HIGH: 592,
  BYTES: 848,
} as const;

export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

/** RFLAGS bits that user-mode code can set. */
export const FLAG = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  DF: 1 << 10,
  OF: 1 << 11,
  NT: 1 << 14,
  RF: 1 << 16,
  AC: 1 << 18,
  ID: 1 << 21,
} as const;

/** One named register of the image. */
export interface Register {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

const numbered = (
  count: number,
  name: (i: number) => string,
  offset: number,
  step: number,
  bytes: number,
): Register[] => Array.from({ length: count }, (_, i) => ({ name: name(i), offset: offset + i * step, bytes }));
const named = (names: string, offset: number, bytes: number): Register[] =>
  names.split(" ").map((name, i) => ({ name, offset: offset + i * bytes, bytes }));

/** Every register in the image, for printing and comparing by name. */
export const REGISTERS: readonly Register[] = [
  ...named("RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15", STATE.GPR, 8),
  ...named("RIP RFLAGS FS.base GS.base", STATE.RIP, 8),
  ...named("ES CS SS DS FS GS", STATE.SEGMENT, 2),
  ...named("FCW FSW FTW FOP", STATE.FCW, 2),
  ...named("FIP FDP", STATE.FIP, 8),
  ...named("MXCSR MXCSR_MASK", STATE.MXCSR, 4),
  ...numbered(8, (i) => `R${i}`, STATE.R, 16, 10),
  ...numbered(16, (i) => `XMM${i}`, STATE.XMM, 16, 16),
  ...numbered(16, (i) => `YMM${i}.high`, STATE.YMM_HIGH, 16, 16),
];

/** Bytes that belong at a linear address. */
export interface Patch {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** What the CPU is given: one instruction, the state before it, and what differs from the standard memory contents. */
export interface Case {
  readonly mode: Mode;
  readonly state: Uint8Array;
  /** Linear address of the instruction; the state's RIP is its offset in CS. */
  readonly address: number;
  readonly code: Uint8Array;
  /** Single-step instead of running into an INT3: for instructions that may go elsewhere. */
  readonly step: boolean;
  readonly patches: readonly Patch[];
}

/** What the CPU made of it. */
export interface Outcome {
  readonly state: Uint8Array;
  /** The exception that the instruction raised, or -1. */
  readonly vector: number;
  readonly error: number;
  /** Linear address of a page fault; 0 for other exceptions. */
  readonly cr2: bigint;
  /** Bytes in memory that the instruction changed, in ascending order, neighbours joined. */
  readonly patches: readonly Patch[];
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
