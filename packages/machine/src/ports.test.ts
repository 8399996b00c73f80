import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "./ports.ts";

/** A chip that answers its name's code and its offset. */
const chip = (code: number) => ({ read: (offset: number) => code + offset, write: () => {} });

const test = suite("port space");
test("an access that no chip covers is cut into bytes; where nobody answers, bits read as ones", () => {
  const ports = new PortSpace();
  ports.map(0x60, 1, chip(0x10));
  ports.map(0x61, 1, chip(0x20));
  assert.is(ports.read(0x60, 2), 0x2010);
  assert.is(ports.read(0x61, 4), 0xffffff20);
  assert.is(ports.read(0xffff, 2), 0xffff);
});
test("says what is mapped, by port; what is mapped over something else comes after it", () => {
  const ports = new PortSpace();
  const [first, second, third] = [chip(1), chip(2), chip(3)];
  ports.map(0x3f8, 8, first);
  ports.map(0x70, 2, second);
  ports.map(0x3f8, 2, third);
  const said = () => ports.ranges().map(({ base, size, space }) => [base, size, space]);
  assert.equal(said(), [
    [0x70, 2, second],
    [0x3f8, 8, first],
    [0x3f8, 2, third],
  ]);
  assert.is(ports.read(0x3f8, 1), 3);
  ports.unmap(0x3f8, 2, third);
  assert.equal(said(), [
    [0x70, 2, second],
    [0x3f8, 8, first],
  ]);
  assert.is(ports.read(0x3f8, 1), 1);
});
test.run();
