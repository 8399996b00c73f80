/** The link of a port: from COMRESET until a drive has said what it is. [AHCI 1.3.1 10.1, 10.4.2; SATA 3.x 8] */
import { type Clock, oneOf, record, type StateOf, type Timer, timerState, us } from "@castaway/kit";
import { STATUS } from "../ata/taskfile.ts";
import { type PORT, SERR } from "./registers.ts";

export const linkState = record({ phase: oneOf("down", "training", "identifying", "up"), phy: timerState });
export type LinkState = StateOf<typeof linkState>;

/** From the end of COMRESET until the link is up, and until the drive has sent its signature. */
const training = us(100);
const identifying = us(500);

/** PxSSTS: a device, first generation speed, interface active. [AHCI 1.3.1 3.3.10] */
const present = 0x113;
const offline = 0x004;
const noStatus = 0x7f;
const noSignature = 0xffff_ffff;

type LinkRegisters = ReturnType<typeof PORT.file>;

export class Link {
  readonly #regs: LinkRegisters;
  readonly #plugged: boolean;
  readonly #phy: Timer;
  #phase: LinkState["phase"] = "down";

  /**
   * @param regs of the port: the link keeps SSTS, and what TFD and SIG hold without a drive
   * @param plugged whether there is a drive
   * @param step told when the link came up, and again when the signature has arrived
   */
  constructor(name: string, clock: Clock, regs: LinkRegisters, plugged: boolean, step: () => void) {
    this.#regs = regs;
    this.#plugged = plugged;
    this.#phy = clock.timer(name, () => {
      this.#advance();
      step();
    });
  }

  /** Whether the drive's signature has arrived. */
  get isUp(): boolean {
    return this.#phase === "up";
  }

  /** COMRESET begins. */
  cut(): void {
    this.#phase = "down";
    this.#phy.disarm();
    Object.assign(this.#regs, { SSTS: 0, TFD: noStatus, SIG: noSignature });
  }

  /** The port is switched off. */
  off(): void {
    this.#regs.SSTS = offline;
  }

  /** COMRESET is over. */
  train(): void {
    if (this.#phase !== "down") return;
    this.#regs.SSTS = 0;
    if (!this.#plugged) return;
    this.#phase = "training";
    this.#phy.arm(training);
  }

  save(): LinkState {
    return { phase: this.#phase, phy: this.#phy.save() };
  }

  restore(state: LinkState): void {
    this.#phase = state.phase;
    this.#phy.restore(state.phy);
  }

  #advance(): void {
    if (this.#phase !== "training") {
      this.#phase = "up";
      return;
    }
    this.#phase = "identifying";
    this.#regs.SSTS = present;
    this.#regs.SERR |= SERR.N | SERR.X;
    this.#regs.TFD = STATUS.BSY;
    this.#phy.arm(identifying);
  }
}
