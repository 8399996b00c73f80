/**
 * The x87: every form of D8..DF and FWAIT, over S.FPR and the control, status and tag words [SDM 1 chapter 8]. The exact
 * arithmetic is in fp/; x87-state.ts has the stack and what all instructions have in common.
 */
import type { Instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { x87Arithmetic, x87ArithmeticHelpers } from "./x87-arithmetic.ts";
import { x87Compare, x87CompareHelpers } from "./x87-compare.ts";
import { x87ControlHelpers, x87Environment } from "./x87-control.ts";
import { x87Move, x87MoveHelpers } from "./x87-move.ts";

export const x87Instructions: Instruction[] = [...x87Move, ...x87Arithmetic, ...x87Compare, ...x87Environment];
export const x87Helpers: Record<string, Helper> = { ...x87MoveHelpers, ...x87ArithmeticHelpers, ...x87CompareHelpers, ...x87ControlHelpers };
