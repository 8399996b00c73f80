/** What the measurements have in common: images, and a machine that has its disk already. */
import { type BlockDevice, Random } from "@castaway/kit";
import { ImageDisk, Machine, type MachineOptions, OverlayDisk } from "castaway";
import { blob } from "../../test/system/guests/machine.ts";

/** An image of so many bytes that begins with `start`, and has no zeros behind it: nothing of it is a hole. */
export function fullImage(start: Uint8Array, bytes: number): Uint8Array {
  const image = new Uint8Array(bytes);
  const random = new Random(1);
  const words = new Uint32Array(image.buffer);
  for (let n = start.length >> 2; n < words.length; n++) words[n] = random.u32() | 1;
  image.set(start);
  return image;
}

/** A machine without hypervisor and servers. */
export function plainMachine(
  disks: readonly (BlockDevice | Uint8Array)[],
  options: Partial<MachineOptions> = {},
): Promise<Machine> {
  const medium = (disk: BlockDevice | Uint8Array) =>
    disk instanceof Uint8Array ? new OverlayDisk(new ImageDisk(disk)) : disk;
  return Machine.create({
    firmware: { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") },
    disks: disks.map((disk) => ({ medium: medium(disk), timing: "ssd" as const })),
    ...options,
  });
}
