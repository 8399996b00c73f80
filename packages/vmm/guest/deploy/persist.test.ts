import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Bench, buffer, noise, PxCI, PxCMD, PxIS, PxSCTL } from "../storage/bench.test-support.ts";

const test = suite("vmm: record of a deployment");
const random = new Random("record");
const image = noise(random, 0x400);
const of = (lba: number, count: number) => image.subarray(lba * 512, (lba + count) * 512);
const same = (a: Uint8Array, b: Uint8Array, what?: string) =>
  assert.ok(Buffer.compare(a, b) === 0, what ?? "bytes differ");
const [FRESH, RESUMED, FINISHED, DAMAGED] = [1, 2, 3, 4];
const hidden = 24; // headers and one sector of bitmap, to 4 KiB
const flush = (b: Bench) => assert.is(b.command({ command: 0xea }), 0x50);

/** The next boot, after a power cut that loses what it may, or an orderly end. */
function again(b: Bench, cut?: Random): Bench {
  if (cut) b.drive.powerCut(cut);
  return new Bench({ image, whole: true, medium: b.medium, visible: b.drive.persistentSectors });
}

test("R6.6: the drive itself hides the record, from the guest and for good", () => {
  const b = new Bench({ image, whole: true }).start();
  assert.is(b.vmm.found(), FRESH);
  assert.is(b.drive.persistentSectors, 0x800 - hidden);
  b.command({ command: 0xec, regions: [[buffer(0), 512]] });
  assert.is(new DataView(b.machine.ram.buffer).getUint32(buffer(0) + 200, true), 0x800 - hidden);
  assert.is(b.command({ command: 0x25, lba: 0x800 - hidden, count: 1, regions: [[buffer(0), 512]] }) & 1, 1);
});

test("R6.3: an image that the rest of the disk cannot hold is refused, and not touched", () => {
  const b = new Bench({ image, whole: true, sectors: 0x3f8 });
  assert.is(b.vmm.stage(), 5);
  assert.is(b.vmm.refusal(), 3);
  assert.is(b.drive.persistentSectors, 0x3f8);
  assert.ok(b.disk(0, 0x3f8).every((byte) => byte === 0));
});

test("an image that fills the disk leaves no room for a record, and is deployed without one", () => {
  const b = new Bench({ image, whole: true, sectors: 0x400 }).start();
  assert.is(b.vmm.found(), 5);
  assert.is(b.drive.persistentSectors, 0x400);
  same(b.readSectors(0x3f0, 16), of(0x3f0, 16));
  flush(b);
  b.vmm.moderate(0n, 4);
  b.copying = true;
  b.run(() => b.vmm.timesDone() === 1);
  same(b.disk(0, 0x400), image);
  assert.is(b.drive.unflushed, 0);
});

test("R6.5: after a guest's FLUSH a power cut finds what it wrote", () => {
  for (let round = 0; round < 8; round++) {
    const b = new Bench({ image, whole: true }).start();
    const data = noise(random, 24);
    b.readSectors(0, 8);
    b.writeSectors(0, data.subarray(0, 8 * 512)); // local in memory only until now
    b.writeSectors(13, data.subarray(8 * 512));
    flush(b);
    const c = again(b, new Random(`cut ${round}`)).start();
    assert.is(c.vmm.found(), RESUMED);
    same(c.readSectors(0, 8), data.subarray(0, 8 * 512));
    same(c.readSectors(13, 16), data.subarray(8 * 512));
    same(c.readSectors(8, 5), of(8, 5));
  }
});

test("R6.5: FUA writes wait for the record of their blocks", () => {
  const b = new Bench({ image, whole: true }).start();
  const data = noise(random, 8);
  b.machine.ram.set(data, buffer(0));
  b.command({ command: 0x3d, lba: 64, count: 8, write: true, regions: [[buffer(0), 4096]] });
  const c = again(b, new Random("cut")).start();
  same(c.readSectors(64, 8), data);
});

test("R6.7: what was copied is not fetched twice, and at the end there is nothing to do", () => {
  const b = new Bench({ image, whole: true }).start();
  b.vmm.moderate(0n, 4);
  b.copying = true;
  b.run(() => b.vmm.remaining() < 0x40);
  b.copying = false;
  b.writeSectors(0x3f8, noise(random, 8));
  flush(b);
  const left = b.vmm.remaining();
  const c = again(b).start();
  assert.ok(c.vmm.remaining() <= left);
  c.vmm.moderate(0n, 4);
  c.copying = true;
  c.run(() => c.vmm.timesDone() === 1);
  assert.is(c.vmm.timesDone(), 1);
  const issued = c.vmm.issuedByVmm();
  c.run(() => false, 100);
  assert.is(c.vmm.issuedByVmm(), issued, "rule 12");
  same(c.disk(0, 0x3f8), of(0, 0x3f8));
  assert.is(again(c).vmm.found(), FINISHED);
});

test("all was copied and recorded when the power failed: the deployment is over before the next guest starts", () => {
  const b = new Bench({ image, whole: true }).start();
  b.vmm.moderate(0n, 4);
  b.copying = true;
  b.run(() => b.vmm.remaining() === 0);
  b.copying = false;
  b.writeSectors(0x3f8, noise(random, 8));
  flush(b);
  const c = again(b);
  assert.is(c.vmm.stage(), 4);
  assert.is(c.vmm.timesDone(), 1);
});

test("R6.4: a damaged bitmap stops everything, one of another image does not count", () => {
  const b = new Bench({ image, whole: true }).start();
  const bad = b.disk(0x800 - hidden + 16, 1);
  bad[3] ^= 1;
  b.medium.write(0x800 - hidden + 16, bad);
  const c = again(b);
  assert.is(c.vmm.found(), DAMAGED);
  assert.is(c.vmm.stage(), 5);
  const other = new Bench({ image: of(0, 0x300), whole: true, medium: b.medium, visible: 0x800 - hidden });
  assert.is(other.vmm.found(), FRESH);
});

test("R8.10: COMRESET in the middle of a record leaves the area hidden from the guest's first command", () => {
  for (let step = 0; step < 30; step++) {
    const b = new Bench({ image, whole: true }).start();
    b.writeSectors(0, noise(random, 8));
    b.prepare(0, { command: 0xea });
    b.write(PxCI, 1);
    for (let i = 0; i < step; i++) {
      b.poll();
      b.machine.after(7_000);
    }
    b.write(PxSCTL, 0x301);
    b.write(PxCMD, 0x16);
    b.write(PxSCTL, 0x300);
    b.settleLink();
    b.start();
    b.command({ command: 0xec, regions: [[buffer(0), 512]] });
    b.write(PxIS, 0xffff_ffff);
    const seen = new DataView(b.machine.ram.buffer).getUint32(buffer(0) + 200, true);
    assert.is(seen, 0x800 - hidden, `after ${step} steps`);
    flush(b);
  }
});

test("D1: handed back, the hardware has the guest's list, and reads what the guest read", () => {
  const b = new Bench({ image, whole: true }).start();
  b.vmm.moderate(0n, 4);
  b.copying = true;
  b.run(() => b.vmm.timesDone() === 1);
  const before = Array.from({ length: 16 }, (_, i) => b.read(0x100 + 4 * i));
  assert.is(b.vmm.handBack(), 1);
  const after = Array.from({ length: 16 }, (_, i) => b.hba.read(0x100 + 4 * i, 4));
  assert.equal(after, before);
});

test.run();
