import { Random, writeLittle } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Bench, buffer, list, noise, PxCI, PxCLB, PxIE, PxIS, table } from "./bench.test-support.ts";

const test = suite("vmm: disk commands");
const random = new Random("commands");
const image = noise(random, 0x400);
const of = (lba: number, count: number) => image.subarray(lba * 512, (lba + count) * 512);
const same = (a: Uint8Array, b: Uint8Array) => assert.ok(Buffer.compare(a, b) === 0, "bytes differ");

test("R8.4: each way to read or write says the same sectors", () => {
  const b = new Bench({ image }).start();
  const read: [number: number, sent: object][] = [
    [0x20, {}],
    [0x24, {}],
    [0x25, {}],
    [0x29, {}],
    [0xc4, {}],
    [0xc8, {}],
    [0x60, { features: 3, count: 4 << 3 }],
  ];
  for (const [index, [command, rest]] of read.entries()) {
    const lba = 40 * index + 7;
    b.command({ command, lba, count: 3, regions: [[buffer(4), 1536]], ...rest }, 4);
    same(b.machine.ram.subarray(buffer(4), buffer(4) + 1536), of(lba, 3));
    assert.is(b.vmm.isLocal(lba >>> 3), 1, command.toString(16));
  }
  const written = [0x30, 0x34, 0x35, 0x39, 0x3d, 0xc5, 0xca, 0xce, 0x61];
  for (const [index, command] of written.entries()) {
    const lba = 400 + 16 * index;
    const data = noise(random, 8);
    b.machine.ram.set(data, buffer(4));
    const rest = command === 0x61 ? { features: 8, count: 4 << 3 } : { count: 8 };
    b.command({ command, lba, write: true, regions: [[buffer(4), 4096]], ...rest }, 4);
    same(b.disk(lba, 8), data);
    assert.is(b.vmm.isLocal(lba >>> 3), 1, command.toString(16));
    assert.is(b.vmm.isLocal((lba >>> 3) + 1), 0, command.toString(16));
  }
});

test("R8.5: what goes beyond the disk is the drive's to refuse, and changes nothing", () => {
  const b = new Bench({ image, sectors: 0x400 }).start();
  const regions: [number, number][] = [[buffer(0), 16 * 512]];
  assert.is(b.command({ command: 0x35, lba: 0x3f8, count: 16, write: true, regions }), 0x1051);
  assert.is(b.vmm.isLocal(0x7f), 0);
});

test("rule 10: TRIM keeps what it does not cover, and makes the rest the guest's", () => {
  const b = new Bench({ image }).start();
  const ranges = new Uint8Array(512);
  writeLittle(ranges, 0, 4, 3); // 3 to 20: a part of block 0, block 1, a part of block 2
  writeLittle(ranges, 6, 2, 18);
  writeLittle(ranges, 8, 4, 64);
  writeLittle(ranges, 14, 2, 8);
  b.machine.ram.set(ranges, buffer(0));
  assert.is(b.command({ command: 0x06, features: 1, count: 1, write: true, regions: [[buffer(0), 512]] }), 0x50);
  for (const block of [0, 1, 2, 8]) assert.is(b.vmm.isLocal(block), 1);
  assert.is(b.vmm.isLocal(3), 0);
  assert.is(b.vmm.fetched(), 16n);
  same(b.readSectors(0, 24), new Uint8Array([...of(0, 3), ...new Uint8Array(18 * 512), ...of(21, 3)]));
  same(b.readSectors(64, 9), new Uint8Array([...new Uint8Array(8 * 512), ...of(72, 1)]));
});

test("R8.2: the ranges of TRIM are the ones that were looked at", () => {
  const b = new Bench({ image }).start();
  b.vmm.setRoom(0);
  const ranges = new Uint8Array(512);
  writeLittle(ranges, 0, 4, 4);
  writeLittle(ranges, 6, 2, 12);
  b.machine.ram.set(ranges, buffer(0));
  b.prepare(0, { command: 0x06, features: 1, count: 1, write: true, regions: [[buffer(0), 512]] });
  b.write(PxCI, 1);
  b.poll();
  writeLittle(b.machine.ram, buffer(0), 4, 512); // while it waits for the first four sectors
  b.machine.ram.fill(0, table(0), table(0) + 256);
  b.vmm.setRoom(8);
  b.run(() => b.read(PxCI) === 0);
  assert.is(b.vmm.isLocal(64), 0);
  assert.is(b.vmm.isLocal(1), 1);
  same(b.disk(0, 16), new Uint8Array([...of(0, 4), ...new Uint8Array(12 * 512)]));
});

