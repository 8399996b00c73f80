/**
 * A WebAssembly encoder: just what those who emit code need of the binary format [WebAssembly 5].
 *
 *     import { Code, I32, Module } from "@castaway/kit/wasm";
 *     const module = new Module({ table: false });
 *     module.function(new Code(1).get(0).i32(1).op("i32.add"), [I32], [I32], "next");
 *     new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory } });
 */

export const I32 = 0x7f,
  I64 = 0x7e,
  V128 = 0x7b;
export type ValueType = typeof I32 | typeof I64 | typeof V128;
const VOID = 0x40;

/** Opcodes by their text names. */
export const OP = {
  unreachable: 0x00,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  "i32.load": 0x28,
  "i64.load": 0x29,
  "i32.load8_u": 0x2d,
  "i32.load16_u": 0x2f,
  "i64.load8_u": 0x31,
  "i64.load16_u": 0x33,
  "i64.load32_s": 0x34,
  "i64.load32_u": 0x35,
  "i32.store": 0x36,
  "i64.store": 0x37,
  "i64.store8": 0x3c,
  "i64.store16": 0x3d,
  "i64.store32": 0x3e,
  "i32.eqz": 0x45,
  "i32.eq": 0x46,
  "i32.ne": 0x47,
  "i32.lt_s": 0x48,
  "i32.lt_u": 0x49,
  "i32.gt_s": 0x4a,
  "i32.gt_u": 0x4b,
  "i32.le_s": 0x4c,
  "i32.ge_u": 0x4f,
  "i64.eqz": 0x50,
  "i64.eq": 0x51,
  "i64.ne": 0x52,
  "i64.lt_s": 0x53,
  "i64.lt_u": 0x54,
  "i64.gt_u": 0x56,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.and": 0x71,
  "i32.or": 0x72,
  "i32.xor": 0x73,
  "i32.shl": 0x74,
  "i32.shr_u": 0x76,
  "i64.clz": 0x79,
  "i64.ctz": 0x7a,
  "i64.popcnt": 0x7b,
  "i64.add": 0x7c,
  "i64.sub": 0x7d,
  "i64.mul": 0x7e,
  "i64.div_s": 0x7f,
  "i64.div_u": 0x80,
  "i64.rem_s": 0x81,
  "i64.rem_u": 0x82,
  "i64.and": 0x83,
  "i64.or": 0x84,
  "i64.xor": 0x85,
  "i64.shl": 0x86,
  "i64.shr_s": 0x87,
  "i64.shr_u": 0x88,
  "i32.wrap_i64": 0xa7,
  "i64.extend_i32_s": 0xac,
  "i64.extend_i32_u": 0xad,
  "i64.extend8_s": 0xc2,
  "i64.extend16_s": 0xc3,
  "i64.extend32_s": 0xc4,
} as const;
export type Op = keyof typeof OP;

/** Growing byte buffer with LEB128 encodings. */
export class Bytes {
  #bytes = new Uint8Array(256);
  length = 0;
  #reserve(n: number): void {
    if (this.length + n <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + n));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
    return this;
  }
  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest > 127) {
      this.u8((rest & 127) | 128);
      rest >>>= 7;
    }
    return this.u8(rest);
  }
  signed(value: number): this {
    for (let rest = value | 0; ; ) {
      const low = rest & 127;
      rest >>= 7;
      if ((rest === 0 && !(low & 64)) || (rest === -1 && low & 64)) return this.u8(low);
      this.u8(low | 128);
    }
  }
  signed64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    if (rest === BigInt.asIntN(32, rest)) return this.signed(Number(rest));
    for (;;) {
      const low = Number(rest & 127n);
      rest >>= 7n;
      if ((rest === 0n && !(low & 64)) || (rest === -1n && low & 64)) return this.u8(low);
      this.u8(low | 128);
    }
  }
  append(other: Bytes | Uint8Array): this {
    const bytes = other instanceof Bytes ? other.view() : other;
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }
  name(text: string): this {
    this.unsigned(text.length);
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i));
    return this;
  }
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** The body of a function under construction. `depth` counts open blocks, for branch labels. */
export class Code extends Bytes {
  readonly parameters: number;
  readonly #locals: ValueType[] = [];
  depth = 0;
  constructor(parameters: number) {
    super();
    this.parameters = parameters;
  }

