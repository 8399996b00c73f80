/** The time-stamp counter [SDM 3B 17.17]: invariant, a function of virtual time. */
import type { Processor } from "./processor.ts";
import { S } from "./state.ts";

/** Ticks a second: one a nanosecond, as instructions are counted. */
export const TSC_HZ = 1_000_000_000;

/** The counter at the instruction at hand, as an unsigned 64-bit word. */
export const readTsc = (cpu: Processor): bigint =>
  BigInt.asUintN(64, BigInt(Math.floor(cpu.board.now() * (TSC_HZ / 1e9))) + cpu.u64(S.TSC_OFFSET));
