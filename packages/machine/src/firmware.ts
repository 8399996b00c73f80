/** The firmware, iPXE and the demo disk that come with castaway: files of `firmware-blobs`, read by whoever can read files. */
import type { Firmware } from "./board.ts";

/** Reads a file of `firmware-blobs` by its path there: from a disk, or by `fetch`. */
export type BlobReader = (path: string) => Promise<Uint8Array>;

/** SeaBIOS and, unless `display` is false, SeaVGABIOS, which gives the machine its display. */
export async function loadFirmware(
  read: BlobReader,
  { display = true }: { display?: boolean } = {},
): Promise<Firmware> {
  const bios = await read("seabios/bios.bin");
  return display ? { bios, videoBios: await read("seabios/vgabios-stdvga.bin") } : { bios };
}

/** The demo disk, gzip: SYSLINUX, a small Linux with a shell on serial port and screen, `check`, `net` and `bench`. */
export const loadDemoDisk = (read: BlobReader): Promise<Uint8Array> => read("demo/demo.img.gz");

/** iPXE for the network card's option ROM: with it the machine boots from the network. */
export const loadNetworkRom = (read: BlobReader): Promise<Uint8Array> => read("ipxe/pxe-e1000.rom");
