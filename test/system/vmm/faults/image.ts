/** The disk of the fault tests: programs/faults.c, and behind it sectors that tell where they belong. */
import { programImage } from "../programs.ts";

/** As in faults.c. */
const SECTORS = 4096;
const FIRST = 64;

/** Every dword follows from its sector's number; none of it is zero for long, so nothing is a hole. */
export function patternImage(): Uint8Array {
  const image = programImage("faults", SECTORS * 512);
  const words = new Uint32Array(image.buffer);
  for (let lba = FIRST; lba < SECTORS; lba++)
    for (let i = 0; i < 128; i++) words[lba * 128 + i] = Math.imul(lba, 0x9e3779b1) + Math.imul(i, 0xc2b2ae35);
  return image;
}
