/** Every instruction there is. A family adds its array here, and its helpers to core/helpers.ts. */
import type { Instruction } from "../core/forms.ts";
import { arith } from "./arith.ts";
import { bits } from "./bits.ts";
import { branches } from "./branch.ts";
import { controls } from "./control.ts";
import { far } from "./far.ts";
import { fxsave } from "./fxsave.ts";
import { hints } from "./hint.ts";
import { misc } from "./misc.ts";
import { mmxState } from "./mmx.ts";
import { moves } from "./mov.ts";
import { multiplication } from "./muldiv.ts";
import { segments } from "./segment.ts";
import { shifts } from "./shift.ts";
import { sseControl } from "./sse-control.ts";
import { sseConvert } from "./sse-convert.ts";
import { sseFloat } from "./sse-float.ts";
import { sseInteger } from "./sse-integer.ts";
import { sseMove } from "./sse-move.ts";
import { sseShift } from "./sse-shift.ts";
import { sseShuffle } from "./sse-shuffle.ts";
import { stack } from "./stack.ts";
import { strings } from "./string.ts";
import { systemCalls } from "./syscall.ts";
import { vmxInstructions } from "./vmx.ts";
import { x87Instructions } from "./x87.ts";

export const definitions: readonly Instruction[] = [
  ...arith, ...moves, ...stack, ...shifts, ...multiplication, ...bits, ...strings, ...branches, ...hints, ...misc,
  ...mmxState, ...sseControl, ...sseConvert, ...sseFloat, ...sseInteger, ...sseMove, ...sseShift, ...sseShuffle, ...fxsave,
  ...x87Instructions,
  ...segments, ...far, ...controls, ...systemCalls, ...vmxInstructions,
];
