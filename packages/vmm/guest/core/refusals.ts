/** What a guest may do on a machine of its own, and not here: it is said, and the guest gets an exception, or the machine a reset. */
import { log, logHex } from "../log.ts";
import { hlt, out8, vmread } from "../x86.ts";
import { injectExceptionWithCode, VECTOR_GP } from "./events.ts";
import * as V from "./vmcs.ts";

/** So often it is said. */
const MOST: u32 = 16;
let said: u32 = 0;

/** Reset control of the chipset: a hard reset, by a rising edge of bit 2 [82371AB 4.2.7]. */
const RESET_CONTROL: u32 = 0xcf9;
const HARD: u32 = 2;
const RESET: u32 = 6;

/** The guest may not: #GP(0) at the instruction. */
export function refuse(what: string): void {
  if (said < MOST) {
    said++;
    log("refused: ");
    log(what);
    log(" at RIP ");
    logHex(vmread(V.GUEST_RIP));
    log("\n");
  }
  injectExceptionWithCode(VECTOR_GP, 0);
}

/** As the chipset does when a processor shuts down. Never comes back. */
export function resetMachine(why: string): void {
  log("reset: ");
  log(why);
  log("\n");
  out8(RESET_CONTROL, HARD);
  out8(RESET_CONTROL, RESET);
  for (;;) hlt();
}
