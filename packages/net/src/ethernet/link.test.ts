import { Clock, ConfigError, decodeState, encodeState, type Plain, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Link, linkState } from "./link.ts";
import type { LinkOptions } from "./link-options.ts";
import { Card, frame, numberIn } from "./rig.test-support.ts";

const test = suite("link");

function rig(options: LinkOptions = {}, seed = 1) {
  const clock = new Clock();
  const link = new Link({ clock, name: "cable", seed }, options);
  const a = new Card({ clock, port: link.a });
  const b = new Card({ clock, port: link.b });
  return { clock, link, a, b };
}

/** Sends `count` numbered frames from a to b, one every 2 us, and lets all arrive. */
function numbered(count: number, options: LinkOptions, seed?: number) {
  const r = rig(options, seed);
  for (let n = 0; n < count; n++) {
    r.link.a.send(frame(2, 1, n));
    r.clock.advanceTo(r.clock.now + us(2));
  }
  r.clock.advanceTo(us(1_000_000));
  return r;
}

test("a frame takes its bytes and 24 more at the bandwidth, then the latency", () => {
  const { clock, link, b } = rig({ latency: us(5) });
  link.a.send(frame(2, 1, 0, 1000));
  link.a.send(frame(2, 1, 1, 60));
  link.a.send(frame(2, 1, 2, 20)); // padded on the wire
  clock.advanceTo(us(100));
  assert.equal(b.times, [8192 + 5000, 8192 + 672 + 5000, 8192 + 2 * 672 + 5000]);
});

test("the directions differ and do not wait for each other", () => {
  const { clock, link, a, b } = rig({ latency: 1000, toA: { bandwidth: 1e8, latency: 7 } });
  link.a.send(frame(2, 1));
  link.b.send(frame(1, 2));
  clock.advanceTo(us(100));
  assert.equal([b.times, a.times], [[1672], [6727]]);
});

test("what a sender does to its bytes after sending changes nothing", () => {
  const { clock, link, b } = rig();
  const bytes = frame(2, 1, 5);
  for (let n = 0; n < 2; n++) link.a.send(bytes);
  bytes.fill(0);
  clock.advanceTo(us(100));
  assert.equal(b.numbers, [5, 5]);
});

test("a full queue drops the newest, a short and a long frame are dropped: each counted", () => {
  const { clock, link, b } = rig({ queue: 120, mtu: 100 });
  for (let n = 0; n < 5; n++) link.a.send(frame(2, 1, n));
  link.a.send(new Uint8Array(13));
  link.a.send(frame(2, 1, 9, 115));
  assert.is(link.toB.queued, 120);
  clock.advanceTo(us(100));
  assert.equal(b.numbers, [0, 1, 2]);
  const { queueFull, tooShort, tooLong, sentFrames, deliveredBytes } = link.toB.statistics;
  assert.equal([queueFull, tooShort, tooLong, sentFrames, deliveredBytes], [2, 1, 1, 3, 180]);
  const tagged = frame(2, 1, 0, 118);
  tagged.set([0x81, 0], 12);
  link.a.send(tagged);
  clock.advanceTo(us(200));
  assert.is(b.got.at(-1)?.bytes.length, 118);
});

test("loss, duplication, reordering, corruption and jitter come as often as was asked for", () => {
  const lossy = numbered(2000, { loss: 0.1 });
  assert.is(lossy.b.got.length + lossy.link.toB.statistics.lost, 2000);
  assert.ok(Math.abs(lossy.link.toB.statistics.lost - 200) < 50);

  const twice = numbered(2000, { duplication: 0.1 });
  assert.is(twice.b.got.length, 2000 + twice.link.toB.statistics.duplicated);
  assert.ok(Math.abs(twice.link.toB.statistics.duplicated - 200) < 50);

  const mixed = numbered(2000, { reordering: 0.1, reorderDelay: us(50) });
  const late = mixed.b.numbers.filter((n, i, all) => i > 0 && n < Math.max(...all.slice(0, i))).length;
  assert.is(late, mixed.link.toB.statistics.reordered);
  assert.ok(Math.abs(late - 200) < 50);

  const bad = numbered(2000, { corruption: 0.1 });
  assert.is(bad.b.got.length, 2000 - bad.link.toB.statistics.corrupted);
  const shown = numbered(2000, { corruption: 0.1, deliverCorrupted: true });
  const flipped = shown.b.got.filter(({ bytes }, n) => bytes.some((byte, i) => byte !== frame(2, 1, n)[i]));
  assert.is(flipped.length, shown.link.toB.statistics.corrupted);

  const jumpy = numbered(2000, { jitter: us(30) });
  const delays = jumpy.b.times.map((at, n) => at - n * us(2) - us(20) - 672);
  assert.ok(Math.min(...delays) >= 0 && Math.max(...delays) <= us(30) && new Set(delays).size > 100);
  assert.equal(
    jumpy.b.numbers,
    [...jumpy.b.numbers].sort((x, y) => x - y),
  );
});

