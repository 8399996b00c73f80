import { us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Machine } from "../rig/machine.test-support.ts";

type Guest = {
  start(sectors: bigint): void;
  poll(now: bigint): void;
  touch(write: number, lba: bigint, sectors: number): void;
  hypercall(number: bigint): number;
  complete(): void;
  leave(): void;
};
const compiled = await compileGuest("extensions/access-profiler.test-entry.ts");

function rig(sectors = 128 * 640) {
  const machine = new Machine(),
    vmm = machine.load<Guest>(compiled);
  machine.after(us(77));
  vmm.start(BigInt(sectors));
  machine.after(us(23));
  vmm.poll(BigInt(machine.clock.now));
  const touch = (write: boolean, lba: number, count: number) => vmm.touch(write ? 1 : 0, BigInt(lba), count);
  const log = () => {
    const text = machine.log;
    machine.log = "";
    return text.split("\n").slice(0, -1);
  };
  return { machine, vmm, touch, log };
}
const test = suite("vmm: access profiler");

test("each unit is told once, when it was touched first; neighbours are one run", () => {
  const { machine, vmm, touch, log } = rig();
  machine.after(us(100));
  touch(false, 0, 1);
  touch(false, 100, 200); // units 0 to 2
  machine.after(us(2000));
  vmm.poll(BigInt(machine.clock.now));
  touch(false, 3 * 128, 8);
  touch(true, 1, 1);
  touch(true, 0, 0);
  vmm.complete();
  assert.equal(log(), [
    "profile 128 640",
    "profile r 100 0+3",
    "profile r 2100 3+1",
    "profile w 2100 0+1",
    "profile end 3 2",
  ]);
  vmm.leave();
  assert.equal(log(), [], "nothing is new");
  touch(false, 5 * 128, 8);
  vmm.leave();
  assert.equal(log(), ["profile r 2100 5+1", "profile end 4 2"]);
});

test("the guest can ask for it; other hypercalls are not the profiler's", () => {
  const { vmm, log } = rig();
  assert.not(vmm.hypercall(1n));
  assert.ok(vmm.hypercall(0x50524f46n));
  assert.equal(log(), ["profile 128 640", "profile end 0 0"]);
});

test("what lies beyond the end is nobody's; a large disk has larger units", () => {
  const { vmm, touch, log } = rig(65537 * 128);
  touch(false, 65536 * 128, 1000);
  touch(false, 2 ** 40, 8);
  vmm.complete();
  assert.equal(log(), ["profile 256 32769", "profile r 0 32768+1", "profile end 2 0"]);
});

test("a thousand runs are written before there is no room for more", () => {
  const { vmm, touch, log } = rig(65535 * 128);
  for (let n = 0; n < 1025; n++) touch(false, 2 * n * 128, 1);
  assert.is(log().length, 1025);
  vmm.complete();
  assert.equal(log(), ["profile r 0 2048+1", "profile end 1025 0"]);
});

test.run();
