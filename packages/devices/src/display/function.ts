/**
 * The standard VGA's place on the PCI bus: 1234:1111, BAR 0 the frame buffer, BAR 2 its registers, and the video BIOS in
 * the expansion ROM ([STDVGA] = see stdvga.ts, "PCI spec"). The legacy ports and window are the board's to map.
 */
import { ConfigError, kib } from "@castaway/kit";
import { type PciEnv, PciFunction } from "../pci/function.ts";
import { memorySpace } from "./memory-space.ts";
import type { StdVga } from "./stdvga.ts";

/** @param rom the video BIOS, at most 64 KiB. No expansion ROM unless given */
export function displayFunction(vga: StdVga, env: PciEnv, rom?: Uint8Array): PciFunction {
  if (rom && rom.length > kib(64)) throw new ConfigError("video BIOS", rom.length, "at most 64KiB");
  const pci = new PciFunction(
    {
      vendor: 0x1234,
      device: 0x1111,
      revision: 2,
      classCode: 0x030000,
      bars: {
        0: { kind: "memory", size: vga.frameBuffer.memory.length, prefetchable: true },
        2: { kind: "memory", size: kib(4) },
      },
      rom: rom && kib(64),
    },
    env,
  );
  pci.attach(0, vga.frameBuffer);
  pci.attach(2, vga.mmio);
  if (rom) pci.attach("rom", memorySpace(rom.slice(), false));
  return pci;
}