  local(type: ValueType): number {
    return this.parameters + this.#locals.push(type) - 1;
  }
  get(local: number): this {
    return this.u8(0x20).unsigned(local);
  }
  set(local: number): this {
    return this.u8(0x21).unsigned(local);
  }
  tee(local: number): this {
    return this.u8(0x22).unsigned(local);
  }
  i32(value: number): this {
    return this.u8(0x41).signed(value);
  }
  i64(value: bigint): this {
    return this.u8(0x42).signed64(value);
  }
  op(op: Op): this {
    return this.u8(OP[op]);
  }
  /** A load or store with a static offset; alignment is a hint that engines ignore. */
  memory(op: Op, offset = 0): this {
    return this.u8(OP[op]).u8(0).unsigned(offset);
  }
  simd(opcode: number): this {
    return this.u8(0xfd).unsigned(opcode);
  }
  simdMemory(opcode: number, offset = 0): this {
    return this.simd(opcode).u8(0).unsigned(offset);
  }
  open(kind: "block" | "loop" | "if", type: ValueType | typeof VOID = VOID): this {
    this.depth++;
    return this.u8(kind === "block" ? 2 : kind === "loop" ? 3 : 4).u8(type);
  }
  otherwise(): this {
    return this.u8(5);
  }
  end(): this {
    this.depth--;
    return this.u8(0x0b);
  }
  /** Branches to the block that was opened when `depth` became `label`. */
  branch(label: number): this {
    return this.u8(0x0c).unsigned(this.depth - label);
  }
  branchIf(label: number): this {
    return this.u8(0x0d).unsigned(this.depth - label);
  }
  branchTable(labels: readonly number[], otherwise: number): this {
    this.u8(0x0e).unsigned(labels.length);
    for (const label of labels) this.unsigned(this.depth - label);
    return this.unsigned(this.depth - otherwise);
  }
  call(index: number): this {
    return this.u8(0x10).unsigned(index);
  }
  callIndirect(type: number): this {
    return this.u8(0x11).unsigned(type).u8(0);
  }

  /** Locals and body with their size, as the code section holds them. */
  encode(): Bytes {
    const header = new Bytes(),
      runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs[runs.length - 1];
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    header.unsigned(runs.length);
    for (const [count, type] of runs) header.unsigned(count).u8(type);
    return new Bytes()
      .unsigned(header.length + this.length + 1)
      .append(header)
      .append(this)
      .u8(0x0b);
  }
}

/** A module that imports memory and, unless it calls nothing by it, the table from "env", and functions by name. */
export class Module {
  readonly #table: boolean;
  readonly #types: string[] = [];
  readonly #typeBytes: Bytes[] = [];
  readonly #imports: [string, number][] = [];
  readonly #functions: [number, Code][] = [];
  readonly #exports: [string, number][] = [];
  readonly #elements: [number, number[]][] = [];

  constructor({ table = true } = {}) {
    this.#table = table;
  }

  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters.join()}>${results.join()}`,
      known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new Bytes().u8(0x60).unsigned(parameters.length);
    for (const t of parameters) bytes.u8(t);
    bytes.unsigned(results.length);
    for (const t of results) bytes.u8(t);
    this.#typeBytes.push(bytes);
    return this.#types.push(key) - 1;
  }
  /** Imports a function; all imports come before the first function. */
  importFunction(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): number {
    return this.#imports.push([name, this.type(parameters, results)]) - 1;
  }
  function(code: Code, parameters: readonly ValueType[], results: readonly ValueType[], exported?: string): number {
    const index = this.#imports.length + this.#functions.push([this.type(parameters, results), code]) - 1;
    if (exported !== undefined) this.#exports.push([exported, index]);
    return index;
  }
  /** Puts functions into the imported table from `offset` on. */
  elements(offset: number, functions: number[]): void {
    this.#elements.push([offset, functions]);
  }

  encode(): Uint8Array<ArrayBuffer> {
    const out = new Bytes().append(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const section = (id: number, fill: (b: Bytes) => void) => {
      const body = new Bytes();
      fill(body);
      out.u8(id).unsigned(body.length).append(body);
    };
    section(1, (b) => {
      b.unsigned(this.#typeBytes.length);
      for (const t of this.#typeBytes) b.append(t);
    });
    section(2, (b) => {
      b.unsigned(this.#imports.length + (this.#table ? 2 : 1));
      for (const [name, type] of this.#imports) b.name("env").name(name).u8(0).unsigned(type);
      b.name("env").name("memory").u8(2).u8(0).unsigned(1);
      if (this.#table) b.name("env").name("table").u8(1).u8(0x70).u8(0).unsigned(0);
    });
    section(3, (b) => {
      b.unsigned(this.#functions.length);
      for (const [type] of this.#functions) b.unsigned(type);
    });
    if (this.#exports.length > 0)
      section(7, (b) => {
        b.unsigned(this.#exports.length);
        for (const [name, index] of this.#exports) b.name(name).u8(0).unsigned(index);
      });
    if (this.#elements.length > 0)
      section(9, (b) => {
        b.unsigned(this.#elements.length);
        for (const [offset, functions] of this.#elements) {
          b.u8(0).u8(0x41).signed(offset).u8(0x0b).unsigned(functions.length);
          for (const f of functions) b.unsigned(f);
        }
      });
    section(10, (b) => {
      b.unsigned(this.#functions.length);
      for (const [, code] of this.#functions) b.append(code.encode());
    });
    return out.view().slice() as Uint8Array<ArrayBuffer>;
  }
}
