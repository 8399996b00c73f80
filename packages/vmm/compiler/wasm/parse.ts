/** From the binary format to a module [WebAssembly 5.5]. Whatever the back end cannot do is refused here. */
import { UnsupportedError } from "../errors.ts";
import type { FunctionType, Instruction, WasmFunction, WasmModule } from "./module.ts";
import { type Immediate, opcodeOf, type ValueType } from "./opcodes.ts";
import { Reader } from "./reader.ts";

const SECTION_NAMES = "custom type import function table memory global export start element code data datacount".split(
  " ",
);
const TYPES: Readonly<Record<number, ValueType>> = { 127: "i32", 126: "i64" };
const FOREIGN_TYPES: Readonly<Record<number, string>> = {
  125: "f32",
  124: "f64",
  123: "v128",
  112: "funcref",
  111: "externref",
};
const NO_RESULT = 0x40;

/** @throws {UnsupportedError} at what is outside the subset */
export function parseModule(bytes: Uint8Array): WasmModule {
  const reader = new Reader(bytes);
  const [magic, version] = [reader.take(4), reader.take(4)];
  if (magic.join() !== "0,97,115,109" || version.join() !== "1,0,0,0")
    throw new UnsupportedError("this is no WebAssembly module of version 1", 0);
  const parser = new ModuleParser();
  while (!reader.done) {
    const id = reader.u8();
    parser.section(SECTION_NAMES[id] ?? `number ${id}`, reader.part(reader.unsigned()));
  }
  return parser.module;
}

class ModuleParser {
  readonly module: WasmModule = {
    types: [],
    functions: [],
    globals: [],
    table: [],
    data: [],
    exports: new Map(),
    memoryPages: 0,
  };
  #bodies = 0;

