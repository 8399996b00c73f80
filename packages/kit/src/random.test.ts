import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "./random.ts";

const take = <T>(count: number, next: () => T) => Array.from({ length: count }, next);

test("the reference sequence of xoshiro128**, from state 1, 2, 3, 4", () => {
  const random = new Random(0);
  random.restore([1, 2, 3, 4]);
  const reference = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597];
  assert.equal(
    take(9, () => random.u32()),
    reference,
  );
});

test("equal seeds repeat, others differ, texts and large numbers are seeds too", () => {
  const first = (seed: number | string) =>
    take(
      4,
      (
        (random) => () =>
          random.u32()
      )(new Random(seed)),
    );
  assert.equal(first(7), first(7));
  assert.equal(first("link"), first("link"));
  const seeds = [0, 1, 2, 0x1_0000_0000, Number.MAX_SAFE_INTEGER, "", "a", "b", "ab", "ba"];
  assert.is(new Set(seeds.map((seed) => first(seed).join())).size, seeds.length);
  assert.throws(() => new Random(-1), /seed/);
  assert.throws(() => new Random(0.5), /seed/);
});

test("a saved generator continues", () => {
  const random = new Random("x");
  take(10, () => random.u32());
  const saved = random.save();
  const expected = take(5, () => random.u53());
  const other = new Random(0);
  other.restore(saved);
  assert.equal(
    take(5, () => other.u53()),
    expected,
  );
});

test("below is fair and in range", () => {
  const random = new Random(3);
  const counts = new Array(6).fill(0);
  for (let i = 0; i < 60_000; i++) counts[random.below(6)]++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, counts.join());
  assert.is(random.below(1), 0);
  assert.ok(random.below(0x1_0000_0000) >= 0);
  assert.throws(() => random.below(0), /limit/);
});

test("chance, fraction, pick and fill", () => {
  const random = new Random(4);
  assert.is(
    take(100, () => random.chance(0)).some((hit) => hit),
    false,
  );
  assert.ok(take(100, () => random.chance(1)).every((hit) => hit));
  assert.ok(take(1000, () => random.fraction()).every((f) => f >= 0 && f < 1));
  assert.is(new Set(take(100, () => random.pick("abc".split("")))).size, 3);
  const bytes = random.fill(new Uint8Array(1001));
  assert.ok(new Set(bytes).size > 240);
});

test("forks by different names are different", () => {
  const fork = (name: string) => new Random(5).fork(name).u32();
  assert.is(fork("a"), fork("a"));
  assert.is.not(fork("a"), fork("b"));
});

test.run();
