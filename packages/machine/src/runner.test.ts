import { ms, us } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "./machine.ts";
import { forever, withRom } from "./rom.test-support.ts";
import { Runner } from "./runner.ts";

test("a host so slow that slices are halved many times: they stay whole instructions", async () => {
  const pc = new Machine(withRom([...forever]));
  let time = 0;
  const host = { now: () => (time += 1000), sleep: async () => {} };
  const stop = await new Runner(pc, host).run({ atMost: ms(2) });
  assert.is(stop.reason, "limit");
  assert.ok(pc.now >= ms(2) && pc.now < ms(2) + us(1) && Number.isInteger(pc.now));
});

test.run();
