import { PhysicalMemory } from "@castaway/cpu";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MemoryMap } from "./memory-map.ts";

const chip = (answer: number) => ({ read: () => answer, write: () => {} });

const test = suite("memory map");
test("says what devices decode, by address; RAM and ROM below them are no ranges", () => {
  const physical = new PhysicalMemory(1 << 20);
  let changes = 0;
  const map = new MemoryMap(physical, () => changes++);
  const [high, low, over] = [chip(1), chip(2), chip(3)];
  map.map(0xfec00000, 4096, high);
  map.map(0xa0000, 0x20000, low);
  map.map(0xa0000, 0x1000, over);
  const said = () => map.ranges().map(({ base, size, space }) => [base, size, space]);
  assert.equal(said(), [
    [0xa0000, 0x20000, low],
    [0xa0000, 0x1000, over],
    [0xfec00000, 4096, high],
  ]);
  assert.is(physical.handler(0xa0).read(0xa0000, 1), 3);
  map.unmap(0xa0000, 0x1000, over);
  assert.equal(said(), [
    [0xa0000, 0x20000, low],
    [0xfec00000, 4096, high],
  ]);
  assert.is(physical.handler(0xa0).read(0xa0000, 1), 2);
  assert.is(changes, 4);
});
test("a frame buffer or registers that are moved over RAM do not take its place", () => {
  const physical = new PhysicalMemory(4 << 20);
  const map = new MemoryMap(physical, () => {});
  map.setGround(0x200, 0x1000, 0x1000);
  map.map(0x200000, 4096, chip(1));
  map.map(0x200000, 4096, chip(2), { host: 0x5000 });
  assert.equal([physical.readHost[0x200], physical.writeHost[0x200]], [0x1000, 0x1000]);
});
test.run();
