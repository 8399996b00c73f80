/** The subset of core WebAssembly that the back end knows [WebAssembly 5.4]: no floats, vectors, references or exceptions. */

export type ValueType = "i32" | "i64";

/** What follows an opcode in the binary format. */
export type Immediate =
  | "none"
  | "block"
  | "index"
  | "labels"
  | "call_indirect"
  | "memory"
  | "const"
  | "memory.index"
  | "memory.copy"
  | "memory.fill";

export interface Opcode {
  /** The byte; for two-byte opcodes 0xfc00 + the second number. */
  readonly code: number;
  readonly name: string;
  readonly immediate: Immediate;
}

// biome-ignore format: a table
const CONTROL: readonly (readonly [code: number, name: string, immediate: Immediate])[] = [
  [0x00, "unreachable", "none"], [0x01, "nop", "none"], [0x02, "block", "block"], [0x03, "loop", "block"],
  [0x04, "if", "block"], [0x05, "else", "none"], [0x0b, "end", "none"], [0x0c, "br", "index"],
  [0x0d, "br_if", "index"], [0x0e, "br_table", "labels"], [0x0f, "return", "none"], [0x10, "call", "index"],
  [0x11, "call_indirect", "call_indirect"], [0x1a, "drop", "none"], [0x1b, "select", "none"],
  [0x20, "local.get", "index"], [0x21, "local.set", "index"], [0x22, "local.tee", "index"],
  [0x23, "global.get", "index"], [0x24, "global.set", "index"],
  [0x3f, "memory.size", "memory.index"], [0x40, "memory.grow", "memory.index"],
  [0x41, "i32.const", "const"], [0x42, "i64.const", "const"],
  [0xfc0a, "memory.copy", "memory.copy"], [0xfc0b, "memory.fill", "memory.fill"],
];

/** Rows of opcodes that follow one another, from a code on; "-" is one outside the subset. */
const RUNS: readonly (readonly [first: number, immediate: Immediate, names: string])[] = [
  [0x28, "memory", "i32.load i64.load - - i32.load8_s i32.load8_u i32.load16_s i32.load16_u"],
  [0x30, "memory", "i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"],
  [0x36, "memory", "i32.store i64.store - - i32.store8 i32.store16 i64.store8 i64.store16 i64.store32"],
  [0x45, "none", "i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u"],
  [0x50, "none", "i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u"],
  [0x67, "none", "i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u"],
  [0x71, "none", "i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"],
  [0x79, "none", "i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u"],
  [0x83, "none", "i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"],
  [0xa7, "none", "i32.wrap_i64"],
  [0xac, "none", "i64.extend_i32_s i64.extend_i32_u"],
  [0xc0, "none", "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s"],
];

function* rows(): Generator<Opcode> {
  for (const [code, name, immediate] of CONTROL) yield { code, name, immediate };
  for (const [first, immediate, names] of RUNS) {
    for (const [n, name] of names.split(" ").entries()) if (name !== "-") yield { code: first + n, name, immediate };
  }
}

export const opcodes: readonly Opcode[] = [...rows()];
const byCode = new Map(opcodes.map((opcode) => [opcode.code, opcode]));
const byName = new Map(opcodes.map((opcode) => [opcode.name, opcode]));

export const opcodeOf = (code: number): Opcode | undefined => byCode.get(code);

/** @throws Error if the subset has no opcode of that name: a mistake in this program */
export function codeOf(name: string): number {
  const opcode = byName.get(name);
  if (opcode === undefined) throw new Error(`there is no opcode ${name} in the subset`);
  return opcode.code;
}
