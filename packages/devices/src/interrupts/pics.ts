/**
 * A PC's pair of 8259As: the slave's INT is the master's input 2. ELCR says which inputs are level-triggered
 * [82371AB 4.2.2].
 *
 *     const pics = new Pics({ intr });                // to LINT0 of the first local APIC
 *     const irq4 = pics.line(4);
 *     const vector = pics.acknowledge();              // the processor's INTA cycle
 */
import { assert, type IrqLine, record, type StateOf } from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device, RegisterSpace } from "../device.ts";
import { Pic, picState } from "./pic.ts";

export const picsState = record({ master: picState, slave: picState });
export type PicsState = StateOf<typeof picsState>;

export interface PicsEnv {
  /** INT of the master. */
  readonly intr: IrqLine;
}

/** Inputs that can only be edge-triggered: timer, keyboard, cascade; RTC and coprocessor error [82371AB 4.2.2]. */
const LEVEL_ALLOWED = [0xf8, 0xde];
const CASCADE = 2;

export class Pics implements Device<PicsState> {
  /** `master.ports`: 20 and 21. */
  readonly master: Pic;
  /** `slave.ports`: A0 and A1. */
  readonly slave: Pic;
  /** Ports 4D0 and 4D1: 1 for level-triggered. */
  readonly elcr: RegisterSpace;

  constructor(env: PicsEnv) {
    const master = new Pic({ int: env.intr, cascade: CASCADE });
    this.master = master;
    this.slave = new Pic({ int: { set: (high) => master.set(CASCADE, high) } });
    const both = [this.master, this.slave];
    this.elcr = bytewise(
      (offset) => both[offset]?.elcr ?? 0xff,
      (offset, value) => {
        if (offset < 2) both[offset].elcr = value & LEVEL_ALLOWED[offset];
      },
    );
  }

  /** Interrupt request `n`: 0 to 15, but 2, which has no pin. */
  line(n: number): IrqLine {
    assert(n >= 0 && n < 16 && n !== CASCADE, "a PC has interrupt requests 0 to 15 without 2", { n });
    const chip = n < 8 ? this.master : this.slave;
    return { set: (high) => chip.set(n & 7, high) };
  }

  /** The processor acknowledges: gives the vector. */
  acknowledge(): number {
    const n = this.master.acknowledge();
    return n === CASCADE ? this.slave.vector(this.slave.acknowledge()) : this.master.vector(n);
  }

  reset(): void {
    this.master.reset();
    this.slave.reset();
  }
  save(): PicsState {
    return { master: this.master.save(), slave: this.slave.save() };
  }
  restore(state: PicsState): void {
    this.slave.restore(state.slave);
    this.master.restore(state.master);
  }
}
