/** The example in the README runs, and prints what the README says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as castaway from "@castaway/cpu";
import { transformSync } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../scripts/bundle.mjs";

const test = suite("README");

test("the processor in ten lines prints what its comments say", () => {
  const blocks = readFileSync(join(root, "README.md"), "utf8").matchAll(/```ts\n([\s\S]*?)```/g);
  const source = [...blocks].map(([, text]) => text!).find((text) => text.includes("new Cpu"))!;
  const { code } = transformSync(source.replace(/^import .*$/m, ""), { loader: "ts" });
  const lines: string[] = [];
  const console = { log: (...words: unknown[]) => lines.push(words.join(" ")) };
  new Function("Cpu", "console", code)(castaway.Cpu, console);
  assert.is(lines[0], "128 42");
  assert.match(lines[1]!, /^idle 42 \d+ ns$/);
  assert.match(lines[2]!, /^[0-9a-f]{32}$/);
});

test.run();
