/**
 * The PHY inside the chip, an M88E1000: 32 registers behind MDIC, and the link to the wall [8254x 11, 13.4.7;
 * 802.3 22.2.4, 28, 40.5]. The partner at the other end can do 10, 100 and 1000 Mb/s in full duplex, without flow control.
 */
import { type Clock, flag, list, ms, record, type StateOf, type Timer, timerState, u8, u16, us } from "@castaway/kit";
import type { Device } from "../device.ts";
import { MDIC } from "./registers.ts";

export const phyState = record({
  regs: list(u16, 32),
  plugged: flag,
  /** The link is up, and how it runs. */
  up: flag,
  speed: u8,
  full: flag,
  /** The link was down since BMSR was last read. */
  missed: flag,
  /** The pin RESET# is held by the MAC. */
  held: flag,
  training: timerState,
});
export type PhyState = StateOf<typeof phyState>;

/** From the start of auto-negotiation until the link is up, and the same with a forced speed. */
const negotiation = ms(50);
const training = us(100);

const REG = {
  BMCR: 0,
  BMSR: 1,
  ADVERTISE: 4,
  PARTNER: 5,
  EXPANSION: 6,
  GIGABIT: 9,
  GIGABIT_STATUS: 10,
  STATUS: 17,
  EVENTS: 19,
  ERRORS: 21,
} as const;
const BMCR = {
  RESET: 0x8000,
  LOOPBACK: 0x4000,
  SPEED_LOW: 0x2000,
  NEGOTIATE: 0x1000,
  POWER_DOWN: 0x0800,
  RESTART: 0x0200,
  FULL: 0x0100,
  SPEED_HIGH: 0x0040,
};
const BMSR = { DONE: 0x0020, LINK: 0x0004 };
/** Register 17: speed in bits 15:14. */
const STATUS = { FULL: 0x2000, RESOLVED: 0x0800, LINK: 0x0400 };
/** Register 19: what happened since it was read. */
const EVENT = { SPEED: 0x4000, DUPLEX: 0x2000, PAGE: 0x1000, DONE: 0x0800, LINK: 0x0400 };
const EXPANSION = { PAGE: 0x0002, PARTNER: 0x0001 };

/** Values after a hardware reset, and the bits that can be written. */
const layout: readonly [register: number, reset: number, writable: number][] = [
  [REG.BMCR, 0x1140, 0x7dc0],
  [REG.BMSR, 0x7949, 0],
  [2, 0x0141, 0],
  [3, 0x0c20, 0],
  [REG.ADVERTISE, 0x0de1, 0xffff],
  [REG.EXPANSION, 0x0004, 0],
  [7, 0x2001, 0xbfff],
  [REG.GIGABIT, 0x0300, 0xff00],
  [15, 0x3000, 0],
  [16, 0x0068, 0xffff],
  [18, 0x0000, 0xffff],
  [20, 0x0d60, 0xffff],
  [24, 0x4100, 0xffff],
  [29, 0x0000, 0x00ff],
  [30, 0x0000, 0xffff],
];
const resetValues = new Uint16Array(32);
const writable = new Uint16Array(32);
for (const [register, reset, mask] of layout) {
  resetValues[register] = reset;
  writable[register] = mask;
}

/** Where it is on the management bus. */
const busAddress = 1;

/** What the partner says of itself: acknowledged, 10 and 100 Mb/s; 1000 Mb/s, and that both receivers are well. */
const partner = 0x41e1;
const gigabitPartner = 0x7c00;

/** 0 for 10, 1 for 100, 2 for 1000 Mb/s. */
export type Speed = 0 | 1 | 2;
export type LinkMode = { readonly speed: Speed; readonly full: boolean };

export class Phy implements Device<PhyState> {
  readonly #regs = Uint16Array.from(resetValues);
  readonly #training: Timer;
  readonly #changed: () => void;
  #plugged = false;
  #up = false;
  #mode: LinkMode = { speed: 2, full: true };
  #missed = true;
  #held = false;

  /** @param changed told when the link came up or went down */
  constructor(name: string, clock: Clock, changed: () => void) {
    this.#changed = changed;
    this.#training = clock.timer(name, () => this.#establish());
  }

  /** Whether the link is up. */
  get up(): boolean {
    return this.#up;
  }

  /** What is sent comes back. */
  get loopback(): boolean {
    return (this.#regs[REG.BMCR] & BMCR.LOOPBACK) !== 0;
  }

  /** How the link runs, or ran last. */
  get mode(): LinkMode {
    return this.#mode;
  }

  /** How the link will run; null if the two ends have nothing in common. */
  #resolve(): LinkMode | null {
    const control = this.#regs[REG.BMCR];
    if ((control & BMCR.NEGOTIATE) === 0) {
      const speed = (control & BMCR.SPEED_HIGH) !== 0 ? 2 : (control & BMCR.SPEED_LOW) !== 0 ? 1 : 0;
      return { speed, full: (control & BMCR.FULL) !== 0 };
    }
    const gigabit = this.#regs[REG.GIGABIT];
    if ((gigabit & 0x0300) !== 0) return { speed: 2, full: (gigabit & 0x0200) !== 0 };
    const ours = this.#regs[REG.ADVERTISE];
    if ((ours & 0x0180) !== 0) return { speed: 1, full: (ours & 0x0100) !== 0 };
    return (ours & 0x0060) !== 0 ? { speed: 0, full: (ours & 0x0040) !== 0 } : null;
  }

