/**
 * Compiles guest sources for V8: in memory, as for the VMM's image, once for each content.
 *
 *     const guest = await compileGuest("net/e1000.test-entry.ts"); // at the top of the test's file
 *     const machine = new Machine();
 *     const vmm = machine.load<{ start(): void }>(guest);
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { ASSEMBLYSCRIPT, compileSources } from "@castaway/vmm/compiler";

/** Where the guest's sources are: tests run in the project's folder. */
const folder = "packages/vmm/guest";
/** What the module depends on beside the sources: asc's version, its options, the places in linear memory. */
const settings = ["packages/vmm/compiler/asc.ts", "packages/vmm/compiler/layout.ts"];

/**
 * The guest's `entries` (paths below packages/vmm/guest) with all that they import, as one module. What the entries
 * export, it exports.
 * @throws CompileError with what asc or the lints complain of
 */
export async function compileGuest(...entries: string[]): Promise<WebAssembly.Module> {
  const sources = new Map<string, string>();
  for (const entry of entries) collect(entry, sources);
  const hash = createHash("sha256").update(JSON.stringify([ASSEMBLYSCRIPT, entries]));
  for (const file of settings) hash.update(readFileSync(file));
  for (const [name, text] of [...sources].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, text]));
  }
  const cached = `.cache/guest/${hash.digest("hex").slice(0, 32)}.wasm`;
  if (!existsSync(cached)) {
    const { wasm } = await compileSources(Object.fromEntries(sources), entries);
    mkdirSync(".cache/guest", { recursive: true });
    writeFileSync(`${cached}.${process.pid}`, wasm); // another run may be at the same
    renameSync(`${cached}.${process.pid}`, cached);
  }
  return new WebAssembly.Module(readFileSync(cached));
}

/** `name` and what it imports, by path. */
function collect(name: string, into: Map<string, string>): void {
  if (into.has(name)) return;
  const text = readFileSync(`${folder}/${name}`, "utf8");
  into.set(name, text);
  for (const [, target] of text.matchAll(/\b(?:from|import) "(\.[^"]+)"/g)) {
    collect(posix.join(posix.dirname(name), target), into);
  }
}
