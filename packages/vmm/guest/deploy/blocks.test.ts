import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Machine } from "../rig/machine.test-support.ts";

type Guest = {
  make(imageSectors: bigint, shift: number): number;
  remaining(): number;
  sectorsOf(block: number): number;
  isLocal(block: bigint): number;
  setLocal(block: number): void;
  nextEmpty(from: number): bigint;
  allLocal(lba: bigint, sectors: number): number;
  covers(lba: bigint, sectors: number, block: number): number;
  guestWrote(lba: bigint, sectors: number): void;
  recall(word: number, bits: bigint): void;
};

const test = suite("vmm: blocks");
const guest = await compileGuest("deploy/blocks.test-entry.ts");
const blocks = (imageSectors: number, shift = 3) => {
  const made = new Machine().load<Guest>(guest);
  made.make(BigInt(imageSectors), shift);
  return made;
};

test("R6.3: blocks behind the image are local, the last one of it may be short", () => {
  const b = blocks(8 * 100 + 3);
  assert.is(b.remaining(), 101);
  assert.is(b.sectorsOf(99), 8);
  assert.is(b.sectorsOf(100), 3);
  assert.is(b.isLocal(100n), 0);
  assert.is(b.isLocal(101n), 1);
  assert.is(b.isLocal(1n << 40n), 1);
});

test("rule 1: a range is local if each of its blocks is", () => {
  const b = blocks(800);
  b.setLocal(4);
  assert.is(b.allLocal(32n, 8), 1);
  assert.is(b.allLocal(31n, 2), 0);
  assert.is(b.allLocal(39n, 2), 0);
  assert.is(b.allLocal(800n, 1000), 1);
  assert.is(b.allLocal(799n, 1), 0);
});

test("rule 3: a write covers a block if it leaves nothing of its image", () => {
  const b = blocks(803);
  for (const [lba, sectors, block, covered] of [
    [8, 8, 1, 1],
    [9, 8, 1, 0],
    [8, 7, 1, 0],
    [0, 100, 3, 1],
    [800, 3, 100, 1],
    [800, 2, 100, 0],
    [801, 9, 100, 0],
  ]) {
    assert.is(b.covers(BigInt(lba), sectors, block), covered, `${lba}+${sectors}`);
  }
});

test("rules 3, 6: what a write covered is the guest's, what it touched is not", () => {
  const b = blocks(803);
  b.guestWrote(10n, 20);
  assert.equal(
    [0n, 1n, 2n, 3n].map((block) => b.isLocal(block)),
    [0, 0, 1, 0],
  );
  b.guestWrote(800n, 50);
  assert.is(b.isLocal(100n), 1);
  assert.is(b.remaining(), 99);
  b.guestWrote(16n, 8);
  assert.is(b.remaining(), 99);
});

test("the next empty block is found in a circle, across words and at their edges", () => {
  const b = blocks(8 * 130);
  const empty = new Set(Array.from({ length: 130 }, (_, i) => i));
  for (const block of [0, 63, 64, 129, 65, 1, 100]) {
    b.setLocal(block);
    empty.delete(block);
  }
  for (let from = 0; from < 140; from++) {
    let want = from < 130 ? from : 0;
    while (!empty.has(want)) want = (want + 1) % 130;
    assert.is(b.nextEmpty(from), BigInt(want), `from ${from}`);
  }
  for (const block of empty) b.setLocal(block);
  assert.is(b.nextEmpty(7), -1n);
  assert.is(b.remaining(), 0);
});

test("what is recalled is counted once, and bits of no block do not count", () => {
  const b = blocks(8 * 70);
  b.setLocal(65);
  b.recall(1, 0xffff_ffff_ffff_fffen);
  assert.is(b.remaining(), 65);
  assert.is(b.isLocal(64n), 0);
  assert.is(b.isLocal(69n), 1);
});

test.run();
