import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildVmm, CompileError } from "./index.ts";

const test = suite("buildVmm");

const sources = {
  "main.ts": `
import { run } from "./api.ts";
export function main(information: u32, base: u32): void { run(information); }
`,
  "api.ts": `
export abstract class Extension { abstract work(n: u32): u32; }
const all = new StaticArray<Extension | null>(4);
let count = 0;
export function register(one: Extension): void { all[count++] = one; }
export function run(n: u32): void { for (let i = 0; i < count; i++) store<u32>(8, all[i]!.work(n)); }
`,
};
const MINE = `import { Extension, register } from "../api.ts";
class Mine extends Extension {
  work(n: u32): u32 {
    return n * 3;
  }
}
register(new Mine());
`;

test("an extension is compiled with the VMM's sources, and its lines are told", async () => {
  const image = await buildVmm({ sources, extensions: { "mine.ts": MINE } });
  const row = image.lines.find(({ file, line }) => file === "extensions/mine.ts" && line === 4);
  assert.ok(row !== undefined, "line 4 has code");
  assert.equal(image.lineAt(row.address)?.line, 4);
  assert.ok(image.symbolAt(row.address)?.code);
  assert.ok(image.symbol("main/main").stack >= 8);
  assert.ok(image.size.code > 0 && image.size.file === image.bytes.length);
});

test("an extension by path is read by the caller's function", async () => {
  const read: string[] = [];
  const readFile = async (path: string) => {
    read.push(path);
    return MINE;
  };
  const byPath = await buildVmm({ sources, extensions: ["./somewhere/mine.ts"], readFile });
  const byText = await buildVmm({ sources, extensions: { "mine.ts": MINE } });
  assert.equal(read, ["./somewhere/mine.ts"]);
  assert.equal(byPath.bytes, byText.bytes);
});

test("a mistake in an extension has its file and line", async () => {
  const wrong = MINE.replace("n * 3", '"three"');
  try {
    await buildVmm({ sources, extensions: { "mine.ts": wrong } });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, CompileError);
    assert.match((error as CompileError).message, /^extensions\/mine\.ts:4: AS2322/);
    assert.is((error as CompileError).complaints[0]!.line, 4);
  }
});

test("an address outside the code has neither symbol nor line", async () => {
  const image = await buildVmm({ sources });
  assert.is(image.symbolAt(0x10), null);
  assert.is(image.lineAt(0x180000), null);
});

test.run();
