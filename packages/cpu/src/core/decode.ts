/** From bytes to an instruction: prefixes, opcode, ModRM, displacement, immediate [SDM 2A chapter 2]. */
import type { Operand, Shape } from "./exec.ts";
import { type Form, type Instruction, type OperandSpec, rare } from "./forms.ts";
import { accepts, admits, type Entry, type OpcodeMap } from "./opcodes.ts";

/** What decoding depends on besides the bytes. */
export interface CodeMode {
  /** Default size of code: CS.D, or 64 in 64-bit mode. */
  readonly bits: 16 | 32 | 64;
  /** Real-address mode: protected-mode instructions are undefined. */
  readonly real: boolean;
}

/** An operand bound to its place. */
export interface BoundOperand extends Operand {
  /** `gpr`: byte offset within the 16 registers (AH is 1). `xmm`, `mm`, `st`, `seg`, `cr`, `dr`: number. Else 0. */
  readonly reg: number;
}

export const NO_REGISTER = 16;
export const RIP_BASE = 17;

export interface Decoded extends Shape {
  readonly def: Instruction;
  readonly form: Form;
  readonly id: number;
  readonly length: number;
  readonly mode: CodeMode;
  readonly operands: readonly BoundOperand[];
  readonly lock: boolean;
  /** Memory operand: register numbers (NO_REGISTER, RIP_BASE), shift of the index, displacement as two words. */
  readonly hasMemory: boolean;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly dispLow: number;
  readonly dispHigh: number;
  /** Segment of the memory operand or string source, override applied. In 64-bit mode all but FS and GS are flat. */
  readonly segment: number;
  readonly immLow: number;
  readonly immHigh: number;
  /** Second immediate: ENTER's level, a far pointer's selector. */
  readonly imm2: number;
  /** ModRM byte or -1; REX byte or 0. */
  readonly modrm: number;
  readonly rex: number;
  readonly vex: { readonly v: number; readonly l: number; readonly w: number } | null;
  /** Slot of its handler in the emitted interpreter's table; 0: not known yet. Theirs to set. */
  handler: number;
}

const NO_OPERANDS: readonly BoundOperand[] = [];

/** Where no form matches, or a prefix is illegal: #UD. Longer than 15 bytes: #GP(0). */
const undefinedInstruction = rare("(bad)", [], (cpu) => cpu.fault("UD"), { endsBlock: true });
const tooLong = rare("(too long)", [], (cpu) => cpu.fault("GP", 0), { endsBlock: true });
const NO_FORM = {
  opcode: "",
  operands: [],
  operandText: "",
  prefix: null,
  map: 0,
  byte: 0,
  plusR: false,
  plusI: false,
  modrm: false,
  digit: null,
  exact: null,
  mods: 3,
} as const;

export const MAX_LENGTH = 15;
class OutOfBytes extends Error {}
const outOfBytes = new OutOfBytes("more bytes needed");

/** Decodes instructions for one set of definitions, of which only the forms that `enabled` admits exist. */
export class Decoder {
  readonly map: OpcodeMap;
  readonly #enabled: (form: Form) => boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  /** 64-bit mode: disp32 without a base is relative to RIP. */
  #long = false;
  readonly #bound = new Map<number, readonly BoundOperand[]>();

  constructor(map: OpcodeMap, enabled: (form: Form) => boolean = () => true) {
    this.map = map;
    this.#enabled = enabled;
  }

  /** The instruction at `at`, or null if it does not end before `end`. */
  decode(bytes: Uint8Array, at: number, end: number, mode: CodeMode): Decoded | null {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = Math.min(end, at + MAX_LENGTH);
    try {
      return this.#instruction(at, mode);
    } catch (e) {
      if (e !== outOfBytes) throw e;
      return end - at >= MAX_LENGTH ? this.#bad(tooLong, at, mode) : null;
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw outOfBytes;
    return this.#bytes[this.#at++]!;
  }
  #signed(bits: number): number {
    let value = 0;
    for (let shift = 0; shift < bits; shift += 8) value |= this.#byte() << shift;
    return bits === 32 ? value : (value << (32 - bits)) >> (32 - bits);
  }

