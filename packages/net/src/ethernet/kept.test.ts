import { Random } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kept } from "./kept.ts";

test("what is kept stays as it was, whatever is kept after it and becomes of the frame", () => {
  const random = new Random(1);
  const frame = new Uint8Array(20_000);
  const all: [copy: Uint8Array, number][] = [];
  for (let n = 0; n < 300; n++) {
    const length = random.below(n % 20 === 0 ? 20_000 : 2_000);
    frame.fill(n);
    all.push([kept(frame.subarray(0, length)), length]);
  }
  for (const [n, [copy, length]] of all.entries())
    assert.equal(copy, new Uint8Array(length).fill(n), `number ${n} of ${length} bytes`);
});

test.run();
