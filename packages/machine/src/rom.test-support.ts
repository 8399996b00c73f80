/** Firmware of a few bytes, for tests of the machine. */
import type { MachineOptions } from "./options.ts";

const ROM_BYTES = 0x10000;

/** A ROM whose code begins at F000:0000, where the reset vector jumps to. */
export function rom(...code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ROM_BYTES).fill(0xf4); // HLT
  bytes.set(code, 0);
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // jmp F000:0000
  return bytes;
}

/** Options for a machine with such firmware and little memory. */
export const withRom = (code: readonly number[], options: Partial<MachineOptions> = {}): MachineOptions => ({
  firmware: { bios: rom(...code) },
  memory: "2MiB",
  ...options,
});

/** mov dx, port; then for each byte: mov al, byte; out dx, al. */
export const print = (port: number, text: string): number[] => [
  0xba,
  port & 0xff,
  port >> 8,
  ...Array.from(text, (c) => [0xb0, c.charCodeAt(0), 0xee]).flat(),
];
/** mov dx, port; mov al, byte; out dx, al. */
export const out = (port: number, byte: number): number[] => [0xba, port & 0xff, port >> 8, 0xb0, byte, 0xee];
/** jmp $ */
export const forever = [0xeb, 0xfe];
/** inc eax; jmp back to it: a machine that never does the same twice. */
export const count = [0x66, 0x40, 0xeb, 0xfc];
/** cli; hlt */
export const halt = [0xfa, 0xf4];
