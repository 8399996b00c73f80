/**
 * `npm run check`: types, lint, format, and the house rules of rules.ts, in a few seconds.
 * Each broken rule prints file, line, rule, and what to do.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { root } from "./bundle.mjs";
import { finish } from "./counts.ts";
import { projectFiles } from "./files.ts";
import { findingsIn } from "./rules.ts";
import { vmmImage } from "./vmm.ts";

/** Runs a program of node_modules/.bin; resolves to what it printed when it failed, or to "". */
function tool(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(`${root}/node_modules/.bin/${program}`, args, { cwd: root, maxBuffer: 1 << 26 }, (error, out, err) =>
      resolve(error ? `${out}${err}` || String(error) : ""),
    );
  });
}

/** The house rules over all text files. */
function rules(): string {
  const ours = [root, homedir()].filter((path) => path.split("/").length > 2); // "/root" alone is also a guest's path
  const found = projectFiles().flatMap((file) => {
    const bytes = readFileSync(`${root}/${file}`);
    return bytes.length > 1 << 22 || bytes.includes(0) ? [] : findingsIn(file, bytes.toString("utf8"), ours);
  });
  return found.map(({ file, line, rule, advice }) => `${file}:${line}  ${rule}  ${advice}\n`).join("");
}

/** The VMM's own language: asc's types, our lints, and what the back end refuses. */
async function vmm(): Promise<string> {
  try {
    await vmmImage();
    return "";
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n`;
  }
}

mkdirSync(`${root}/.cache`, { recursive: true });
const checks: Record<string, Promise<string>> = {
  "types of the packages": tool("tsc", "-p", "tsconfig.packages.json", "--pretty", "false"),
  "types of the page": tool("tsc", "-p", "tsconfig.web.json", "--pretty", "false"),
  "types of tests and scripts": tool("tsc", "-p", "tsconfig.json", "--pretty", "false"),
  "lint and format (npm run fix mends most)": tool("biome", "check", "--max-diagnostics=20", "."),
  "the VMM's sources, by its compiler": vmm(),
  "house rules": Promise.resolve().then(rules),
};

let passed = 0;
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  const complaints = await check;
  console.log(`${complaints === "" ? "ok    " : "BROKEN"} ${name}`);
  if (complaints === "") passed++;
  else {
    failed++;
    console.log(`\n${complaints.trimEnd()}\n`);
  }
}
finish({ passed, failed });
