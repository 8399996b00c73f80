/** From a module to a multiboot file: code, data, symbols, line tables, and how much stack it takes. */
import { functionSymbol, pointerSymbol } from "./codegen/calls.ts";
import { dwarfSections, type LineRow } from "./dwarf.ts";
import { type ElfInput, type ElfSymbol, type Segment, writeElf } from "./elf.ts";
import { CompileError, UnsupportedError } from "./errors.ts";
import { DATA, IMAGE, LINEAR_BYTES } from "./layout.ts";
import { type Linked, link, type Piece } from "./link.ts";
import { modulePieces } from "./module-pieces.ts";
import { type CallGraph, RecursionError, worstStacks } from "./stack.ts";
import { stubAddresses, stubPieces } from "./stubs/index.ts";
import type { WasmModule } from "./wasm/module.ts";
import { parseModule } from "./wasm/parse.ts";
import type { SourceMap } from "./wasm/source-map.ts";

export interface ImageSymbol extends ElfSymbol {
  /** The most stack that it takes with all that it calls, in bytes; 0 for data. */
  readonly stack: number;
}

export interface Image {
  /** A 32-bit ELF file for multiboot loaders. */
  readonly bytes: Uint8Array;
  /** The same in a 64-bit file, for debuggers. */
  readonly debugFile: Uint8Array;
  readonly entry: number;
  /** By linear address. */
  readonly symbols: readonly ImageSymbol[];
  /** Where each line's code begins, by linear address. */
  readonly lines: readonly LineRow[];
  readonly size: { readonly code: number; readonly stubs: number; readonly data: number; readonly file: number };
}

export interface ImageOptions {
  /** How many activations of a recursive function there can be at once, by its name. */
  readonly recursion?: Readonly<Record<string, number>>;
}

/** Symbols that the boot stub calls, and what each takes. */
const ROOTS: Readonly<Record<string, string>> = { _start: "", main: "(multibootInformation: u32, base: u32): void" };

/** @throws {CompileError} with the file and line of what cannot be done */
export function makeImage(wasm: Uint8Array, map: SourceMap, { recursion = {} }: ImageOptions = {}): Image {
  const module = attempt(map, () => parseModule(wasm));
  const pieces = attempt(map, () => [
    ...stubPieces(new Set(module.exports.keys())),
    ...modulePieces(module, { memoryPages: LINEAR_BYTES >> 16 }),
  ]);
  for (const [name, type] of Object.entries(ROOTS)) {
    if (!module.exports.has(name)) throw complaint(`nothing is exported under the name ${name}${type}`);
  }
  const data = dataOf(module);
  const linked = link(pieces, IMAGE, (end, addressOf) => ({
    ...stubAddresses,
    textStart: IMAGE,
    textWords: Math.ceil((end - IMAGE) / 4),
    dataStart: DATA,
    dataWords: Math.ceil(data.length / 4),
    ...Object.fromEntries([...module.exports].map(([name, n]) => [`export:${name}`, addressOf(functionSymbol(n))])),
  }));
  if (linked.address + linked.bytes.length > DATA) throw complaint(`the code ends above ${DATA.toString(16)}h`);
  return write(pieces, linked, data, lineRows(linked, map), stacks(module, pieces, recursion));
}

const complaint = (message: string) => new CompileError([{ message, file: null, line: 0 }]);

/** Says where in the sources something is that the back end refuses. */
function attempt<T>(map: SourceMap, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const place = error.at === 0 ? null : map.find(error.at);
    throw new CompileError([{ message: error.message, file: place?.file ?? null, line: place?.line ?? 0 }]);
  }
}

/** All data segments as one. */
function dataOf({ data }: WasmModule): Uint8Array {
  const bytes = new Uint8Array(Math.max(DATA, ...data.map(({ address, bytes }) => address + bytes.length)) - DATA);
  for (const { address, bytes: part } of data) {
    if (address < DATA) throw complaint(`data below ${DATA.toString(16)}h`);
    bytes.set(part, address - DATA);
  }
  return bytes;
}

/** One row for each place where the line changes. */
function lineRows({ lines }: Linked, map: SourceMap): LineRow[] {
  const rows: LineRow[] = [];
  for (const { address, from } of lines) {
    const place = map.find(from);
    if (place === null) continue;
    const last = rows.at(-1);
    if (last?.address === address) rows.pop();
    const before = rows.at(-1);
    if (before?.file === place.file && before.line === place.line) continue;
    rows.push({ address, ...place });
  }
  return rows.map(({ address, file, line, column }) => ({ address, file, line, column }));
}

function stacks(
  module: WasmModule,
  pieces: readonly Piece[],
  recursion: Readonly<Record<string, number>>,
): Map<string, number> {
  const byPointer = (symbol: string): string[] =>
    module.table.flatMap((index) => {
      const fn = index === null ? undefined : module.functions[index];
      return fn && pointerSymbol(fn.type) === symbol ? [functionSymbol(fn.index)] : [];
    });
  const resolve = (symbol: string): string[] => {
    if (symbol.startsWith("pointer:")) return byPointer(symbol);
    const exported = /^export:(.*)/.exec(symbol)?.[1];
    return [exported === undefined ? symbol : functionSymbol(module.exports.get(exported)!)];
  };
  const graph: CallGraph = new Map(
    pieces
      .filter(({ kind }) => kind === "code")
      .map(({ symbol, name, stackBytes, calls }) => [
        symbol,
        { name, bytes: stackBytes, calls: [...calls].flatMap(resolve) },
      ]),
  );
  try {
    return worstStacks(graph, recursion);
  } catch (error) {
    throw error instanceof RecursionError ? complaint(error.message) : error;
  }
}

function write(
  pieces: readonly Piece[],
  linked: Linked,
  data: Uint8Array,
  lines: readonly LineRow[],
  stack: ReadonlyMap<string, number>,
): Image {
  const symbols = linked.placed.map(({ name, address, size, kind }, n) => {
    return { name, address, size, code: kind === "code", stack: stack.get(pieces[n]!.symbol) ?? 0 };
  });
  const segments: Segment[] = [
    { name: ".text", address: IMAGE, bytes: linked.bytes, executable: true },
    { name: ".data", address: DATA, bytes: data, executable: false },
  ];
  const entry = linked.addressOf("boot");
  const notes = dwarfSections({ name: "castaway", rows: lines, from: IMAGE, to: IMAGE + linked.bytes.length });
  const elf: ElfInput = { entry, segments, symbols, notes };
  const [bytes, debugFile] = [writeElf(elf, 32), writeElf(elf, 64)];
  const sum = (of: (n: number) => boolean) => symbols.reduce((total, { size }, n) => total + (of(n) ? size : 0), 0);
  const isFunction = (n: number) => pieces[n]!.symbol.startsWith("function:");
  const size = {
    code: sum(isFunction),
    stubs: sum((n) => !isFunction(n) && symbols[n]!.code),
    data: data.length + sum((n) => !symbols[n]!.code),
    file: bytes.length,
  };
  return { bytes, debugFile, entry, symbols, lines, size };
}
