/** From a form to the bytes of one instruction, with operands chosen at random and pointers aimed at data. */
import type { Form, OperandSpec } from "../../packages/cpu/src/core/forms.ts";
import { type MemoryOperand, memoryOperand } from "./addressing.ts";
import type { Builder, Kind } from "./builder.ts";
import type { Mode } from "./environment.ts";
import { DS, ES, FS, RDI, RSI } from "./layout.ts";
import { farCallee, farTarget } from "./tuning.ts";
import * as values from "./values.ts";

/** What a form's identity fixes; all the rest of an encoding is chosen per case. */
export interface Encoding {
  readonly form: Form;
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  /** What ModRM's register-or-memory operand is. */
  readonly rm: "reg" | "mem" | "none";
  readonly lock: boolean;
  readonly repeat: "" | "rep" | "repne";
  /** For memory operands without a size in their notation. */
  readonly memoryBytes: number;
  readonly align: number;
  readonly kind: Kind;
  /** BT and its kin: the register operand counts bits from the address, so it moves the access. */
  readonly bitString: boolean;
  /** Writes what a memory operand should hold instead of noise of its kind. */
  readonly content: Content | null;
}

/** Puts an operand at `linear`, after all registers have their values. */
export type Content = (b: Builder, linear: number, bytes: number, operandSize: number) => void;

const FAR_CALL = 0x9a;
const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const MANDATORY = { NP: [], NFx: [], "66": [0x66], F2: [0xf2], F3: [0xf3] };
const OPCODE_MAP = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const BYTES: Record<string, number> = { b: 1, bs: 1, w: 2, d: 4, q: 8, dq: 16, t: 10, ps: 16, pd: 16, ss: 4, sd: 8 };

/** The operand size of a form without prefixes. */
export const usualSize = (form: Form, mode: Mode): 16 | 32 | 64 =>
  mode === 16 ? 16 : mode === 64 && (form.f64 || form.d64) ? 64 : 32;

/** Bytes of an operand in memory. */
export function operandBytes(type: string, operandSize: number, wide: boolean, otherwise: number): number {
  switch (type) {
    case "v":
      return operandSize / 8;
    case "z":
      return Math.min(operandSize, 32) / 8;
    case "y":
      return wide ? 8 : 4;
    case "p":
      return operandSize / 8 + 2;
    case "a":
      return operandSize / 4;
    default:
      return BYTES[type] ?? otherwise;
  }
}

/** How the bits of an operand are read, as far as its notation says. */
export const kindOf = (type: string, otherwise: Kind): Kind =>
  type === "ps" || type === "ss" ? "f32" : type === "pd" || type === "sd" ? "f64" : otherwise;

/** Writes one instruction; registers and memory of the builder's case change to suit it. */
export function encode(b: Builder, e: Encoding): number[] {
  return new Encoder(b, e).bytes();
}

class Encoder {
  readonly #b: Builder;
  readonly #e: Encoding;
  readonly #long: boolean;
  /** Bits of REX, or 0 where none is needed. */
  #rex = 0;
  #override = -1;
  #memory: MemoryOperand | null = null;

  constructor(b: Builder, e: Encoding) {
    this.#b = b;
    this.#e = e;
    this.#long = b.mode === 64;
  }

