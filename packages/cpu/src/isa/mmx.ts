/** What MMX has to itself; its arithmetic, shifts and moves are the twins of SSE2's [SDM 1 chapter 9]. */
import type { Instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { CR0_NE } from "../core/paging.ts";
import { S } from "../core/state.ts";
import { mmx } from "./sse-common.ts";

export const mmxHelpers: Record<string, Helper> = {
  /** An unmasked x87 exception waits: #MF, or IRQ 13 by way of FERR# and on with the instruction [SDM 3A 2.5 "NE"]. */
  "x87.pending": (cpu) => {
    if (cpu.u32(S.CR0) & CR0_NE) cpu.fault("MF");
    cpu.board.ferr?.();
    return 0n;
  },
};

export const mmxState: Instruction[] = [
  /** Leaves MMX state: all registers empty [SDM 1 9.6.3]. */
  mmx("emms", "NP 0F 77", "", (x) => {
    x.setState(S.FSW, x.and(x.state(S.FSW, 2), x.const(~0x3800)), 2);
    x.setState(S.FTW, x.const(0), 2);
  }),
];
