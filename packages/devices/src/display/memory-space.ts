/** Memory in a register space's place: a frame buffer, an expansion ROM. */
import type { RegisterSpace } from "../device.ts";

/** A register space that is nothing but memory; who maps it may give the CPU `memory` directly. */
export interface MemorySpace extends RegisterSpace {
  readonly memory: Uint8Array;
  readonly writable: boolean;
}

/** `memory` as a register space; beyond its end reads are all ones. Writes to one that is not `writable` do nothing. */
export function memorySpace(memory: Uint8Array, writable: boolean): MemorySpace {
  return {
    memory,
    writable,
    read(offset, bytes) {
      let value = 0;
      for (let i = 0; i < bytes && i < 4; i++) value |= (memory[offset + i] ?? 0xff) << (8 * i);
      return value >>> 0;
    },
    write(offset, bytes, value) {
      for (let i = 0; writable && i < bytes && i < 4; i++) {
        if (offset + i < memory.length) memory[offset + i] = value >>> (8 * i);
      }
    },
  };
}
