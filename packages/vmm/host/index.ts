/** The VMM as bytes, built from sources, with what debuggers and traces need to know of it. */
import {
  CompileError,
  compileSources,
  type Image,
  type ImageSymbol,
  type LineRow,
  layout,
  makeImage,
  type Sources,
} from "@castaway/vmm/compiler";

export { CompileError, type Complaint, type ImageSymbol, type LineRow, type Sources } from "@castaway/vmm/compiler";
export { drawProfile, type Picture, type Profile, parseProfile, type Touch } from "./profile.ts";

export interface BuildOptions {
  /** The VMM's own sources: paths relative to its folder, and contents. */
  readonly sources: Sources;
  /** The file that exports `main`. Default "main.ts". */
  readonly entry?: string;
  /**
   * More sources, compiled with the VMM, by path: they import its files as `../NAME.ts`. Or paths, which `readFile` reads.
   */
  readonly extensions?: Sources | readonly string[];
  readonly readFile?: (path: string) => Promise<string>;
  /** How many activations of a recursive function there can be at once, by its name as symbols have it. */
  readonly recursion?: Readonly<Record<string, number>>;
}

/** Extensions are in a folder of this name beside the VMM's own sources. */
const FOLDER = "extensions";

/** @throws {CompileError} with files and lines. Equal sources give equal bytes. */
export async function buildVmm(options: BuildOptions): Promise<VmmImage> {
  const { sources, entry = "main.ts", recursion = {} } = options;
  const extensions = await extensionsOf(options);
  const placed = Object.fromEntries(Object.entries(extensions).map(([path, text]) => [`${FOLDER}/${path}`, text]));
  const { wasm, map } = await compileSources({ ...sources, ...placed }, [entry, ...Object.keys(placed)]);
  const image = new VmmImage(makeImage(wasm, map, { recursion }));
  for (const { used, room } of Object.values(image.stacks)) {
    if (used <= room) continue;
    throw new CompileError([{ message: `a stack needs ${used} of ${room} bytes`, file: null, line: 0 }]);
  }
  return image;
}

async function extensionsOf({ extensions = {}, readFile }: BuildOptions): Promise<Sources> {
  if (!isList(extensions)) return extensions;
  const read = async (path: string) => {
    if (readFile === undefined) throw new Error("extensions that are given by path need readFile");
    return [path.replace(/^.*\//, ""), await readFile(path)] as const;
  };
  return Object.fromEntries(await Promise.all(extensions.map(read)));
}
const isList = (value: Sources | readonly string[]): value is readonly string[] => Array.isArray(value);

/** The most that is ever used of a stack, with an exception at the deepest point, and what there is; in bytes. */
export interface StackUse {
  readonly used: number;
  readonly room: number;
}

/** An image with its symbols; addresses are linear ones. */
export class VmmImage {
  readonly bytes: Uint8Array;
  /** The same in a 64-bit file, for a debugger: it has symbols and lines too. */
  readonly debugFile: Uint8Array;
  readonly entry: number;
  readonly symbols: readonly ImageSymbol[];
  readonly lines: readonly LineRow[];
  /** Bytes of functions, of stubs and helpers, of data, and of the file. */
  readonly size: Image["size"];

  constructor({ bytes, debugFile, entry, symbols, lines, size }: Image) {
    this.bytes = bytes;
    this.debugFile = debugFile;
    this.entry = entry;
    this.symbols = symbols;
    this.lines = lines;
    this.size = size;
  }

  /** The first processor's stack, and that of each other: calls by pointer are included. */
  get stacks(): { readonly first: StackUse; readonly others: StackUse } {
    const of = (name: string) => this.symbols.find((one) => one.name === name)?.stack ?? 0;
    const exception = of("vectors");
    return {
      first: { used: of("boot") + exception, room: layout.STACK_TOP - layout.STACK_BOTTOM },
      others: { used: of("apStart") + exception, room: layout.AP_STACK_BYTES },
    };
  }
  /** @throws Error if there is no symbol of that name */
  symbol(name: string): ImageSymbol {
    const symbol = this.symbols.find((one) => one.name === name);
    if (symbol === undefined) throw new Error(`the VMM has no symbol ${name}`);
    return symbol;
  }
  /** The function or data that an address lies in. */
  symbolAt(address: number): ImageSymbol | null {
    return this.symbols.find((one) => address >= one.address && address < one.address + one.size) ?? null;
  }
  /** The source line that an address comes from. */
  lineAt(address: number): LineRow | null {
    if (this.symbolAt(address)?.code !== true) return null;
    let [low, high] = [0, this.lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return this.lines[low - 1] ?? null;
  }
}
