import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Bench,
  buffer,
  GHC,
  IS,
  list,
  noise,
  PxCI,
  PxCLB,
  PxCMD,
  PxFB,
  PxIE,
  PxIS,
  PxSACT,
  PxTFD,
} from "./bench.test-support.ts";

const test = suite("vmm: copy-on-read");
const random = new Random("redirect");
const image = noise(random, 0x400);
const of = (lba: number, count: number) => image.subarray(lba * 512, (lba + count) * 512);
const same = (a: Uint8Array, b: Uint8Array) => assert.ok(Buffer.compare(a, b) === 0, "bytes differ");

test("R8.1, rule 2: a read of empty blocks waits for them, and gives the image", () => {
  const b = new Bench({ image }).start();
  same(b.readSectors(13, 9), of(13, 9));
  assert.is(b.vmm.remaining(), 0x80 - 2);
  same(b.disk(8, 16), of(8, 16));
  assert.is(b.vmm.issuedByVmm(), 2n);
  assert.is(b.read(PxTFD), 0x50);
});

test("rule 1: a read of local blocks is none of the VMM's business", () => {
  const b = new Bench({ image }).start();
  b.readSectors(0, 8);
  const issued = b.vmm.issuedByVmm();
  same(b.readSectors(1, 3), of(1, 3));
  assert.is(b.vmm.issuedByVmm(), issued);
});

test("R6.3: behind the image the disk is the guest's", () => {
  const b = new Bench({ image: image.subarray(0, 0x3fd * 512) }).start();
  const tail = noise(random, 6);
  b.writeSectors(0x3fd, tail);
  same(b.readSectors(0x3f8, 5), of(0x3f8, 5));
  same(b.disk(0x3fd, 6), tail);
});

test("rule 3: a write of a part fetches the rest first, one of the whole does not", () => {
  const b = new Bench({ image }).start();
  const data = noise(random, 2);
  b.writeSectors(9, data);
  same(b.readSectors(8, 8), new Uint8Array([...of(8, 1), ...data, ...of(11, 5)]));
  const whole = noise(random, 8);
  const fetched = b.vmm.fetched();
  b.writeSectors(16, whole);
  same(b.readSectors(16, 8), whole);
  assert.is(b.vmm.fetched(), fetched);
});

test("rule 4: what is fetched when the guest writes is thrown away", () => {
  const b = new Bench({ image }).start();
  b.vmm.moderate(0n, 1);
  b.copying = true;
  b.poll();
  assert.is(b.vmm.fetchCount(), 1);
  b.copying = false;
  const whole = noise(random, 8);
  b.machine.ram.set(whole, buffer(1));
  b.prepare(1, { command: 0x35, lba: 0, count: 8, write: true, regions: [[buffer(1), 4096]] });
  b.write(PxCI, 2);
  b.deliver();
  b.run(() => b.read(PxCI) === 0);
  b.run(() => b.vmm.isQuiet() === 1);
  same(b.disk(0, 8), whole);
});

test("8.1: the guest reads its own values while the VMM has the port, and no interrupt comes of it", () => {
  const b = new Bench({ image }).start();
  b.command({ command: 0xec, regions: [[buffer(0), 512]] });
  b.write(PxIS, 0xffff_ffff);
  b.write(IS, 1);
  const { raised } = b;
  const seen = () => [GHC, IS, PxCLB, PxFB, PxIS, PxIE, PxCMD & ~0x1f00, PxTFD, PxSACT, PxCI].map((at) => b.read(at));
  const before = seen();
  b.vmm.moderate(0n, 2);
  b.copying = true;
  let taken = 0;
  b.run(() => {
    taken += b.vmm.isTaken();
    assert.equal(seen(), before);
    return b.vmm.remaining() === 0;
  });
  assert.ok(taken > 10);
  b.run(() => b.vmm.isQuiet() === 1);
  assert.is(b.raised, raised);
  same(b.disk(0, 0x400), image);
  const issued = b.vmm.issuedByVmm();
  b.run(() => false, 100);
  assert.is(b.vmm.issuedByVmm(), issued, "rule 12");
});

test("R8.9: queued reads of local blocks pass one that waits", () => {
  const b = new Bench({ image }).start();
  b.readSectors(64, 8);
  for (const [slot, lba] of [
    [3, 0],
    [4, 64],
  ]) {
    b.prepare(slot, { command: 0x60, features: 8, count: slot << 3, lba, regions: [[buffer(slot), 4096]] });
    b.write(PxSACT, 1 << slot);
    b.write(PxCI, 1 << slot);
  }
  for (let i = 0; i < 100; i++) {
    b.poll();
    b.machine.after(10_000);
  }
  assert.is(b.read(PxSACT), 1 << 3);
  same(b.machine.ram.subarray(buffer(4), buffer(4) + 4096), of(64, 8));
  b.run(() => b.read(PxSACT) === 0);
  same(b.machine.ram.subarray(buffer(3), buffer(3) + 4096), of(0, 8));
});

test("R8.10: a port that is stopped forgets what waits, and its memory is left alone", () => {
  const b = new Bench({ image }).start();
  b.prepare(0, { command: 0x25, lba: 0, count: 8, regions: [[buffer(0), 4096]] });
  b.write(PxCI, 1);
  b.poll();
  b.write(PxCMD, 0x16);
  assert.is(b.read(PxCI), 0);
  b.run(() => b.vmm.isQuiet() === 1 && b.vmm.fetchCount() === 0);
  assert.ok(b.machine.ram.subarray(buffer(0), buffer(0) + 4096).every((byte) => byte === 0xee));
  b.write(PxCMD, 0x17);
  same(b.readSectors(0, 8), of(0, 8));
});

test("R8.3: a guest cannot point the controller at the VMM's memory", () => {
  const b = new Bench({ image }).start();
  b.readSectors(0, 8);
  const vmm = b.machine.delta;
  const before = new Uint8Array(b.vmm.memory.buffer).slice(0, 0x1000);
  const descriptor: [number, number] = [vmm - 512, 4096];
  assert.is(b.command({ command: 0x25, lba: 0, count: 8, regions: [descriptor] }), 0x451);
  b.write(PxCMD, 0x16);
  b.write(PxIS, 0xffff_ffff);
  b.write(PxFB, vmm + 0x1000);
  assert.is(b.read(PxFB), vmm + 0x1000);
  assert.ok(b.hba.read(PxFB, 4) !== vmm + 0x1000);
  b.write(PxCMD, 0x17);
  b.write(PxFB, 0x2000);
  b.prepare(0, { command: 0x25, count: 8, regions: [[buffer(0), 4096]] });
  new DataView(b.machine.ram.buffer).setUint32(list + 8, vmm + 0x2000, true);
  b.write(PxCI, 1);
  b.run(() => (b.read(PxTFD) & 0x81) === 1);
  assert.is(b.read(PxTFD), 0x451);
  assert.equal(new Uint8Array(b.vmm.memory.buffer).slice(0, 0x1000), before);
});

test("rule 10: what could change the disk unseen is refused", () => {
  const b = new Bench({ image }).start();
  for (const command of [0x37, 0xf9, 0xb1, 0xb4, 0x92, 0xf4, 0x45, 0x3f, 0xc7, 0x80]) {
    assert.is(b.command({ command }), 0x451, command.toString(16));
    b.write(PxCMD, 0x16);
    b.write(PxIS, 0xffff_ffff);
    b.write(PxCMD, 0x17);
  }
  assert.is(b.command({ command: 0x27 }), 0x50);
});

test.run();
