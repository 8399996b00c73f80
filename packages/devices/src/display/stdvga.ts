/**
 * QEMU's standard VGA (1234:1111) as a chip: a VGA with Bochs' display interface over up to 16 MiB of memory.
 * [STDVGA] = QEMU documentation, "QEMU Standard VGA", docs/specs/standard-vga.
 *
 *     const vga = new StdVga({ clock, memory: new Uint8Array(mib(16)) });
 *     vga.screen()?.lines;                         // what a text mode shows, in Unicode
 *     const { width, height, rgba } = vga.render();
 */
import {
  alignUp,
  bytes,
  type Clock,
  ConfigError,
  isPowerOfTwo,
  kib,
  mib,
  record,
  StateError,
  type StateOf,
  u32,
} from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import { Dispi, dispiState } from "./dispi.ts";
import { type MemorySpace, memorySpace } from "./memory-space.ts";
import { VgaRegisters, vgaRegistersState } from "./registers.ts";
import { type Picture, render } from "./render.ts";
import { statusOfCrtc, statusOfDispi } from "./retrace.ts";
import { type Screen, screen } from "./text.ts";
import { Window } from "./window.ts";

/** All that the display may touch. */
export type StdVgaEnv = {
  readonly clock: Clock;
  /**
   * The display's memory: 256 KiB to 16 MiB, a power of two. The guest sees it as linear frame buffer, too, so it may be a
   * part of the memory that the CPU maps. The chip saves and restores it.
   */
  readonly memory: Uint8Array;
};

export const stdVgaState = record({
  vga: vgaRegistersState,
  dispi: dispiState,
  latch: u32,
  /** The memory up to its last page that is not all 0. */
  memory: bytes(),
});
export type StdVgaState = StateOf<typeof stdVgaState>;

/** Of the MMIO BAR ([STDVGA] "MMIO area spec"): VGA ports from 3C0h on, DISPI registers, QEMU's extensions. */
const VGA_PORTS = 0x400, DISPI_REGISTERS = 0x500, EXTENSIONS = 0x600; // biome-ignore format: a table
/** Extensions: their size, and that the frame buffer is little-endian. */
const extensions = [8, 0x1e1e1e1e];

export class StdVga implements Device<StdVgaState> {
  /** Ports 3B0h-3DFh. */
  readonly ports: RegisterSpace;
  /** Ports 1CEh-1D0h. */
  readonly dispiPorts: RegisterSpace;
  /** Memory A0000h-BFFFFh. */
  readonly window: RegisterSpace;
  /** The linear frame buffer: all of {@link StdVgaEnv.memory}. */
  readonly frameBuffer: MemorySpace;
  /** BAR 2: 4 KiB of registers. */
  readonly mmio: RegisterSpace = {
    read: (offset, bytes) => this.#readMmio(offset, bytes),
    write: (offset, bytes, value) => this.#writeMmio(offset, bytes, value),
  };

  readonly #env: StdVgaEnv;
  readonly #vga: VgaRegisters;
  readonly #dispi: Dispi;
  readonly #window: Window;

  constructor(env: StdVgaEnv) {
    const { length } = env.memory;
    if (!isPowerOfTwo(length) || length < kib(256) || length > mib(16))
      throw new ConfigError("video memory", length, "256KiB to 16MiB, a power of two");
    this.#env = env;
    const dispi = new Dispi(env.memory);
    const vga: VgaRegisters = new VgaRegisters(() =>
      dispi.enabled ? statusOfDispi(env.clock.now) : statusOfCrtc(vga, env.clock.now),
    );
    this.#vga = vga;
    this.#dispi = dispi;
    this.#window = new Window(vga, dispi, env.memory);
    this.ports = vga.ports;
    this.window = this.#window.space;
    this.frameBuffer = memorySpace(env.memory, true);
    this.dispiPorts = {
      read: dispi.ports.read,
      write: (offset, bytes, value) => {
        dispi.ports.write(offset, bytes, value);
        vga.dac8 = dispi.dac8;
      },
    };
  }

  /** What a text mode shows, whether or not the screen is blanked; null in a graphics mode. */
  screen(): Screen | null {
    if (this.#dispi.enabled || this.#vga.graphics) return null;
    return screen(this.#vga, this.#env.memory);
  }

  /**
   * The pixels of the current mode, one for each that the guest draws. Blinking follows virtual time.
   * @param into a picture from before, which is filled again if its size still fits
   */
  render(into?: Picture): Picture {
    const { memory, clock } = this.#env;
    return render({ vga: this.#vga, dispi: this.#dispi, memory, now: clock.now }, into);
  }

  /** The memory stays, as on hardware. */
  reset(): void {
    this.#vga.reset();
    this.#dispi.reset();
    this.#vga.dac8 = false;
    this.#window.latch = 0;
  }

  save(): StdVgaState {
    return {
      vga: this.#vga.save(),
      dispi: this.#dispi.save(),
      latch: this.#window.latch,
      memory: trimmed(this.#env.memory),
    };
  }

  restore(state: StdVgaState): void {
    const { memory } = this.#env;
    if (state.memory.length > memory.length)
      throw new StateError("memory", `${state.memory.length} bytes are more than the display's ${memory.length}`);
    memory.set(state.memory);
    memory.fill(0, state.memory.length);
    this.#vga.restore(state.vga);
    this.#dispi.restore(state.dispi);
    this.#vga.dac8 = this.#dispi.dac8;
    this.#window.latch = state.latch;
  }

  /** EDID would be below 400h; there is none, so it reads 0 ([STDVGA]). */
  #readMmio(offset: number, bytes: number): number {
    if (offset >= VGA_PORTS && offset < VGA_PORTS + 0x20) return this.ports.read(offset - VGA_PORTS + 0x10, bytes);
    let value = 0;
    for (let i = 0; i < bytes && i < 4; i++) value |= this.#mmioByte(offset + i) << (8 * i);
    return value >>> 0;
  }

  #mmioByte(offset: number): number {
    if (offset >= DISPI_REGISTERS && offset < DISPI_REGISTERS + 0x16)
      return (this.#dispi.read((offset - DISPI_REGISTERS) >> 1) >> (8 * (offset & 1))) & 0xff;
    const extension = extensions[(offset - EXTENSIONS) >> 2] ?? 0;
    return (extension >>> (8 * (offset & 3))) & 0xff;
  }

  /** DISPI registers take whole words; a byte is nothing to them. */
  #writeMmio(offset: number, bytes: number, value: number): void {
    if (offset >= VGA_PORTS && offset < VGA_PORTS + 0x20)
      return this.ports.write(offset - VGA_PORTS + 0x10, bytes, value);
    if (offset < DISPI_REGISTERS || offset >= DISPI_REGISTERS + 0x16 || offset & 1) return;
    for (let i = 0; i + 2 <= bytes && i < 4; i += 2)
      this.#dispi.write((offset + i - DISPI_REGISTERS) >> 1, (value >>> (8 * i)) & 0xffff);
    this.#vga.dac8 = this.#dispi.dac8;
  }
}

/** A copy without the zeros at the end; its length is a multiple of 4 KiB. */
function trimmed(memory: Uint8Array): Uint8Array {
  let used = memory.length;
  while (used > 0 && memory[used - 1] === 0) used--;
  return memory.slice(0, alignUp(used, kib(4)));
}
