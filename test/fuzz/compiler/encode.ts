/** WebAssembly modules in bytes [WebAssembly 5], for programs that are made up. */
import type { ValueType } from "../../../packages/vmm/compiler/wasm/opcodes.ts";
import { codeOf } from "../../../packages/vmm/compiler/wasm/opcodes.ts";

export type Bytes = readonly number[];

export function unsigned(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

export function signed(value: bigint): Bytes {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const byte = Number(rest & 127n);
    if (rest >> 6n === 0n || rest >> 6n === -1n) return [...bytes, byte];
    bytes.push(byte | 128);
  }
}

export const TYPE_CODES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e };

/** An instruction with its operands, which are numbers for indices and offsets. */
export function op(name: string, ...operands: readonly number[]): Bytes {
  const code = codeOf(name);
  return [...(code > 0xff ? [0xfc, code & 0xff] : [code]), ...operands.flatMap(unsigned)];
}
export const i32 = (value: number | bigint): Bytes => [
  codeOf("i32.const"),
  ...signed(BigInt.asIntN(32, BigInt(value))),
];
export const i64 = (value: bigint): Bytes => [codeOf("i64.const"), ...signed(BigInt.asIntN(64, value))];

export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | null;
}
export interface ModuleParts {
  readonly imports: readonly (Signature & { readonly name: string })[];
  readonly functions: readonly (Signature & { readonly locals: readonly ValueType[]; readonly code: Bytes })[];
  readonly globals: readonly ValueType[];
  /** Function indices; their types, and those of all functions, are in the order of the functions. */
  readonly table: readonly number[];
  readonly data: readonly { readonly address: number; readonly bytes: Bytes }[];
  readonly pages: number;
}

const text = (name: string): Bytes => [...unsigned(name.length), ...new TextEncoder().encode(name)];
const vector = (items: readonly Bytes[]): Bytes => [...unsigned(items.length), ...items.flat()];

/** Exports every function as "f0", "f1", .. by its index, and the memory as "memory". Type n is function n's. */
export function encodeModule({
  imports,
  functions,
  globals,
  table,
  data,
  pages,
}: ModuleParts): Uint8Array<ArrayBuffer> {
  const section = (id: number, body: Bytes): Bytes => [id, ...unsigned(body.length), ...body];
  const types = [...imports, ...functions].map(({ parameters, result }) => [
    0x60,
    ...vector(parameters.map((type) => [TYPE_CODES[type]])),
    ...vector(result === null ? [] : [[TYPE_CODES[result]]]),
  ]);
  const bodies = functions.map(({ locals, code }) => {
    const body = [...vector(locals.map((type) => [1, TYPE_CODES[type]])), ...code, 0x0b];
    return [...unsigned(body.length), ...body];
  });
  const exported = functions.map((_, n) => [...text(`f${n + imports.length}`), 0, ...unsigned(n + imports.length)]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(imports.map(({ name }, n) => [...text("x86"), ...text(name), 0, ...unsigned(n)]))),
    ...section(3, vector(functions.map((_, n) => unsigned(n + imports.length)))),
    ...section(4, [1, 0x70, 0, ...unsigned(table.length)]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(6, vector(globals.map((type) => [TYPE_CODES[type], 1, codeOf(`${type}.const`), 5, 0x0b]))),
    ...section(7, vector([...exported, [...text("memory"), 2, 0]])),
    ...section(9, vector([[0, ...i32(0), 0x0b, ...vector(table.map(unsigned))]])),
    ...section(10, vector(bodies)),
    ...section(
      11,
      vector(data.map(({ address, bytes }) => [0, ...i32(address), 0x0b, ...unsigned(bytes.length), ...bytes])),
    ),
  ]);
}
