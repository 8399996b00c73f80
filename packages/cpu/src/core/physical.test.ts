import { test } from "uvu";
import * as assert from "uvu/assert";
import { PAGE, PhysicalMemory } from "./physical.ts";

/** Eight pages of memory: page 2 is a device's, page 4 a ROM, and pages 5 and 6 have changed places. */
function rig() {
  const memory = new PhysicalMemory(8 * PAGE);
  for (let at = 0; at < 8 * PAGE; at++) memory.ram[at] = at / 64;
  const [five, six] = [memory.hostOf(5), memory.hostOf(6)];
  memory.mapHost(5, six, true);
  memory.mapHost(6, five, true);
  memory.mapHost(4, memory.hostOf(4), false);
  memory.unmap(2);
  const written: [address: number, bytes: number][] = [];
  memory.onCodeWrite = (...range) => written.push(range);
  return { memory, written };
}

/** What the byte at a physical address is: all of them once, one by one. */
function oneByOne(memory: PhysicalMemory): Uint8Array {
  const all = new Uint8Array(9 * PAGE);
  for (let at = 0; at < all.length; at++) memory.dmaRead(at, all.subarray(at, at + 1));
  return all;
}

const lengths = [0, 1, 16, 32, 33, 1500, PAGE, PAGE + 1, 3 * PAGE - 7];
const starts = [0, 5, PAGE - 1, PAGE - 16, PAGE, 2 * PAGE - 20, 3 * PAGE, 4 * PAGE + 100, 6 * PAGE - 33];

test("a bus master reads the same in pieces of any length, across pages wherever they lie", () => {
  const { memory } = rig();
  const all = oneByOne(memory);
  assert.is(all[2 * PAGE], 0xff);
  assert.is(all[5 * PAGE], ((6 * PAGE) / 64) & 0xff);
  for (const start of starts) {
    for (const length of lengths) {
      const into = new Uint8Array(length + 2);
      memory.dmaRead(start, into.subarray(1, length + 1));
      const expected = new Uint8Array(length + 2);
      expected.set(all.subarray(start, start + length), 1);
      assert.equal(into, expected, `${length} from ${start}`);
    }
  }
});

test("a bus master writes memory only, byte for byte", () => {
  const { memory } = rig();
  const expected = oneByOne(memory);
  const now = new Uint8Array(expected.length);
  for (const [turn, start] of starts.entries()) {
    for (const length of lengths) {
      const from = Uint8Array.from({ length }, (_, i) => turn + length + i);
      for (let i = 0; i < length; i++) {
        const page = Math.floor((start + i) / PAGE);
        if (page !== 2 && page !== 4 && page < 8) expected[start + i] = from[i];
      }
      memory.dmaWrite(start, from);
      memory.dmaRead(0, now);
      assert.is(
        now.findIndex((byte, i) => byte !== expected[i]),
        -1,
        `${length} from ${start}`,
      );
    }
  }
});

test("the block cache is told of what was written to each page with code", () => {
  const { memory, written } = rig();
  memory.codePages[0] = memory.codePages[6] = 1;
  memory.dmaWrite(PAGE - 8, new Uint8Array(16));
  memory.dmaWrite(PAGE, new Uint8Array(64));
  memory.dmaWrite(6 * PAGE - 8, new Uint8Array(3 * PAGE));
  assert.equal(written, [
    [PAGE - 8, 8],
    [6 * PAGE, PAGE],
  ]);
});

test("page tables above 2 GiB are read and written where they are", () => {
  const memory = new PhysicalMemory(0x90000000);
  memory.write32(0x8fff0008, 0x12345678);
  assert.is(memory.read32(0x8fff0008), 0x12345678);
  const bytes = new Uint8Array(4);
  memory.dmaRead(0x8fff0008, bytes);
  assert.equal([...bytes], [0x78, 0x56, 0x34, 0x12]);
});

test.run();
