/**
 * One 8259A interrupt controller as it stands in a PIIX: edge or level by pin, no buffered and no MCS-80 mode
 * [8259A], [82371AB 4.2.2]. Two of them make a PC's pair: pics.ts.
 */
import { bit, type IrqLine, record, type StateOf, u8 } from "@castaway/kit";
import { bytewise } from "../bytewise.ts";

const ICW1 = { IC4: 1 << 0, SNGL: 1 << 1, START: 1 << 4 };
const ICW4 = { AEOI: 1 << 1, SFNM: 1 << 4 };
const OCW3 = { RIS: 1 << 0, RR: 1 << 1, POLL: 1 << 2, START: 1 << 3, SMM: 1 << 5, ESMM: 1 << 6 };
/** OCW2 bits 7 to 5: rotate, specific, end of interrupt. */
const OCW2 = { R: 4, SL: 2, EOI: 1 };

export const picState = record({
  /** Levels of the inputs. */
  lines: u8,
  /** Inputs that have risen and were not acknowledged since. */
  risen: u8,
  isr: u8,
  imr: u8,
  /** Inputs that are level-triggered. */
  elcr: u8,
  base: u8,
  /** The initialization word that is awaited: 2, 3 or 4; 0: initialized; 1: not since power-on. */
  awaits: u8,
  icw1: u8,
  icw4: u8,
  /** The input with the lowest priority. */
  lowest: u8,
  rotateOnAeoi: u8,
  specialMask: u8,
  /** OCW3: 1 if reads give ISR, else IRR. */
  readIsr: u8,
  poll: u8,
});
export type PicState = StateOf<typeof picState>;

const afterPowerOn = (): PicState => ({
  lines: 0,
  risen: 0,
  isr: 0,
  imr: 0,
  elcr: 0,
  base: 0,
  awaits: 1,
  icw1: 0,
  icw4: 0,
  lowest: 7,
  rotateOnAeoi: 0,
  specialMask: 0,
  readIsr: 0,
  poll: 0,
});

export interface PicEnv {
  /** INT: to the processor, or to an input of the master. */
  readonly int: IrqLine;
  /** Inputs with a controller of their own behind them: the master's input 2. */
  readonly cascade?: number;
}

export class Pic {
  /** Its two ports. */
  readonly ports = bytewise(
    (offset) => this.#read(offset),
    (offset, value) => this.#write(offset, value),
  );
  readonly #env: PicEnv;
  #s = afterPowerOn();

  constructor(env: PicEnv) {
    this.#env = env;
  }

  /** RESET# reaches ELCR; the 8259A itself has no reset input, and is put into its state of power-on. Lines stay. */
  reset(): void {
    this.#s = { ...afterPowerOn(), lines: this.#s.lines };
    this.#drive();
  }
  save(): PicState {
    return { ...this.#s };
  }
  restore(state: PicState): void {
    this.#s = { ...state };
    this.#drive();
  }

  /** Interrupt requests: rising edges until acknowledged or withdrawn, and levels. */
  get irr(): number {
    const { lines, risen, elcr } = this.#s;
    return lines & (risen | elcr);
  }
  get elcr(): number {
    return this.#s.elcr;
  }
  set elcr(value: number) {
    this.#s.elcr = value & 0xff;
    this.#drive();
  }

  /** Input `n` is at that level. */
  set(n: number, high: boolean): void {
    const s = this.#s;
    const mask = 1 << n;
    if (high) {
      if (!(s.lines & mask)) s.risen |= mask;
      s.lines |= mask;
    } else {
      s.lines &= ~mask;
      s.risen &= ~mask;
    }
    this.#drive();
  }

  /** An interrupt acknowledge cycle: gives the input that is served now, 7 if the request has gone [8259A "DEFAULT IR7"]. */
  acknowledge(): number {
    const n = this.#next();
    this.#env.int.set(false); // INT falls in every acknowledge cycle, so that a next request is an edge to the master
    if (n >= 0) this.#serve(n);
    this.#drive();
    return n >= 0 ? n : 7;
  }
  /** The vector of input `n`. */
  vector(n: number): number {
    return this.#s.base | n;
  }

  #read(offset: number): number {
    const s = this.#s;
    if (s.poll) {
      s.poll = 0;
      const n = this.#next();
      if (n < 0) return 0;
      this.acknowledge();
      return 0x80 | n;
    }
    if (offset & 1) return s.imr;
    return s.readIsr ? s.isr : this.irr;
  }

