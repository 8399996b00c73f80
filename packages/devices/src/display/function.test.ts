import { Clock, kib, mib } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { displayFunction } from "./function.ts";
import { StdVga } from "./stdvga.ts";

const test = suite("stdvga on the PCI bus");

test("frame buffer, registers and video BIOS are where the base address registers say", () => {
  const vga = new StdVga({ clock: new Clock(), memory: new Uint8Array(mib(16)) });
  const pci = displayFunction(vga, { mapper: { map() {}, unmap() {} } }, Uint8Array.of(0x55, 0xaa, 78));
  assert.is(pci.config.read(0, 4), 0x11111234);
  assert.is(pci.config.read(8, 4), 0x03000002);
  for (const [at, size] of [
    [0x10, 0xff000008],
    [0x14, 0],
    [0x18, 0xfffff000],
    [0x30, 0xffff0000],
  ]) {
    pci.config.write(at, 4, 0xfffffffe);
    assert.is(pci.config.read(at, 4), size, `register ${at.toString(16)}`);
  }
  pci.config.write(0x10, 4, 0xfd000000);
  pci.config.write(0x18, 4, 0xfebf0000);
  pci.config.write(0x30, 4, 0xfebe0001);
  pci.config.write(0x04, 2, 2);
  assert.equal(
    pci.ranges.map(({ base, size }) => [base, size]),
    [
      [0xfd000000, mib(16)],
      [0xfebf0000, kib(4)],
      [0xfebe0000, kib(64)],
    ],
  );
  const [frameBuffer, registers, rom] = pci.ranges.map(({ space }) => space);
  frameBuffer.write(mib(16) - 4, 4, 0x12345678);
  assert.is(vga.frameBuffer.memory[mib(16) - 1], 0x12);
  assert.is(registers.read(0x500, 2), 0xb0c5);
  rom.write(0, 1, 0);
  assert.is(rom.read(0, 4), 0xff4eaa55);
});

test("a video BIOS larger than its ROM is the user's error, as is memory of a size that no display has", () => {
  const clock = new Clock();
  const vga = new StdVga({ clock, memory: new Uint8Array(mib(1)) });
  assert.throws(() => displayFunction(vga, { mapper: { map() {}, unmap() {} } }, new Uint8Array(kib(65))), /64KiB/);
  for (const size of [0, kib(128), mib(3), mib(32)])
    assert.throws(() => new StdVga({ clock, memory: new Uint8Array(size) }), /video memory/);
});

test.run();