  #bad(def: Instruction, start: number, mode: CodeMode): Decoded {
    return {
      def,
      form: NO_FORM,
      id: -1,
      length: this.#at - start,
      mode,
      operands: NO_OPERANDS,
      lock: false,
      hasMemory: false,
      base: NO_REGISTER,
      index: NO_REGISTER,
      scale: 0,
      dispLow: 0,
      dispHigh: 0,
      segment: 3,
      immLow: 0,
      immHigh: 0,
      imm2: 0,
      modrm: -1,
      rex: 0,
      vex: null,
      operandSize: mode.bits === 16 ? 16 : 32,
      addressSize: mode.bits,
      long: mode.bits === 64,
      repeat: "none",
      handler: 0,
    };
  }

  #instruction(start: number, mode: CodeMode): Decoded {
    this.#long = mode.bits === 64;
    const p = this.#prefixes(mode);
    const entry = this.#lookUp(p, mode);
    if (entry === null) return this.#bad(undefinedInstruction, start, mode);
    const { def, form } = entry,
      long = mode.bits === 64;
    const operandSize = operandSizeOf(form, p, mode);
    const addressSize = p.address ? (mode.bits === 32 ? 16 : 32) : mode.bits;
    const memory = form.modrm && p.modrm < 0xc0 && !isControlMove(form) ? this.#memory(p, addressSize) : null;
    const imm = { low: 0, high: 0, second: 0 };
    let moffs = false,
      disp = memory ? { low: memory.disp, high: memory.disp >> 31 } : { low: 0, high: 0 };
    for (const spec of form.operands) {
      if (spec.method === "O") {
        moffs = true;
        disp = { low: this.#signed(addressSize === 16 ? 16 : 32), high: 0 };
        if (addressSize === 16) disp.low &= 0xffff;
        if (addressSize === 64) disp.high = this.#signed(32);
      } else if (spec.fixed?.kind === "imm") imm.low = spec.fixed.value;
      else this.#immediate(spec, operandSize, imm);
    }
    const operands = this.#operands(entry, p, operandSize, long);
    const lockOk = def.lockable === true && operands[0]?.kind === "mem";
    if (p.lock && !lockOk) return this.#bad(undefinedInstruction, start, mode);
    const standard = memory?.stack ? 2 : 3,
      override = long && p.segment < 4 ? -1 : p.segment;
    return {
      def,
      form,
      id: entry.id,
      length: this.#at - start,
      mode,
      operands,
      lock: p.lock,
      hasMemory: memory !== null || moffs,
      base: memory?.base ?? NO_REGISTER,
      index: memory?.index ?? NO_REGISTER,
      scale: memory?.scale ?? 0,
      dispLow: disp.low,
      dispHigh: disp.high,
      segment: override >= 0 ? override : standard,
      immLow: imm.low,
      immHigh: imm.high,
      imm2: imm.second,
      modrm: p.modrm,
      rex: p.rex,
      vex: p.vex,
      operandSize,
      addressSize,
      long,
      repeat: def.repeat ? p.repeat : "none",
      handler: 0,
    };
  }

  /** The operands, one list for all instructions that have the same: there are few, and many instructions. */
  #operands({ id, form }: Entry, p: Prefixes, operandSize: number, long: boolean): readonly BoundOperand[] {
    if (form.operands.length === 0) return NO_OPERANDS;
    const memory = p.modrm < 0xc0 && !isControlMove(form),
      modrm = memory ? p.modrm & 0x38 : p.modrm & 0xff; // where memory is, is not told here
    const place = ((p.rex & 15) << 12) | ((p.rex !== 0 ? 1 : 0) << 11) | ((p.opcode & 7) << 8) | modrm;
    const key = ((id * 0x10000 + place) * 16 + (operandSize >> 3)) * 2 + (long ? 1 : 0);
    let operands = this.#bound.get(key);
    if (operands === undefined) {
      operands = form.operands.map((spec) => bind(spec, p, operandSize, long));
      this.#bound.set(key, operands);
    }
    return operands;
  }

  #prefixes(mode: CodeMode): Prefixes {
    const p: Prefixes = {
      operand: false,
      address: false,
      repeat: "none",
      lock: false,
      segment: -1,
      rex: 0,
      vex: null,
      map: 0,
      opcode: 0,
      modrm: -1,
    };
    for (;;) {
      const byte = this.#byte();
      const segment = byte === 0x64 ? 4 : byte === 0x65 ? 5 : (byte & 0xe7) === 0x26 ? (byte >> 3) & 3 : -1;
      if (segment >= 0) p.segment = mode.bits === 64 && segment < 4 ? p.segment : segment;
      else if (byte === 0x66) p.operand = true;
      else if (byte === 0x67) p.address = true;
      else if (byte === 0xf0) p.lock = true;
      else if (byte === 0xf2) p.repeat = "repne";
      else if (byte === 0xf3) p.repeat = "rep";
      else if (mode.bits === 64 && (byte & 0xf0) === 0x40) {
        p.rex = byte;
        continue;
      } // counts only right before the opcode
      else {
        this.#opcode(byte, p, mode);
        return p;
      }
      p.rex = 0;
    }
  }

  #opcode(first: number, p: Prefixes, mode: CodeMode): void {
    let byte = first;
    if ((byte === 0xc4 || byte === 0xc5) && !mode.real) {
      const next = this.#at < this.#end ? this.#bytes[this.#at]! : this.#byte();
      if (mode.bits === 64 || next >= 0xc0) return this.#vex(byte, p);
    }
    if (byte === 0x0f) {
      byte = this.#byte();
      p.map = 1;
      if (byte === 0x38 || byte === 0x3a) {
        p.map = byte === 0x38 ? 2 : 3;
        byte = this.#byte();
      }
    }
    p.opcode = byte;
  }
  /** VEX prefixes [SDM 2A 2.3.5]: the fields are carried; a legacy prefix or REX before VEX is #UD (opcode map 4 is empty). */
  #vex(byte: number, p: Prefixes): void {
    const second = this.#byte(),
      third = byte === 0xc4 ? this.#byte() : second;
    const illegal = p.operand || p.repeat !== "none" || p.lock || p.rex !== 0;
    p.rex = 0x40 | ((~second >> 5) & 4) | (byte === 0xc4 ? ((~second >> 5) & 3) | ((third >> 4) & 8) : 0);
    p.vex = { v: (~third >> 3) & 15, l: (third >> 2) & 1, w: byte === 0xc4 ? third >> 7 : 0 };
    p.operand = (third & 3) === 1;
    p.repeat = (["none", "none", "rep", "repne"] as const)[third & 3]!;
    p.map = byte === 0xc5 ? 1 : second & 31;
    if (illegal || p.map < 1 || p.map > 3) p.map = 4;
    p.opcode = this.#byte();
  }

  #lookUp(p: Prefixes, mode: CodeMode): Entry | null {
    if (p.map > 3 || p.vex !== null) return null; // no VEX-encoded definition exists yet
    const long = mode.bits === 64,
      candidates = this.map.candidates(p.map, p.opcode);
    let best: Entry | null = null;
    const mandatory = p.repeat === "rep" ? "F3" : p.repeat === "repne" ? "F2" : p.operand ? "66" : "NP";
    for (const entry of candidates) {
      const f = entry.form;
      if (f.modrm && p.modrm < 0) p.modrm = this.#byte();
      if ((long ? f.not64 : f.only64) || (mode.real && f.protectedOnly) || !this.#enabled(f)) continue;
      if (
        !admits(f, mandatory) ||
        (f.rexB ?? (p.rex & 1) !== 0) !== ((p.rex & 1) !== 0) ||
        (f.rexW ?? (p.rex & 8) !== 0) !== ((p.rex & 8) !== 0)
      )
        continue;
      if (f.modrm && !accepts(f, p.modrm)) continue;
      if (best === null || f.prefix !== null) best = entry;
    }
    return best;
  }

  #memory(p: Prefixes, addressSize: number): Memory {
    const mod = p.modrm >> 6,
      rm = p.modrm & 7;
    if (addressSize === 16) return this.#memory16(mod, rm);
    let base = rm | ((p.rex & 1) << 3),
      index = NO_REGISTER,
      scale = 0;
    if (rm === 4) {
      const sib = this.#byte();
      scale = sib >> 6;
      index = ((sib >> 3) & 7) | ((p.rex & 2) << 2);
      if (index === 4) {
        index = NO_REGISTER;
        scale = 0;
      }
      base = (sib & 7) | ((p.rex & 1) << 3);
      if ((sib & 7) === 5 && mod === 0)
        return { base: NO_REGISTER, index, scale, disp: this.#signed(32), stack: false };
    } else if (rm === 5 && mod === 0) {
      return { base: this.#long ? RIP_BASE : NO_REGISTER, index, scale, disp: this.#signed(32), stack: false };
    }
    const disp = mod === 1 ? this.#signed(8) : mod === 2 ? this.#signed(32) : 0;
    return { base, index, scale, disp, stack: base === 4 || base === 5 };
  }
  #memory16(mod: number, rm: number): Memory {
    const [base, index] = [
      [3, 6],
      [3, 7],
      [5, 6],
      [5, 7],
      [6, NO_REGISTER],
      [7, NO_REGISTER],
      [5, NO_REGISTER],
      [3, NO_REGISTER],
    ][rm] as [number, number];
    if (mod === 0 && rm === 6)
      return { base: NO_REGISTER, index: NO_REGISTER, scale: 0, disp: this.#signed(16), stack: false };
    const disp = mod === 1 ? this.#signed(8) : mod === 2 ? this.#signed(16) : 0;
    return { base, index, scale: 0, disp, stack: base === 5 };
  }

  #immediate(spec: OperandSpec, operandSize: number, imm: { low: number; high: number; second: number }): void {
    switch (spec.method + spec.type) {
      case "Ib":
        imm.second = this.#byte();
        imm.low = imm.second;
        break;
      case "Ib2":
        imm.second = this.#byte();
        break;
      case "Ibs":
      case "Jb":
        imm.low = this.#signed(8);
        imm.high = imm.low >> 31;
        break;
      case "Iw":
        imm.low = this.#signed(16) & 0xffff;
        break;
      case "Iz":
      case "Jz":
        imm.low = this.#signed(operandSize === 16 ? 16 : 32);
        imm.high = imm.low >> 31;
        break;
      case "Iv":
        imm.low = this.#signed(operandSize === 16 ? 16 : 32);
        imm.high = operandSize === 64 ? this.#signed(32) : imm.low >> 31;
        break;
      case "Ap":
        imm.low = this.#signed(operandSize === 16 ? 16 : 32);
        imm.second = this.#signed(16) & 0xffff;
        break;
    }
  }
}

