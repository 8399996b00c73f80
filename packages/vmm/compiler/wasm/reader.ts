/** Numbers and names of the binary format [WebAssembly 5.2]. */
import { UnsupportedError } from "../errors.ts";

const utf8 = new TextDecoder();

export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.at >= this.#end;
  }

  u8(): number {
    if (this.done) throw new UnsupportedError("the module ends too early", this.at);
    return this.bytes[this.at++]!;
  }

  /** LEB128, at most 32 bits. */
  unsigned(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      if (scale > 2 ** 28) throw new UnsupportedError("a number of more than 32 bits", this.at);
    }
  }

  /** LEB128, signed, at most 64 bits. */
  signed(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(Number(shift) + 7, value);
      if (shift > 63n) throw new UnsupportedError("a number of more than 64 bits", this.at);
    }
  }

  name(): string {
    return utf8.decode(this.take(this.unsigned()));
  }

  /** The next bytes, not copied. */
  take(length: number): Uint8Array {
    if (this.at + length > this.#end) throw new UnsupportedError("the module ends too early", this.at);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  vector<T>(read: () => T): T[] {
    return Array.from({ length: this.unsigned() }, read);
  }

  /** A reader of the next bytes, which this one skips. */
  part(length: number): Reader {
    const { at } = this;
    this.take(length);
    return new Reader(this.bytes, at, at + length);
  }
}
