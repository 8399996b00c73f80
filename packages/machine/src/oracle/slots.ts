/** Which slots hold commands, and which of them the guest has seen to be over: by what CI and SACT showed it. */
import { flag, list, natural, nullable, record, type StateOf } from "@castaway/kit";

const slotState = record({
  /** Commands are numbered as they are issued. */
  number: natural,
  queued: flag,
});
export const slotsState = record({ issued: natural, slots: list(nullable(slotState), 32) });
export type SlotsState = StateOf<typeof slotsState>;

export class Slots {
  /** How many commands have been issued. */
  issued = 0;
  #slots: (StateOf<typeof slotState> | null)[] = new Array(32).fill(null);

  issue(slot: number, queued: boolean): void {
    this.#slots[slot] = { number: ++this.issued, queued };
  }
  stop(): void {
    this.#slots.fill(null);
  }
  /**
   * The guest has read a register. @returns the slots that are over by it, and empties them
   * @param issued how many commands had been issued when it began to read: later ones are not in `value`
   */
  seen(register: "CI" | "SACT", value: number, issued: number): number[] {
    const over: number[] = [];
    for (const [slot, command] of this.#slots.entries()) {
      if (command === null || command.number > issued) continue;
      if (command.queued !== (register === "SACT") || (value & (1 << slot)) !== 0) continue;
      this.#slots[slot] = null;
      over.push(slot);
    }
    return over;
  }

  save(): SlotsState {
    return { issued: this.issued, slots: this.#slots.map((one) => one && { ...one }) };
  }
  restore({ issued, slots }: SlotsState): void {
    this.issued = issued;
    this.#slots = slots.map((one) => one && { ...one });
  }
}
