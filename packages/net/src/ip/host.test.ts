import { type EthernetPort, ms, Random, seconds } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { broadcastMac, parseIp, parseMac } from "./address.ts";
import { type Arp, buildArp, parseArp } from "./arp.ts";
import { buildEthernet, etherType, parseEthernet } from "./ethernet.ts";
import { Host, type HostDrop, hostDrops, hostState } from "./host.ts";
import { buildIcmp, parseIcmp } from "./icmp.ts";
import { allNodesMac, allRoutersMac, buildIcmpv6, linkLocal, parseIcmpv6 } from "./icmpv6.ts";
import { buildIpv4, parseIpv4 } from "./ipv4.ts";
import type { PingResult } from "./pings.ts";
import { buildUdp } from "./udp.ts";
import { mutate, roundTrip, Wire } from "./wire.test-support.ts";

const [hostMac, peerMac] = [parseMac("52:54:00:00:00:01"), parseMac("52:54:00:00:00:02")];
const [hostIp, peerIp] = [parseIp("10.0.2.1"), parseIp("10.0.2.2")];

/** A host, and a peer that is only a port: the test makes its frames. */
function rig(gateway?: string) {
  const wire = new Wire();
  const port = wire.port();
  const options = { clock: wire.clock, port, mac: "52:54:00:00:00:01", address: "10.0.2.1", gateway };
  const host = new Host(options);
  const peer: EthernetPort = wire.port();
  const received: Uint8Array[] = [];
  peer.connect({ receive: (frame) => received.push(frame.slice()), link() {} });
  const send = (type: number, payload: Uint8Array, to = hostMac, vlan: number | null = null) => {
    host.receive(buildEthernet({ to, from: peerMac, type, vlan, payload }));
  };
  const ip = (protocol: number, payload: Uint8Array, source = peerIp, destination = hostIp, to = hostMac) =>
    send(etherType.ipv4, buildIpv4({ source, destination, protocol, ttl: 9, identification: 1, payload }), to);
  const udp = (port: number, data = new Uint8Array(3), source = peerIp, destination = hostIp, to = hostMac) =>
    ip(17, buildUdp({ sourcePort: 7, destinationPort: port, data }, source, destination), source, destination, to);
  const arp = (fields: Partial<Arp> = {}) =>
    send(
      etherType.arp,
      buildArp({ operation: 1, senderMac: peerMac, senderIp: peerIp, targetMac: 0, targetIp: hostIp, ...fields }),
      broadcastMac,
    );
  /** What the peer got since the last call, as parts. */
  const got = () => {
    wire.run(ms(1));
    return received.splice(0).map((frame) => {
      const parsed = parseEthernet(frame);
      if (typeof parsed === "string") throw new Error(parsed);
      return parsed;
    });
  };
  return { wire, port, options, host, send, ip, udp, arp, got };
}

test("ARP: a request is answered to who asked", () => {
  const { arp, got } = rig();
  arp();
  const [reply] = got();
  assert.is(reply.to, peerMac);
  const expected = { operation: 2, senderMac: hostMac, senderIp: hostIp, targetMac: peerMac, targetIp: peerIp };
  assert.equal(parseArp(reply.payload), expected);
  arp({ targetIp: peerIp + 5 });
  assert.is(got().length, 0);
});

test("ARP: a gratuitous announcement is learnt, so that nobody need be asked", () => {
  const { arp, got, host } = rig();
  arp({ targetIp: peerIp });
  host.send({ to: peerIp, toPort: 1, fromPort: 2, data: new Uint8Array(1) });
  const [frame] = got();
  assert.is(frame.type, etherType.ipv4);
  assert.is(frame.to, peerMac);
});

test("ARP: datagrams wait for the answer, in order, and the question is asked again", () => {
  const { arp, got, host, wire } = rig();
  for (const byte of [1, 2]) host.send({ to: peerIp, toPort: 1, fromPort: 2, data: Uint8Array.of(byte) });
  assert.equal(
    got().map(({ type }) => type),
    [etherType.arp],
  );
  wire.run(ms(300));
  assert.equal(
    got().map(({ type }) => type),
    [etherType.arp],
  );
  arp({ operation: 2, targetMac: hostMac });
  assert.equal(
    got().map(({ payload }) => payload[28]),
    [1, 2],
  );
});

test("ARP: nobody answers, everything that waited is dropped", () => {
  const { host, wire, got } = rig();
  for (let n = 0; n < 20; n++) host.send({ to: peerIp, toPort: 1, fromPort: 2, data: new Uint8Array(1) });
  wire.run(seconds(2));
  assert.is(host.drops["arp queue full"], 4);
  assert.is(host.drops["arp unresolved"], 16);
  assert.is(got().length, 4);
});

