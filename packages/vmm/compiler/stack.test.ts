import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CallGraph, RecursionError, worstStacks } from "./stack.ts";

const test = suite("stack bounds");

const graph = (nodes: Record<string, [bytes: number, ...calls: string[]]>): CallGraph =>
  new Map(Object.entries(nodes).map(([name, [bytes, ...calls]]) => [name, { name, bytes, calls }]));

test("the deepest way down counts, not the sum of all", () => {
  const worst = worstStacks(graph({ a: [10, "b", "c"], b: [100], c: [20, "d"], d: [90] }));
  assert.equal([worst.get("a"), worst.get("c"), worst.get("b")], [120, 110, 100]);
});

test("a circle needs a bound, of any function in it", () => {
  const circle = graph({ a: [10, "b"], b: [20, "c"], c: [30, "b", "d"], d: [5] });
  assert.throws(
    () => worstStacks(circle),
    (e: unknown) => e instanceof RecursionError && /b.*c|c.*b/.test(e.message),
  );
  assert.is(worstStacks(circle, { c: 3 }).get("a"), 10 + 4 * (20 + 30) + 5);
});

test("a bound on one function is not enough if the others make a circle without it", () => {
  const circles = graph({ a: [1, "b", "c"], b: [1, "a"], c: [1, "a", "c"] });
  assert.throws(() => worstStacks(circles, { b: 2 }), /recursion without a bound/);
});

test.run();