  #write(offset: number, value: number): void {
    const s = this.#s;
    if (offset & 1) {
      if (s.awaits > 1) this.#initialize(value);
      else s.imr = value;
    } else if (value & ICW1.START) this.#begin(value);
    else if (value & OCW3.START) this.#control(value);
    else this.#command(value >>> 5, value & 7);
    this.#drive();
  }

  /** ICW1: what it resets is listed in [8259A "Initialization command words"]. */
  #begin(icw1: number): void {
    const { lines, elcr } = this.#s;
    this.#s = { ...afterPowerOn(), lines, elcr, icw1, awaits: 2 };
  }
  /** ICW2, ICW3 and ICW4, as many as ICW1 has announced. */
  #initialize(value: number): void {
    const s = this.#s;
    const last = s.icw1 & ICW1.IC4 ? 4 : 0;
    if (s.awaits === 2) {
      s.base = value & 0xf8;
      s.awaits = s.icw1 & ICW1.SNGL ? last : 3;
    } else if (s.awaits === 3) s.awaits = last;
    else {
      s.icw4 = value & 0x1f;
      s.awaits = 0;
    }
  }
  /** OCW3. */
  #control(value: number): void {
    const s = this.#s;
    if (value & OCW3.ESMM) s.specialMask = value & OCW3.SMM ? 1 : 0;
    s.poll = value & OCW3.POLL ? 1 : 0;
    if (value & OCW3.RR) s.readIsr = value & OCW3.RIS;
  }
  /** OCW2: ends of interrupts and rotation. */
  #command(what: number, level: number): void {
    const s = this.#s;
    if (what & OCW2.EOI) {
      const n = what & OCW2.SL ? level : this.#inService(s.specialMask ? s.isr & ~s.imr : s.isr);
      if (n < 0) return;
      s.isr &= ~(1 << n);
      if (what & OCW2.R) s.lowest = n;
    } else if (!(what & OCW2.SL)) s.rotateOnAeoi = what & OCW2.R ? 1 : 0;
    else if (what & OCW2.R) s.lowest = level;
  }

  #serve(n: number): void {
    const s = this.#s;
    s.risen &= ~(1 << n);
    if (!(s.icw4 & ICW4.AEOI)) s.isr |= 1 << n;
    else if (s.rotateOnAeoi) s.lowest = n;
  }

  /** Of the inputs in `mask` the one with the highest priority; -1: none. */
  #inService(mask: number): number {
    for (let i = 1; i <= 8; i++) {
      const n = (this.#s.lowest + i) & 7;
      if (bit(mask, n)) return n;
    }
    return -1;
  }

  /**
   * The request to serve next: the highest of those unmasked, if it is above all that are in service; -1: none. In
   * special mask mode a masked input in service holds nobody back. In special fully nested mode a controller behind
   * the input in service may interrupt again.
   */
  #next(): number {
    const s = this.#s;
    if (s.awaits !== 0) return -1;
    const serving = s.specialMask ? s.isr & ~s.imr : s.isr;
    const requests = this.irr & ~s.imr;
    if (requests === 0) return -1;
    for (let i = 1; i <= 8; i++) {
      const n = (s.lowest + i) & 7;
      const nested = s.icw4 & ICW4.SFNM && n === this.#env.cascade;
      if (bit(serving, n) && !nested) return -1;
      if (bit(requests, n)) return n;
      if (bit(serving, n)) return -1;
    }
    return -1;
  }
  #drive(): void {
    this.#env.int.set(this.#next() >= 0);
  }
}