interface Prefixes {
  operand: boolean;
  address: boolean;
  repeat: Shape["repeat"];
  lock: boolean;
  segment: number;
  rex: number;
  vex: Decoded["vex"];
  map: number;
  opcode: number;
  modrm: number;
}
interface Memory {
  base: number;
  index: number;
  scale: number;
  disp: number;
  stack: boolean;
}

const isControlMove = (form: Form) => form.operands.some((o) => o.method === "C" || o.method === "D");

function operandSizeOf(form: Form, p: Prefixes, mode: CodeMode): 16 | 32 | 64 {
  const mandatory = form.prefix === "66"; // then 66 is part of the opcode
  const small = p.operand && !mandatory;
  if (mode.bits !== 64) return small === (mode.bits === 16) ? 32 : 16;
  if (form.f64 || p.rex & 8) return 64;
  return small ? 16 : form.d64 ? 64 : 32;
}

const SIZES: Record<string, number> = {
  b: 8,
  w: 16,
  d: 32,
  q: 64,
  dq: 128,
  t: 80,
  ps: 128,
  pd: 128,
  ss: 32,
  sd: 64,
  b2: 8,
  "": 0,
  s: 0,
};

function sizeOf(type: string, p: Prefixes, operandSize: number, long: boolean): number {
  switch (type) {
    case "v":
    case "bs":
      return operandSize;
    case "z":
      return operandSize === 64 ? 32 : operandSize;
    case "y":
      return long && p.rex & 8 ? 64 : 32;
    case "p":
      return operandSize + 16;
    case "a":
      return 2 * operandSize;
    default:
      return SIZES[type]!;
  }
}

