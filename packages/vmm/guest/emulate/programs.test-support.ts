/** Random instructions of those that the emulator knows, with registers that lead them to the device. */
import type { FlatMode } from "@castaway/cpu";
import type { Random } from "@castaway/kit";
import { randomPaging } from "./paging.test-support.ts";
import { type Case, type Paging, RAM, REGISTERS, SEGMENTS, word } from "./pair.test-support.ts";

/** Opcode, ModRM's extension (a register if absent), bytes of the immediate ("z": 2 or 4), what LOCK may precede. */
type Opcode = { code: number[]; extension?: number; immediate?: number | "z"; lockable?: boolean; bits?: boolean };

const alu = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((row): Opcode[] => [
  ...[0, 1].map((low) => ({ code: [(row << 3) | low], lockable: row < 7 })),
  ...[2, 3].map((low) => ({ code: [(row << 3) | low] })),
  { code: [0x80], extension: row, immediate: 1, lockable: row < 7 },
  { code: [0x81], extension: row, immediate: "z", lockable: row < 7 },
  { code: [0x83], extension: row, immediate: 1, lockable: row < 7 },
]);
const moves: Opcode[] = [
  ...[0x88, 0x89, 0x8a, 0x8b, 0x84, 0x85].map((code) => ({ code: [code] })),
  ...[0x86, 0x87].map((code) => ({ code: [code], lockable: true })),
  { code: [0xc6], extension: 0, immediate: 1 },
  { code: [0xc7], extension: 0, immediate: "z" },
  ...[0xb6, 0xb7, 0xbe, 0xbf, 0xc3].map((code) => ({ code: [0x0f, code] })),
  ...[0xb0, 0xb1, 0xc0, 0xc1].map((code) => ({ code: [0x0f, code], lockable: true })),
];
const unary: Opcode[] = [
  { code: [0xf6], extension: 0, immediate: 1 },
  { code: [0xf7], extension: 1, immediate: "z" },
  ...[2, 3].flatMap((extension) => [0xf6, 0xf7].map((code) => ({ code: [code], extension, lockable: true }))),
  ...[0, 1].flatMap((extension) => [0xfe, 0xff].map((code) => ({ code: [code], extension, lockable: true }))),
  { code: [0xff], extension: 6 },
  { code: [0x8f], extension: 0 },
];
const bits: Opcode[] = [0xa3, 0xab, 0xb3, 0xbb].flatMap((code, i) => [
  { code: [0x0f, code], lockable: i > 0, bits: true },
  { code: [0x0f, 0xba], extension: 4 + i, immediate: 1, lockable: i > 0 },
]);
const opcodes = [...alu, ...moves, ...unary, ...bits];
const strings = [0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf];

export const MODES: readonly FlatMode[] = ["real", "protected16", "protected32", "long"];
const CS = 1,
  SS = 2,
  DS = 3,
  FS = 4;
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** An instruction in the making. */
class Program {
  readonly random: Random;
  readonly mode: FlatMode;
  readonly bits: number;
  readonly prefixes: number[] = [];
  readonly registers: bigint[];
  readonly segments: Record<string, { base?: bigint; limit?: number; rights?: number }> = {};
  readonly at: number;
  rex = 0;
  operand = false;
  address = false;
  /** The segment that a prefix names, -1 if none does. */
  override = -1;

