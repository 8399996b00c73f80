/**
 * The two 8237 DMA controllers of a PC and their page registers, with nobody on their channels: what is written can be
 * read back, and nothing is ever transferred [8237A], [82371AB 4.2.1].
 */
import { bytes, flag, list, record, type StateOf, u8 } from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device } from "../device.ts";

const controllerState = record({
  /** Base address and base count of four channels, low byte first. */
  base: bytes(16),
  /** The next access is to the high byte. */
  high: flag,
  command: u8,
  mask: u8,
});
type ControllerState = StateOf<typeof controllerState>;
export const dmaState = record({ pages: bytes(16), controllers: list(controllerState, 2) });
export type DmaState = StateOf<typeof dmaState>;

const ALL = 0x0f;
/** Registers from 8 on [8237A, table "register codes"]. */
const REG = { COMMAND: 8, SINGLE_MASK: 10, FLIP_FLOP: 12, CLEAR: 13, CLEAR_MASK: 14, MASK: 15 };

class Controller {
  #s: ControllerState = { base: new Uint8Array(16), high: false, command: 0, mask: ALL };

  /** Master clear: what RESET does too; addresses and counts stay. */
  clear(): void {
    this.#s = { ...this.#s, high: false, command: 0, mask: ALL };
  }
  save(): ControllerState {
    return { ...this.#s, base: this.#s.base.slice() };
  }
  restore(state: ControllerState): void {
    this.#s = { ...state, base: state.base.slice() };
  }
  read(register: number): number {
    if (register < 8) return this.#s.base[this.#next(register)];
    return register === REG.MASK ? 0xf0 | this.#s.mask : 0; // the status has no requests and no terminal counts
  }
  write(register: number, value: number): void {
    const s = this.#s;
    if (register < 8) s.base[this.#next(register)] = value;
    else if (register === REG.COMMAND) s.command = value;
    else if (register === REG.SINGLE_MASK) {
      const channel = 1 << (value & 3);
      s.mask = value & 4 ? s.mask | channel : s.mask & ~channel;
    } else if (register === REG.FLIP_FLOP) s.high = false;
    else if (register === REG.CLEAR) this.clear();
    else if (register === REG.CLEAR_MASK) s.mask = 0;
    else if (register === REG.MASK) s.mask = value & ALL;
  }
  /** The byte that the flip-flop selects, which then changes. */
  #next(register: number): number {
    const at = 2 * register + (this.#s.high ? 1 : 0);
    this.#s.high = !this.#s.high;
    return at;
  }
}

export class DmaControllers implements Device<DmaState> {
  readonly #controllers = [new Controller(), new Controller()];
  readonly #pages = new Uint8Array(16);
  /** Ports 00 to 0F: channels 0 to 3. */
  readonly first = bytewise(
    (offset) => this.#controllers[0].read(offset),
    (offset, value) => this.#controllers[0].write(offset, value),
  );
  /** Ports C0 to DF: channels 4 to 7, a register every two ports. */
  readonly second = bytewise(
    (offset) => this.#controllers[1].read(offset >> 1),
    (offset, value) => this.#controllers[1].write(offset >> 1, value),
  );
  /** Ports 80 to 8F. Port 80 belongs to no channel: firmware writes its progress there. */
  readonly pages = bytewise(
    (offset) => this.#pages[offset],
    (offset, value) => {
      this.#pages[offset] = value;
    },
  );

  /** What firmware wrote to port 80 last. */
  get postCode(): number {
    return this.#pages[0];
  }

  reset(): void {
    for (const controller of this.#controllers) controller.clear();
    this.#pages.fill(0);
  }
  save(): DmaState {
    return { pages: this.#pages.slice(), controllers: this.#controllers.map((controller) => controller.save()) };
  }
  restore(state: DmaState): void {
    this.#pages.set(state.pages);
    for (const [n, controller] of this.#controllers.entries()) controller.restore(state.controllers[n]);
  }
}
