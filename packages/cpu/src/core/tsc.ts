/** The time-stamp counter [SDM 3B 17.17]: invariant, a function of virtual time. */
import { F } from "../vmx/fields.ts";
import type { Processor } from "./processor.ts";
import { S } from "./state.ts";

/** Ticks a second: one a nanosecond, as instructions are counted. */
export const TSC_HZ = 1_000_000_000;

/** The counter at the instruction at hand, as an unsigned 64-bit word. */
export const readTsc = (cpu: Processor): bigint =>
  BigInt.asUintN(64, BigInt(Math.floor(cpu.board.now() * (TSC_HZ / 1e9))) + cpu.u64(S.TSC_OFFSET));

/** The counter as RDTSC, RDTSCP and RDMSR show it: a guest's with the offset of its VMCS [SDM 3C 25.3]. */
export function shownTsc(cpu: Processor): bigint {
  const tsc = readTsc(cpu),
    { vmx } = cpu;
  return vmx.nonRoot && vmx.has("use TSC offsetting") ? BigInt.asUintN(64, tsc + vmx.vmcs.u64(F.TSC_OFFSET)) : tsc;
}
