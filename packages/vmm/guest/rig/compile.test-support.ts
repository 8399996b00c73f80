/**
 * Compiles guest sources for V8: in memory, by asc, once for each content.
 *
 *     const guest = await compileGuest("net/e1000.test-entry.ts"); // at the top of the test's file
 *     const machine = new Machine();
 *     const vmm = machine.load<{ start(): void }>(guest);
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { posix } from "node:path";

/** Where the guest's sources are: tests run in the project's folder. */
const folder = "packages/vmm/guest";
const version = "0.28.20";

/** Linear memory: 16 MiB, of which the first 64 KiB hold nothing, so that a null pointer meets no data. */
const options = ["-O3", "--noAssert", "--runtime", "stub", "--exportStart", "_start", "--memoryBase", "65536"].concat(
  ["--initialMemory", "256", "--maximumMemory", "256", "--debug"], // names of functions, for stack traces
);

/** What is used of asc. Its own declarations would replace Node's globals everywhere. */
type Asc = {
  main(
    args: string[],
    files: {
      readFile(path: string): string | null;
      writeFile(path: string, contents: string | Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
};
const compiler: string = "assemblyscript/asc";

type Source = { name: string; text: string };

/**
 * The guest's `entries` (paths below packages/vmm/guest) with all that they import, as one module. What the entries
 * export, it exports.
 * @throws Error with asc's messages
 */
export async function compileGuest(...entries: string[]): Promise<WebAssembly.Module> {
  const sources = new Map<string, Source>();
  for (const entry of entries) collect(entry, sources);
  const hash = createHash("sha256").update(JSON.stringify([version, options, entries]));
  for (const { name, text } of [...sources.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(JSON.stringify([name, text]));
  }
  const cached = `.cache/guest/${hash.digest("hex").slice(0, 32)}.wasm`;
  if (!existsSync(cached)) {
    const wasm = await compile(entries, sources);
    mkdirSync(".cache/guest", { recursive: true });
    writeFileSync(`${cached}.${process.pid}`, wasm); // another run may be at the same
    renameSync(`${cached}.${process.pid}`, cached);
  }
  return new WebAssembly.Module(readFileSync(cached));
}

/** `name` and what it imports, by path. */
function collect(name: string, into: Map<string, Source>): void {
  if (into.has(name)) return;
  const text = readFileSync(`${folder}/${name}`, "utf8");
  into.set(name, { name, text });
  for (const [, target] of text.matchAll(/\bfrom "(\.[^"]+)"/g)) {
    collect(posix.join(posix.dirname(name), target), into);
  }
}

async function compile(entries: string[], sources: Map<string, Source>): Promise<Uint8Array> {
  const asc: Asc = await import(compiler);
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main([...entries, "--outFile", "guest.wasm", ...options], {
    readFile: (path) => sources.get(posix.normalize(path))?.text ?? null,
    writeFile: (path, contents) => {
      if (path === "guest.wasm" && typeof contents !== "string") wasm = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined) throw new Error(`asc: ${error?.message}\n${stderr.toString()}`);
  return wasm;
}
