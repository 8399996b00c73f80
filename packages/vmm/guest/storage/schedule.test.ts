import { suite } from "uvu";
import { Guest } from "./schedule.test-support.ts";

const test = suite("vmm: disk, any order of events");

for (let seed = 0; seed < 12; seed++) {
  test(`seed ${seed}: what the guest reads, and the disk at the end, are the image under its writes`, () => {
    const guest = new Guest(`schedule ${seed}`);
    for (let i = 0; i < 15; i++) guest.phase();
    guest.finish();
  });
}

test.run();
