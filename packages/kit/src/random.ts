/**
 * Chance that repeats: a seeded generator, the only source of randomness in castaway. The same seed gives the same
 * numbers on every host. Not for cryptography.
 */
import { high32, join32, low32, rotateLeft } from "./bits.ts";
import { assert } from "./errors.ts";
import { list, type StateOf, u32 } from "./state.ts";

/** What {@link Random.save} gives: the generator's four 32-bit words. */
export const randomState = list(u32, 4);
export type RandomState = StateOf<typeof randomState>;

/** xoshiro128** (Blackman and Vigna), seeded through splitmix32: 2^128 - 1 numbers before it repeats. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** @param seed a safe integer of 0 or more, or any text; equal seeds give equal numbers */
  constructor(seed: number | string) {
    let words: number[];
    if (typeof seed === "string") words = Array.from(seed, (char) => char.codePointAt(0) ?? 0);
    else {
      assert(Number.isSafeInteger(seed) && seed >= 0, "a seed is a text or a safe integer of 0 or more", { seed });
      words = [low32(seed), high32(seed)];
    }
    let mixed = typeof seed === "string" ? 1 : 0;
    for (const word of words) mixed = splitmix((mixed ^ word) >>> 0);
    const next = () => splitmix((mixed = (mixed + 0x9e3779b9) >>> 0));
    this.restore([next(), next(), next(), next()]);
  }

  /** A number of 32 random bits: 0 to 0xffffffff. */
  u32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return result;
  }

  /** A number of 53 random bits: 0 to 2^53 - 1. */
  u53(): number {
    return join32(this.u32() >>> 11, this.u32());
  }

  /** A multiple of 2^-53 that is at least 0 and below 1. */
  fraction(): number {
    return this.u53() / 0x20_0000_0000_0000;
  }

  /** An integer from 0 to `limit` - 1, each as likely as the others; `limit` is 1 to 2^32. */
  below(limit: number): number {
    assert(Number.isInteger(limit) && limit >= 1 && limit <= 0x1_0000_0000, "a limit is 1 to 2^32", { limit });
    const fair = 0x1_0000_0000 - (0x1_0000_0000 % limit); // numbers from here on would favour the small results
    for (;;) {
      const value = this.u32();
      if (value < fair) return value % limit;
    }
  }

  /** True with the given probability, 0 (never) to 1 (always). */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** Fills `bytes` and returns it. */
  fill<B extends Uint8Array>(bytes: B): B {
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = i % 4 === 0 ? this.u32() : word >>> 8;
      bytes[i] = word;
    }
    return bytes;
  }

  /** A new generator that depends on this one's state and on `name`; this one moves on by one number. */
  fork(name: string): Random {
    return new Random(`${this.u32()}/${name}`);
  }

  save(): RandomState {
    return [this.#a, this.#b, this.#c, this.#d].map((word) => word >>> 0);
  }

  restore(state: RandomState): void {
    const [a, b, c, d] = state;
    assert((a | b | c | d) !== 0, "a generator's state is never all zeros");
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }
}

/** A mixer of 32 bits into 32, one to one: murmur3's finalizer with the constants of splitmix32. */
function splitmix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
