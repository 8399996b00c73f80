/**
 * The Bochs display interface: linear modes by eleven registers of 16 bits. [DISPI] = "VBE Display API", in the
 * documentation of the LGPL'd VGA BIOS, with the version history B0C0 to B0C5.
 */
import { list, record, type StateOf, u16 } from "@castaway/kit";
import type { RegisterSpace } from "../device.ts";

/** Registers by index ([DISPI] "API"). */
// biome-ignore format: a table
export const DISPI = {
  ID: 0, XRES: 1, YRES: 2, BPP: 3, ENABLE: 4, BANK: 5, VIRT_WIDTH: 6, VIRT_HEIGHT: 7, X_OFFSET: 8, Y_OFFSET: 9, MEMORY: 10,
} as const;
/** Bits of ENABLE. LFB (40h) says where the guest will write; both places always work. */
export const ENABLED = 0x01;
const GETCAPS = 0x02;
const DAC8 = 0x20;
const NOCLEAR = 0x80;

const FIRST_ID = 0xb0c0;
const LAST_ID = 0xb0c5;
/** What GETCAPS answers: the largest mode of any memory. */
const MAX_XRES = 16000;
const MAX_YRES = 12000;
const MAX_BPP = 32;

export const dispiState = record({ index: u16, registers: list(u16, 11) });
export type DispiState = StateOf<typeof dispiState>;

export class Dispi {
  readonly #memory: Uint8Array;
  #index = 0;
  #registers: number[] = [];

  /** Ports 1CEh (index), 1CFh and 1D0h (data), of 16 bits each, though they overlap. */
  readonly ports: RegisterSpace = {
    read: (offset, bytes) => {
      if (bytes === 1 || offset > 2) return bytes === 1 ? 0xff : 0xffff;
      const value = offset === 0 ? this.#index : this.read(this.#index);
      return bytes === 2 ? value : (value | 0xffff0000) >>> 0;
    },
    write: (offset, bytes, value) => {
      if (bytes === 1) return;
      if (offset === 0) this.#index = value & 0xffff;
      else if (offset <= 2) this.write(this.#index, value & 0xffff);
    },
  };

  constructor(memory: Uint8Array) {
    this.#memory = memory;
    this.reset();
  }

  reset(): void {
    this.#index = 0;
    this.#registers = [LAST_ID, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0];
  }

  save(): DispiState {
    return { index: this.#index, registers: [...this.#registers] };
  }

  restore(state: DispiState): void {
    this.#index = state.index;
    this.#registers = [...state.registers];
    this.#fit();
  }

  get enabled(): boolean {
    return (this.#registers[DISPI.ENABLE] & ENABLED) !== 0;
  }
  /** Whether the DAC's components have 8 bits. */
  get dac8(): boolean {
    return (this.#registers[DISPI.ENABLE] & (ENABLED | DAC8)) === (ENABLED | DAC8);
  }
  /** While {@link enabled}: 4 (planar), 8, 15, 16, 24 or 32. */
  get bitsPerPixel(): number {
    return this.#registers[DISPI.BPP];
  }
  get width(): number {
    return this.#registers[DISPI.XRES];
  }
  get height(): number {
    return this.#registers[DISPI.YRES];
  }
  /** Bytes from one line to the next. */
  get pitch(): number {
    return this.#registers[DISPI.VIRT_WIDTH] * this.#pixelBytes;
  }
  /** Where in memory the picture begins, in bytes. */
  get start(): number {
    const x = this.#registers[DISPI.X_OFFSET] * this.#pixelBytes;
    return Math.floor(x) + this.#registers[DISPI.Y_OFFSET] * this.pitch;
  }
  /** What is added to an address in the window at A0000h. */
  get bank(): number {
    return this.#registers[DISPI.BANK] * 0x10000;
  }

  /** Reads a register ([DISPI]; with GETCAPS set three of them answer what is possible). */
  read(index: number): number {
    if (this.#registers[DISPI.ENABLE] & GETCAPS) {
      if (index === DISPI.XRES) return MAX_XRES;
      if (index === DISPI.YRES) return MAX_YRES;
      if (index === DISPI.BPP) return MAX_BPP;
    }
    if (index === DISPI.MEMORY) return this.#memory.length >>> 16;
    return this.#registers[index] ?? 0;
  }

  write(index: number, value: number): void {
    switch (index) {
      case DISPI.ID:
        if (value >= FIRST_ID && value <= LAST_ID) this.#registers[DISPI.ID] = value;
        return;
      case DISPI.XRES:
      case DISPI.YRES:
      case DISPI.BPP:
      case DISPI.VIRT_WIDTH:
      case DISPI.X_OFFSET:
      case DISPI.Y_OFFSET:
        this.#registers[index] = value;
        return this.#fit();
      case DISPI.BANK:
        this.#registers[DISPI.BANK] = value & this.#lastBank;
        return;
      case DISPI.ENABLE:
        return this.#enable(value);
    }
  }

  /** A mode begins: at the top left, its lines as long as the screen is wide, and black unless asked otherwise. */
  #enable(value: number): void {
    const begins = (value & ENABLED) !== 0 && !this.enabled;
    this.#registers[DISPI.ENABLE] = value;
    this.#registers[DISPI.BANK] = 0;
    if (!begins) return;
    this.#registers[DISPI.VIRT_WIDTH] = this.#registers[DISPI.X_OFFSET] = this.#registers[DISPI.Y_OFFSET] = 0;
    this.#fit();
    if (!(value & NOCLEAR)) this.#memory.fill(0, 0, Math.ceil(this.height * this.pitch));
  }

  get #pixelBytes(): number {
    const bits = this.bitsPerPixel;
    return (bits === 15 ? 16 : bits) / 8;
  }

  /** The last bank of the window; planar modes see four bytes at each address. */
  get #lastBank(): number {
    const banks = this.#memory.length >>> 16;
    return (this.bitsPerPixel === 4 ? banks >>> 2 : banks) - 1;
  }

  /** While a mode is on its registers describe a picture that is in memory: what does not fit is made to. */
  #fit(): void {
    if (!this.enabled) return;
    const r = this.#registers;
    if (![4, 8, 15, 16, 24, 32].includes(r[DISPI.BPP])) r[DISPI.BPP] = 8;
    r[DISPI.XRES] = Math.min(Math.max(r[DISPI.XRES] & ~7, 8), MAX_XRES);
    r[DISPI.VIRT_WIDTH] = Math.max(Math.min(r[DISPI.VIRT_WIDTH] & ~7, MAX_XRES), r[DISPI.XRES]);
    const lines = Math.floor(this.#memory.length / this.pitch);
    r[DISPI.YRES] = Math.min(Math.max(r[DISPI.YRES], 1), MAX_YRES, lines);
    r[DISPI.VIRT_HEIGHT] = Math.min(lines, 0xffff);
    const size = this.height * this.pitch;
    if (this.start + size > this.#memory.length) r[DISPI.Y_OFFSET] = 0;
    if (this.start + size > this.#memory.length) r[DISPI.X_OFFSET] = 0;
    r[DISPI.BANK] &= this.#lastBank;
  }
}
