/**
 * An assembler for 16-, 32- and 64-bit code: the instructions that the code generator and the stubs need. Jumps are given
 * their short form where it reaches, when all is written.
 */
import { impossible } from "@castaway/kit";
import type { ObjectCode, Relocation } from "./object-code.ts";
import {
  ALU,
  type AluOperation,
  type Condition,
  type Memory,
  type Register,
  SHIFT,
  type ShiftOperation,
  type Size,
} from "./operands.ts";

/** A position: so many bytes, and so many jumps, whose lengths are not known yet, come before it. */
interface Place {
  at: number;
  jumps: number;
}

/** A place to jump to, bound once. */
export class Label {
  place: Place | null = null;
}

interface Jump extends Place {
  readonly target: Label;
  readonly condition: Condition | null;
  long: boolean;
  readonly longLength: number;
}

type Reference = { readonly place: Place; readonly kind: Relocation["kind"]; readonly addend: number } & (
  | { readonly symbol: string }
  | { readonly label: Label }
);

export type CodeBits = 16 | 32 | 64;

export class Assembler {
  bits: CodeBits;
  readonly #bytes: number[] = [];
  readonly #jumps: Jump[] = [];
  readonly #references: Reference[] = [];
  readonly #symbols = new Map<string, Label>();
  /** Those that are bound here. */
  readonly #labels: Label[] = [];
  readonly #lines: { readonly place: Place; readonly from: number }[] = [];

  constructor(bits: CodeBits = 64) {
    this.bits = bits;
  }

  /** Bytes so far, jumps not counted. */
  get length(): number {
    return this.#bytes.length;
  }

  #here(): Place {
    return { at: this.#bytes.length, jumps: this.#jumps.length };
  }

  // ---- bytes, labels, references ----

