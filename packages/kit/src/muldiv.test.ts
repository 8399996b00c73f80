import Long from "long";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mulDiv, mulDivLong, mulDivUp, TickRate } from "./muldiv.ts";
import { Random } from "./random.ts";

/** Numbers of every magnitude up to 2^bits, with edges and half-zero patterns more often than chance would give. */
function awkward(random: Random, bits: number): bigint {
  const value = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  const cut = value & ((1n << BigInt(1 + random.below(bits))) - 1n);
  const kind = random.below(8);
  if (kind === 0) return (1n << BigInt(random.below(bits))) - 1n;
  if (kind === 1) return 1n << BigInt(random.below(bits));
  if (kind === 2) return cut & 0xffff0000_ffff0000n;
  return cut;
}

test("numbers: 200,000 products agree with bigint, down and up", () => {
  const random = new Random(1);
  let compared = 0;
  for (let i = 0; i < 200_000; i++) {
    const [a, b, c] = [awkward(random, 53), awkward(random, 53), awkward(random, 53) || 1n];
    if ((a * b) / c >= BigInt(Number.MAX_SAFE_INTEGER)) continue;
    const down = mulDiv(Number(a), Number(b), Number(c));
    const up = mulDivUp(Number(a), Number(b), Number(c));
    if (BigInt(down) !== (a * b) / c || BigInt(up) !== (a * b + c - 1n) / c) assert.unreachable(`${a} * ${b} / ${c}`);
    compared++;
  }
  assert.ok(compared > 50_000);
});

test("Long: 100,000 products agree with bigint", () => {
  const random = new Random(2);
  const long = (n: bigint) => Long.fromString(n.toString(), true);
  let compared = 0;
  for (let i = 0; i < 100_000; i++) {
    const [a, b, c] = [awkward(random, 64), awkward(random, 64), awkward(random, 64) || 1n];
    if (((a * b) / c) >> 64n) continue;
    const got = mulDivLong(long(a), long(b), long(c));
    if (got.toString() !== ((a * b) / c).toString()) assert.unreachable(`${a} * ${b} / ${c}`);
    compared++;
  }
  assert.ok(compared > 20_000);
});

test("division's rare step: an estimated digit is one too large", () => {
  // Knuth's exercise 4.3.1-22, in base 2^16.
  const long = (high: number, low: number) => Long.fromBits(low, high, true);
  const [a, c] = [0x7fff_8000_0000_0000n, 0x8000_0000_0001n];
  const got = mulDivLong(long(0x7fff8000, 0), long(0x10000, 0), long(0x8000, 1));
  assert.is(got.toString(), ((a * 0x10000_00000000n) / c).toString());
});

test("signed Longs are taken as unsigned", () => {
  assert.is(mulDivLong(Long.NEG_ONE, Long.ONE, Long.fromNumber(3)).toString(), "6148914691236517205");
});

test("a power-management timer stays exact after 100 days", () => {
  const rate = new TickRate(3_579_545);
  for (const time of [0, 1, 279, 280, 2_500_000_000, 8_640_000_000_000_000, Number.MAX_SAFE_INTEGER]) {
    assert.is(BigInt(rate.ticksAt(time)), (BigInt(time) * 3_579_545n) / 1_000_000_000n);
  }
  for (const tick of [1, 2, 3, 4, 0xffffff, 0x1000000, 30_927_268_800_001]) {
    const time = rate.timeOf(tick);
    assert.is(rate.ticksAt(time), tick);
    assert.is(rate.ticksAt(time - 1), tick - 1);
  }
});

test("a counter faster than a nanosecond skips ticks, never repeats", () => {
  const tsc = new TickRate(2_800_000_000);
  assert.is(tsc.ticksAt(5), 14);
  assert.is(tsc.timeOf(14), 5);
  assert.is(tsc.timeOf(15), 6);
});

test("what has no answer asserts", () => {
  assert.throws(() => mulDiv(1, 1, 0), /divides by 1 or more/);
  assert.throws(() => mulDiv(-1, 1, 1), /integers of 0 or more/);
  assert.throws(() => mulDiv(0.5, 1, 1), /integers of 0 or more/);
  assert.throws(() => mulDiv(Number.MAX_SAFE_INTEGER, 2, 1), /safe integer/);
  assert.throws(() => mulDivLong(Long.ONE, Long.ONE, Long.ZERO), /divides by 1 or more/);
  assert.throws(() => mulDivLong(Long.NEG_ONE, Long.NEG_ONE, Long.ONE), /64 bits/);
  assert.throws(() => new TickRate(0), /positive integer/);
});

test.run();
