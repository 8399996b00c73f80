/** The machine that guests run on: SeaBIOS, a standard VGA, one disk, whose image is never written. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { BlockDevice } from "@castaway/kit";
import { ImageDisk, Machine, type MachineOptions, OverlayDisk } from "castaway";
import { root } from "../../../scripts/bundle.mjs";

/** A file of firmware-blobs. */
export const blob = (path: string) => new Uint8Array(readFileSync(join(root, "firmware-blobs", path)));

/** The demo disk's image. */
export const demoImage = (): Uint8Array => new Uint8Array(gunzipSync(blob("demo/demo.img.gz")));

/** A machine that boots a disk; what it writes goes to an overlay. */
export function machine(disk: Uint8Array | BlockDevice, options: Partial<MachineOptions> = {}): Machine {
  return new Machine({
    firmware: { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") },
    disks: [new OverlayDisk(disk instanceof Uint8Array ? new ImageDisk(disk) : disk)],
    ...options,
  });
}