test("R8.3: a table that is longer than a slot's own", () => {
  const b = new Bench({ image }).start();
  const regions = Array.from({ length: 400 }, (_, i): [number, number] => [buffer(2) + 512 * (i ^ 1), 512]);
  b.command({ command: 0x25, lba: 3, count: 400, regions }, 2);
  for (const i of [0, 1, 247, 248, 399]) same(b.machine.ram.slice(...span(buffer(2) + 512 * (i ^ 1))), of(3 + i, 1));
  const more = Array.from({ length: 300 }, (_, i): [number, number] => [buffer(3) + 512 * i, 512]);
  b.prepare(2, { command: 0x25, lba: 500, count: 300, regions: more });
  b.prepare(3, { command: 0x25, lba: 600, count: 300, regions: more.map(([at, n]) => [at + 0x4_0000, n]) });
  b.write(PxCI, 0b1100);
  b.run(() => b.read(PxCI) === 0);
  same(b.machine.ram.slice(buffer(3), buffer(3) + 300 * 512), of(500, 300));
  same(b.machine.ram.slice(buffer(4), buffer(4) + 300 * 512), of(600, 300));
});

test("a command list or table where there is no memory fails as a command, and harms nobody", () => {
  const b = new Bench({ image }).start();
  writeLittle(b.machine.ram, list, 4, 5);
  writeLittle(b.machine.ram, list + 8, 4, 0xffff_ff80);
  writeLittle(b.machine.ram, list + 12, 4, 0xffff_ffff);
  b.write(PxCI, 1);
  b.run(() => (b.read(0x120) & 0x81) === 1);
  assert.is(b.read(0x120), 0x451);
  assert.is(b.read(PxCI), 1);
});

test("registers answer to 1, 2 and 8 bytes, and a part that is written leaves the rest", () => {
  const b = new Bench({ image }).start();
  assert.is(b.read(PxCLB, 8), list);
  assert.is(b.read(PxIE + 2, 2), 0x7dc0);
  assert.is(b.read(PxIE, 1), 0xff);
  b.write(PxIE, 0x0f, 1);
  assert.is(b.read(PxIE), 0x7dc0_000f);
  b.command({ command: 0xe5 });
  assert.is(b.read(PxIS), 1);
  b.write(PxIS + 1, 0xff, 1);
  assert.is(b.read(PxIS), 1);
  b.write(PxIS, 1, 1);
  assert.is(b.read(PxIS), 0);
});

test("the index/data pair is the same registers", () => {
  const b = new Bench({ image }).start();
  b.vmm.pairWrite(0xc010, PxCLB);
  assert.is(b.vmm.pairRead(0xc010), PxCLB);
  assert.is(b.vmm.pairRead(0xc014), list);
  b.prepare(0, { command: 0x25, lba: 0, count: 8, regions: [[buffer(0), 4096]] });
  b.vmm.pairWrite(0xc010, PxCI);
  b.vmm.pairWrite(0xc014, 1);
  assert.is(b.vmm.pairRead(0xc014), 1);
  b.run(() => b.read(PxCI) === 0);
  same(b.machine.ram.subarray(buffer(0), buffer(0) + 4096), of(0, 8));
});

test("R8.19: the copier leaves a guest alone that uses its disk, and begins near its last access", () => {
  const b = new Bench({ image }).start();
  b.vmm.moderate(5_000_000n, 2);
  b.copying = true;
  b.readSectors(512, 8);
  const { remaining } = b.vmm;
  const left = remaining();
  for (let i = 0; i < 30; i++) {
    b.readSectors(512, 1);
    b.machine.after(2_000_000);
  }
  assert.is(remaining(), left);
  b.run(() => remaining() === left - 2);
  assert.is(b.vmm.isLocal(65), 1);
  assert.is(b.vmm.isLocal(66), 1);
  assert.is(b.vmm.isLocal(1), 0);
});

const span = (at: number): [number, number] => [at, at + 512];

test.run();
