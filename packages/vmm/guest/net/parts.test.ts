/** Sets of sectors, tags, round-trip times and the window, without a network. */
import { ms, Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Machine } from "../rig/machine.test-support.ts";

type Guest = {
  set(from: number, count: number): void;
  clear(from: number, count: number): void;
  has(at: number): number;
  nextSet(from: number, end: number): number;
  nextClear(from: number, end: number): number;
  count(from: number, count: number): number;
  begin(now: bigint): void;
  tag(slot: number): number;
  sample(time: bigint): void;
  slower(): void;
  timeout(): bigint;
  open(buffers: number): void;
  grow(): void;
  shrink(order: number, next: number): number;
  requests(): number;
};

const test = suite("vmm aoe parts");
const guest = await compileGuest("net/parts.test-entry.ts");
const load = () => new Machine().load<Guest>(guest);
const size = 320;

test("sets of sectors are as an array of flags", () => {
  const vmm = load();
  const model = new Array<boolean>(size).fill(false);
  const random = new Random(3);
  const next = (from: number, end: number, value: boolean) => {
    const at = model.indexOf(value, from);
    return at < 0 || at > end ? end : at;
  };
  for (let i = 0; i < 3000; i++) {
    const from = random.below(size);
    const count = random.chance(0.2) ? (size - from) & ~63 : random.below(size - from + 1);
    const value = random.chance(0.5);
    if (value) vmm.set(from, count);
    else vmm.clear(from, count);
    model.fill(value, from, from + count);
    const [a, b] = [random.below(size), random.below(size + 1)];
    assert.is(vmm.has(a), model[a] ? 1 : 0);
    assert.is(vmm.count(a, size - a), model.slice(a).filter(Boolean).length);
    if (a > b) continue;
    assert.is(vmm.nextSet(a, b), next(a, b, true), `${a} to ${b}`);
    assert.is(vmm.nextClear(a, b), next(a, b, false), `${a} to ${b}`);
  }
});

test("tags keep their slot, are not repeated, and are never 0, also where their numbers wrap", () => {
  const vmm = load();
  vmm.begin((1n << 26n) - 50n); // of 26 bits
  const seen = new Set<number>();
  for (let i = 0; i < 100; i++) {
    seen.add(vmm.tag(0) >>> 0);
    const tag = vmm.tag(63) >>> 0;
    assert.is(tag & 63, 63);
    seen.add(tag);
  }
  assert.is(seen.size, 200);
  assert.not(seen.has(0));
});

test("a silence is borne for 250 ms at first, then by what answers took, and twice as long each time", () => {
  const vmm = load();
  const timeout = () => Number(vmm.timeout());
  assert.is(timeout(), ms(250));
  vmm.sample(BigInt(ms(100)));
  assert.is(timeout(), ms(400)); // 2 * 100 + 4 * 50
  for (let i = 0; i < 100; i++) vmm.sample(BigInt(ms(100)));
  assert.ok(timeout() >= ms(200) && timeout() < ms(230), `${timeout()}`);
  const usual = timeout();
  vmm.slower();
  vmm.slower();
  assert.is(timeout(), 4 * usual);
  for (let i = 0; i < 20; i++) vmm.slower();
  assert.is(timeout(), ms(8000));
  vmm.sample(BigInt(ms(100)));
  assert.ok(timeout() < ms(230));
  for (let i = 0; i < 200; i++) vmm.sample(1000n);
  assert.is(timeout(), ms(10));
});

test("the window grows to the server's buffers, and is halved once for losses of one time (R11.3)", () => {
  const vmm = load();
  vmm.open(16);
  assert.is(vmm.requests(), 2);
  for (let i = 0; i < 40; i++) vmm.grow();
  assert.is(vmm.requests(), 16);
  assert.is(vmm.shrink(100, 116), 1);
  assert.is(vmm.shrink(101, 116), 0);
  assert.is(vmm.shrink(115, 116), 0);
  assert.is(vmm.requests(), 8);
  for (let i = 0; i < 8; i++) vmm.grow();
  assert.is(vmm.requests(), 8, "one more for each round of answers");
  vmm.grow();
  assert.is(vmm.requests(), 9);
  for (let order = 116; order < 130; order++) vmm.shrink(order, order + 1);
  assert.is(vmm.requests(), 1);
});

test.run();
