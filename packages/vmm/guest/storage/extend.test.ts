/** What extensions are told of the disk, and decide about it. */
import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Bench, buffer, noise } from "./bench.test-support.ts";

const test = suite("vmm: extensions and the disk");
const image = noise(new Random(5), 128);

test("an observer sees the guest's reads and writes as they are issued, and nothing of the hypervisor's", () => {
  const b = new Bench({ image }).start();
  b.vmm.extend();
  b.vmm.moderate(0n, 2);
  b.copying = true;
  const seen = () => [b.vmm.observed(), Number(b.vmm.observedLba()), b.vmm.observedSectors()];
  assert.equal(b.readSectors(5, 3), image.slice(5 * 512, 8 * 512));
  assert.equal(seen(), [1, 5, 3]);
  b.writeSectors(300, new Uint8Array(1024));
  assert.equal(seen(), [2, 300, 0x10002]);
  b.command({ command: 0xec, regions: [[buffer(0), 512]] }); // IDENTIFY DEVICE
  b.run(() => b.vmm.remaining() === 1);
  assert.is(b.vmm.observed(), 2);
});

test("a policy says which block is copied next, or none", () => {
  const b = new Bench({ image }).start();
  b.vmm.extend();
  b.vmm.moderate(0n, 1);
  b.copying = true;
  const local = () => Array.from({ length: 16 }, (_, n) => b.vmm.isLocal(n)).join("");
  b.run(() => b.vmm.remaining() === 13);
  assert.is(local(), "0000000000000111");
  assert.not(b.run(() => b.vmm.remaining() < 2, 3000));
  assert.is(local(), "0011111111111111");
  assert.equal(b.readSectors(0, 16), image.slice(0, 16 * 512), "the guest's own reads bring the rest");
});

test.run();