function gpr(n: number, size: number, rex: number): BoundOperand {
  return { kind: "gpr", size, reg: size === 8 && rex === 0 && n >= 4 ? 8 * (n - 4) + 1 : 8 * n };
}

function bind(spec: OperandSpec, p: Prefixes, operandSize: number, long: boolean): BoundOperand {
  const { method, type } = spec;
  const size = spec.fixed?.size || sizeOf(type, p, operandSize, long);
  const reg = ((p.modrm >> 3) & 7) | ((p.rex & 4) << 1),
    rm = (p.modrm & 7) | ((p.rex & 1) << 3),
    memory = p.modrm < 0xc0;
  switch (method) {
    case "fixed": {
      const { kind, value } = spec.fixed!;
      if (kind === "gpr") return { kind, size, reg: value === 4 && size === 8 ? 1 : 8 * value };
      return { kind, size: kind === "imm" ? operandSize : size, reg: value };
    }
    case "G":
      return gpr(reg, size, p.rex);
    case "E":
    case "M":
      return memory ? { kind: "mem", size, reg: 0 } : gpr(rm, size, p.rex);
    case "R":
      return gpr(rm, size, p.rex);
    case "Z":
      return gpr((p.opcode & 7) | ((p.rex & 1) << 3), size, p.rex);
    case "S":
      return { kind: "seg", size: 16, reg: reg & 7 };
    case "C":
      return { kind: "cr", size, reg };
    case "D":
      return { kind: "dr", size, reg };
    case "V":
      return { kind: "xmm", size, reg };
    case "W":
    case "U":
      return memory ? { kind: "mem", size, reg: 0 } : { kind: "xmm", size, reg: rm };
    case "P":
      return { kind: "mm", size, reg: reg & 7 };
    case "Q":
    case "N":
      return memory ? { kind: "mem", size, reg: 0 } : { kind: "mm", size, reg: rm & 7 };
    case "ST":
      return { kind: "st", size: 80, reg: p.modrm & 7 };
    case "J":
      return { kind: "rel", size: operandSize, reg: 0 };
    case "A":
      return { kind: "far", size, reg: 0 };
    case "I":
      return { kind: "imm", size: type === "z" || type === "bs" ? operandSize : size, reg: 0 };
    default:
      return { kind: "mem", size, reg: 0 }; // O, X, Y
  }
}
