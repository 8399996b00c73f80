/** The end: what cannot go on stops here, with a text on the debug port. */
import { log } from "./log.ts";

export function panic(message: string): void {
  log("panic: ");
  log(message);
  log("\n");
  unreachable();
}
