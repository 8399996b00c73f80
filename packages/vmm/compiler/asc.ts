/** AssemblyScript's compiler, run in memory. It is loaded when it is first needed: that takes seconds. */
import { CompileError, type Complaint } from "./errors.ts";
import { DATA, LINEAR_BYTES } from "./layout.ts";
import { lint } from "./lint.ts";
import { SourceMap } from "./wasm/source-map.ts";

/** The package's version; builds are cached by it. */
export const ASSEMBLYSCRIPT = "0.28.20";

const PAGE = 0x10000;
/** The memory base must be decimal: hexadecimal is read as 0 without a word. */
const OPTIONS: readonly string[] = [
  ...["-O3", "--noAssert", "--runtime", "stub", "--exportStart", "_start", "--debug", "--sourceMap"],
  ...[
    "--memoryBase",
    `${DATA}`,
    "--initialMemory",
    `${LINEAR_BYTES / PAGE}`,
    "--maximumMemory",
    `${LINEAR_BYTES / PAGE}`,
  ],
];

/** What is used of asc. Its own declarations would replace the globals of every program that imports this. */
interface Asc {
  main(args: readonly string[], host: AscHost): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}
interface AscHost {
  readFile(path: string): string | null;
  writeFile(path: string, contents: string | Uint8Array): void;
  listFiles(): string[];
  reportDiagnostic(diagnostic: Diagnostic): void;
  readonly transforms: readonly { afterParse(parser: { sources: unknown[] }): void }[];
}
interface Diagnostic {
  readonly code: number;
  /** 0 pedantic, 1 info, 2 warning, 3 error. */
  readonly category: number;
  readonly message: string;
  readonly range: { readonly start: number; readonly source: { readonly normalizedPath: string } } | null;
}

/** Paths of source files, with `/`, relative to one folder; and their contents. */
export type Sources = Readonly<Record<string, string>>;

export interface AscResult {
  readonly wasm: Uint8Array;
  readonly map: SourceMap;
}

const compiler: string = "assemblyscript/asc";

/** @throws {CompileError} with what asc or the lints complain of */
export async function compileSources(sources: Sources, entries: readonly string[]): Promise<AscResult> {
  const asc = (await import(compiler)) as Asc;
  const complaints: Complaint[] = [];
  const written = new Map<string, string | Uint8Array>();
  const result = await asc.main([...entries, "--outFile", "vmm.wasm", ...OPTIONS], {
    readFile: (path) => sources[path.replace(/^\.\//, "")] ?? null,
    writeFile: (path, contents) => void written.set(path, contents),
    listFiles: () => [],
    reportDiagnostic: ({ category, code, message, range }) => {
      if (category !== 3) return;
      const file = range?.source.normalizedPath ?? null;
      const before = (file === null ? "" : (sources[file] ?? "")).slice(0, range?.start ?? 0);
      complaints.push({ message: `AS${code}: ${message}`, file, line: before.split("\n").length });
    },
    transforms: [{ afterParse: (parser) => void complaints.push(...lint(parser.sources)) }],
  });
  if (complaints.length > 0) throw new CompileError(complaints);
  const [wasm, map] = [written.get("vmm.wasm"), written.get("vmm.wasm.map")];
  if (result.error !== null || !(wasm instanceof Uint8Array) || typeof map !== "string") {
    const message = `${result.error?.message ?? "asc gave no module"}\n${result.stderr.toString()}`;
    throw new CompileError([{ message, file: null, line: 0 }]);
  }
  return { wasm, map: new SourceMap(map) };
}