  constructor(random: Random, mode: FlatMode) {
    this.random = random;
    this.mode = mode;
    this.bits = mode === "long" ? 64 : mode === "protected32" ? 32 : 16;
    this.registers = Array.from({ length: 16 }, () => this.value());
    this.registers[4] = BigInt(0x8000 + random.below(0x4000));
    this.at = this.chance(8) ? 0x1ff8 + random.below(8) : 0x1000 + random.below(0xf00);
    for (const name of SEGMENTS) if (name !== "CS" && !this.chance(40)) this.segments[name] = { limit: 0xffffffff };
    this.segments["CS"] = { limit: 0xffffffff };
    if (this.mode === "protected16" && this.chance(4)) this.segments["CS"] = { limit: 0xffffffff, rights: 0x99 }; // not readable
    if (this.bits !== 64) {
      const big = this.chance(2) ? 0x4000 : 0;
      this.segments["SS"] = { limit: 0xffffffff, rights: 0x93 | big };
      if (mode !== "real" && this.chance(20)) this.segments["DS"] = { limit: 0xfff, rights: 0x97 | big };
      if (mode !== "real" && this.chance(40)) this.segments["DS"] = { limit: 0xffffffff, rights: 0x91 };
    }
  }
  chance(oneIn: number): boolean {
    return this.random.below(oneIn) === 0;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)]!;
  }
  /** Any 64 bits, or a small number, or one with sign. */
  value(): bigint {
    const value = (BigInt(this.random.u32()) << 32n) | BigInt(this.random.u32());
    const shift = this.pick([0n, 0n, 32n, 48n, 56n]);
    return this.chance(4) ? word(BigInt.asIntN(64, value) >> shift) : value >> shift;
  }
  get addressSize(): number {
    return this.address ? (this.bits === 32 ? 16 : 32) : this.bits;
  }
  get operandSize(): number {
    if (this.rex & 8) return 64;
    return (this.bits === 16) !== this.operand ? 16 : 32;
  }
  /** Prefixes in any order, with `repeat` and LOCK as told; REX is last. */
  choosePrefixes(lock: boolean, repeat: number): void {
    const { prefixes } = this;
    if (this.chance(4)) prefixes.push(0x66);
    if (this.chance(5)) prefixes.push(0x67);
    if (lock) prefixes.push(0xf0);
    if (repeat) prefixes.push(repeat);
    if (this.chance(this.bits === 64 ? 2 : 5)) prefixes.push(this.pick(PREFIXES));
    if (this.chance(20)) prefixes.push(this.pick(PREFIXES));
    for (let i = prefixes.length - 1; i > 0; i--) {
      const j = this.random.below(i + 1);
      [prefixes[i], prefixes[j]] = [prefixes[j]!, prefixes[i]!];
    }
    this.operand = prefixes.includes(0x66);
    this.address = prefixes.includes(0x67);
    for (const prefix of prefixes) {
      const segment = PREFIXES.indexOf(prefix);
      if (segment >= (this.bits === 64 ? FS : 0)) this.override = segment;
    }
    if (this.bits !== 64 || this.chance(3)) return;
    if (this.chance(10) && prefixes.length > 0) {
      prefixes.unshift(0x4f); // not right before the opcode: it means nothing
      return;
    }
    this.rex = 0x40 | this.random.below(16);
    prefixes.push(this.rex);
  }

  /** An address of the device: mostly aligned, sometimes over the edge of a page. */
  target(): number {
    if (this.bits === 64 && this.chance(40)) return 2 ** 47 - 1 - this.random.below(10); // the last canonical ones
    if (this.chance(12)) return REGISTERS + this.pick([0, 0x1000, 0x2000]) - 1 - this.random.below(8);
    return REGISTERS + (this.chance(8) ? this.random.below(0x1ff0) : 4 * this.random.below(0x7f0));
  }
  /** Makes an offset in a segment lead to a linear address, by the segment's base. */
  lead(segment: number, offset: bigint, target: number): void {
    const width = this.bits === 64 ? 64 : 32,
      name = SEGMENTS[segment]!;
    this.segments[name] = { ...this.segments[name], base: BigInt.asUintN(width, BigInt(target) - offset) };
    if (this.bits === 64 || segment === CS || !this.chance(12)) return;
    // A limit at the operand's end, or so; if the segment expands down, at its beginning.
    const big = this.chance(2) ? 0x4000 : 0,
      down = this.mode !== "real" && this.chance(2),
      limit = Number(BigInt.asUintN(32, offset + BigInt(this.random.below(10) - 1)));
    this.segments[name] = { ...this.segments[name], limit, rights: (down ? 0x97 : 0x93) | big };
  }
  canMove(segment: number): boolean {
    return this.bits !== 64 || segment >= FS;
  }
  /** In protected mode: paging, often at CPL 3 and with alignment checks. */
  choosePaging(): Paging | undefined {
    if ((this.mode !== "protected32" && this.mode !== "long") || this.chance(2)) return undefined;
    const user = this.chance(2),
      mode = this.mode === "long" ? "4-level" : this.pick(["32-bit", "PAE"] as const);
    if (user) {
      const long = this.mode === "long";
      this.segments["CS"] = { ...this.segments["CS"], rights: long ? 0xa0fb : 0xc0fb };
      for (const name of SEGMENTS)
        if (name !== "CS")
          this.segments[name] = { ...this.segments[name], rights: 0xc0f3 | ((this.segments[name]?.rights ?? 0) & 4) };
    }
    return randomPaging(this.random, mode, user);
  }
  finish(code: number[]): Case {
    const { random } = this,
      paging = this.choosePaging();
    const answers = Array.from({ length: 8 }, () =>
      this.pick([0, 0xffffffff, Number(this.registers[0]! & 0xffffffffn), random.u32(), random.u32()]),
    );
    return {
      mode: this.mode,
      at: this.at,
      code: [...code, ...Array.from({ length: 16 }, () => random.below(256))],
      registers: this.registers,
      flags: 2 | (random.u32() & 0x8d5) | (this.chance(3) ? 0x400 : 0) | (this.chance(3) ? 0x40000 : 0),
      segments: this.segments,
      ...(paging && { paging }),
      answers,
      exit: REGISTERS + 4 * random.below(0x7f0),
    };
  }
}