  section(name: string, r: Reader): void {
    const { at } = r;
    const { module } = this;
    if (name === "custom") this.#custom(r);
    else if (name === "type") r.vector(() => module.types.push(this.#functionType(r)));
    else if (name === "import") r.vector(() => this.#import(r));
    else if (name === "function") r.vector(() => this.#declare(this.#type(r)));
    else if (name === "table") r.vector(() => this.#table(r));
    else if (name === "memory") r.vector(() => (module.memoryPages = this.#limits(r)));
    else if (name === "global") r.vector(() => this.#global(r));
    else if (name === "export") r.vector(() => this.#export(r));
    else if (name === "element") r.vector(() => this.#elements(r));
    else if (name === "code") r.vector(() => this.#body(r.part(r.unsigned())));
    else if (name === "data") r.vector(() => this.#data(r));
    else if (name !== "datacount") throw new UnsupportedError(`section ${name} is outside the subset`, at);
  }

  #declare(type: FunctionType, imported?: WasmFunction["imported"]): void {
    const { functions } = this.module;
    const name = imported ? `${imported.module}.${imported.name}` : `function ${functions.length}`;
    functions.push({ index: functions.length, name, type, imported, locals: [...type.parameters], body: [] });
    if (imported) this.#bodies = functions.length;
  }

  #type(r: Reader): FunctionType {
    const { at } = r;
    const type = this.module.types[r.unsigned()];
    if (type === undefined) throw new UnsupportedError("there is no such type", at);
    return type;
  }

  #functionType(r: Reader): FunctionType {
    const { at } = r;
    if (r.u8() !== 0x60) throw new UnsupportedError("a type that is no function's", at);
    const parameters = r.vector(() => valueType(r));
    const results = r.vector(() => valueType(r));
    if (results.length > 1) throw new UnsupportedError("a function with more than one result", at);
    return { parameters, results };
  }

  #import(r: Reader): void {
    const { at } = r;
    const [module, name, kind] = [r.name(), r.name(), r.u8()];
    if (kind === 0) this.#declare(this.#type(r), { module, name });
    else if (kind === 2) this.module.memoryPages = this.#limits(r);
    else throw new UnsupportedError(`the import ${module}.${name} is neither a function nor memory`, at);
  }

  #limits(r: Reader): number {
    const { at } = r;
    const flags = r.u8();
    if (flags > 1) throw new UnsupportedError("shared or 64-bit memory", at);
    const least = r.unsigned();
    if (flags & 1) r.unsigned();
    return least;
  }

  #table(r: Reader): void {
    const { at } = r;
    if (r.u8() !== 0x70 || this.module.table.length > 0)
      throw new UnsupportedError("a second table, or not of functions", at);
    this.module.table.push(...Array<null>(this.#limits(r)).fill(null));
  }

  #global(r: Reader): void {
    const type = valueType(r);
    const mutable = r.u8() === 1;
    this.module.globals.push({ type, mutable, initial: this.#constant(r) });
  }

  /** A constant expression of one instruction. */
  #constant(r: Reader): bigint {
    const { at } = r;
    const code = r.u8();
    let value: bigint | undefined;
    if (code === 0x41 || code === 0x42) value = r.signed();
    else if (code === 0x23) value = this.module.globals[r.unsigned()]?.initial;
    if (value === undefined || r.u8() !== 0x0b) throw new UnsupportedError("an initial value that is no constant", at);
    return value;
  }

  #export(r: Reader): void {
    const [name, kind, index] = [r.name(), r.u8(), r.unsigned()];
    if (kind === 0) this.module.exports.set(name, index);
  }

  #elements(r: Reader): void {
    const { at } = r;
    if (r.unsigned() !== 0) throw new UnsupportedError("a passive or declared element segment", at);
    const first = Number(this.#constant(r));
    for (const [n, index] of r.vector(() => r.unsigned()).entries()) {
      if (first + n >= this.module.table.length) throw new UnsupportedError("an element outside the table", at);
      this.module.table[first + n] = index;
    }
  }

  #data(r: Reader): void {
    const { at } = r;
    if (r.unsigned() !== 0) throw new UnsupportedError("a passive data segment", at);
    const address = Number(BigInt.asUintN(32, this.#constant(r)));
    this.module.data.push({ address, bytes: r.take(r.unsigned()).slice() });
  }

  #custom(r: Reader): void {
    if (r.name() !== "name") return;
    while (!r.done) {
      const kind = r.u8();
      const part = r.part(r.unsigned());
      if (kind !== 1) continue;
      part.vector(() => {
        const [index, name] = [part.unsigned(), part.name()];
        const named = this.module.functions[index];
        if (named && !named.imported) named.name = name;
      });
    }
  }

  #body(r: Reader): void {
    const fn = this.module.functions[this.#bodies++];
    if (fn === undefined) throw new UnsupportedError("a body without a function", r.at);
    const { at } = r;
    try {
      r.vector(() => {
        const count = r.unsigned();
        const type = valueType(r);
        if (fn.locals.length + count > 50_000) throw new UnsupportedError("too many locals", at);
        fn.locals.push(...Array<ValueType>(count).fill(type));
      });
      while (!r.done) fn.body.push(instruction(r));
    } catch (error) {
      if (error instanceof UnsupportedError) throw new UnsupportedError(error.message, error.at, fn.index);
      throw error;
    }
  }
}

function valueType(r: Reader): ValueType {
  const { at } = r;
  const code = r.u8();
  const type = TYPES[code];
  if (type === undefined) throw new UnsupportedError(`type ${FOREIGN_TYPES[code] ?? code} is outside the subset`, at);
  return type;
}

function instruction(r: Reader): Instruction {
  const { at } = r;
  const first = r.u8();
  const code = first === 0xfc ? 0xfc00 + r.unsigned() : first;
  const opcode = opcodeOf(code);
  if (opcode === undefined) throw new UnsupportedError(`${foreign(code)} is outside the subset`, at);
  return { name: opcode.name, at, operand: 0, wide: 0n, ...immediate(opcode.immediate, opcode.name, r) };
}

function immediate(kind: Immediate, name: string, r: Reader): Partial<Instruction> {
  const { at } = r;
  if (kind === "index") return { operand: r.unsigned() };
  if (kind === "const") {
    const value = r.signed();
    return name === "i32.const" ? { operand: Number(BigInt.asIntN(32, value)) } : { wide: value };
  }
  if (kind === "memory") {
    if (r.unsigned() > 3) throw new UnsupportedError("a second memory", at);
    return { operand: r.unsigned() };
  }
  if (kind === "block") {
    if (r.bytes[r.at] !== NO_RESULT) {
      if (r.bytes[r.at]! < 0x40) throw new UnsupportedError("a block with parameters", at);
      return { result: valueType(r) };
    }
    r.u8();
    return {};
  }
  if (kind === "labels") return { labels: r.vector(() => r.unsigned()), operand: r.unsigned() };
  if (kind === "none") return {};
  const operand = kind === "call_indirect" ? r.unsigned() : 0;
  if (r.unsigned() !== 0) throw new UnsupportedError("a second memory or table", at);
  if (kind === "memory.copy") r.unsigned();
  return { operand };
}

/** What an opcode outside the subset is, in words. */
function foreign(code: number): string {
  const hex = `opcode ${code.toString(16)}h`;
  if (code === 0x2a || code === 0x2b || code === 0x38 || code === 0x39) return `${hex} (a floating-point access)`;
  if ((code >= 0x43 && code <= 0xbf) || (code >= 0xfc00 && code <= 0xfc07)) return `${hex} (floating point)`;
  if (code === 0xfd) return `${hex} (a vector)`;
  if (code >= 0xd0 && code <= 0xd2) return `${hex} (a reference)`;
  return hex;
}