test("ARP: entries age", () => {
  const { arp, got, host, wire } = rig();
  arp({ targetIp: peerIp });
  wire.run(seconds(301));
  host.send({ to: peerIp, toPort: 1, fromPort: 2, data: new Uint8Array(1) });
  assert.equal(
    got().map(({ type }) => type),
    [etherType.arp],
  );
});

test("ICMP: an echo request is answered with its data", () => {
  const { arp, got, ip } = rig();
  arp({ targetIp: peerIp });
  ip(1, buildIcmp({ type: 8, code: 0, rest: 0x12340001, data: Uint8Array.of(9, 8, 7) }));
  const datagram = parseIpv4(got()[0].payload);
  if (typeof datagram === "string") return assert.unreachable(datagram);
  const reply = parseIcmp(datagram.payload);
  assert.equal(reply, { type: 0, code: 0, rest: 0x12340001, data: Uint8Array.of(9, 8, 7) });
});

test("UDP: a port at which nobody listens is reported, but never to a broadcast", () => {
  const { arp, got, udp, host } = rig();
  arp({ targetIp: peerIp });
  udp(9999);
  const datagram = parseIpv4(got()[0].payload);
  if (typeof datagram === "string") return assert.unreachable(datagram);
  const error = parseIcmp(datagram.payload);
  if (typeof error === "string") return assert.unreachable(error);
  assert.equal([error.type, error.code, error.data.length], [3, 3, 28]);
  udp(9999, undefined, peerIp, 0xffffffff, broadcastMac);
  assert.is(got().length, 0);
  assert.is(host.drops["no listener"], 2);
});

test("UDP: a listener gets what is for its port, until it stops", () => {
  const { host, udp } = rig();
  const lengths: number[] = [];
  const stop = host.listen(69, ({ data }) => lengths.push(data.length));
  assert.throws(() => host.listen(69, () => {}), /port/);
  udp(69);
  udp(69, new Uint8Array(200));
  udp(69, new Uint8Array(5), peerIp, parseIp("10.0.2.255"), broadcastMac);
  stop();
  udp(69);
  assert.equal(lengths, [3, 200, 5]);
});

test("IPv6: who asks for routers is told that there is none (RFC 4861)", () => {
  const { got, send } = rig();
  const destination = new Uint8Array(16);
  destination.set([0xff, 2]);
  destination[15] = 2;
  const solicitation = {
    source: linkLocal(peerMac),
    destination,
    hopLimit: 255,
    type: 133,
    code: 0,
    body: new Uint8Array(4),
  };
  send(etherType.ipv6, buildIcmpv6(solicitation), allRoutersMac);
  const [frame] = got();
  assert.is(frame.to, allNodesMac);
  const message = parseIcmpv6(frame.payload);
  if (typeof message === "string") return assert.unreachable(message);
  assert.equal([message.type, message.hopLimit, message.body[2], message.body[3]], [134, 255, 0, 0]);
  send(etherType.ipv6, buildIcmpv6({ ...solicitation, hopLimit: 64 }), allRoutersMac);
  assert.is(got().length, 0);
});

test("other networks are reached through the gateway, or not at all", () => {
  const { host, got } = rig("10.0.2.2");
  host.send({ to: parseIp("192.168.1.1"), toPort: 1, fromPort: 2, data: new Uint8Array(1) });
  const asked = parseArp(got()[0].payload);
  assert.is(typeof asked === "string" ? asked : asked.targetIp, peerIp);
  const alone = rig().host;
  alone.send({ to: parseIp("192.168.1.1"), toPort: 1, fromPort: 2, data: new Uint8Array(1) });
  assert.is(alone.drops["no route"], 1);
});

for (const hop of [false, true]) {
  test(`ping: two hosts, a reply and a time-out${hop ? ", saved and restored in between" : ""}`, () => {
    const wire = new Wire();
    const port = wire.port();
    const options = { clock: wire.clock, port, mac: "52:54:00:00:00:01", address: "10.0.2.1" };
    let one = new Host(options);
    const empty = one.save();
    new Host({ clock: wire.clock, port: wire.port(), mac: "52:54:00:00:00:02", address: "10.0.2.2" });
    const results: PingResult[] = [];
    one.pinged.on((result) => results.push(result));
    one.ping("10.0.2.2", () => {});
    one.ping("10.0.2.3", () => {});
    if (hop) {
      const state = roundTrip(hostState, one.save());
      one.restore(empty);
      one = new Host(options);
      one.pinged.on((result) => results.push(result));
      one.restore(state);
      assert.equal(one.save(), state);
    }
    wire.run(seconds(2));
    assert.equal(results, [
      { address: peerIp, sequence: 1, time: 40_000 }, // the ARP request and its answer, the echo and its reply
      { address: peerIp + 1, sequence: 2, time: null },
    ]);
  });
}

