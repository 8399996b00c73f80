import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Cpu } from "../cpu.ts";

const test = suite("memory as a debugger sees it");

/** RAM of 256 KiB; PML4 and the tables below it at 10000h, 11000h, .. */
function paged(): Cpu {
  const cpu = new Cpu({ memory: "256KiB", extraBytes: 4096, cpus: 2 });
  cpu.enter("long", 0x1000);
  cpu.set("CR3", 0x10000);
  return cpu;
}
/** Sets entry `index` of the table at `at`. */
function entry(cpu: Cpu, at: number, index: number, low: number): void {
  cpu.write(at + 8 * index, [low & 0xff, (low >> 8) & 0xff, (low >> 16) & 0xff, low >>> 24, 0, 0, 0, 0]);
}
/** Maps 7000h and 8000h to 21000h and 23000h, and the page at -1000h to 24000h; no entry is marked accessed. */
function mapped(): Cpu {
  const cpu = paged();
  entry(cpu, 0x10000, 0, 0x11001);
  entry(cpu, 0x11000, 0, 0x12001);
  entry(cpu, 0x12000, 0, 0x13001);
  entry(cpu, 0x13000, 7, 0x21001);
  entry(cpu, 0x13000, 8, 0x23001);
  entry(cpu, 0x10000, 511, 0x14001);
  entry(cpu, 0x14000, 511, 0x15001);
  entry(cpu, 0x15000, 511, 0x16001);
  entry(cpu, 0x16000, 511, 0x24001);
  return cpu;
}

test("4-level paging: small pages, both halves; absent, reserved and non-canonical addresses are nowhere", () => {
  const cpu = mapped();
  assert.is(cpu.linearToPhysical(0x7123), 0x21123);
  assert.is(cpu.linearToPhysical(-1), 0x24fff);
  for (const nowhere of [0x6fff, 0x9000, -4097, 2 ** 40, 2 ** 47, -(2 ** 47) - 1])
    assert.is(cpu.linearToPhysical(nowhere), null);
  entry(cpu, 0x13000, 9, 0x25001);
  cpu.write(0x13000 + 8 * 9 + 6, [0x0f]); // beyond the physical address width
  assert.is(cpu.linearToPhysical(0x9000), null);
});
test("large pages, 32-bit paging and PAE", () => {
  const cpu = paged();
  entry(cpu, 0x10000, 0, 0x11001);
  entry(cpu, 0x11000, 0, 0x12001);
  entry(cpu, 0x12000, 1, 0x400081);
  assert.is(cpu.linearToPhysical(0x212345), 0x412345);
  entry(cpu, 0x11000, 3, 0x40000081);
  assert.is(cpu.linearToPhysical(0xc1234567), 0x41234567);
  cpu.enter("protected32", 0x1000);
  assert.is(cpu.linearToPhysical(0xfffff123), 0xfffff123);
  assert.is(cpu.linearToPhysical(-1), null);
  cpu.set("CR3", 0x18000);
  cpu.write(0x18004, [0x01, 0x90, 0x01, 0]); // entry 1: table at 19000h
  cpu.write(0x19008, [0x01, 0x50, 0x02, 0]);
  cpu.set("CR0", 0x80000011);
  assert.is(cpu.linearToPhysical(0x402abc), 0x25abc);
  assert.is(cpu.linearToPhysical(0x403000), null);
  cpu.set("CR4", 0x20);
  cpu.set("PDPTE2", 0x12001);
  assert.is(cpu.linearToPhysical(0x80212345), 0x412345);
});
test("each processor has its own address space", () => {
  const cpu = mapped();
  assert.is(cpu.linearToPhysical(0x7000, 0), 0x21000);
  assert.is(cpu.linearToPhysical(0x7000, 1), 0x7000);
});
test("bytes across pages are read and written; nothing is marked, cached or charged", () => {
  const cpu = mapped(),
    before = cpu.digest({ ram: false }),
    tables = cpu.read(0x10000, 0x7000);
  assert.ok(cpu.writeLinear(0x7ffe, [1, 2, 3, 4]));
  assert.equal([...cpu.read(0x21ffe, 2), ...cpu.read(0x23000, 2)], [1, 2, 3, 4]);
  assert.equal([...cpu.readLinear(0x7ffd, 5)!], [0, 1, 2, 3, 4]);
  assert.is(cpu.digest({ ram: false }), before);
  assert.equal(cpu.read(0x10000, 0x7000), tables);
});
test("what is not wholly mapped is not read, and not written in part", () => {
  const cpu = mapped();
  assert.is(cpu.readLinear(0x8ffe, 4), null);
  assert.is(cpu.writeLinear(0x8ffe, [1, 2, 3, 4]), false);
  assert.equal([...cpu.read(0x23ffe, 2)], [0, 0]);
  assert.equal(cpu.readLinear(0x9000, 0), new Uint8Array(0));
});
test("ROM can be read; devices and the local APIC are never touched, nor page tables in them", () => {
  const cpu = new Cpu({ memory: "256KiB", extraBytes: 4096 });
  let touched = 0;
  cpu.mapDevice(0xd0000, 4096, { read: () => ++touched, write: () => void touched++ });
  const rom = cpu.physical.allocate(4096);
  cpu.physical.u8[rom] = 0x55;
  cpu.physical.mapHost(0xf0, rom, false);
  cpu.physicalMapChanged();
  cpu.enter("protected32", 0x1000);
  assert.equal([...cpu.readLinear(0xf0000, 1)!], [0x55]);
  assert.is(cpu.writeLinear(0xf0000, [1]), false);
  for (const device of [0xd0000, 0xfee00020]) {
    assert.is(cpu.readLinear(device, 4), null);
    assert.is(cpu.writeLinear(device, [0, 0, 0, 0]), false);
  }
  cpu.set("CR3", 0xd0000);
  cpu.set("CR0", 0x80000011);
  assert.is(cpu.linearToPhysical(0x1000), null);
  assert.is(touched, 0);
});
test("code that a debugger writes over is decoded again", () => {
  const cpu = new Cpu({ memory: "256KiB" });
  cpu.write(0x1000, [0x40, 0xeb, 0xfd]); // inc ax; jmp back
  cpu.enter("real", 0x1000);
  cpu.run({ instructions: 20 });
  cpu.writeLinear(0x1000, [0xf4]);
  assert.is(cpu.run().reason, "idle");
});
test.run();
