// Runs a TypeScript program on Node 20: node scripts/run.mjs FILE.ts [arguments]
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { bundle, root } from "./bundle.mjs";

const [file, ...args] = process.argv.slice(2);
if (file === undefined || !existsSync(file)) {
  console.error(file === undefined ? "usage: node scripts/run.mjs FILE.ts [arguments]" : `run: there is no ${file}`);
  process.exit(2);
}

// A folder for this run alone: two runs of the same program must not write over each other.
const name = `run/${relative(root, file).replace(/\W+/g, "-")}-${process.pid}`;
let program;
try {
  [program] = await bundle([file], name);
} catch {
  process.exit(1); // esbuild has printed why
}
const child = spawnSync(process.execPath, ["--enable-source-maps", program, ...args], { cwd: root, stdio: "inherit" });
rmSync(`${root}/.cache/${name}`, { recursive: true, force: true });
if (child.error) console.error(String(child.error));
process.exit(child.status ?? 1);
