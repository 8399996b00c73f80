/**
 * Digests of state: two runs are equal if their digests are. MurmurHash3 (Austin Appleby), variant x86, 128 bits: made
 * of 32-bit multiplications, so fast in every JavaScript engine and equal on all. Finds accidents, not attacks.
 */
import { rotateLeft } from "./bits.ts";

const c1 = 0x239b961b;
const c2 = 0xab0e9789;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93;

/** A digest of bytes that arrive in pieces; how they are cut into pieces makes no difference. */
export class Digest {
  /** The four words, as signed integers. */
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  #length = 0;
  /** The bytes of a block of 16 that is not complete yet: `#length` modulo 16 of them. */
  readonly #rest = new Uint8Array(16);

  /** Adds `bytes` to what was given so far. */
  update(bytes: Uint8Array): this {
    const held = this.#length % 16;
    this.#length += bytes.length;
    let at = 0;
    if (held > 0) {
      at = Math.min(16 - held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), held);
      if (held + at < 16) return this;
      this.#blocks(new DataView(this.#rest.buffer), 0, 16);
    }
    const whole = at + (bytes.length - at) - ((bytes.length - at) % 16);
    if (whole > at) this.#blocks(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at, whole);
    if (whole < bytes.length) this.#rest.set(bytes.subarray(whole));
    return this;
  }

  /** Adds a 32-bit pattern, as four little-endian bytes. */
  word(value: number): this {
    return this.update(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  /** Adds a text: its length, then its UTF-16 units, so that two texts never look like one. */
  text(value: string): this {
    this.word(value.length);
    const units = new Uint8Array(2 * value.length);
    for (let i = 0; i < value.length; i++) {
      units[2 * i] = value.charCodeAt(i);
      units[2 * i + 1] = value.charCodeAt(i) >>> 8;
    }
    return this.update(units);
  }

  /** Mixes the blocks of 16 bytes from `from` to `to`. */
  #blocks(view: DataView, from: number, to: number): void {
    let a = this.#a;
    let b = this.#b;
    let c = this.#c;
    let d = this.#d;
    for (let at = from; at < to; at += 16) {
      let k = Math.imul(view.getInt32(at, true), c1);
      a ^= Math.imul((k << 15) | (k >>> 17), c2);
      a = (((a << 19) | (a >>> 13)) + b) | 0;
      a = (Math.imul(a, 5) + 0x561ccd1b) | 0;

      k = Math.imul(view.getInt32(at + 4, true), c2);
      b ^= Math.imul((k << 16) | (k >>> 16), c3);
      b = (((b << 17) | (b >>> 15)) + c) | 0;
      b = (Math.imul(b, 5) + 0x0bcaa747) | 0;

      k = Math.imul(view.getInt32(at + 8, true), c3);
      c ^= Math.imul((k << 17) | (k >>> 15), c4);
      c = (((c << 15) | (c >>> 17)) + d) | 0;
      c = (Math.imul(c, 5) + 0x96cd1c35) | 0;

      k = Math.imul(view.getInt32(at + 12, true), c4);
      d ^= Math.imul((k << 18) | (k >>> 14), c1);
      d = (((d << 13) | (d >>> 19)) + a) | 0;
      d = (Math.imul(d, 5) + 0x32ac3b17) | 0;
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }

  /** The four 32-bit words of the digest of all bytes so far. More may be added afterwards. */
  words(): [number, number, number, number] {
    let [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    const held = this.#length % 16;
    if (held > 0) {
      const padded = new Uint8Array(16);
      padded.set(this.#rest.subarray(0, held));
      const view = new DataView(padded.buffer);
      d ^= Math.imul(rotateLeft(Math.imul(view.getInt32(12, true), c4), 18), c1);
      c ^= Math.imul(rotateLeft(Math.imul(view.getInt32(8, true), c3), 17), c4);
      b ^= Math.imul(rotateLeft(Math.imul(view.getInt32(4, true), c2), 16), c3);
      a ^= Math.imul(rotateLeft(Math.imul(view.getInt32(0, true), c1), 15), c2);
    }
    a ^= this.#length;
    b ^= this.#length;
    c ^= this.#length;
    d ^= this.#length;
    a = (a + b + c + d) | 0;
    [a, b, c, d] = [avalanche(a), avalanche(a + b), avalanche(a + c), avalanche(a + d)];
    a = (a + b + c + d) | 0;
    return [a >>> 0, (a + b) >>> 0, (a + c) >>> 0, (a + d) >>> 0];
  }

  /** {@link words} as 16 bytes, each word big-endian. */
  bytes(): Uint8Array {
    const result = new Uint8Array(16);
    for (const [i, word] of this.words().entries()) new DataView(result.buffer).setUint32(4 * i, word);
    return result;
  }

  /** The digest of all bytes so far, as 32 hexadecimal digits. More may be added afterwards. */
  hex(): string {
    return this.words()
      .map((word) => word.toString(16).padStart(8, "0"))
      .join("");
  }
}

/** Murmur3's finalizer: every bit of `word` changes about half of the result's. */
function avalanche(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** The digest of `bytes`, as 32 hexadecimal digits. */
export function digest(bytes: Uint8Array): string {
  return new Digest().update(bytes).hex();
}
