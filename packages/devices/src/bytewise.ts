/** Chips on an 8-bit bus: whatever the CPU's access was, they see single bytes in the order of their addresses. */
import type { RegisterSpace } from "./device.ts";

/** A register space of a chip whose registers are all of one byte. `value` is 0 to 255. */
export function bytewise(
  read: (offset: number) => number,
  write: (offset: number, value: number) => void,
): RegisterSpace {
  return {
    read(offset, bytes) {
      if (bytes === 1) return read(offset);
      let value = 0;
      for (let i = 0; i < bytes && i < 4; i++) value |= read(offset + i) << (8 * i);
      return value >>> 0;
    },
    write(offset, bytes, value) {
      for (let i = 0; i < bytes && i < 4; i++) write(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };
}