/** Where ModRM leads: the sum of its parts, and the standard segment. `patch`: where disp32 relative to RIP stands. */
type Address = {
  bytes: number[];
  base: number;
  index: number;
  scale: number;
  disp: bigint;
  stack: boolean;
  patch: boolean;
};
const little = (value: bigint, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt.asUintN(64, value) >> BigInt(8 * i)) & 0xffn));

function address16(p: Program, mod: number, reg: number): Address {
  const rm = p.random.below(8),
    direct = mod === 0 && rm === 6;
  const size = direct ? 2 : mod,
    disp = BigInt.asIntN(8 * size, p.value());
  const [base, index] = direct
    ? [-1, -1]
    : ([
        [3, 6],
        [3, 7],
        [5, 6],
        [5, 7],
        [6, -1],
        [7, -1],
        [5, -1],
        [3, -1],
      ][rm]! as [number, number]);
  const bytes = [(mod << 6) | (reg << 3) | rm, ...little(disp, size)];
  return { bytes, base, index, scale: 0, disp: size === 0 ? 0n : disp, stack: base === 5, patch: false };
}
function address32(p: Program, mod: number, reg: number): Address {
  const rm = p.random.below(8),
    bytes = [(mod << 6) | (reg << 3) | rm];
  let base = rm,
    index = -1,
    scale = 0;
  if (rm === 4) {
    const sib = p.random.below(256);
    bytes.push(sib);
    base = sib & 7;
    index = ((sib >> 3) & 7) | ((p.rex & 2) << 2);
    scale = sib >> 6;
    if (index === 4) index = -1;
  }
  const none = mod === 0 && base === 5,
    size = none ? 4 : [0, 1, 4][mod]!,
    disp = size === 0 ? 0n : BigInt.asIntN(8 * size, p.value());
  const patch = none && rm === 5 && p.bits === 64;
  bytes.push(...little(disp, size));
  if (none) return { bytes, base: -1, index, scale, disp, stack: false, patch };
  base |= (p.rex & 1) << 3;
  return { bytes, base, index, scale, disp, stack: base === 4 || base === 5, patch };
}