  bytes(): number[] {
    const { form } = this.#e;
    const { random } = this.#b;
    const touches = this.#e.rm === "mem" || form.operands.some(({ method }) => method === "O" || method === "X");
    if (random.below(touches ? 4 : 24) === 0) this.#override = random.below(6);
    const sizes = this.#sizePrefixes();
    const modrm = form.modrm ? this.#modrm() : [];
    this.#strings();
    const low = form.plusR ? this.#register(8, 1) : 0;
    const immediates = form.operands.flatMap((spec) => this.#immediate(spec));
    const prefixes = this.#shuffle(sizes);
    if (form.prefix) prefixes.splice(random.below(prefixes.length + 1), 0, ...MANDATORY[form.prefix]);
    if (form.rexB) this.#rex |= 0x41;
    if (form.rexW) this.#rex |= 0x48;
    const rex = this.#rexByte();
    const code = [...prefixes, ...rex, ...OPCODE_MAP[form.map]!, form.byte | low, ...modrm, ...immediates];
    if (this.#memory?.ripTarget !== undefined) this.#aimRip(code, immediates.length, this.#memory.ripTarget);
    return code;
  }

  // ---- prefixes ----

  #sizePrefixes(): number[] {
    const { form, operandSize, addressSize, lock, repeat } = this.#e;
    const { mode, random } = this.#b;
    const prefixes: number[] = [];
    const usual = usualSize(form, mode);
    if (operandSize === 64 && (usual !== 64 || random.below(8) === 0)) this.#rex |= 0x48;
    else if (operandSize !== usual) prefixes.push(0x66);
    if (addressSize !== mode) prefixes.push(0x67);
    if (lock) prefixes.push(0xf0);
    if (repeat) prefixes.push(repeat === "rep" ? 0xf3 : 0xf2);
    if (this.#override >= 0) prefixes.push(SEGMENT_PREFIX[this.#override]!);
    return prefixes;
  }
  #shuffle(list: number[]): number[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.#b.random.below(i + 1);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  }
  #rexByte(): number[] {
    if (this.#rex) return [this.#rex | 0x40];
    return this.#long && this.#byteRegister === "any" && this.#b.random.below(8) === 0 ? [0x40] : [];
  }
  /** Set to "legacy" once an operand is one of AH, CH, DH, BH, which a REX prefix would turn into SPL .. DIL. */
  #byteRegister: "any" | "legacy" = "any";

  // ---- ModRM ----

  #modrm(): number[] {
    const { form, rm } = this.#e;
    const { random } = this.#b;
    if (form.exact !== null) return [form.plusI ? form.exact | random.below(8) : form.exact];
    const registerSpec = form.operands.find(({ method }) => "GVPSCD".includes(method) && method !== "");
    let reg = form.digit ?? 0;
    if (form.digit === null) reg = this.#field(registerSpec, 4);
    if (form.plusI) return [0xc0 | (reg << 3) | random.below(8)];
    if (rm !== "mem") {
      const spec = form.operands.find(({ method }) => "EWQRUN".includes(method));
      return [0xc0 | (reg << 3) | this.#field(spec, 1)];
    }
    const spec = form.operands.find(({ method }) => "EWQM".includes(method));
    const operand = this.#aim(spec, this.#e.bitString ? this.#bitOffset(reg) : 0);
    return [operand.modrm | (reg << 3), ...operand.rest];
  }
  /** A register number for a field of ModRM whose extension is `rexBit`. */
  #field(spec: OperandSpec | undefined, rexBit: number): number {
    const { random } = this.#b;
    const method = spec?.method ?? "";
    if (method === "S") return random.below(16) === 0 ? random.below(8) : random.pick([0, 2, 3, 4, 5]);
    if ("PQN".includes(method) && method !== "") return random.below(8); // REX.R and REX.B do not reach MMX registers
    const bytes = operandBytes(spec?.type ?? "", this.#e.operandSize, (this.#rex & 8) !== 0, 0);
    return this.#register("GERZ".includes(method) && bytes === 1 ? 8 : 16, rexBit);
  }
  /** `width` 8: may be a byte register. */
  #register(width: number, rexBit: number): number {
    const { random } = this.#b;
    if (!this.#long) return random.below(8);
    const isByte = width === 8 && (this.#e.form.plusR ? this.#e.form.operands[0]!.type === "b" : true);
    const n = random.below(16);
    if (n > 7 && this.#byteRegister === "any") this.#rex |= 0x40 | rexBit;
    else if (isByte && (n & 7) > 3) {
      if (this.#rex === 0 && random.below(2) === 0) this.#byteRegister = "legacy";
      else if (this.#byteRegister === "any") this.#rex |= 0x40;
    }
    return n & 7;
  }

  // ---- memory ----

  /** The segment override that has an effect. */
  #effective(): number {
    return this.#long && this.#override < FS ? -1 : this.#override;
  }
  #aim(spec: OperandSpec | undefined, distance: number): MemoryOperand {
    const { operandSize, memoryBytes, align, addressSize } = this.#e;
    const type = spec?.type ?? "";
    const bytes = operandBytes(type, operandSize, (this.#rex & 8) !== 0, memoryBytes);
    const linear = this.#b.target(bytes, align);
    const operand = memoryOperand(this.#b, linear - distance, addressSize, this.#effective());
    this.#b.place(linear, bytes, kindOf(type, this.#e.kind));
    this.#e.content?.(this.#b, linear, bytes, operandSize);
    if (operand.rexX || operand.rexB) this.#extend((operand.rexX ? 2 : 0) | (operand.rexB ? 1 : 0));
    this.#memory = operand;
    return operand;
  }
  /** Gives a register a bit offset that stays near, and answers how many bytes that is. */
  #bitOffset(field: number): number {
    const { operandSize } = this.#e;
    const register = field | ((this.#rex & 4) << 1);
    const offset = this.#b.random.below(0x4000) - 0x2000;
    this.#b.setPointer(register, BigInt(offset), operandSize);
    return Math.floor(offset / operandSize) * (operandSize / 8);
  }
  /** The address needs high registers, so AH .. BH are out of reach. */
  #extend(bits: number): void {
    this.#byteRegister = "any";
    this.#rex |= 0x40 | bits;
  }
  #aimRip(code: number[], immediateBytes: number, target: number): void {
    const disp = target - (this.#b.address + code.length);
    const at = code.length - immediateBytes - 4;
    for (let i = 0; i < 4; i++) code[at + i] = (disp >> (8 * i)) & 0xff;
  }
  /** The string instructions' operands, at [SI] in DS or its override and at [DI] in ES. */
  #strings(): void {
    const { form, operandSize, addressSize } = this.#e;
    const source = this.#effective() >= 0 ? this.#effective() : DS;
    for (const { method, type } of form.operands) {
      const bytes = operandBytes(type, operandSize, false, 4);
      if (method === "X") this.#b.point(RSI, source, bytes, addressSize, "int");
      if (method === "Y") this.#b.point(RDI, ES, bytes, addressSize, "int");
    }
  }

  // ---- immediates, displacements ----

  #immediate({ method, type }: OperandSpec): number[] {
    const { operandSize, addressSize } = this.#e;
    const { random } = this.#b;
    const integer = (bytes: number) => little(values.integer(random), bytes);
    switch (method) {
      case "I":
        if (type.startsWith("b")) return integer(1);
        if (type === "w") return random.below(4) > 0 ? little(BigInt(random.below(0x200)), 2) : integer(2);
        return integer(type === "z" ? Math.min(operandSize, 32) / 8 : operandSize / 8);
      case "J": {
        const bytes = type === "b" ? 1 : Math.min(operandSize, 32) / 8;
        return random.below(16) === 0 ? integer(bytes) : little(BigInt(random.below(0x2000) - 0x1000), bytes);
      }
      case "A": {
        const { offset, selector } = this.#e.form.byte === FAR_CALL ? farCallee(this.#b) : farTarget(this.#b);
        return [...little(offset, operandSize / 8), ...little(selector, 2)];
      }
      case "O": {
        const bytes = operandBytes(type, operandSize, false, 1);
        const linear = this.#b.target(bytes, 1);
        this.#b.place(linear, bytes, "int");
        return little(this.#b.offset(this.#effective() >= 0 ? this.#effective() : DS, linear), addressSize / 8);
      }
      default:
        return [];
    }
  }
}

const little = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
