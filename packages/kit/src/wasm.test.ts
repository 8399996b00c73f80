import { test } from "uvu";
import * as assert from "uvu/assert";
import { Code, I32, I64, Module } from "./wasm.ts";

const memory = new WebAssembly.Memory({ initial: 1 });
const load = (module: Module, env: WebAssembly.Imports[string]): Record<string, Function> =>
  new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env }).exports as Record<string, Function>;

test("a module that calls nothing by table asks for memory alone", () => {
  const module = new Module({ table: false });
  module.function(new Code(2).get(0).get(1).op("i32.gt_u"), [I32, I32], [I32], "above");
  const { above } = load(module, { memory });
  assert.equal([above(-1, 1), above(1, -1), above(1, 1)], [1, 0, 0]);
});

test("functions call imported ones, each other, and through the table", () => {
  const module = new Module();
  const told: number[] = [];
  const tell = module.importFunction("tell", [I32], []);
  const twice = module.function(new Code(1).get(0).i32(2).op("i32.mul"), [I32], [I32]);
  module.elements(1, [twice]);
  const body = new Code(1)
    .get(0)
    .call(twice)
    .i32(1)
    .callIndirect(module.type([I32], [I32]))
    .call(tell);
  module.function(body, [I32], [], "run");
  const table = new WebAssembly.Table({ initial: 2, element: "anyfunc" });
  load(module, { memory, table, tell: (value: number) => told.push(value) }).run(5);
  assert.equal(told, [20]);
});

test("constants of every length come out as they went in", () => {
  const values = [0n, 63n, 64n, -64n, -65n, 1n << 31n, -(1n << 31n), 1n << 62n, -(1n << 63n)];
  const module = new Module({ table: false });
  for (const [n, value] of values.entries()) module.function(new Code(0).i64(value), [], [I64], `f${n}`);
  const functions = load(module, { memory });
  assert.equal(
    values.map((_, n) => functions[`f${n}`]()),
    values,
  );
});

test.run();
