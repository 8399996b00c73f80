import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UnsupportedError } from "../errors.ts";
import { parseModule } from "./parse.ts";

const test = suite("WebAssembly parser");

const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const type = [1, 5, 1, 0x60, 0, 1, 0x7f]; // () -> i32
const declared = [3, 2, 1, 0];
const body = (...code: number[]) => [10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b];
const module = (...sections: number[][]) => Uint8Array.from([...header, ...sections.flat()]);

function refused(bytes: Uint8Array, pattern: RegExp, functionIndex: number | null): void {
  assert.throws(
    () => parseModule(bytes),
    (e: unknown) => e instanceof UnsupportedError && pattern.test(e.message) && e.functionIndex === functionIndex,
  );
}

test("an instruction keeps the byte of the file that it stands at", () => {
  const { functions } = parseModule(module(type, declared, body(0x41, 0x7f)));
  assert.equal(
    functions[0]!.body.map(({ name, at, operand }) => [name, at, operand]),
    [
      ["i32.const", 24, -1],
      ["end", 26, 0],
    ],
  );
});

test("floating point, vectors and references are refused, with the function they are in", () => {
  refused(module(type, declared, body(0x43, 0, 0, 0, 0)), /43h \(floating point\)/, 0);
  refused(module(type, declared, body(0xfd, 0)), /vector/, 0);
  refused(module(type, declared, body(0xd0, 0x70)), /reference/, 0);
  refused(module([1, 5, 1, 0x60, 0, 1, 0x7d]), /f32/, null);
});

test("more than one result, shared memory, passive data and start functions are refused", () => {
  refused(module([1, 6, 1, 0x60, 0, 2, 0x7f, 0x7f]), /more than one result/, null);
  refused(module([5, 4, 1, 3, 1, 1]), /shared/, null);
  refused(module([11, 4, 1, 1, 1, 0]), /passive/, null);
  refused(module([8, 1, 0]), /section start/, null);
});

test("a module that ends too early is refused", () => {
  for (let length = 0; length < 26; length++) {
    const part = module(type, declared, body(0x41, 0x7f)).subarray(0, length);
    if (length === 8 || length === 15 || length === 19) continue; // whole sections
    assert.throws(
      () => parseModule(part),
      (e: unknown) => e instanceof UnsupportedError,
      `${length} bytes`,
    );
  }
});

test.run();
