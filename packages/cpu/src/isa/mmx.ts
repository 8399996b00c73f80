/** What MMX has to itself; its arithmetic, shifts and moves are the twins of SSE2's [SDM 1 chapter 9]. */
import type { Instruction } from "../core/forms.ts";
import { S } from "../core/state.ts";
import { mmx } from "./sse-common.ts";

export const mmxState: Instruction[] = [
  /** Leaves MMX state: all registers empty [SDM 1 9.6.3]. */
  mmx("emms", "NP 0F 77", "", (x) => {
    x.setState(S.FSW, x.and(x.state(S.FSW, 2), x.const(~0x3800)), 2);
    x.setState(S.FTW, x.const(0), 2);
  }),
];
