/**
 * The CPU's window on the display's memory, A0000h-BFFFFh. [VGA] = see registers.ts.
 *
 * A plane's byte at address a is at 4a + plane of the memory, as in all SVGAs with a linear frame buffer. Chained modes
 * and odd/even modes are packed likewise, so that a linear mode's pixels lie in order.
 */
import { bytewise } from "../bytewise.ts";
import type { RegisterSpace } from "../device.ts";
import type { Dispi } from "./dispi.ts";
import { GC, RAM_ENABLED, SEQ, type VgaRegisters } from "./registers.ts";

/** Sequencer, memory mode ([VGA] "Memory Mode Register"): no odd/even, chain four planes. */
const SEQUENTIAL = 0x04, CHAIN4 = 0x08; // biome-ignore format: a table
/** Graphics mode ([VGA] "Graphics Mode Register"): compare colours on reads, odd/even on reads. */
const COMPARE = 0x08, ODD_EVEN = 0x10; // biome-ignore format: a table

/** First offset and size of the window, by memory map ([VGA] "Miscellaneous Register", bits 3:2). */
const maps = [
  { first: 0x00000, size: 0x20000 },
  { first: 0x00000, size: 0x10000 },
  { first: 0x10000, size: 0x08000 },
  { first: 0x18000, size: 0x08000 },
];

export class Window {
  readonly #vga: VgaRegisters;
  readonly #dispi: Dispi;
  readonly #memory: Uint8Array;
  /** What the last read found in the four planes, plane 0 in bits 7:0. */
  latch = 0;

  readonly space: RegisterSpace = bytewise(
    (offset) => this.#read(offset),
    (offset, value) => this.#write(offset, value),
  );

  constructor(vga: VgaRegisters, dispi: Dispi, memory: Uint8Array) {
    this.#vga = vga;
    this.#dispi = dispi;
    this.#memory = memory;
  }

  /** Whether a DISPI mode with whole pixels is on: the window is then a 64 KiB piece of the memory. */
  get #linear(): boolean {
    return this.#dispi.enabled && this.#dispi.bitsPerPixel !== 4;
  }

  /** The address within the planes that an offset in the window means, or -1. */
  #address(offset: number): number {
    if (this.#dispi.enabled) return offset < 0x10000 ? offset + this.#dispi.bank : -1;
    if (!(this.#vga.misc & RAM_ENABLED)) return -1;
    const { first, size } = maps[(this.#vga.gc[GC.MISC] >> 2) & 3];
    const address = offset - first;
    return address >= 0 && address < size ? address : -1;
  }

  #read(offset: number): number {
    const { seq, gc } = this.#vga;
    const address = this.#address(offset);
    if (address < 0) return 0xff;
    if (this.#linear) return this.#memory[address] ?? 0xff;
    if (seq[SEQ.MEMORY_MODE] & CHAIN4) return this.#readPlane(address >> 2, address & 3);
    if (gc[GC.MODE] & ODD_EVEN) return this.#readPlane(address >> 1, (gc[GC.READ_MAP] & 2) | (address & 1));
    return this.#readPlane(address, gc[GC.READ_MAP] & 3);
  }

  /** Fills the latches; read mode 0 answers a plane, read mode 1 which pixels have a colour ([VGA] "Color Compare"). */
  #readPlane(address: number, plane: number): number {
    const at = 4 * address;
    const memory = this.#memory;
    if (at >= memory.length) return 0xff;
    const { gc } = this.#vga;
    this.latch = (memory[at] | (memory[at + 1] << 8) | (memory[at + 2] << 16) | (memory[at + 3] << 24)) >>> 0;
    if (!(gc[GC.MODE] & COMPARE)) return memory[at + plane];
    let differs = 0;
    for (let p = 0; p < 4; p++) {
      if ((gc[GC.DONT_CARE] >> p) & 1) differs |= memory[at + p] ^ fill(gc[GC.COLOR_COMPARE], p);
    }
    return ~differs & 0xff;
  }

  #write(offset: number, value: number): void {
    const { seq } = this.#vga;
    const address = this.#address(offset);
    if (address < 0) return;
    const planes = seq[SEQ.MAP_MASK];
    if (this.#linear) {
      if (address < this.#memory.length) this.#memory[address] = value;
    } else if (seq[SEQ.MEMORY_MODE] & CHAIN4) this.#writePlanes(address >> 2, planes & (1 << (address & 3)), value);
    else if (seq[SEQ.MEMORY_MODE] & SEQUENTIAL) this.#writePlanes(address, planes, value);
    else this.#writePlanes(address >> 1, planes & (address & 1 ? 0b1010 : 0b0101), value);
  }

  /** The write modes ([VGA] "Graphics Mode Register"), on the planes whose bit in `planes` is set. */
  #writePlanes(address: number, planes: number, value: number): void {
    const at = 4 * address;
    if (at >= this.#memory.length) return;
    const { gc } = this.#vga;
    const mode = gc[GC.MODE] & 3;
    const rotated = mode === 2 ? value : rotate(value, gc[GC.ROTATE] & 7);
    const mask = mode === 3 ? gc[GC.BIT_MASK] & rotated : gc[GC.BIT_MASK];
    for (let plane = 0; plane < 4; plane++) {
      if (!((planes >> plane) & 1)) continue;
      const latched = (this.latch >>> (8 * plane)) & 0xff;
      let data = rotated;
      if (mode === 1) data = latched;
      else if (mode === 2) data = fill(value, plane);
      else if (mode === 3 || (gc[GC.ENABLE_SET_RESET] >> plane) & 1) data = fill(gc[GC.SET_RESET], plane);
      if (mode !== 1) data = (combine(gc[GC.ROTATE] >> 3, data, latched) & mask) | (latched & ~mask);
      this.#memory[at + plane] = data;
    }
  }
}

/** All ones or zeros as a plane's bit of a colour. */
const fill = (color: number, plane: number): number => ((color >> plane) & 1 ? 0xff : 0);

const rotate = (value: number, count: number): number => ((value >> count) | (value << (8 - count))) & 0xff;

/** [VGA] "Data Rotate Register", bits 4:3. */
function combine(operation: number, data: number, latched: number): number {
  if (operation === 0) return data;
  if (operation === 1) return data & latched;
  return operation === 2 ? data | latched : data ^ latched;
}
