/** Every instruction there is. A family adds its array here, and its helpers to core/helpers.ts. */
import type { Instruction } from "../core/forms.ts";
import { arith } from "./arith.ts";
import { mmxState } from "./mmx.ts";
import { sseControl } from "./sse-control.ts";
import { sseConvert } from "./sse-convert.ts";
import { sseFloat } from "./sse-float.ts";
import { sseInteger } from "./sse-integer.ts";
import { sseMove } from "./sse-move.ts";
import { sseShift } from "./sse-shift.ts";
import { sseShuffle } from "./sse-shuffle.ts";

export const definitions: readonly Instruction[] = [
  ...arith,
  ...mmxState, ...sseControl, ...sseConvert, ...sseFloat, ...sseInteger, ...sseMove, ...sseShift, ...sseShuffle,
];
