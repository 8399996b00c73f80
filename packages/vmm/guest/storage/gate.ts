/** Who decides whether a guest's command may go to the disk: while it is being deployed, redirect.ts. */
import { Command } from "./command.ts";

/** Issue it. */
export const ADMIT: u32 = 0;
/** Not now: ask again. */
export const WAIT: u32 = 1;
/** Never: let it fail. */
export const DENY: u32 = 2;

export abstract class Gate {
  /** The guest has issued it: seen once, in the guest's order. */
  abstract seen(command: Command): void;
  /** A command that is prepared wants to go to the device. */
  abstract admit(command: Command): u32;
  /** It goes, now: nothing can come in between. */
  abstract issued(command: Command): void;
  /** It is over. `completed`: by the device, without an error; else it failed or was aborted. */
  abstract ended(command: Command, completed: bool): void;
  /** The guest has reset the port, the link or the controller: nobody waits for anything. */
  abstract reset(): void;
}
