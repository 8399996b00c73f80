/** Flow control: PAUSE frames that come stop the transmitter for a while, and software can send one [8254x 8.7; 802.3 31B]. */
import { type Clock, readBig, readLittle, record, type StateOf, type Timer, timerState, writeBig } from "@castaway/kit";
import type { Device } from "../device.ts";
import { CTRL, type MacRegisters } from "./registers.ts";
import type { Statistics } from "./statistics.ts";

export const flowState = record({ pause: timerState });
export type FlowState = StateOf<typeof flowState>;

/** A unit of the pause timer: 512 bits at 1000, 100 or 10 Mb/s. [8254x 8.7.2] */
const slotTime = [51_200, 5_120, 512] as const;
const pauseOpcode = 1;

export type FlowEnv = {
  readonly clock: Clock;
  readonly regs: MacRegisters;
  readonly statistics: Statistics;
  /** The station's address. */
  station(): Uint8Array;
  /** 0, 1 or 2 for 10, 100 or 1000 Mb/s. */
  speed(): 0 | 1 | 2;
  /** The transmitter may go on. */
  resume(): void;
};

export class FlowControl implements Device<FlowState> {
  readonly #env: FlowEnv;
  readonly #pause: Timer;

  constructor(name: string, env: FlowEnv) {
    this.#env = env;
    this.#pause = env.clock.timer(name, () => env.resume());
  }

  /** Whether the transmitter is stopped: STATUS.TXOFF. */
  get paused(): boolean {
    return this.#pause.armed;
  }

  /** Looks at a frame, and obeys if it is a PAUSE frame. @returns what it is, for the filters. [8254x 8.7.3, 8.7.4] */
  obey(frame: Uint8Array): "pause" | "control" | "data" {
    const { regs, statistics } = this.#env;
    if ((regs.CTRL & CTRL.RFCE) === 0 || frame.length < 18) return "data";
    if (readBig(frame, 12, 2) !== regs.FCT || !this.#isAddressed(frame)) return "data";
    if (readBig(frame, 14, 2) !== pauseOpcode) {
      statistics.count("FCRUC");
      return "control";
    }
    const time = readBig(frame, 16, 2);
    statistics.count(time === 0 ? "XONRXC" : "XOFFRXC");
    if (time === 0) this.release();
    else this.#pause.arm(time * slotTime[this.#env.speed()]);
    return "pause";
  }

  /** Ends the pause. */
  release(): void {
    if (!this.#pause.armed) return;
    this.#pause.disarm();
    this.#env.resume();
  }

  /** TCTL.SWXOFF: the PAUSE frame that software asks for. [8254x 8.7.5, 13.4.33] */
  frame(): Uint8Array {
    const { regs, statistics } = this.#env;
    const frame = new Uint8Array(60);
    frame.set([regs.FCAL, regs.FCAL >>> 8, regs.FCAL >>> 16, regs.FCAL >>> 24, regs.FCAH, regs.FCAH >>> 8]);
    frame.set(this.#env.station(), 6);
    writeBig(frame, 12, 2, regs.FCT);
    writeBig(frame, 14, 2, pauseOpcode);
    writeBig(frame, 16, 2, regs.FCTTV);
    statistics.count(regs.FCTTV === 0 ? "XONTXC" : "XOFFTXC");
    return frame;
  }

  reset(): void {
    this.#pause.disarm();
  }
  save(): FlowState {
    return { pause: this.#pause.save() };
  }
  restore(state: FlowState): void {
    this.#pause.restore(state.pause);
  }

  /** To the flow control address, or to the station. */
  #isAddressed(frame: Uint8Array): boolean {
    const { FCAL, FCAH } = this.#env.regs;
    if (readLittle(frame, 0, 4) === FCAL && readLittle(frame, 4, 2) === FCAH) return true;
    return this.#env.station().every((byte, i) => byte === frame[i]);
  }
}
