/** What authors of guest code are told, by compiling small programs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileSources } from "./asc.ts";
import { CompileError } from "./errors.ts";
import { type Image, makeImage } from "./image.ts";

const test = suite("guest sources");

const X86 = `
export declare function out8(port: u32, value: u32): void;
export declare function in8(port: u32): u32;
export declare function nothing(): void;
`;
const MAIN = "export function main(information: u32, base: u32): void { work(information); }\n";

async function image(text: string, recursion = {}): Promise<Image> {
  const { wasm, map } = await compileSources({ "x86.ts": X86, "main.ts": MAIN + text }, ["main.ts"]);
  return makeImage(wasm, map, { recursion });
}
async function told(text: string): Promise<string> {
  try {
    await image(text);
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
  return "";
}

test("a mistake of types has asc's message with file and line", async () => {
  assert.match(
    await told("function work(n: u32): void { }\nlet x: u32 = 'a';\n"),
    /^main\.ts:3: AS2322: Type .*String/,
  );
  assert.match(await told("function work(n: u32): void { missing(); }\n"), /^main\.ts:2: AS2304: .*'missing'/);
});

test("floating point is refused where it stands", async () => {
  const text = 'import { out8 } from "./x86.ts";\nfunction work(n: u32): void {\n  out8(1, <u32>(<f64>n * 1.5));\n}\n';
  assert.match(await told(text), /^main\.ts:\d: opcode \w+h \(floating point\) is outside the subset$/);
});

test("an import that does not exist is named where it is called", async () => {
  const text = 'import { nothing } from "./x86.ts";\nfunction work(n: u32): void {\n  nothing();\n}\n';
  assert.match(await told(text), /^main\.ts:\d+: the import x86\.nothing is unknown$/);
});

test("closures and exceptions are refused by asc", async () => {
  assert.match(
    await told("function work(n: u32): void { const f = (): u32 => n; f(); }\n"),
    /^main\.ts:2: AS\d+: .*Closures/m,
  );
  assert.match(
    await told("function work(n: u32): void { try { } catch (e) { } }\n"),
    /^main\.ts:2: AS\d+: .*Exceptions/m,
  );
});

test("an unmanaged class that inherits is refused: its virtual calls would go astray", async () => {
  const text = `
@unmanaged class Base { go(): u32 { return 1; } }
@unmanaged class Derived extends Base { go(): u32 { return 2; } }
function work(n: u32): void { changetype<Base>(n).go(); new Derived(); }
`;
  assert.match(await told(text), /^main\.ts:4: @unmanaged class Derived extends another: a virtual call/);
});

test("an intrinsic used as a value is refused", async () => {
  const spaces = 'import * as x86 from "./x86.ts";\nfunction work(n: u32): void {\n  const f = x86.in8;\n  f(n);\n}\n';
  assert.match(await told(spaces), /^main\.ts:4: in8 is an instruction, not a value/);
  const names =
    'import { in8 } from "./x86.ts";\nfunction take(f: (n: u32) => u32): void { f(1); }\nfunction work(n: u32): void { take(in8); }\n';
  assert.match(await told(names), /^main\.ts:4: in8 is an instruction, not a value/);
});

test("calling an intrinsic is no complaint, by either import", async () => {
  const text = `
import * as x86 from "./x86.ts";
import { in8 } from "./x86.ts";
function work(n: u32): void { x86.out8(1, in8(n)); }
`;
  assert.is(await told(text), "");
});

const FACTORIAL = `
export function down(n: u32): u32 { return n < 2 ? 1 : n * down(n - 1); }
function work(n: u32): void { store<u32>(8, down(n)); }
`;
test("recursion is refused, or bounded by its author", async () => {
  assert.match(await told(FACTORIAL), /^recursion without a bound: main\/down$/);
  const { symbols } = await image(FACTORIAL, { "main/down": 10 });
  const [down, once] = ["main/down", "memmove"].map((name) => symbols.find((symbol) => symbol.name === name)!.stack);
  assert.ok(down! > 10 * once! && down! < 2000, `${down}`);
});

test("nothing but main is missing", async () => {
  const { wasm, map } = await compileSources({ "other.ts": "export function work(): void {}\n" }, ["other.ts"]);
  assert.throws(() => makeImage(wasm, map), /nothing is exported under the name main\(multibootInformation/);
});

test("equal sources give equal bytes", async () => {
  const text = "export const name: string = 'x';\nfunction work(n: u32): void { store<u32>(8, n); }\n";
  const [a, b] = [await image(text), await image(text)];
  assert.equal(a.bytes, b.bytes);
  assert.equal(a.debugFile, b.debugFile);
});

test("lines lead from addresses to the sources", async () => {
  const text = "\n\nfunction work(n: u32): void {\n  store<u32>(8, n);\n}\n";
  const { lines, symbols } = await image(text);
  const { address, size } = symbols.find(({ name }) => name === "main/main")!;
  const within = lines.filter((row) => row.address >= address && row.address < address + size);
  assert.ok(
    within.some(({ file, line }) => file === "main.ts" && line === 5),
    JSON.stringify(within),
  ); // inlined
});

test.run();