test("every reason to drop is counted once", () => {
  const r = rig();
  const seen: HostDrop[] = [];
  r.host.dropped.on(({ reason }) => seen.push(reason));
  const good = buildIpv4({
    source: peerIp,
    destination: hostIp,
    protocol: 17,
    ttl: 1,
    identification: 1,
    payload: new Uint8Array(8),
  });
  const changed = (at: number, ...values: number[]) => {
    const copy = good.slice();
    copy.set(values, at);
    r.send(etherType.ipv4, copy);
  };
  r.host.receive(new Uint8Array(5));
  r.send(etherType.arp, good, peerMac);
  r.send(etherType.arp, good, hostMac, 5);
  r.send(0x1234, good);
  r.send(etherType.arp, new Uint8Array(46));
  r.arp({ senderIp: hostIp });
  r.host.receive(buildEthernet({ to: hostMac, from: peerMac, type: 0x800, vlan: null, payload: good }).subarray(0, 20));
  changed(0, 0x65);
  changed(2, 0xff);
  changed(10, 0xff);
  const fragment = good.slice();
  fragment.set([0x20, 0], 6); // 0x4000 becomes 0x2000, so the checksum grows by 0x2000
  fragment[10] += 0x20;
  r.send(etherType.ipv4, fragment);
  r.udp(9, undefined, 0xffffffff);
  r.udp(9, undefined, peerIp, peerIp);
  r.ip(99, new Uint8Array(8));
  r.ip(17, new Uint8Array(8));
  r.ip(17, Uint8Array.of(0, 1, 0, 2, 0, 8, 1, 1));
  r.udp(9, undefined, 0);
  r.ip(1, new Uint8Array(3));
  r.ip(1, Uint8Array.of(8, 0, 1, 1, 0, 0, 0, 0));
  r.ip(1, buildIcmp({ type: 0, code: 0, rest: 0, data: new Uint8Array(0) }));
  const v6 = {
    source: linkLocal(peerMac),
    destination: linkLocal(hostMac),
    hopLimit: 255,
    type: 1,
    code: 0,
    body: new Uint8Array(4),
  };
  r.send(etherType.ipv6, new Uint8Array(46));
  const packet = buildIcmpv6(v6);
  for (const [at, value] of [
    [6, 17],
    [5, 3],
    [42, packet[42] ^ 1],
  ]) {
    const copy = packet.slice();
    copy[at] = value;
    r.send(etherType.ipv6, copy);
  }
  r.send(etherType.ipv6, packet);
  r.host.link(false);
  r.host.send({ to: 0xffffffff, toPort: 1, fromPort: 1, data: new Uint8Array(1) });
  r.host.link(true);
  r.host.send({ to: 1, toPort: 1, fromPort: 1, data: new Uint8Array(1) });
  r.host.send({ to: peerIp, toPort: 1, fromPort: 1, data: new Uint8Array(1473) });
  r.host.send({ to: peerIp, toPort: 1, fromPort: 1, data: new Uint8Array(1472) });
  r.wire.run(seconds(2));
  assert.equal(
    [...new Set(seen)].sort(),
    hostDrops
      .filter((reason) => reason !== "arp queue full")
      .slice()
      .sort(),
  );
  assert.is(seen.length, hostDrops.length - 1);
});

test("10,000 mutated frames: no exception, and what is kept stays bounded", () => {
  const r = rig();
  r.arp({ targetIp: peerIp });
  r.ip(1, buildIcmp({ type: 8, code: 0, rest: 1, data: new Uint8Array(20) }));
  r.udp(7);
  const seeds: Uint8Array[] = [
    buildEthernet({
      to: broadcastMac,
      from: peerMac,
      type: 0x806,
      vlan: null,
      payload: buildArp({ operation: 1, senderMac: peerMac, senderIp: peerIp, targetMac: 0, targetIp: hostIp }),
    }),
    ...r.wire.sent.map(({ frame }) => frame),
  ];
  const random = new Random("host");
  for (let n = 0; n < 10_000; n++) {
    const frame = mutate(random, random.pick(seeds));
    if (random.chance(0.5) && frame.length >= 6) frame.set([0x52, 0x54, 0, 0, 0, 1]);
    r.host.receive(frame);
    if (n % 100 === 0) r.wire.run(ms(1));
  }
  const state = r.host.save();
  assert.ok(state.neighbours.known.length <= 256 && state.neighbours.sought.length <= 32);
  r.wire.run(seconds(5));
  assert.is(r.host.save().neighbours.sought.length, 0);
});

test.run();
