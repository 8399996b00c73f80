/** The VMM's image on a bare processor, started by a multiboot loader of ten lines. */
import { Cpu } from "@castaway/cpu";
import type { VmmImage } from "@castaway/vmm/host";

export const MIB = 1 << 20;
const word = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];

/** The file's segments: addresses and contents. */
function segments({ bytes }: VmmImage): { readonly start: number; readonly contents: Uint8Array }[] {
  const file = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: file.getUint16(44, true) }, (_, n) => {
    const [offset, start, size] = [4, 12, 16].map((at) => file.getUint32(52 + 32 * n + at, true));
    return { start: start!, contents: bytes.subarray(offset!, offset! + size!) };
  });
}

/** What the file has for addresses. @throws Error if it has not */
export function bytesAt(image: VmmImage, address: number, length: number): Uint8Array {
  for (const { start, contents } of segments(image))
    if (address >= start && address + length <= start + contents.length)
      return contents.slice(address - start, address - start + length);
  throw new Error(`the image has nothing at ${address.toString(16)}`);
}

export interface BootOptions {
  readonly magic?: number;
  readonly cpus?: number;
  /** Base and length of RAM, as the memory map has them. */
  readonly map?: readonly (readonly [base: number, length: number])[];
  /** What else is in memory. */
  readonly prepare?: (cpu: Cpu) => void;
}

/** Loads the image as a multiboot loader does, and runs until everything halts. */
export function bootImage(
  image: VmmImage,
  {
    magic = 0x2badb002,
    cpus = 1,
    map = [
      [0, 0x9fc00],
      [MIB, 63 * MIB],
    ],
    prepare = () => {},
  }: BootOptions = {},
): { readonly cpu: Cpu; printed(): string } {
  let printed = "";
  const write = (port: number, _: number, value: number) => {
    if (port === 0xe9) printed += String.fromCharCode(value & 0xff);
  };
  const cpu = new Cpu({ memory: "64MiB", cpus, patience: 2, ports: { read: () => 0xffffffff, write } });
  for (const { start, contents } of segments(image)) cpu.write(start, contents);
  const entries = map.flatMap(([base, length]) => [20, base, 0, length, 0, 1].flatMap(word));
  cpu.write(0x9000, [...word(1 << 6), ...Array<number>(40).fill(0), ...word(entries.length), ...word(0x9100)]);
  cpu.write(0x9100, entries);
  prepare(cpu);
  cpu.enter("protected32", image.entry);
  cpu.set("RAX", magic);
  cpu.set("RBX", 0x9000);
  cpu.run({ instructions: 20_000_000, nanoseconds: 1e9 });
  return { cpu, printed: () => printed };
}
