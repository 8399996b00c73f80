/** What is deployed: the demo disk, longer ones, and disks for guests that do nothing. */
import { createCipheriv } from "node:crypto";
import { demoImage } from "../../test/system/guests/machine.ts";

/** Bytes that neither compress nor are zero. */
const noise = (bytes: number): Uint8Array =>
  createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(bytes));

/** The demo disk, and noise behind it up to `size` bytes. */
export function longDemo(size: number): Uint8Array {
  const demo = demoImage();
  if (size <= demo.length) return demo;
  const image = new Uint8Array(size);
  image.set(demo);
  image.set(noise(size - demo.length), demo.length);
  return image;
}

/** Noise behind a boot sector that halts, and does so again after each interrupt. */
export function idleImage(size: number): Uint8Array {
  const image = new Uint8Array(noise(size));
  image.set([0xfb, 0xf4, 0xeb, 0xfc]); // STI; HLT; back to STI
  image.set([0x55, 0xaa], 510);
  return image;
}
