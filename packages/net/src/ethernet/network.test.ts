import { ConfigError, decodeState, encodeState, ms, type Plain, StateError, seconds, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinkOptions } from "./link-options.ts";
import { Network, networkState } from "./network.ts";
import { Card, FakeMachine, frame } from "./rig.test-support.ts";

const test = suite("network");

/** `count` machines on a switch, numbered from 1, joined in the given order. */
function rig(count: number, link: LinkOptions = {}, order = Array.from({ length: count }, (_, n) => n)) {
  const net = new Network({ seed: 3, link });
  const lan = net.switch();
  const sockets = Array.from({ length: count }, () => net.socket(lan));
  const machines = sockets.map((socket) => new FakeMachine(socket));
  for (const n of order) net.join(machines[n], sockets[n]);
  return { net, lan, sockets, machines };
}

/** Machines that all send to all at odd times, and answer some of what they get. */
function chatter(order: number[], cuts: number, link: LinkOptions = {}) {
  const { net, machines } = rig(4, link, order);
  for (const [n, machine] of machines.entries()) {
    for (let i = 0; i < 50; i++)
      machine.sendAt(i * 7919 + (i % 3) * n, frame(i % 5 === 0 ? 255 : (i % 4) + 1, n + 1, i));
    machine.card.onFrame = (bytes) => {
      if (bytes[17] % 7 === 0 && bytes[17] !== 0) machine.card.port.send(frame(bytes[11], n + 1, 1000));
    };
  }
  for (let i = 0; i < cuts; i++) net.run(Math.floor(ms(2) / cuts));
  return machines.map(({ card }) => card.got.map(({ at, bytes }) => `${at} ${Buffer.from(bytes).toString("hex")}`));
}

test("a frame passes two cables and a switch and arrives at the exact time", () => {
  const { net, machines } = rig(2);
  machines[0].sendAt(1234, frame(2, 1, 5));
  net.run(us(200));
  assert.equal(machines[1].card.times, [1234 + 2 * (672 + us(20))]);
  assert.equal(machines[1].card.numbers, [5]);
});

test("frames of every phase of a window arrive exactly, in both directions", () => {
  const { net, machines } = rig(2, { latency: 5000 });
  for (let n = 0; n < 40; n++) for (const m of [0, 1]) machines[m].sendAt(n * 1777, frame(2 - m, m + 1, n));
  net.run(ms(1));
  const expected = Array.from({ length: 40 }, (_, n) => n * 1777 + 2 * 5672);
  assert.equal(machines[0].card.times, expected);
  assert.equal(machines[1].card.times, expected);
});

test("a run that is cut where something is due at a machine leaves its clock as one that is not cut there", () => {
  const clockAfter = (...runs: number[]) => {
    const { net, machines } = rig(2);
    machines[0].sendAt(us(40), frame(2, 1));
    for (const time of runs) net.run(time);
    return machines.map(({ clock }) => clock.save());
  };
  assert.equal(clockAfter(us(40), us(200)), clockAfter(us(240)));
});

test("the order in which machines run, and where runs are cut, change nothing", () => {
  for (const link of [{}, { loss: 0.1, jitter: us(7), reordering: 0.1, duplication: 0.1, latency: 3001 }]) {
    const reference = chatter([0, 1, 2, 3], 1, link);
    assert.ok(reference.every((got) => got.length > 30));
    assert.equal(chatter([0, 1, 2, 3], 1, link), reference);
    assert.equal(chatter([3, 1, 0, 2], 1, link), reference);
    assert.equal(chatter([2, 3, 1, 0], 97, link), reference);
  }
});

test("no frame is lost: what was sent is received or counted", () => {
  const { net, machines, sockets } = rig(2, { toA: { loss: 0.3 } });
  machines[1].sendAt(0, frame(255, 2));
  for (let n = 0; n < 200; n++) machines[0].sendAt(us(100) + n * 1000, frame(2, 1, n));
  net.run(ms(5));
  const { lost } = net.linkOf(sockets[0]).toA.statistics;
  assert.ok(lost > 30);
  assert.is(machines[1].card.got.length, 200 - lost);
  assert.is(sockets[1].statistics.received, 200 - lost);
});

test("servers on the network answer machines", () => {
  const { net, lan, machines } = rig(1);
  const server = net.plug(lan, ({ clock, port }) => new Card({ clock, port }));
  server.onFrame = () => server.port.send(frame(1, 9, 42));
  machines[0].sendAt(0, frame(9, 1));
  net.run(us(500));
  assert.equal(machines[0].card.times, [4 * (672 + us(20))]);
});

test("what a server sends between two runs arrives in time, though all else is idle", () => {
  const { net, lan, machines } = rig(1);
  const server = net.plug(lan, (place) => new Card(place));
  net.run(us(1000));
  server.port.send(frame(255, 9));
  net.run(seconds(1));
  assert.equal(machines[0].card.times, [us(1000) + 2 * (672 + us(20))]);
});

