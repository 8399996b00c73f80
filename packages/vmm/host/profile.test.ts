import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawProfile, parseProfile } from "./profile.ts";

const test = suite("access profile");
const LOG = `castaway
profile 128 12
profile r 0 0+2
profile w 500 1+4
the disk is complete
[   2.1] vmm: profile r 950 4+1
profile end 7 1
profile r 1000 11+1
profile end 8 1
`;

test("a profile is found between other lines of the log", () => {
  const profile = parseProfile(LOG)!;
  assert.equal([profile.unitSectors, profile.units, profile.reads, profile.writes], [128, 12, 8, 1]);
  assert.equal(profile.touches[1], { microseconds: 500, write: true, first: 1, count: 4 });
  assert.is(profile.touches.length, 4);
  assert.is(parseProfile("castaway\n"), null);
});

test("the picture says when each part was first read, or that it was written", () => {
  assert.is(
    drawProfile(parseProfile(LOG)!, { columns: 8 }),
    "00ww9···\n···9\na character: 64 KiB; 0 to 9: tenths of 0.001 s",
  );
  assert.is(
    drawProfile(parseProfile(LOG)!, { columns: 2, rows: 3 }),
    "0w\n9·\n·9\na character: 128 KiB; 0 to 9: tenths of 0.001 s",
  );
});

test("nothing touched, nothing drawn", () => {
  assert.match(drawProfile(parseProfile("profile 256 3\nprofile end 0 0\n")!), /^···\n/);
});

test.run();
