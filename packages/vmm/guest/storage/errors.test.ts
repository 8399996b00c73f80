import { Random, readLittle } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Bench, buffer, IS, noise, PxCI, PxCMD, PxIS, PxSACT, PxSERR, PxTFD, received } from "./bench.test-support.ts";

const test = suite("vmm: disk errors");
const random = new Random("errors");
const image = noise(random, 0x400);
const of = (lba: number, count: number) => image.subarray(lba * 512, (lba + count) * 512);
const same = (a: Uint8Array, b: Uint8Array) => assert.ok(Buffer.compare(a, b) === 0, "bytes differ");

/** As libahci restarts a port. */
function restart(b: Bench): void {
  b.write(PxCMD, 0x16);
  assert.is(b.read(PxCMD) & 0x8000, 0);
  b.write(PxSERR, 0xffff_ffff);
  b.write(PxIS, 0xffff_ffff);
  b.write(IS, 1);
  b.write(PxCMD, 0x17);
}

/** Lets the VMM do what it wants for a while. */
const wait = (b: Bench) => b.run(() => false, 300);

test("SeaBIOS asks a disk whether it is a CD: ABRT is the drive's, and nothing comes in between", () => {
  const b = new Bench({ image }).start();
  b.vmm.moderate(0n, 2);
  b.copying = true;
  assert.is(b.command({ command: 0xa1, regions: [[buffer(0), 512]] }), 0x451);
  const issued = b.vmm.issuedByVmm();
  wait(b);
  assert.is(b.vmm.issuedByVmm(), issued, "R8.17");
  assert.is(b.read(PxIS) & 0x4000_0000, 0x4000_0000);
  assert.is(b.machine.ram[received + 0x42], 0x51);
  restart(b);
  wait(b);
  assert.ok(b.vmm.issuedByVmm() > issued);
  assert.is(b.read(PxTFD), 0x451, "as the guest left it");
});

test("R8.17: after a queued command failed the guest reads the log before the VMM goes on", () => {
  const b = new Bench({ image }).start();
  b.readSectors(0, 16);
  b.faulty.unreadable.add(5);
  b.vmm.moderate(0n, 2);
  b.copying = true;
  for (const slot of [2, 3]) {
    b.prepare(slot, {
      command: 0x60,
      features: 8,
      count: slot << 3,
      lba: 8 * (3 - slot),
      regions: [[buffer(slot), 4096]],
    });
    b.write(PxSACT, 1 << slot);
    b.write(PxCI, 1 << slot);
  }
  b.run(() => (b.read(PxIS) & 0x4000_0000) !== 0);
  assert.is(b.read(PxTFD), 0x4051);
  const issued = b.vmm.issuedByVmm();
  restart(b);
  wait(b);
  assert.is(b.vmm.issuedByVmm(), issued);
  b.command({ command: 0x2f, lba: 0x10, count: 1, regions: [[buffer(0), 512]] });
  const log = b.machine.ram.subarray(buffer(0), buffer(0) + 512);
  assert.is(log[0], 3, "the tag");
  assert.is(readLittle(log, 4, 3), 5);
  b.run(() => b.vmm.remaining() === 0);
  assert.is(b.vmm.remaining(), 0);
});

test("rule 6, R8.16: a store that fails is seen by nobody, and tried again", () => {
  const b = new Bench({ image }).start();
  b.readSectors(0, 1);
  b.write(PxIS, 0xffff_ffff);
  b.write(IS, 1);
  const { raised } = b;
  b.faulty.unwritable.add(70);
  b.vmm.moderate(0n, 2);
  b.copying = true;
  b.run(() => b.vmm.remaining() === 1);
  b.run(() => b.vmm.failedByVmm() > 1n);
  assert.is(b.vmm.remaining(), 1);
  assert.is(b.raised, raised);
  for (const register of [PxIS, IS, PxCI]) assert.is(b.read(register), 0);
  assert.is(b.read(PxTFD), 0x50);
  b.faulty.unwritable.clear();
  b.run(() => b.vmm.remaining() === 0, 500_000);
  same(b.disk(0, 0x400), image);
});

test("rule 6: a block that cannot be stored is read all the same, among local ones", () => {
  const b = new Bench({ image }).start();
  b.faulty.unwritable.add(70);
  b.readSectors(80, 8);
  same(b.readSectors(61, 30), of(61, 30));
  assert.is(readLittle(b.machine.ram, 0x1004, 4), 30 * 512, "R8.8: PRDBC");
  assert.ok(b.vmm.failedByVmm() > 0n);
  b.prepare(5, {
    command: 0x60,
    features: 20,
    count: 5 << 3,
    lba: 60,
    regions: [
      [buffer(5), 2],
      [buffer(5) + 2, 5000],
      [buffer(5) + 5002, 5238],
    ],
  });
  b.write(PxSACT, 1 << 5);
  b.write(PxCI, 1 << 5);
  b.run(() => b.read(PxSACT) === 0);
  same(b.machine.ram.subarray(buffer(5), buffer(5) + 20 * 512), of(60, 20));
});

test("8.4, M-A: a read is answered before its blocks are stored", () => {
  const b = new Bench({ image }).start();
  b.vmm.storeFirst(0);
  same(b.readSectors(13, 9), of(13, 9));
  assert.is(b.vmm.remaining(), 0x80);
  b.run(() => b.vmm.remaining() === 0x80 - 2);
  same(b.disk(8, 16), of(8, 16));
});

test("R8.11: while the network is silent a guest waits, resets, and asks again", () => {
  const b = new Bench({ image }).start();
  b.prepare(0, { command: 0x25, lba: 0, count: 8, regions: [[buffer(0), 4096]] });
  b.write(PxCI, 1);
  for (let i = 0; i < 50; i++) {
    b.poll();
    b.machine.after(1e9);
  }
  assert.is(b.read(PxCI), 1);
  assert.is(b.read(PxIS), 0);
  restart(b);
  assert.is(b.read(PxCI), 0);
  same(b.readSectors(0, 8), of(0, 8));
});

test.run();