  /** The cable is plugged into a living wall, or is not. */
  plug(plugged: boolean): void {
    if (plugged === this.#plugged) return;
    this.#plugged = plugged;
    this.#begin();
  }

  /** Carries out what was written to MDIC, at once. @returns what it reads as then. [8254x 13.4.7] */
  manage(mdic: number): number {
    const command = mdic & ~(MDIC.READY | MDIC.E);
    const operation = (command >>> 26) & 3;
    const register = (command >>> 16) & 0x1f;
    const answers = ((command >>> 21) & 0x1f) === busAddress;
    let data = command & 0xffff;
    if (operation === MDIC.READ) data = answers ? this.read(register) : 0xffff;
    else if (operation === MDIC.WRITE && answers) this.write(register, data);
    return (command & ~0xffff) | data | MDIC.READY | (answers ? 0 : MDIC.E);
  }

  read(register: number): number {
    const value = this.#regs[register];
    switch (register) {
      case REG.BMSR: {
        // The link bit stays 0 until it is read, once the link was down. [802.3 22.2.4.2.13]
        const link = this.#up && !this.#missed ? BMSR.LINK : 0;
        this.#missed = !this.#up;
        return value | link;
      }
      case REG.STATUS:
        return this.#status();
      case REG.EXPANSION:
        this.#regs[register] &= ~EXPANSION.PAGE;
        return value;
      case REG.EVENTS:
      case REG.ERRORS:
        this.#regs[register] = 0;
        return value;
      default:
        return value;
    }
  }

  write(register: number, value: number): void {
    const before = this.#regs[register];
    this.#regs[register] = (before & ~writable[register]) | (value & writable[register]);
    if (register !== REG.BMCR) return;
    // Speed, duplex and negotiation take effect with the next start only. [8254x 11.1.3]
    const starts = (value & (BMCR.RESET | BMCR.RESTART)) !== 0;
    if (starts || ((value ^ before) & (BMCR.POWER_DOWN | BMCR.LOOPBACK)) !== 0) this.#begin();
  }

  /** The MAC drives RESET#. [8254x 13.4.1, PHY_RST] */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    if (held) this.#regs.set(resetValues);
    this.#begin();
  }

  reset(): void {
    this.#regs.set(resetValues);
    this.#held = false;
    this.#begin();
  }
  save(): PhyState {
    return {
      regs: [...this.#regs],
      plugged: this.#plugged,
      up: this.#up,
      speed: this.#mode.speed,
      full: this.#mode.full,
      missed: this.#missed,
      held: this.#held,
      training: this.#training.save(),
    };
  }
  restore(state: PhyState): void {
    this.#regs.set(state.regs);
    this.#plugged = state.plugged;
    this.#up = state.up;
    this.#mode = { speed: Math.min(state.speed, 2) as Speed, full: state.full };
    this.#missed = state.missed;
    this.#held = state.held;
    this.#training.restore(state.training);
  }

  /** The link starts anew, if it can. */
  #begin(): void {
    const regs = this.#regs;
    this.#training.disarm();
    const was = this.#up;
    this.#up = false;
    this.#missed = true;
    regs[REG.BMSR] &= ~BMSR.DONE;
    regs[REG.PARTNER] = 0;
    regs[REG.GIGABIT_STATUS] = 0;
    if (was) regs[REG.EVENTS] |= EVENT.LINK;
    const off = this.#held || (regs[REG.BMCR] & BMCR.POWER_DOWN) !== 0;
    if (!off && (this.#plugged || this.loopback)) {
      const negotiates = !this.loopback && (regs[REG.BMCR] & BMCR.NEGOTIATE) !== 0;
      this.#training.arm(negotiates ? negotiation : training);
    }
    if (was) this.#changed();
  }

  #establish(): void {
    const regs = this.#regs;
    const mode = this.#resolve();
    if (mode === null) return;
    this.#mode = mode;
    if (!this.loopback && (regs[REG.BMCR] & BMCR.NEGOTIATE) !== 0) {
      regs[REG.BMSR] |= BMSR.DONE;
      regs[REG.PARTNER] = partner;
      regs[REG.GIGABIT_STATUS] = gigabitPartner;
      regs[REG.EXPANSION] |= EXPANSION.PAGE | EXPANSION.PARTNER;
      regs[REG.EVENTS] |= EVENT.SPEED | EVENT.DUPLEX | EVENT.PAGE | EVENT.DONE;
    }
    regs[REG.EVENTS] |= EVENT.LINK;
    this.#up = true;
    this.#changed();
  }

  #status(): number {
    if (!this.#up) return 0;
    const { speed, full } = this.#mode;
    return (speed << 14) | (full ? STATUS.FULL : 0) | STATUS.RESOLVED | STATUS.LINK;
  }
}