/** Any opcode of the first two maps, in the belief that it has ModRM. */
function anyOpcode(p: Program): Opcode {
  const code = p.random.below(256),
    immediate = p.pick([0, 0, 1, "z"] as const);
  return { code: p.chance(2) ? [code] : [0x0f, code], immediate, lockable: p.chance(8) };
}
/** A random instruction with ModRM, or null if its address cannot be led to the device. */
function withModrm(random: Random, mode: FlatMode, any = false): Case | null {
  const p = new Program(random, mode),
    o = any ? anyOpcode(p) : p.pick(opcodes);
  p.choosePrefixes(o.lockable === true && p.chance(4), p.chance(20) ? p.pick([0xf2, 0xf3]) : 0);
  const reg = o.extension ?? random.below(8),
    mod = random.below(3);
  const a = p.addressSize === 16 ? address16(p, mod, reg) : address32(p, mod, reg);
  const immediate = o.immediate === "z" ? (p.operandSize === 16 ? 2 : 4) : (o.immediate ?? 0);
  const code = [...p.prefixes, ...o.code, ...a.bytes, ...little(p.value(), immediate)];
  if (!solve(p, o, a, reg, code, immediate)) return null;
  return p.finish(code);
}
/** How far from the operand the unit with the bit is. */
function unitOf(p: Program, o: Opcode, reg: number): bigint {
  if (!o.bits) return 0n;
  const number = BigInt.asIntN(p.operandSize, p.registers[reg | ((p.rex & 4) << 1)]!);
  return (number / BigInt(p.operandSize) - (number % BigInt(p.operandSize) < 0n ? 1n : 0n)) * BigInt(p.operandSize / 8);
}
function solve(p: Program, o: Opcode, a: Address, reg: number, code: number[], immediate: number): boolean {
  const segment = p.override >= 0 ? p.override : a.stack ? SS : DS,
    target = p.target();
  const moves = o.code[0] === 0x8f && a.base === 4; // POP computes with the new RSP: let it lead elsewhere
  if (moves) return false;
  const known = a.disp + unitOf(p, o, reg) + (a.index < 0 ? 0n : p.registers[a.index]! << BigInt(a.scale));
  if (a.patch) {
    const disp = BigInt(target - p.at - code.length) - unitOf(p, o, reg);
    if (p.canMove(segment)) p.lead(segment, BigInt.asUintN(p.addressSize, BigInt(p.at + code.length) + known), target);
    else if (BigInt.asIntN(32, disp) !== disp && p.addressSize === 64) return false;
    else code.splice(code.length - immediate - 4, 4, ...little(disp, 4));
    return true;
  }
  const base = a.base < 0 ? 0n : p.registers[a.base]!;
  if (p.canMove(segment)) {
    p.lead(segment, BigInt.asUintN(p.addressSize, base + known), target);
    return true;
  }
  const usesBase = o.bits && a.base === (reg | ((p.rex & 4) << 1));
  if (a.base < 0 || a.base === a.index || usesBase) return false;
  const upper = p.addressSize === 32 ? (base >> 32n) << 32n : 0n;
  p.registers[a.base] = upper | BigInt.asUintN(p.addressSize, BigInt(target) - known);
  return true;
}

function moffs(random: Random, mode: FlatMode): Case {
  const p = new Program(random, mode),
    target = p.target();
  p.choosePrefixes(false, 0);
  const segment = p.override >= 0 ? p.override : DS;
  let offset = BigInt.asUintN(p.addressSize, p.value());
  if (p.canMove(segment)) p.lead(segment, offset, target);
  else offset = BigInt(target);
  return p.finish([...p.prefixes, 0xa0 + random.below(4), ...little(offset, p.addressSize / 8)]);
}

function string(random: Random, mode: FlatMode): Case {
  const p = new Program(random, mode),
    opcode = p.pick(strings),
    which = random.below(3);
  p.choosePrefixes(false, p.pick([0, 0xf2, 0xf3]));
  if (p.chance(2)) p.registers[1] = (p.registers[1]! & ~0xffffn) | BigInt(1 + random.below(3));
  const inMemory = () => 0x4000 + random.below(0x4000);
  const source = which === 1 ? inMemory() : p.target(),
    destination = which === 2 ? inMemory() : p.target();
  const segment = p.override >= 0 ? p.override : DS;
  const place = (register: number, segment: number, target: number) => {
    if (p.canMove(segment)) p.lead(segment, BigInt.asUintN(p.addressSize, p.registers[register]!), target);
    else p.registers[register] = p.addressSize === 32 ? word(p.value() << 32n) | BigInt(target) : BigInt(target);
  };
  place(6, segment, source);
  place(7, 0, destination);
  return p.finish([...p.prefixes, opcode]);
}

/** A random case; what is not of use is drawn again. */
export function randomCase(random: Random): Case {
  const mode = MODES[random.below(MODES.length)]!;
  for (;;) {
    const kind = random.below(8),
      c = kind === 0 ? moffs(random, mode) : kind === 1 ? string(random, mode) : withModrm(random, mode);
    if (c !== null && c.at + c.code.length < RAM && isCodeInPlace(c)) return c;
  }
}
/** One with a random opcode, which may or may not be a memory access, or anything at all. */
export function anyCase(random: Random): Case {
  const mode = MODES[random.below(MODES.length)]!;
  for (;;) {
    const c = withModrm(random, mode, true);
    if (c !== null && isCodeInPlace(c)) return c;
  }
}
/** A case whose CS was moved runs where its code is, if that is within the first 64 KiB and in the segment. */
const isCodeInPlace = (c: Case) => c.segments[SEGMENTS[CS]]?.base === undefined || c.mode !== "real";
