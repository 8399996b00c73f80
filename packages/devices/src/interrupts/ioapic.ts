/**
 * The I/O APIC 82093AA: 24 inputs, each with an entry that says which message its interrupt becomes [82093AA].
 *
 * Lines are asserted or not, whatever their voltage, so the polarity bit of an entry is kept for the guest to read and
 * decides nothing. (Linux takes hard-wired PCI interrupts for active low, whatever the tables say about the ISA range.)
 */
import { assert, flag, type IrqLine, list, record, type StateOf, u8, u32 } from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";

/** What the I/O APIC says to the local APICs. */
export interface ApicMessage {
  /** Delivery mode: 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT. */
  readonly mode: number;
  readonly vector: number;
  /** True: `destination` is a set of logical ids; else an APIC id. */
  readonly logical: boolean;
  readonly destination: number;
  /** Trigger mode: true for level. */
  readonly level: boolean;
  readonly assert: boolean;
}

export interface IoApicEnv {
  /** Delivers a message at once. @returns false if no local APIC is meant by it */
  deliver(message: ApicMessage): boolean;
}
export type IoApicOptions = {
  /** 0x11 is the 82093AA; 0x20 has an EOI register at offset 40. 0x11 unless given. */
  readonly version?: 0x11 | 0x20;
};

export const ioApicState = record({
  id: u8,
  index: u8,
  lines: list(flag, 24),
  low: list(u32, 24),
  high: list(u32, 24),
});
export type IoApicState = StateOf<typeof ioApicState>;

const PINS = 24;
/** Registers by index [82093AA 3.2]. */
const REG = { ID: 0x00, VERSION: 0x01, ARBITRATION: 0x02, REDIRECTION: 0x10 };
/** Lower half of a redirection entry [82093AA 3.2.4]. */
const ENTRY = { VECTOR: 0xff, MODE_SHIFT: 8, LOGICAL: 1 << 11, REMOTE_IRR: 1 << 14, LEVEL: 1 << 15, MASK: 1 << 16 };
const WRITABLE = 0x1afff;
const FIXED = 0;
const LOWEST = 1;

export class IoApic implements Device<IoApicState>, RegisterSpace {
  readonly #env: IoApicEnv;
  readonly #version: number;
  #id = 0;
  #index = 0;
  readonly #lines: boolean[] = new Array(PINS).fill(false);
  readonly #low = new Uint32Array(PINS);
  readonly #high = new Uint32Array(PINS);

  constructor(env: IoApicEnv, { version = 0x11 }: IoApicOptions = {}) {
    this.#env = env;
    this.#version = version;
    this.reset();
  }

  reset(): void {
    this.#id = this.#index = 0;
    this.#low.fill(ENTRY.MASK);
    this.#high.fill(0);
  }
  save(): IoApicState {
    return {
      id: this.#id,
      index: this.#index,
      lines: [...this.#lines],
      low: [...this.#low],
      high: [...this.#high],
    };
  }
  /** Restore it after what drives its lines: their edges are then replaced by what was saved. */
  restore(state: IoApicState): void {
    this.#id = state.id;
    this.#index = state.index;
    this.#lines.splice(0, PINS, ...state.lines);
    this.#low.set(state.low);
    this.#high.set(state.high);
  }

  /** Input `n`, 0 to 23. */
  line(n: number): IrqLine {
    assert(n >= 0 && n < PINS, "an I/O APIC has inputs 0 to 23", { n });
    return { set: (asserted) => this.#set(n, asserted) };
  }

  /** The local APICs tell of the end of a level-triggered interrupt: its entries may send again. */
  endOfInterrupt(vector: number): void {
    for (let n = 0; n < PINS; n++) {
      const low = this.#low[n];
      if ((low & ENTRY.VECTOR) !== vector || !(low & ENTRY.LEVEL) || !(low & ENTRY.REMOTE_IRR)) continue;
      this.#low[n] &= ~ENTRY.REMOTE_IRR;
      this.#sendLevel(n);
    }
  }

  /** Memory: the index at offset 0, its register at 10; the EOI register at 40. All have 32 bits. */
  read(offset: number, bytes: number): number {
    const aligned = offset & ~3;
    const value = aligned === 0 ? this.#index : aligned === 0x10 ? this.#readRegister() : 0;
    return ((value >>> (8 * (offset & 3))) & (0xffffffff >>> (32 - 8 * bytes))) >>> 0;
  }
  write(offset: number, _bytes: number, value: number): void {
    if (offset === 0) this.#index = value & 0xff;
    else if (offset === 0x10) this.#writeRegister(value);
    else if (offset === 0x40 && this.#version >= 0x20) this.endOfInterrupt(value & 0xff);
  }

  #readRegister(): number {
    if (this.#index === REG.ID || this.#index === REG.ARBITRATION) return this.#id << 24;
    if (this.#index === REG.VERSION) return ((PINS - 1) << 16) | this.#version;
    const n = (this.#index - REG.REDIRECTION) >> 1;
    if (n < 0 || n >= PINS) return 0;
    return this.#index & 1 ? this.#high[n] : this.#low[n];
  }
  #writeRegister(value: number): void {
    if (this.#index === REG.ID) this.#id = (value >>> 24) & 0xf;
    const n = (this.#index - REG.REDIRECTION) >> 1;
    if (n < 0 || n >= PINS) return;
    if (this.#index & 1) this.#high[n] = value & 0xff000000;
    else {
      const kept = value & ENTRY.LEVEL ? this.#low[n] & ENTRY.REMOTE_IRR : 0; // as edge-triggered it has no remote IRR
      this.#low[n] = (value & WRITABLE) | kept;
    }
    this.#sendLevel(n);
  }

  #set(n: number, asserted: boolean): void {
    const rises = asserted && !this.#lines[n];
    this.#lines[n] = asserted;
    if (!rises) return;
    const low = this.#low[n];
    if (this.#isLevel(low)) this.#sendLevel(n);
    else if (!(low & ENTRY.MASK)) this.#deliver(n); // a masked edge is lost [82093AA 3.2.4, interrupt mask]
  }
  /** An asserted level is sent once, and again after its end. */
  #sendLevel(n: number): void {
    const low = this.#low[n];
    if (!this.#lines[n] || !this.#isLevel(low) || low & (ENTRY.MASK | ENTRY.REMOTE_IRR)) return;
    // Before the delivery, as the processor may end the interrupt within it.
    this.#low[n] |= ENTRY.REMOTE_IRR;
    if (!this.#deliver(n)) this.#low[n] &= ~ENTRY.REMOTE_IRR;
  }
  /** Only fixed and lowest priority interrupts can be level-triggered [82093AA 3.2.4, trigger mode]. */
  #isLevel(low: number): boolean {
    const mode = (low >>> ENTRY.MODE_SHIFT) & 7;
    return (low & ENTRY.LEVEL) !== 0 && (mode === FIXED || mode === LOWEST);
  }
  #deliver(n: number): boolean {
    const low = this.#low[n];
    return this.#env.deliver({
      mode: (low >>> ENTRY.MODE_SHIFT) & 7,
      vector: low & ENTRY.VECTOR,
      logical: (low & ENTRY.LOGICAL) !== 0,
      destination: this.#high[n] >>> 24,
      level: this.#isLevel(low),
      assert: true,
    });
  }
}
