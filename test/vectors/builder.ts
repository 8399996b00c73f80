/**
 * Builds one case: a state full of interesting values, an instruction, and pointers that meet the data.
 *
 * What is random here is seeded by the form's identity, so that a case can be built again and need not be stored.
 */
import type { Random } from "@castaway/kit";
import { CODE, CONSTANT, DATA, extent, type Mode, OTHER_STACKS, SELECTORS, selector } from "./environment.ts";
import { type Case, CS, DS, ES, FLAG, FS, GS, type Patch, RBP, RSP, SS, STATE, viewOf } from "./layout.ts";
import * as values from "./values.ts";

/** How the bits of an operand are read, which decides what values are worth giving. */
export type Kind = "int" | "f32" | "f64" | "f80" | "x87" | "zero";

const MASK64 = (1n << 64n) - 1n;
const PAGE = 0x1000;

export class Builder {
  readonly random: Random;
  readonly mode: Mode;
  readonly state = new Uint8Array(STATE.BYTES);
  readonly view = viewOf(this.state);
  readonly patches: Patch[] = [];
  /** Linear address of the instruction. */
  address: number;

  constructor(random: Random, mode: Mode) {
    this.random = random;
    this.mode = mode;
    const base = extent(SELECTORS[mode][CS]!).base;
    const page = random.below(CODE.size / PAGE - 1) * PAGE;
    this.address =
      CODE.address + page + (random.below(4) === 0 ? PAGE - 1 - random.below(12) : random.below(PAGE - 16));
    this.view.setUint32(STATE.RIP, this.address - base, true);
    for (const [i, value] of SELECTORS[mode].entries()) this.selector(i, value);
    this.integers();
    this.flags();
    this.#floatControl();
    if (mode === 64) this.#bases();
    else if (random.below(8) === 0) this.selector(SS, random.pick(OTHER_STACKS[mode]));
    this.stack();
  }

  // ---- registers ----