  u8(...bytes: number[]): this {
    for (const byte of bytes) this.#bytes.push(byte & 0xff);
    return this;
  }
  u16(value: number): this {
    return this.u8(value, value >> 8);
  }
  u32(value: number): this {
    return this.u8(value, value >> 8, value >> 16, value >> 24);
  }
  u64(value: bigint): this {
    return this.u32(Number(BigInt.asIntN(32, value))).u32(Number(BigInt.asIntN(32, value >> 32n)));
  }
  bind(label: Label): this {
    if (label.place !== null) impossible("a label is bound once");
    label.place = this.#here();
    this.#labels.push(label);
    return this;
  }
  /** Gives this place a name that the linker and other pieces can use. */
  symbol(name: string): this {
    const label = new Label();
    this.#symbols.set(name, label);
    return this.bind(label);
  }
  /** What follows comes from this byte of the module. */
  line(from: number): this {
    this.#lines.push({ place: this.#here(), from });
    return this;
  }
  /** A field with the address of a symbol or a label, or the distance to it. */
  reference(target: string | Label, kind: Relocation["kind"], addend = 0): this {
    const place = this.#here();
    this.#references.push(
      typeof target === "string" ? { place, kind, addend, symbol: target } : { place, kind, addend, label: target },
    );
    const length = kind === "relative" ? 4 : Number(kind.slice("absolute".length));
    return this.u8(...Array<number>(length).fill(0));
  }
  /** All that another assembler holds, at the end of this one; the other is used up. */
  append(other: Assembler): this {
    const { at, jumps } = this.#here();
    const moved = new Set<Place>([
      ...other.#jumps,
      ...other.#references.map(({ place }) => place),
      ...other.#lines.map(({ place }) => place),
    ]);
    for (const { place } of other.#labels) moved.add(place!);
    for (const place of moved) {
      place.at += at;
      place.jumps += jumps;
    }
    for (const byte of other.#bytes) this.#bytes.push(byte);
    this.#jumps.push(...other.#jumps);
    this.#references.push(...other.#references);
    this.#lines.push(...other.#lines);
    this.#labels.push(...other.#labels);
    for (const [name, label] of other.#symbols) this.#symbols.set(name, label);
    return this;
  }

  // ---- the general form: prefixes, REX, opcode, ModRM, SIB, displacement [SDM 2A 2.1, 2.2.1] ----

  /**
   * @param opcode up to three bytes, such as 0x0fb6
   * @param reg the register operand, or the extension /0 to /7
   * @param rm a register or memory
   * @param size of the operands; 1 if a byte register may need REX
   * @param prefix a mandatory prefix
   */
  modRm(
    opcode: number,
    reg: number,
    rm: Register | Memory,
    size: Size,
    { prefix = 0, byteRm = size === 1 } = {},
  ): this {
    const m = typeof rm === "number" ? null : rm;
    const wide = this.bits === 64 && m !== null && m.narrow && (m.base !== null || m.index !== null);
    if (wide || (this.bits === 16 && m !== null)) this.u8(0x67);
    if (size === (this.bits === 16 ? 4 : 2)) this.u8(0x66);
    if (prefix !== 0) this.u8(prefix);
    this.#rex(reg, rm, size, byteRm);
    for (const shift of [16, 8, 0]) if (shift === 0 || opcode >>> shift !== 0) this.u8(opcode >>> shift);
    if (m === null) return this.u8(0xc0 | ((reg & 7) << 3) | ((rm as number) & 7));
    return this.#memoryOperand(reg & 7, m);
  }

  #rex(reg: number, rm: Register | Memory, size: Size, byteRm: boolean): void {
    let rex = (size === 8 ? 8 : 0) | (reg > 7 ? 4 : 0);
    if (typeof rm === "number") rex |= rm > 7 ? 1 : 0;
    else rex |= ((rm.index ?? 0) > 7 ? 2 : 0) | ((rm.base ?? 0) > 7 ? 1 : 0);
    // SPL, BPL, SIL and DIL exist with REX only
    const byteRegister = (size === 1 && reg > 3) || (byteRm && typeof rm === "number" && rm > 3);
    if (rex === 0 && !(byteRegister && this.bits === 64)) return;
    if (this.bits !== 64) impossible("REX exists in 64-bit code only", { reg, rm, size });
    this.u8(0x40 | rex);
  }

  #memoryOperand(reg: number, { base, index, scale, displacement, symbol }: Memory): this {
    const sib = (Math.clz32(1) - Math.clz32(scale)) << 6;
    if (base === null) {
      this.u8((reg << 3) | 4, sib | (((index ?? 4) & 7) << 3) | 5);
      return symbol === undefined ? this.u32(displacement) : this.reference(symbol, "absolute4", displacement);
    }
    const short = displacement >= -128 && displacement <= 127;
    const mod = displacement === 0 && (base & 7) !== 5 ? 0 : short ? 1 : 2;
    if (index !== null || (base & 7) === 4)
      this.u8((mod << 6) | (reg << 3) | 4, sib | (((index ?? 4) & 7) << 3) | (base & 7));
    else this.u8((mod << 6) | (reg << 3) | (base & 7));
    if (mod === 1) return this.u8(displacement);
    return mod === 2 ? this.u32(displacement) : this;
  }

  // ---- instructions ----

  /** MOV register, register or memory. In 64-bit code a size of 4 clears the upper half. */
  load(to: Register, from: Register | Memory, size: Size): this {
    return this.modRm(size === 1 ? 0x8a : 0x8b, to, from, size);
  }
  store(to: Memory, from: Register, size: Size): this {
    return this.modRm(size === 1 ? 0x88 : 0x89, from, to, size);
  }
  /** MOV between registers; nothing if they are the same. */
  copy(to: Register, from: Register, size: Size = 8): this {
    return to === from ? this : this.load(to, from, size);
  }
  storeConstant(to: Memory, value: number, size: Size): this {
    this.modRm(size === 1 ? 0xc6 : 0xc7, 0, to, size);
    return this.immediate(value, size);
  }
  /** An immediate as wide as the operand, 32 bits at most. */
  immediate(value: number, size: Size): this {
    return size === 1 ? this.u8(value) : size === 2 ? this.u16(value) : this.u32(value);
  }
  /** MOV register, constant, in the shortest form that leaves flags alone; the whole register in 64-bit code. */
  constant(to: Register, value: bigint | number): this {
    const unsigned = BigInt.asUintN(64, BigInt(value));
    const signed = BigInt.asIntN(64, unsigned);
    if (this.bits === 16) this.u8(0x66);
    if (this.bits !== 64 || unsigned < 1n << 32n) {
      if (to > 7) this.u8(0x41);
      return this.u8(0xb8 | (to & 7)).u32(Number(BigInt.asIntN(32, unsigned)));
    }
    if (signed >= -(1n << 31n) && signed < 0n) return this.modRm(0xc7, 0, to, 8).u32(Number(signed));
    return this.u8(to > 7 ? 0x49 : 0x48, 0xb8 | (to & 7)).u64(unsigned);
  }
  /** MOV register, the address of a symbol or label. */
  address(to: Register, of: string | Label, addend = 0): this {
    if (this.bits === 16) this.u8(0x66);
    if (to > 7) this.u8(0x41);
    return this.u8(0xb8 | (to & 7)).reference(of, "absolute4", addend);
  }
  lea(to: Register, of: Memory, size: Size): this {
    return this.modRm(0x8d, to, of, size);
  }
  alu(operation: AluOperation, to: Register, from: Register | Memory, size: Size): this {
    return this.modRm((ALU[operation] << 3) | (size === 1 ? 2 : 3), to, from, size);
  }
  aluConstant(operation: AluOperation, to: Register | Memory, value: number, size: Size): this {
    if (size === 1) return this.modRm(0x80, ALU[operation], to, 1).u8(value);
    if (value >= -128 && value <= 127) return this.modRm(0x83, ALU[operation], to, size).u8(value);
    return this.modRm(0x81, ALU[operation], to, size).immediate(value, size);
  }
  test(a: Register, b: Register | Memory, size: Size): this {
    return this.modRm(size === 1 ? 0x84 : 0x85, a, b, size);
  }
  shift(operation: ShiftOperation, register: Register, count: number, size: Size): this {
    return this.modRm(0xc1, SHIFT[operation], register, size).u8(count);
  }
  shiftByCl(operation: ShiftOperation, register: Register, size: Size): this {
    return this.modRm(0xd3, SHIFT[operation], register, size);
  }
  push(register: Register): this {
    if (register > 7) this.u8(0x41);
    return this.u8(0x50 | (register & 7));
  }
  pop(register: Register): this {
    if (register > 7) this.u8(0x41);
    return this.u8(0x58 | (register & 7));
  }
  /** SETcc, then zero-extension to the whole register; flags stay. */
  setCondition(to: Register, condition: Condition): this {
    return this.modRm(0x0f90 | condition, 0, to, 1).modRm(0x0fb6, to, to, 4, { byteRm: true });
  }
  conditionalMove(to: Register, from: Register | Memory, condition: Condition, size: Size): this {
    return this.modRm(0x0f40 | condition, to, from, size);
  }
  jump(target: Label, condition: Condition | null = null): this {
    const longLength = (condition === null ? 1 : 2) + (this.bits === 16 ? 2 : 4);
    this.#jumps.push({ ...this.#here(), target, condition, long: false, longLength });
    return this;
  }
  call(symbol: string): this {
    return this.u8(0xe8).reference(symbol, "relative");
  }
  ret(): this {
    return this.u8(0xc3);
  }
  /** UD2: #UD at an address that says what went wrong. */
  undefined(): this {
    return this.u8(0x0f, 0x0b);
  }

  // ---- the end ----

  /**
   * Lays everything out.
   * @param own the symbol that the piece will have: labels become distances from it
   */
  finish(own: string): ObjectCode {
    const before = this.#relax();
    const position = (place: Place | null): number =>
      place === null ? impossible("a label that is used is bound", { own }) : place.at + before[place.jumps]!;
    const bytes = new Uint8Array(this.#bytes.length + before[this.#jumps.length]!);
    let from = 0;
    let to = 0;
    for (const jump of this.#jumps) {
      bytes.set(this.#bytes.slice(from, jump.at), to);
      to += jump.at - from;
      from = jump.at;
      to = this.#writeJump(bytes, to, jump, position(jump.target.place));
    }
    bytes.set(this.#bytes.slice(from), to);
    return {
      bytes,
      relocations: this.#references.map((reference) => ({
        at: position(reference.place),
        kind: reference.kind,
        symbol: "symbol" in reference ? reference.symbol : own,
        addend: reference.addend + ("label" in reference ? position(reference.label.place) : 0),
      })),
      symbols: new Map([...this.#symbols].map(([name, { place }]) => [name, position(place)])),
      lines: this.#lines.map(({ place, from }) => ({ at: position(place), from })),
    };
  }

  /** Lengthens jumps until each reaches; returns how many bytes the first n jumps take. */
  #relax(): number[] {
    for (;;) {
      const before = [0];
      for (const { long, longLength } of this.#jumps) before.push(before.at(-1)! + (long ? longLength : 2));
      let changed = false;
      for (const [n, jump] of this.#jumps.entries()) {
        const { place } = jump.target;
        if (place === null) impossible("a label that is jumped to is bound");
        const distance = place.at + before[place.jumps]! - (jump.at + before[n + 1]!);
        if (jump.long || (distance >= -128 && distance <= 127)) continue;
        jump.long = changed = true;
      }
      if (!changed) return before;
    }
  }

  #writeJump(bytes: Uint8Array, at: number, { condition, long, longLength }: Jump, target: number): number {
    const end = at + (long ? longLength : 2);
    const opcode = long
      ? condition === null
        ? [0xe9]
        : [0x0f, 0x80 | condition]
      : [condition === null ? 0xeb : 0x70 | condition];
    bytes.set(opcode, at);
    for (let n = at + opcode.length, rest = target - end; n < end; n++, rest >>= 8) bytes[n] = rest & 0xff;
    return end;
  }
}
