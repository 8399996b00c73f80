/**
 * Saved state as bytes. The format describes itself (every field carries its name), is versioned, ends in a digest of
 * all that precedes it, and stores runs of zeros in memory as their length.
 *
 *     const bytes = encodeState("castaway machine", 3, machine.save());
 *     machine.restore(decodeState("castaway machine", 3, machineState, bytes));
 *
 * Layout: the text "castaway", kind, version, the value, 16 bytes of digest. Integers are LEB128, seven bits a byte,
 * lowest first. A text is its length and its UTF-16 units. A value is a tag and what the tag says.
 */
import { Digest } from "./digest.ts";
import { assert, StateError } from "./errors.ts";
import { isRecord, type Plain, type Shape } from "./state.ts";

const magic = "castaway";
const digestLength = 16;
/** Zeros are looked for in blocks of so many bytes. */
const zeroBlock = 64;

/** What follows in the stream. Numbers of the format: never renumber. */
const tag = { null: 0, false: 1, true: 2, natural: 3, negative: 4, real: 5, text: 6, bytes: 7, list: 8, record: 9 };

/**
 * @param kind what this is the state of, `"castaway machine"`
 * @param version of the shape: raise it whenever the shape changes
 * @param value plain data, as `save()` gives it; anything else is an {@link InternalError}
 */
export function encodeState(kind: string, version: number, value: Plain): Uint8Array {
  const out = new Writer();
  out.text(magic);
  out.text(kind);
  out.natural(version);
  out.value(value, "");
  return out.sealed();
}

/**
 * @param kind as given to {@link encodeState}
 * @param version as given to {@link encodeState}
 * @param shape what the value must look like
 * @throws StateError if the bytes are damaged, are of another kind or version, or hold a value of another shape
 */
export function decodeState<T>(kind: string, version: number, shape: Shape<T>, bytes: Uint8Array): T {
  const input = new Reader(bytes);
  const start = input.text();
  if (start !== magic) throw new StateError("", "these bytes are no saved state of castaway");
  const savedKind = input.text();
  if (savedKind !== kind) throw new StateError("", `it is of a "${savedKind}", not of a "${kind}"`);
  const savedVersion = input.natural();
  if (savedVersion !== version) {
    throw new StateError("", `its version is ${savedVersion}; this castaway reads version ${version} only`);
  }
  input.verify();
  const value: unknown = input.value();
  input.end();
  shape.check(value, "");
  return value;
}

class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** Makes room for `count` more bytes and returns where they start. */
  #extend(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }

  byte(value: number): void {
    const at = this.#extend(1);
    this.#bytes[at] = value;
  }

  natural(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = (rest - (rest % 0x80)) / 0x80;
    }
    this.byte(rest);
  }

  text(value: string): void {
    this.natural(value.length);
    for (let i = 0; i < value.length; i++) this.natural(value.charCodeAt(i));
  }

  value(value: Plain, path: string): void {
    if (value === null) this.byte(tag.null);
    else if (typeof value === "boolean") this.byte(value ? tag.true : tag.false);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") {
      this.byte(tag.text);
      this.text(value);
    } else if (value instanceof Uint8Array) this.#memory(value);
    else if (Array.isArray(value)) {
      this.byte(tag.list);
      this.natural(value.length);
      for (let i = 0; i < value.length; i++) this.value(value[i], `${path}[${i}]`);
    } else {
      const plain = isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));
      assert(plain, "a saved state is plain data", { path, value });
      const fields = Object.entries(value as { [name: string]: Plain });
      this.byte(tag.record);
      this.natural(fields.length);
      for (const [name, field] of fields) {
        this.text(name);
        this.value(field, `${path}.${name}`);
      }
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.byte(value < 0 ? tag.negative : tag.natural);
      this.natural(Math.abs(value));
    } else {
      this.byte(tag.real);
      const at = this.#extend(8);
      new DataView(this.#bytes.buffer).setFloat64(at, value, true);
    }
  }

  /** The length; then, until so many bytes are told: how many zeros, how many bytes that are not, and those. */
  #memory(source: Uint8Array): void {
    this.byte(tag.bytes);
    this.natural(source.length);
    const view = new DataView(source.buffer, source.byteOffset, source.length);
    let at = 0;
    while (at < source.length) {
      const zeros = at;
      while (at < source.length && isZero(view, at)) at += zeroBlock;
      at = Math.min(at, source.length);
      this.natural(at - zeros);
      const start = at;
      while (at < source.length && !isZero(view, at)) at += zeroBlock;
      at = Math.min(at, source.length);
      this.natural(at - start);
      const place = this.#extend(at - start);
      this.#bytes.set(source.subarray(start, at), place);
    }
  }

  /** All bytes, with their digest at the end. */
  sealed(): Uint8Array {
    const content = this.#bytes.subarray(0, this.#length);
    const sum = new Digest().update(content).bytes();
    const at = this.#extend(digestLength);
    this.#bytes.set(sum, at);
    return this.#bytes.slice(0, this.#length);
  }
}

