import type { FpEnv } from "./env.ts";
import { LN2, LOG2_10, LOG2_E, LOG10_2, PI, W } from "./fixed.ts";
import { bitLength, F80, pack } from "./formats.ts";
import { roundsUp } from "./round.ts";

/** What the load-constant instructions push, as fixed-point numbers. [SDM 1 8.3.4] */
const VALUES = { FLDL2T: LOG2_10, FLDL2E: LOG2_E, FLDPI: PI, FLDLG2: LOG10_2, FLDLN2: LN2 };

export type Constant = keyof typeof VALUES | "FLD1" | "FLDZ";

/**
 * Rounded by RC to 64 bits whatever the precision control. Not reported as inexact, and C1 stays clear. [SDM 1 8.3.4]
 */
export function constant(env: FpEnv, name: Constant): bigint {
  if (name === "FLDZ") return 0n;
  if (name === "FLD1") return F80.one;
  const value = VALUES[name];
  const width = bitLength(value);
  const drop = width - F80.precision;
  const kept = value >> BigInt(drop);
  const up = roundsUp(env.rounding, 0, kept, BigInt.asUintN(drop, value), drop);
  return pack(F80, 0, width - 1 - W, up ? kept + 1n : kept);
}
