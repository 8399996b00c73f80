import { ms, us } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "./machine.ts";
import { forever, halt, withRom } from "./rom.test-support.ts";
import { Runner } from "./runner.ts";

test("a host so slow that slices are halved many times: they stay whole instructions", async () => {
  const pc = new Machine(withRom([...forever]));
  let time = 0;
  const host = { now: () => (time += 1000), sleep: async () => {} };
  const stop = await new Runner(pc, host).run({ atMost: ms(2) });
  assert.is(stop.reason, "limit");
  assert.ok(pc.now >= ms(2) && pc.now < ms(2) + us(1) && Number.isInteger(pc.now));
});

/** A host whose time passes only while it sleeps. */
function dozingHost() {
  const naps: number[] = [];
  let time = 0;
  const sleep = async (milliseconds: number) => {
    naps.push(Math.round(milliseconds));
    time += milliseconds;
  };
  return { naps, now: () => time, sleep };
}

test("a paced machine keeps to the wall clock", async () => {
  const host = dozingHost();
  const pc = new Machine(withRom([...forever]));
  await new Runner(pc, host, { pace: true }).run({ atMost: ms(100) });
  assert.ok(host.now() >= 89 && host.now() <= 100, String(host.now()));
});

test("a paced machine whose processors all wait is left alone for long, and input wakes it", async () => {
  const host = dozingHost();
  const pc = new Machine(withRom([...halt]));
  const runner = new Runner(pc, host, { pace: true });
  let slices = 0;
  runner.onSlice = () => ++slices === 4 && runner.stop();
  assert.is((await runner.run()).reason, "paused");
  assert.equal(host.naps, [250, 250, 250, 250]);

  const never = { now: () => 0, sleep: () => new Promise<void>(() => {}) };
  const sleeping = new Runner(pc, never, { pace: true });
  let seen = 0;
  sleeping.onSlice = () => ++seen === 2 && sleeping.stop();
  setTimeout(() => pc.com1.type("x"), 1);
  setTimeout(() => sleeping.stop(), 2);
  assert.is((await sleeping.run()).reason, "paused");
  assert.is(seen, 2);
});

test.run();