/** Whether the block at `at`, or what is left of it, holds zeros only. */
function isZero(view: DataView, at: number): boolean {
  if (at + zeroBlock > view.byteLength) {
    for (let i = at; i < view.byteLength; i++) if (view.getUint8(i) !== 0) return false;
    return true;
  }
  for (let i = at; i < at + zeroBlock; i += 4) if (view.getInt32(i) !== 0) return false;
  return true;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length - digestLength;
  }

  /** Refuses bytes that are not those that were written. Everything read from here on can be trusted to be whole. */
  verify(): void {
    const sum = new Digest().update(this.#bytes.subarray(0, this.#end)).bytes();
    if (sum.some((byte, i) => byte !== this.#bytes[this.#end + i])) throw this.#damaged();
  }

  end(): void {
    if (this.#at !== this.#end) throw this.#damaged();
  }

  #damaged(): StateError {
    return new StateError("", `the bytes are damaged or cut short (at byte ${this.#at} of ${this.#bytes.length})`);
  }

  /** Steps over `count` bytes and returns where they start. */
  #take(count: number): number {
    if (count > this.#end - this.#at) throw this.#damaged();
    const at = this.#at;
    this.#at += count;
    return at;
  }

  natural(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.#take(1)];
      value += (byte & 0x7f) * factor;
      if (!Number.isSafeInteger(value)) throw this.#damaged();
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const length = this.natural();
    if (length > this.#end - this.#at) throw this.#damaged();
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.natural());
    return text;
  }

  value(): Plain {
    const kind = this.#bytes[this.#take(1)];
    switch (kind) {
      case tag.null:
        return null;
      case tag.false:
        return false;
      case tag.true:
        return true;
      case tag.natural:
        return this.natural();
      case tag.negative:
        return -this.natural();
      case tag.real: {
        const at = this.#take(8);
        return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat64(at, true);
      }
      case tag.text:
        return this.text();
      case tag.bytes:
        return this.#memory();
      case tag.list: {
        const length = this.natural();
        const items: Plain[] = [];
        for (let i = 0; i < length; i++) items.push(this.value());
        return items;
      }
      case tag.record: {
        const count = this.natural();
        const fields: [string, Plain][] = [];
        for (let i = 0; i < count; i++) fields.push([this.text(), this.value()]);
        return Object.fromEntries(fields);
      }
      default:
        throw this.#damaged();
    }
  }

  #memory(): Uint8Array {
    const memory = new Uint8Array(this.natural());
    let at = 0;
    while (at < memory.length) {
      at += this.natural();
      const length = this.natural();
      if (at + length > memory.length) throw this.#damaged();
      const start = this.#take(length);
      memory.set(this.#bytes.subarray(start, start + length), at);
      at += length;
    }
    return memory;
  }
}
