/**
 * Runs the unit tests: every `x.test.ts` under packages, scripts and test, in this one process.
 *
 *     npm run unit                 all of them
 *     npm run unit -- clock cpu    those whose path contains "clock" or "cpu"
 */
import { rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { bundle, root } from "./bundle.mjs";
import { finish } from "./counts.ts";
import { projectFiles } from "./files.ts";

declare global {
  // uvu's own way to be driven from outside: the queue of suites, and the index of the file that is loading.
  var UVU_DEFER: number;
  var UVU_QUEUE: unknown[][];
  var UVU_INDEX: number;
}

const wanted = process.argv.slice(2);
const files = projectFiles()
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));

const folder = `unit/${process.pid}`;
process.on("exit", () => rmSync(`${root}/.cache/${folder}`, { recursive: true, force: true }));

// The summary that uvu prints is the only place where its counts can be read.
let printed = "";
const write = process.stdout.write;
process.stdout.write = ((chunk: string | Uint8Array, ...rest: []) => {
  printed = (printed + chunk).slice(-2000);
  return write.call(process.stdout, chunk, ...rest);
}) as typeof write;

let broken = 0;
if (files.length > 0) {
  globalThis.UVU_DEFER = 1;
  globalThis.UVU_QUEUE = [];
  const programs = await bundle(files, folder);
  for (const [index, program] of programs.entries()) {
    globalThis.UVU_INDEX = index;
    globalThis.UVU_QUEUE.push([files[index]]);
    try {
      await import(pathToFileURL(program).href);
    } catch (error) {
      console.error(`${files[index]} cannot be loaded:`, error);
      broken++;
    }
  }
  const { exec } = await import("uvu"); // not before UVU_DEFER is set: uvu looks at it once, when it loads
  try {
    await exec();
  } catch (error) {
    console.error("a test file's before or after hook failed:", error);
    broken++;
  }
}

const count = (label: string) => Number(new RegExp(`${label}:\\s+(\\d+)`).exec(printed)?.[1] ?? 0);
const passed = count("Passed");
const failed = count("Total") - passed + broken;
finish({ passed, failed });
