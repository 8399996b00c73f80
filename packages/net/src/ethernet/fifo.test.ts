import { Random } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Fifo } from "./fifo.ts";

test("a queue does what an array does, whatever is done in which order", () => {
  const random = new Random(7);
  const fifo = new Fifo<number>();
  let plain: number[] = [];
  for (let n = 0; n < 5000; n++) {
    const grows = random.chance(n % 1000 < 500 ? 0.7 : 0.3);
    if (random.chance(0.001)) fifo.all = plain = [n, n + 1];
    else if (!grows) assert.is(fifo.shift(), plain.shift());
    else if (random.chance(0.2)) {
      const place = random.below(plain.length + 1);
      fifo.insert(place, n);
      plain.splice(place, 0, n);
    } else {
      fifo.push(n);
      plain.push(n);
    }
    assert.is(fifo.length, plain.length);
    assert.is(fifo.first, plain[0]);
    if (plain.length > 0) assert.is(fifo.at(plain.length - 1), plain.at(-1));
    if (n % 100 === 0) assert.equal(fifo.all, plain);
  }
});

test.run();
