/** Memory by linear address through a processor's page tables, for a debugger: nothing is marked, no device is asked. */
import type { Cpu } from "@castaway/cpu";

const PAGE = 4096;

/**
 * As many bytes from a linear address on as there are before the first one that is not mapped, or is a device's; at most
 * `length`.
 */
export function readMemory(cpu: Cpu, id: number, linear: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = linear + done,
      n = Math.min(length - done, PAGE - (at & (PAGE - 1)));
    const piece = isAddress(at) ? cpu.readLinear(at, n, id) : null;
    if (piece === null) break;
    bytes.set(piece, done);
    done += n;
  }
  return bytes.subarray(0, done);
}

/** Writes RAM whatever the rights; false, with nothing written, if a byte is not mapped, or not RAM. */
export const writeMemory = (cpu: Cpu, id: number, linear: number, bytes: Uint8Array): boolean =>
  isAddress(linear) && isAddress(linear + bytes.length - 1) && cpu.writeLinear(linear, bytes, id);

const isAddress = (linear: number) => linear >= -(2 ** 47) && linear < 2 ** 47;