test("equal seeds give equal runs; one link's traffic never changes another's", () => {
  const options = { loss: 0.2, jitter: us(3) };
  assert.equal(numbered(300, options, 7).b.got, numbered(300, options, 7).b.got);
  assert.not.equal(numbered(300, options, 7).b.numbers, numbered(300, options, 8).b.numbers);
  const r = rig(options, 7);
  const other = new Link({ clock: r.clock, name: "other", seed: 7 }, options);
  for (let n = 0; n < 300; n++) {
    r.link.a.send(frame(2, 1, n));
    for (let i = 0; i < n % 3; i++) other.a.send(frame(2, 1, n));
    for (let i = 0; i < n % 2; i++) r.link.b.send(frame(1, 2, n));
    r.clock.advanceTo(r.clock.now + us(2));
  }
  r.clock.advanceTo(us(1_000_000));
  assert.equal(r.b.got, numbered(300, options, 7).b.got);
});

test("a pulled cable: cards are told, what waits or arrives is lost, all is well when it is back", () => {
  const { clock, link, a, b } = rig();
  for (let n = 0; n < 3; n++) link.a.send(frame(2, 1, n));
  clock.advanceTo(100);
  link.up = false;
  link.a.send(frame(2, 1, 3));
  clock.advanceTo(us(100));
  link.up = true;
  link.a.send(frame(2, 1, 4));
  clock.advanceTo(us(200));
  assert.equal(b.numbers, [4]);
  assert.equal(
    [a.links, b.links],
    [
      [true, false, true],
      [true, false, true],
    ],
  );
  assert.is(link.toB.statistics.linkDown, 4);
  link.b.connect(null);
  link.a.send(frame(2, 1, 5));
  clock.advanceTo(us(300));
  assert.is(link.toB.statistics.unplugged, 1);
});

test("options change while it runs; impossible ones are refused and change nothing", () => {
  const { clock, link, b } = rig();
  link.toB.change({ loss: 1 });
  link.a.send(frame(2, 1, 0));
  clock.advanceTo(us(50));
  link.toB.change({ loss: 0, latency: 0 });
  link.a.send(frame(2, 1, 1));
  clock.advanceTo(us(100));
  assert.equal([b.numbers, b.times], [[1], [us(50) + 672]]);
  for (const bad of [
    { loss: 1.5 },
    { mtu: 10 },
    { latency: -1 },
    { bandwidth: 0 },
    { queue: 0.5 },
    { jitter: Number.NaN },
  ])
    assert.throws(
      () => link.toB.change(bad),
      (error: Error) => error instanceof ConfigError,
    );
  assert.is(link.toB.settings.loss, 0);
});

test("both ends see frames with their time, and why they were dropped", () => {
  const { clock, link } = rig({ latency: 1000, mtu: 100 });
  const seen: unknown[] = [];
  for (const end of [link.a, link.b])
    end.seen.on(({ time, direction, drop, frame }) => seen.push([end.name, time, direction, drop, numberIn(frame)]));
  link.a.send(frame(2, 1, 7));
  link.a.send(frame(2, 1, 8, 200));
  clock.advanceTo(us(10));
  assert.equal(seen, [
    ["cable.a", 0, "out", undefined, 7],
    ["cable.a", 0, "out", "tooLong", 8],
    ["cable.b", 1672, "in", undefined, 7],
  ]);
});

test("saved with frames in the queue and on the way, it goes on the same", () => {
  const options = { loss: 0.2, jitter: us(9), duplication: 0.2 };
  const first = rig(options);
  for (let n = 0; n < 90; n++) first.link.a.send(frame(2, 1, n));
  first.clock.advanceTo(us(40));
  const saved = encodeState("link", 1, first.link.save() as unknown as Plain);
  const second = rig(options);
  second.clock.restore(first.clock.save());
  second.link.restore(decodeState("link", 1, linkState, saved));
  const before = first.b.got.length;
  for (const { clock, link } of [first, second]) {
    clock.advanceTo(us(50));
    link.a.send(frame(2, 1, 99));
    clock.advanceTo(us(500));
  }
  assert.ok(before > 0 && second.b.got.length > 20);
  assert.equal(second.b.got, first.b.got.slice(before));
  assert.equal(second.link.toB.statistics, first.link.toB.statistics);
});

test("two who only answer each other let time pass on a link without latency", () => {
  const { clock, link, a, b } = rig({ latency: 0, bandwidth: Number.POSITIVE_INFINITY });
  a.onFrame = (bytes) => link.a.send(bytes);
  b.onFrame = (bytes) => link.b.send(bytes);
  link.a.send(frame(2, 1));
  clock.advanceTo(1000);
  assert.is(a.got.length + b.got.length, 1000);
});

test.run();
