/**
 * A virtual-machine control structure [SDM 3C 24]: while it is a processor's current one its fields are held by the
 * processor, as VMREAD and VMWRITE see them; VMCLEAR and VMPTRLD of another one write them back to its region in memory.
 * The format of the region is ours; only its first two words are the manual's.
 */
import { FIELD_COUNT } from "./fields.ts";

/** Identifies the format of a region [SDM 3C 24.2]; raised whenever fields are added. Bit 31 is clear. */
export const REVISION = 0xca57a1;
export const REGION_BYTES = 4096;
/** Offsets in the region: revision, abort indicator, launch state, and the fields, 8 bytes each. */
export const REGION = { revision: 0, abort: 4, launched: 8, fields: 64 } as const;

/** Fields by number (`F` of fields.ts): as 32-bit halves, as exact numbers, or as unsigned 64-bit words. */
export class Vmcs {
  readonly #words = new Uint32Array(2 * FIELD_COUNT);
  readonly #signed = new Int32Array(this.#words.buffer);
  readonly #wide = new BigUint64Array(this.#words.buffer);
  /** The fields as bytes, for the region and for snapshots. */
  readonly bytes = new Uint8Array(this.#words.buffer);
  /** By field: 1 if its value changed since whoever derives something from it (the checks of VM entry) last cleared this. */
  readonly changed = new Uint8Array(FIELD_COUNT).fill(1);

  /** Bits 31:0, unsigned. */
  low(field: number): number {
    return this.#words[2 * field]!;
  }
  /** Bits 63:32, unsigned. */
  high(field: number): number {
    return this.#words[2 * field + 1]!;
  }
  /** As a signed number: exact for canonical addresses and for everything below 2^53. */
  number(field: number): number {
    return this.#signed[2 * field + 1]! * 2 ** 32 + this.#words[2 * field]!;
  }
  u64(field: number): bigint {
    return this.#wide[field]!;
  }
  /** Sets bits 31:0; the upper half becomes zero. */
  set32(field: number, value: number): void {
    this.setWords(field, value, 0);
  }
  setWords(field: number, low: number, high: number): void {
    const at = 2 * field;
    if (this.#words[at] === low >>> 0 && this.#words[at + 1] === high >>> 0) return;
    this.#words[at] = low;
    this.#words[at + 1] = high;
    this.changed[field] = 1;
  }
  /** Sets a field from a signed or unsigned number that is exact. */
  setNumber(field: number, value: number): void {
    this.setWords(field, value >>> 0, Math.floor(value / 2 ** 32));
  }
  setU64(field: number, value: bigint): void {
    if (this.#wide[field] === value) return;
    this.#wide[field] = value;
    this.changed[field] = 1;
  }
  /** Copies a field to a register, the two words of which begin at this address in S. */
  load(words: Uint32Array, register: number, field: number): void {
    words[register >> 2] = this.#words[2 * field]!;
    words[(register >> 2) + 1] = this.#words[2 * field + 1]!;
  }
  /** And a register to a field. */
  save(words: Uint32Array, register: number, field: number): void {
    this.setWords(field, words[register >> 2]!, words[(register >> 2) + 1]!);
  }
  /** All fields at once, `FIELD_COUNT` times 8 bytes. */
  fill(bytes: Uint8Array): void {
    this.bytes.set(bytes);
    this.changed.fill(1);
  }
}
