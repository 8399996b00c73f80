/** The VMM's image as a boot loader places it. */
import type { VmmImage } from "@castaway/vmm/host";

/** What the file has for addresses. @throws Error if it has not */
export function bytesAt({ bytes }: VmmImage, address: number, length: number): Uint8Array {
  const file = new DataView(bytes.buffer, bytes.byteOffset);
  for (let n = 0; n < file.getUint16(44, true); n++) {
    const [offset, start, size] = [4, 8, 16].map((at) => file.getUint32(52 + 32 * n + at, true));
    if (address >= start! && address + length <= start! + size!)
      return bytes.slice(offset! + address - start!, offset! + address - start! + length);
  }
  throw new Error(`the image has nothing at ${address.toString(16)}`);
}
