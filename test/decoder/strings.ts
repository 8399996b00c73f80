/** Byte strings for the comparison: seeded, so that everybody compares the same ones. */
import { Random } from "@castaway/kit";
import type { Bits } from "./objdump.ts";

/** Bytes of chance; then NOPs, so that whatever was begun ends before the next string. */
const CHANCE = 15;
export const STRIDE = 32;

const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf2, 0xf3, 0xf3];

/**
 * Half of the strings are 15 random bytes. As those are mostly one-byte opcodes, the others begin with up to two prefixes,
 * in 64-bit mode often REX, and an opcode from a map chosen first; one in 500 with so many prefixes that it may be too long.
 */
export function byteStrings(bits: Bits, count: number): Uint8Array {
  const random = new Random(`decoder ${bits}`);
  const bytes = new Uint8Array(count * STRIDE).fill(0x90);
  for (let n = 0; n < count; n++) {
    const at = n * STRIDE;
    let start = at;
    if (random.below(2) === 0) {
      const prefixes = random.below(500) === 0 ? 9 + random.below(6) : random.below(3);
      for (let i = 0; i < prefixes; i++) bytes[start++] = PREFIXES[random.below(PREFIXES.length)]!;
      if (bits === 64 && random.below(2) === 0) bytes[start++] = 0x40 + random.below(16);
      const map = random.below(8);
      if (map >= 3) bytes[start++] = 0x0f;
      if (map >= 6) bytes[start++] = map === 6 ? 0x38 : 0x3a;
    }
    for (; start < at + CHANCE; start++) bytes[start] = random.below(256);
  }
  return bytes;
}
