/** Runs an example of the documents as it stands there, and looks whether it prints what its comments say. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as castaway from "castaway";
import { transformSync } from "esbuild";
import { root } from "../../scripts/bundle.mjs";

const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<unknown>;

/**
 * @param document its path, such as `docs/network.md`
 * @param mark a text that the example holds, and none before it in the document
 * @param result a name in the example
 * @param names what else it imports
 * @returns what `result` is at the example's end
 * @throws Error if it does not print what its comments `// prints: ..` say
 */
export async function runExample(
  document: string,
  mark: string,
  result: string,
  names: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  const blocks = [...readFileSync(join(root, document), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)];
  const source = blocks.map(([, text]) => text!).find((text) => text.includes(mark));
  if (source === undefined) throw new Error(`${document} has no example with ${mark}`);
  const { code } = transformSync(source.replace(/^import .*$/gm, ""), { loader: "ts", format: "esm" });
  const lines: string[] = [];
  const given: Record<string, unknown> = {
    ...castaway,
    readFile: (path: string) => readFile(join(root, path)),
    console: { log: (...words: unknown[]) => lines.push(words.join(" ")) },
    ...names,
  };
  const value = await new AsyncFunction(...Object.keys(given), `${code}\nreturn ${result};`)(...Object.values(given));
  const printed = lines.join("\n");
  for (const [, expected] of source.matchAll(/\/\/ +prints: (.*)$/gm))
    if (!printed.includes(expected!)) throw new Error(`the example printed:\n${printed}\nand not: ${expected}`);
  return value;
}
