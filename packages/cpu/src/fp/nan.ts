import { type FpEnv, IE } from "./env.ts";
import { type Format, type Operand, QNAN, quietNan, SNAN, UNSUPPORTED } from "./formats.ts";

const QUIET_BIT = 1n << 62n;

/** The answer to an invalid operation. [SDM 1 4.9.1.1] */
export function invalid(env: FpEnv, format: Format): bigint {
  return env.stops(IE) ? 0n : format.indefinite;
}

export const isNan = (x: Operand): boolean => x.kind === QNAN || x.kind === SNAN;

/** The result of an operation with one operand, a NaN or an unsupported encoding. */
export function propagateOne(env: FpEnv, format: Format, x: Operand): bigint {
  if (x.kind === UNSUPPORTED) return invalid(env, format);
  if (x.kind === SNAN && env.stops(IE)) return 0n;
  return quietNan(format, x.sign, x.significand);
}

/** The result of an operation with two operands of which at least one is a NaN or unsupported. [SDM 1 table 4-7] */
export function propagate(env: FpEnv, format: Format, x: Operand, y: Operand): bigint {
  if (x.kind === UNSUPPORTED || y.kind === UNSUPPORTED) return invalid(env, format);
  if ((x.kind === SNAN || y.kind === SNAN) && env.stops(IE)) return 0n;
  const winner = env.style === "sse" ? (isNan(x) ? x : y) : x87Winner(x, y);
  return quietNan(format, winner.sign, winner.significand);
}

/** A QNaN beats an SNaN; of two alike the larger significand wins, then the positive one. */
function x87Winner(x: Operand, y: Operand): Operand {
  if (!isNan(x)) return y;
  if (!isNan(y)) return x;
  if (x.kind !== y.kind) return x.kind === QNAN ? x : y;
  const left = x.significand | QUIET_BIT;
  const right = y.significand | QUIET_BIT;
  if (left !== right) return left > right ? x : y;
  return x.sign === 0 ? x : y;
}

/** The same for fused multiply-add: the first NaN in the order multiplicand, multiplier, addend. */
export function propagateThree(env: FpEnv, format: Format, x: Operand, y: Operand, z: Operand): bigint {
  if ((x.kind === SNAN || y.kind === SNAN || z.kind === SNAN) && env.stops(IE)) return 0n;
  const winner = isNan(x) ? x : isNan(y) ? y : z;
  return quietNan(format, winner.sign, winner.significand);
}
