import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { castaway, folder, writeBlobs } from "../echo.test-support.ts";
import { main } from "../main.ts";

const test = suite("castaway vmm");
const { path, remove } = folder();
const blobs = writeBlobs(path("blobs"));
test.after(remove);

/** A hypervisor of three lines. */
const sources = {
  "main.ts": `
import { run } from "./api/index.ts";
export function main(information: u32, base: u32): void { run(base); }
`,
  "api/index.ts": `
export abstract class Extension { abstract start(n: u32): u32; }
let one: Extension | null = null;
export function register(extension: Extension): void { one = extension; }
export function run(n: u32): void { if (one !== null) store<u32>(8, one!.start(n)); }
`,
};
const EXTENSION = `import { Extension, register } from "../api/index.ts";
class Mine extends Extension {
  start(n: u32): u32 {
    return n * 3;
  }
}
register(new Mine());
`;

async function build(...args: string[]) {
  const said = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({ write: (text: string) => void (said[name] += text) }) as never;
  const streams = { stdin: process.stdin, stdout: stream("out"), stderr: stream("err") };
  const code = await main(["vmm", "build", ...args], blobs, streams, undefined, async () => sources);
  return { code, ...said };
}
const file = (name: string, text: string) => {
  writeFileSync(path(name), text);
  return path(name);
};

test("the program, and what it takes", async () => {
  const [bare, own, debug] = ["bare.elf", "own.elf", "own.debug.elf"].map(path);
  assert.equal((await build("--output", bare!)).code, 0);
  const args = ["--extension", file("mine.ts", EXTENSION), "--output", own!, "--debug-file", debug!];
  const { code, out, err } = await build(...args);
  assert.equal([code, err], [0, ""]);
  assert.match(out, /^.*own\.elf: [\d,]+ bytes; code \d+, stubs [\d,]+, data \d+\n/);
  assert.match(
    out,
    /\nstack: \d+ of 65,536 bytes on the first processor, \d+ of 16,384 bytes on each other, at most\n$/,
  );
  assert.ok(readFileSync(own!).length > readFileSync(bare!).length);
  assert.is(readFileSync(debug!)[4], 2, "a 64-bit file");
});

test("mistakes have the user's file and line, and write nothing", async () => {
  const wrong = file("wrong.ts", `${EXTENSION.replace("new Mine", "new Yours")}const n: u32 = "n";\n`);
  const { code, out, err } = await build("--extension", wrong, "--output", path("none.elf"));
  assert.equal([code, out, existsSync(path("none.elf"))], [2, "", false]);
  assert.match(err, /^castaway: the hypervisor cannot be compiled:\n(.*\n)*.*wrong\.ts:7: AS\d+: .*Yours.*\n.*:8: /);
  assert.ok(err.includes(`${wrong}:7: `));
});

test("recursion needs a bound", async () => {
  const text = `${EXTENSION}export function count(n: u32): u32 { return n < 2 ? n : count(n - 1) ^ count(n - 2); }\n`;
  const deep = file("deep.ts", text.replace("n * 3", "count(n)"));
  const args = ["--extension", deep, "--output", path("deep.elf")];
  const { code, err } = await build(...args);
  assert.equal([code, err], [2, "castaway: recursion without a bound: extensions/deep/count\n"]);
  assert.is((await build(...args, "--recursion", "extensions/deep/count=20")).code, 0);
  const { err: much } = await build(...args, "--recursion", "extensions/deep/count=1000", "--recursion", "a=1");
  assert.match(much, /^$|a stack needs \d+ of 16384 bytes/);
});

test("what the user did wrong is one line, and 2", async () => {
  const cases: [args: string[], line: RegExp][] = [
    [["--extension", path("none.ts")], /^castaway: cannot read .*none\.ts: there is no such file or folder$/],
    [["--extension", "mine.js"], /^castaway: --extension: mine\.js is no TypeScript file/],
    [["--extension", "a/mine.ts", "--extension", "b/mine.ts"], /b\/mine\.ts and a\/mine\.ts have the same name$/],
    [["--output", path("nowhere/vmm.elf")], /^castaway: cannot write .*nowhere/],
    [["--recursion", "count"], /^castaway: option '--recursion .*Write a name and a number/],
  ];
  for (const [args, line] of cases) {
    const { code, out, err } = await build(...args);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.match(err.trimEnd(), line);
  }
});

test("a profile is drawn", async () => {
  const log = file(
    "boot.log",
    "[   2.1] vmm: profile 128 6\n[   2.1] vmm: profile r 5 1+2\n[   2.2] vmm: profile end 3 0\n",
  );
  const { code, out } = await castaway(blobs, "vmm", "profile", log, "--columns", "3");
  assert.equal([code, out], [0, "·99\n···\na character: 64 KiB; 0 to 9: tenths of 0.000 s\nreads: 3, writes: 0\n"]);
  const none = await castaway(blobs, "vmm", "profile", file("none.log", "nothing\n"));
  assert.is(none.code, 2);
  assert.match(none.err, /none\.log has no profile; castaway deploy --log 1 prints it/);
});

test("help teaches with examples; without sources the program says so", async () => {
  const help = await castaway(blobs, "vmm", "build", "--help");
  assert.is(help.code, 0);
  assert.match(help.out, /Examples:\n +castaway vmm build --extension /);
  const { code, err } = await castaway(blobs, "vmm", "build");
  assert.equal([code, err], [2, "castaway: the hypervisor's sources are not here\n"]);
});

test.run();
