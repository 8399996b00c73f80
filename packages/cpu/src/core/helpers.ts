/**
 * Operations in plain TypeScript that semantics call by name, through `Exec.call` and `Exec.callVector`. Arguments and
 * results are unsigned words (bigint) or 128-bit vectors; a helper raises by `cpu.fault(...)`.
 */

import { controlHelpers } from "../isa/control.ts";
import { miscHelpers } from "../isa/misc.ts";
import { mmxHelpers } from "../isa/mmx.ts";
import { divideHelpers } from "../isa/muldiv.ts";
import { segmentHelpers } from "../isa/segment.ts";
import { sseHelpers } from "../isa/sse-control.ts";
import { sseVectorHelpers } from "../isa/sse-float.ts";
import { stackHelpers } from "../isa/stack.ts";
import { portHelpers } from "../isa/string.ts";
import { x87Helpers } from "../isa/x87.ts";
import { VECTORS } from "./exceptions.ts";
import { floatHelpers } from "./float-helpers.ts";
import type { Processor } from "./processor.ts";

export type Helper = (cpu: Processor, args: bigint[]) => bigint;
export type VectorHelper = (cpu: Processor, a: bigint, b: bigint, words: bigint[]) => bigint;

const common: Record<string, Helper> = {
  /** The unit is not available: #UD or #NM as modes.ts found. */
  "unit.trap": (cpu, [vector]) => cpu.fault(Number(vector) === VECTORS.UD ? "UD" : "NM"),
};

/** Every helper by name; families add theirs here. */
export const helpers: Record<string, Helper> = {
  ...common,
  ...stackHelpers,
  ...divideHelpers,
  ...portHelpers,
  ...segmentHelpers,
  ...controlHelpers,
  ...miscHelpers,
  ...sseHelpers,
  ...mmxHelpers,
  ...x87Helpers,
};
export const vectorHelpers: Record<string, VectorHelper> = { ...floatHelpers, ...sseVectorHelpers };