  gpr(n: number): bigint {
    return this.view.getBigUint64(STATE.GPR + 8 * n, true);
  }
  /** Outside of 64-bit mode registers have 32 bits. */
  setGpr(n: number, value: bigint): void {
    this.view.setBigUint64(STATE.GPR + 8 * n, this.mode === 64 ? value & MASK64 : value & 0xffff_ffffn, true);
  }
  /** Sets the low bits only: what an address of that size is made of. The rest stays as noise. */
  setPointer(n: number, value: bigint, size: number): void {
    const mask = (1n << BigInt(size)) - 1n;
    this.setGpr(n, (this.gpr(n) & ~mask) | (value & mask));
  }
  selectorOf(segment: number): number {
    return this.view.getUint16(STATE.SEGMENT + 2 * segment, true);
  }
  selector(segment: number, value: number): void {
    this.view.setUint16(STATE.SEGMENT + 2 * segment, value, true);
  }
  integers(): void {
    const count = this.mode === 64 ? 16 : 8;
    const same = this.random.below(8) === 0 ? values.integer(this.random) : null; // now and then operands are equal
    for (let i = 0; i < count; i++) this.setGpr(i, same !== null && i % 2 ? same : values.integer(this.random));
  }
  flags(): void {
    const { CF, PF, AF, ZF, SF, OF, DF, AC, ID } = FLAG;
    let flags = this.random.u32() & (CF | PF | AF | ZF | SF | OF);
    if (this.random.below(4) === 0) flags |= DF;
    if (this.random.below(64) === 0) flags |= AC;
    if (this.random.below(8) === 0) flags |= ID;
    this.view.setUint32(STATE.RFLAGS, flags | 0x202, true);
  }
  setFlag(flag: number, on: boolean): void {
    const flags = this.view.getUint32(STATE.RFLAGS, true);
    this.view.setUint32(STATE.RFLAGS, on ? flags | flag : flags & ~flag, true);
  }
  #floatControl(): void {
    this.view.setUint16(STATE.FCW, 0x37f, true);
    this.view.setUint32(STATE.MXCSR, 0x1f80, true);
  }
  /** FS and GS bases from which all data can be reached, if only by wrapping around. */
  #bases(): void {
    const data = BigInt(DATA.address);
    for (const at of [STATE.FS_BASE, STATE.GS_BASE]) {
      const noise = BigInt(this.random.below(0x4000));
      const base = this.random.pick([
        data,
        data - 0x100n,
        data - noise,
        noise,
        0x6000_0000_0000n + noise,
        0xffff_a000_0000_0000n + noise,
      ]);
      this.view.setBigUint64(at, base, true);
    }
  }
  /** SP and BP point into the data; rarely so near its ends that a push or pop faults. */
  stack(): void {
    const { base } = extent(this.selectorOf(SS));
    for (const n of [RSP, RBP]) {
      const spot =
        this.random.below(16) === 0 ? this.target(8, 1) : DATA.address + 0x900 + 8 * this.random.below(0x1e0);
      const slip = this.random.below(4) === 0 ? this.random.below(8) : 0;
      this.setPointer(n, BigInt((spot + slip - base) >>> 0), this.stackSize());
    }
  }
  stackSize(): 16 | 32 | 64 {
    if (this.mode === 64) return 64;
    return this.#bigStack() ? 32 : 16;
  }
  #bigStack(): boolean {
    const stack = this.selectorOf(SS);
    return stack === SELECTORS[32][SS] || BIG_STACKS.includes(stack);
  }

  // ---- vectors and x87 ----

  /** Fills the XMM registers with operands of these kinds. */
  vectors(kinds: readonly Kind[]): void {
    for (let i = 0; i < (this.mode === 64 ? 16 : 8); i++)
      this.operand(this.state, STATE.XMM + 16 * i, 16, this.random.pick(kinds));
    if (this.random.below(4) === 0) this.#nearby(kinds);
  }
  /** Makes odd registers neighbours of even ones, so that differences cancel and comparisons are close. */
  #nearby(kinds: readonly Kind[]): void {
    const bits = kinds.includes("f32") ? 23 : 52;
    const width = bits === 23 ? 4 : 8;
    for (let at: number = STATE.XMM; at < STATE.XMM + 256; at += width) {
      if (((at - STATE.XMM) >> 4) % 2 === 0) continue;
      const other = this.view.getBigUint64((at - 16) & ~(width - 1), true) & ((1n << BigInt(8 * width)) - 1n);
      const value = values.near64(this.random, other, bits);
      if (width === 4) this.view.setUint32(at, Number(value), true);
      else this.view.setBigUint64(at, value, true);
    }
  }
  /** Writes an operand's value: `length` bytes of `kind` at `at` in `bytes`. */
  operand(bytes: Uint8Array, at: number, length: number, kind: Kind): void {
    const view = viewOf(bytes);
    const whole = new Uint8Array(8);
    const lane = viewOf(whole);
    for (let i = 0; i < length; ) {
      const rest = length - i;
      if (kind === "f32" || (kind === "x87" && length === 4 && this.random.below(2) === 0)) {
        if (rest >= 4) view.setUint32(at + i, values.float32(this.random), true);
        i += 4;
        continue;
      }
      if ((kind === "f80" || kind === "x87") && rest >= 10) {
        const make = this.random.pick([values.float80, values.float80, values.plain80, values.decimal80]);
        bytes.set(make(this.random), at + i);
        i += 10;
        continue;
      }
      const float = kind === "f64" || (kind === "x87" && length === 8 && this.random.below(2) === 0);
      lane.setBigUint64(
        0,
        kind === "zero" ? 0n : float ? values.float64(this.random) : values.integer(this.random),
        true,
      );
      bytes.set(whole.subarray(0, Math.min(8, rest)), at + i);
      i += 8;
    }
  }

  // ---- memory ----

  /** The linear address of an operand of `bytes` bytes: mostly within the data, often at an edge, sometimes beyond. */
  target(bytes: number, align: number): number {
    const spot = this.#spot(bytes);
    const aligned = this.random.below(2) === 0 ? spot & -bytes : spot;
    return align > 1 && this.random.below(10) > 0
      ? spot & -align
      : bytes > 1 && (bytes & (bytes - 1)) === 0
        ? aligned
        : spot;
  }
  #spot(bytes: number): number {
    const dice = this.random.u32() >>> 24;
    const end = DATA.address + DATA.size;
    if (dice < 160) return DATA.address + this.random.below(DATA.size - bytes);
    if (dice < 195) return DATA.address + PAGE - this.random.below(bytes + 1);
    if (dice < 225) return end - bytes;
    if (dice < 235) return DATA.address;
    if (dice < 246) return end - this.random.below(bytes + 1);
    if (dice < 250) return end + this.random.below(16);
    return CONSTANT.address + this.random.below(CONSTANT.size - bytes);
  }
  /** Puts an operand of a kind at a linear address, as far as data is there. */
  place(address: number, length: number, kind: Kind): void {
    const bytes = new Uint8Array(length);
    this.operand(bytes, 0, length, kind);
    this.patch(address, bytes);
  }
  patch(address: number, bytes: Uint8Array): void {
    const from = Math.max(address, DATA.address);
    const to = Math.min(address + bytes.length, DATA.address + DATA.size);
    if (from < to) this.patches.push({ address: from, bytes: bytes.slice(from - address, to - address) });
  }
  /** The offset in a segment at which a linear address lies. */
  offset(segment: number, linear: number): bigint {
    if (this.mode !== 64) return BigInt((linear - extent(this.selectorOf(segment)).base) >>> 0);
    if (segment < FS) return BigInt(linear);
    const base = this.view.getBigUint64(segment === FS ? STATE.FS_BASE : STATE.GS_BASE, true);
    return (BigInt(linear) - base) & MASK64;
  }
  /** Gives every data segment a base from which 16-bit offsets reach the data. */
  nearSegments(): void {
    if (this.mode !== 32) return;
    for (const segment of [ES, SS]) this.selector(segment, selector("wide16"));
    for (const segment of [DS, FS, GS]) this.selector(segment, selector("exact16"));
    this.stack();
  }
  /** Points a register at an operand. */
  point(register: number, segment: number, bytes: number, addressSize: number, kind: Kind): number {
    const linear = this.target(bytes, 1);
    this.setPointer(register, this.offset(segment, linear), addressSize);
    this.place(linear, bytes, kind);
    return linear;
  }

  done(code: readonly number[], step: boolean): Case {
    return {
      mode: this.mode,
      state: this.state,
      address: this.address,
      code: Uint8Array.from(code),
      step,
      patches: this.patches,
    };
  }
}

const BIG_STACKS = ["far32", "down32", "exact32"].map(selector);
