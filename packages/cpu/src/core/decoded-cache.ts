/**
 * Instructions that were decoded before, by their bytes: code repeats itself, and a decoded instruction does not know
 * where it stands. So most instructions of a new block are found, not made: less work, and far less garbage.
 */
import { type CodeMode, type Decoded, type Decoder, MAX_LENGTH } from "./decode.ts";

const ENTRIES = 1 << 14;

export class DecodedCache {
  readonly #decoder: Decoder;
  readonly #known: (Decoded | undefined)[] = new Array(ENTRIES);
  /** The bytes of each known instruction, 16 for each. */
  readonly #bytes = new Uint8Array(ENTRIES * 16);

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** As `Decoder.decode`. */
  decode(bytes: Uint8Array, at: number, end: number, mode: CodeMode): Decoded | null {
    if (at + MAX_LENGTH > end) return this.#decoder.decode(bytes, at, end, mode);
    const entry = slotOf(bytes, at),
      known = this.#known[entry];
    if (known !== undefined && known.mode === mode && this.#matches(known.length, entry, bytes, at)) return known;
    const insn = this.#decoder.decode(bytes, at, end, mode)!;
    this.#known[entry] = insn;
    for (let i = 0; i < insn.length; i++) this.#bytes[entry * 16 + i] = bytes[at + i]!;
    return insn;
  }
  #matches(length: number, entry: number, bytes: Uint8Array, at: number): boolean {
    const own = this.#bytes;
    for (let i = 0; i < length; i++) if (own[entry * 16 + i] !== bytes[at + i]) return false;
    return true;
  }
}

function slotOf(bytes: Uint8Array, at: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return Math.imul(word ^ (bytes[at + 4]! << 5), 0x9e3779b1) >>> 18;
}
