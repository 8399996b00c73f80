import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Guest } from "./schedule.test-support.ts";

const test = suite("vmm: disk, any order of events");

for (let seed = 0; seed < 8; seed++) {
  test(`seed ${seed}: what the guest reads, and the disk at the end, are the image under its writes`, () => {
    const guest = new Guest(`schedule ${seed}`);
    for (let i = 0; i < 15; i++) guest.phase();
    assert.is(guest.finish(), 0); // blocks that are not local
  });
}

for (let seed = 0; seed < 4; seed++) {
  test(`seed ${seed}: power cuts lose nothing that the guest has flushed (R6.5)`, () => {
    const guest = new Guest(`power ${seed}`, true);
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 4; j++) {
        guest.phase();
        if (guest.random.chance(0.5)) guest.flush();
      }
      guest.powerCut();
    }
    assert.is(guest.finish(), 0); // blocks that are not local
  });
}

test.run();
