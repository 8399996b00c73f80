import { ConfigError, ms, us } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Access, freshTiming, hardDiskTiming, noTiming, ssdTiming } from "./timing.ts";

const access = (kind: Access["kind"], lba = 0, bytes = 0, cached = true): Access => ({
  kind,
  lba,
  bytes,
  cached,
  since: 0,
});

test("none: everything is done at once", () => {
  assert.is(noTiming.start(freshTiming(), access("read", 5, 4096), 77), 77);
});

test("SSD: latencies overlap, transfers share the bandwidth", () => {
  const ssd = ssdTiming({ read: us(100), write: us(20), program: us(200), bandwidth: 1e9 });
  const state = freshTiming();
  assert.is(ssd.start(state, access("read", 0, 50_000), 0), us(150));
  assert.is(ssd.start(state, access("read", 9, 50_000), 0), us(200));
  assert.is(ssd.start(state, access("read", 9, 50_000), us(1000)), us(1150));
  assert.is(ssd.start(state, access("write", 0, 10_000), us(2000)), us(2030));
  assert.is(ssd.start(state, access("write", 0, 10_000, false), us(3000)), us(3230));
  assert.is(ssd.start(state, access("flush"), us(4000)), us(4200));
  assert.throws(
    () => ssdTiming({ depth: 33 }),
    (error: unknown) => error instanceof ConfigError,
  );
  assert.throws(
    () => ssdTiming({ bandwidth: 0 }),
    (error: unknown) => error instanceof ConfigError,
  );
});

test("hard disk: the next sector on the track costs no turn, one just missed costs a whole one", () => {
  const disk = hardDiskTiming({ sectors: 1_000_000, rpm: 6000, track: 1000 }); // 10 ms a turn, 10 us a sector
  const state = freshTiming();
  const first = disk.start(state, access("read", 0, 512), 0);
  assert.is(first, us(10));
  const second = disk.start(state, access("read", 1, 512), first);
  assert.is(second, us(20));
  assert.is(disk.start(state, access("read", 1, 512), second), ms(10) + us(20));
});

test("hard disk: farther seeks take longer, and the nearest of the queue goes first, unless one has waited long", () => {
  const disk = hardDiskTiming({ sectors: 1_000_000, rpm: 6000, track: 1000, shortestSeek: ms(1), longestSeek: ms(15) });
  const far = disk.start(freshTiming(), access("read", 999_000, 512), 0);
  const near = disk.start(freshTiming(), access("read", 1000, 512), 0);
  assert.ok(near < far, `${near} ${far}`);
  assert.ok(far >= ms(14) && far < ms(26));
  const queue = [access("read", 999_000, 512), access("read", 2, 512)];
  assert.is(disk.pick(freshTiming(), queue, 0), 1);
  assert.is(disk.pick(freshTiming(), queue, ms(200)), 0);
});

test("hard disk: writes end in the cache until it is full; a flush waits for the platter", () => {
  const disk = hardDiskTiming({ sectors: 1_000_000, rpm: 6000, track: 1000, behind: ms(50) });
  const state = freshTiming();
  let now = 0;
  let waited = 0;
  for (let i = 0; i < 20; i++) {
    const done = disk.start(state, access("write", i * 50_000, 4096), now);
    if (done - now > ms(1)) waited++;
    now = done;
  }
  assert.ok(waited > 5 && waited < 20, `${waited}`);
  const flushed = disk.start(state, access("flush"), now);
  assert.ok(flushed - now > ms(40), `${flushed - now}`);
  assert.is(disk.start(state, access("flush"), flushed) - flushed, us(100));
});

test.run();
