import { Clock, ConfigError, seconds, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Link } from "./link.ts";
import { Card, frame } from "./rig.test-support.ts";
import { Switch, type SwitchOptions } from "./switch.ts";

const test = suite("switch");

function rig(options: SwitchOptions = {}, stations = 4) {
  const clock = new Clock();
  const lan = new Switch({ clock, name: "lan", ...options });
  const links = Array.from({ length: stations }, (_, n) => new Link({ clock, name: `l${n}`, seed: 1 }));
  const cards = links.map((link) => {
    lan.attach(link.a);
    return new Card({ clock, port: link.b });
  });
  const send = (from: number, bytes: Uint8Array) => {
    links[from].b.send(bytes);
    clock.advanceTo(clock.now + us(100));
  };
  const got = () => cards.map((card) => card.got.splice(0).length);
  return { clock, lan, links, cards, send, got };
}

test("it floods to the unknown, learns, and then forwards to one port", () => {
  const { send, got, lan } = rig();
  send(0, frame(2, 1));
  assert.equal(got(), [0, 1, 1, 1]);
  send(2, frame(1, 2));
  assert.equal(got(), [1, 0, 0, 0]);
  send(0, frame(2, 1));
  assert.equal(got(), [0, 0, 1, 0]);
  send(0, frame(255, 1));
  assert.equal(got(), [0, 1, 1, 1]);
  const { received, forwarded, flooded, learned } = lan.statistics[0];
  assert.equal([received, forwarded, flooded, learned], [3, 1, 2, 1]);
  assert.equal(
    lan.stations.map(({ address, port }) => [address, port]),
    [
      ["020000000002", 2],
      ["020000000001", 0],
    ],
  );
});

test("a frame to a station on the port that it came from goes nowhere; a station that moves is found", () => {
  const { send, got, lan } = rig();
  send(0, frame(255, 1));
  send(0, frame(255, 2));
  got();
  send(0, frame(2, 1));
  assert.equal(got(), [0, 0, 0, 0]);
  assert.is(lan.statistics[0].filtered, 1);
  send(3, frame(255, 2));
  got();
  send(0, frame(2, 1));
  assert.equal(got(), [0, 0, 0, 1]);
  assert.is(lan.statistics[3].moved, 1);
});

test("the silent are forgotten after the ageing time, and at once when their cable is pulled", () => {
  const { send, got, lan, clock, links } = rig({ ageing: seconds(1) });
  send(0, frame(255, 1));
  clock.advanceTo(us(900_000));
  assert.is(lan.stations.length, 1);
  clock.advanceTo(seconds(2));
  assert.is(lan.stations.length, 0);
  got();
  send(1, frame(1, 2));
  assert.equal(got(), [1, 0, 1, 1]);
  links[1].up = false;
  assert.is(lan.stations.length, 0);
});

test("hostile senders: multicast and zero sources are dropped, a full table stays as it is", () => {
  const { send, got, lan } = rig({ table: 2 });
  const bad = frame(2, 1);
  bad[6] |= 1;
  send(0, bad);
  send(0, frame(2, 1).fill(0, 6, 12));
  assert.equal(got(), [0, 0, 0, 0]);
  assert.is(lan.statistics[0].badSource, 2);
  for (let n = 1; n <= 50; n++) send(1, frame(255, n));
  assert.equal([lan.stations.length, lan.statistics[1].tableFull], [2, 48]);
});

test("frames between neighbours, such as PAUSE, are not forwarded", () => {
  const { send, got, lan } = rig();
  const pause = frame(2, 1);
  pause.set([0x01, 0x80, 0xc2, 0, 0, 0x01]);
  send(0, pause);
  assert.equal(got(), [0, 0, 0, 0]);
  assert.is(lan.statistics[0].reserved, 1);
  pause[5] = 0x10;
  send(0, pause);
  assert.equal(got(), [0, 1, 1, 1]);
});

test("two senders to one port share its bandwidth; beyond its queue frames are lost", () => {
  const { links, clock, cards } = rig();
  links[2].toB.change({ queue: 6000 });
  links[2].b.send(frame(255, 3));
  clock.advanceTo(us(100));
  for (let n = 0; n < 20; n++) for (const from of [0, 1]) links[from].b.send(frame(3, from + 1, n, 1000));
  clock.advanceTo(us(2000));
  const { queueFull, deliveredFrames } = links[2].toB.statistics;
  assert.ok(queueFull > 5);
  assert.equal([deliveredFrames, cards[2].got.length], [40 - queueFull, 40 - queueFull]);
  const gaps = cards[2].times.slice(1).map((at, n) => at - cards[2].times[n]);
  assert.ok(gaps.every((gap) => gap >= 8192));
});

test("what is saved is known after it is restored", () => {
  const { send, lan } = rig();
  send(0, frame(255, 1));
  const other = rig();
  other.clock.moveTo(us(100));
  other.lan.restore(lan.save());
  other.send(1, frame(1, 2));
  assert.equal(other.got(), [1, 0, 0, 0]);
});

test("one cable too many, and impossible options, are refused", () => {
  assert.throws(
    () => rig({ ports: 3 }),
    (error: Error) => error instanceof ConfigError,
  );
  assert.throws(() => rig({ table: -1 }), /table/);
});

test.run();
