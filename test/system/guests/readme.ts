/** The example of the README that boots a machine runs, and prints what its comments say. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as castaway from "castaway";
import { transformSync } from "esbuild";
import { root } from "../../../scripts/bundle.mjs";
import { Guest } from "./guest.ts";

const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<Guest>;

export async function readme(): Promise<Guest> {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)];
  const source = blocks.map(([, text]) => text!).find((text) => text.includes("Machine.create"));
  if (source === undefined) throw new Error("the README has no example with Machine.create");
  const { code } = transformSync(source.replace(/^import .*$/gm, ""), { loader: "ts", format: "esm" });
  const folder = mkdtempSync(join(tmpdir(), "castaway-readme-"));
  const names: Record<string, unknown> = {
    ...castaway,
    readFile: (path: string) => readFile(join(root, path)),
    writeFile: (path: string, bytes: Uint8Array) => writeFile(join(folder, path), bytes),
    lines: [] as string[],
  };
  names["console"] = { log: (...words: unknown[]) => (names["lines"] as string[]).push(words.join(" ")) };
  try {
    const start = performance.now();
    const pc = await new AsyncFunction(...Object.keys(names), `${code}\nreturn pc;`)(...Object.values(names));
    const printed = (names["lines"] as string[]).join("\n");
    const expected = [...source.matchAll(/\/\/ prints: (.*)$/gm)].map(([, text]) => text!);
    for (const text of expected)
      if (!printed.includes(text)) throw new Error(`the example printed:\n${printed}\nand not: ${text}`);
    return new Guest(pc as unknown as castaway.Machine, start);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