test("the idle are skipped: a quiet second costs a few runs, and a machine that is off none", () => {
  const { net, machines } = rig(3);
  machines[2].poweredOff = true;
  machines[0].sendAt(us(500_000), frame(255, 1));
  net.run(seconds(1));
  assert.is(machines[1].card.got.length, 1);
  assert.ok(machines[0].runs + machines[1].runs < 10);
  assert.equal([machines[2].runs, machines[2].card.got.length], [0, 0]);
  assert.equal([machines[0].now, machines[1].now, net.now], [seconds(1), seconds(1), seconds(1)]);
});

test("a machine that stops ends the run; the next run goes on as if it had not", () => {
  const build = () => {
    const r = rig(2);
    for (let n = 0; n < 20; n++) for (const m of [0, 1]) r.machines[m].sendAt(n * 7000, frame(2 - m, m + 1, n));
    return r;
  };
  const straight = build();
  straight.net.run(ms(1));
  const { net, machines } = build();
  machines[1].stopAt = 33_333;
  assert.equal(net.run(ms(1)), { reason: "party", party: machines[1] });
  assert.is(machines[1].now, 33_333);
  assert.equal(net.run(ms(1)), { reason: "limit" });
  for (const n of [0, 1]) assert.equal(machines[n].card.got, straight.machines[n].card.got);
});

test("a pulled cable: the machine is told a latency later, and again when it is back", () => {
  const { net, machines, sockets } = rig(2);
  net.run(us(100));
  const link = net.linkOf(sockets[1]);
  link.up = false;
  machines[0].sendAt(us(150), frame(255, 1));
  machines[1].sendAt(us(150), frame(255, 2));
  net.run(us(200));
  assert.equal(machines[1].card.links, [true, false]);
  assert.equal([machines[0].card.got.length, machines[1].card.got.length], [0, 0]);
  assert.is(sockets[1].statistics.linkDown, 1);
  link.up = true;
  machines[0].sendAt(us(450), frame(255, 1));
  net.run(us(200));
  assert.equal(machines[1].card.links, [true, false, true]);
  assert.is(machines[1].card.got.length, 1);
});

test("two switches and a trunk between them are one network", () => {
  const net = new Network();
  const [east, west] = [net.switch(), net.switch()];
  net.trunk(east, west, { bandwidth: 1e10 });
  const one = net.plug(east, (place) => new Card(place));
  const other = net.plug(west, (place) => new Card(place));
  one.port.send(frame(255, 1));
  net.run(us(500));
  other.port.send(frame(1, 2));
  net.run(us(500));
  assert.equal([one.got.length, other.got.length, one.times], [1, 1, [us(500) + 3 * us(20) + 2 * 672 + 68]]);
});

test("saved with frames between machines and network, it goes on the same", () => {
  const first = rig(2, { jitter: us(9) });
  for (let n = 0; n < 30; n++) first.machines[0].sendAt(n * 1500, frame(255, 1, n));
  first.net.run(us(60));
  const saved = encodeState("net", 1, first.net.save() as unknown as Plain);
  const second = rig(2, { jitter: us(9) });
  for (const n of [0, 1]) second.machines[n].clock.restore(first.machines[n].clock.save());
  second.net.restore(decodeState("net", 1, networkState, saved));
  const before = first.machines[1].card.got.length;
  for (const { net } of [first, second]) net.run(ms(1));
  const rest = first.machines[1].card.got.slice(before);
  assert.ok(before > 0 && second.machines[1].card.got.length > 0);
  assert.equal(second.machines[1].card.got, rest.slice(0, second.machines[1].card.got.length));
});

test("a state of a network that was built otherwise is refused", () => {
  assert.throws(
    () => rig(2).net.restore(rig(3).net.save()),
    (error: Error) => error instanceof StateError,
  );
});

test("links to machines without latency are refused, and so are sockets of others or taken ones", () => {
  const refused = (what: () => unknown, text: RegExp) =>
    assert.throws(what, (error: Error) => error instanceof ConfigError && text.test(error.message));
  const { net, lan, sockets, machines } = rig(1);
  refused(() => net.socket(lan, { latency: 0 }), /latency/);
  refused(() => net.socket(lan, { toB: { latency: 0 } }), /latency/);
  refused(() => net.join(machines[0], sockets[0]), /no other machine/);
  refused(() => net.join(machines[0], rig(1).sockets[0]), /of this network/);
  refused(() => net.run(0.5), /duration/);
  net.linkOf(sockets[0]).toA.change({ latency: 0 });
  refused(() => net.run(1), /latency/);
  assert.is(net.links.length, 1);
});

test.run();
