/** What results of the host and of castaway are rid of before they are compared. */
import { SELECTORS } from "./environment.ts";
import { type Case, CS, RSP, STATE, viewOf } from "./layout.ts";

/**
 * Removes from a state what no program may rely on, the same for the host and for castaway: the RPL of null selectors,
 * which the kernel's way back to user mode clears, and what only 64-bit mode has, outside of it.
 */
export function normalize(before: Case, state: Uint8Array): void {
  const view = viewOf(state);
  for (let at: number = STATE.SEGMENT; at < STATE.SEGMENT + 12; at += 2) {
    if (view.getUint16(at, true) < 4) view.setUint16(at, 0, true);
  }
  const clearUpper = (n: number) => view.setUint32(STATE.GPR + 8 * n + 4, 0, true);
  const keep = (from: number, to: number) => state.set(before.state.subarray(from, to), from);
  if (before.mode !== 64) {
    for (let n = 0; n < 8; n++) clearUpper(n);
    keep(STATE.GPR + 64, STATE.RIP);
    keep(STATE.FS_BASE, STATE.SEGMENT);
  } else if (view.getUint16(STATE.SEGMENT + 2 * CS, true) !== SELECTORS[64][CS]) clearUpper(RSP);
}
