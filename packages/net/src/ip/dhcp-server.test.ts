import { type EthernetPort, ms, Random, seconds } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { broadcastIp, broadcastMac, parseIp, parseMac } from "./address.ts";
import {
  addressOf,
  asciiBytes,
  buildDhcp,
  type DhcpMessage,
  dhcpOption,
  dhcpType,
  parseDhcp,
  readText,
  words,
} from "./dhcp-message.ts";
import { DhcpServer, type DhcpServerOptions, dhcpDrops, dhcpServerState } from "./dhcp-server.ts";
import { buildEthernet, etherType, parseEthernet } from "./ethernet.ts";
import { Host } from "./host.ts";
import { buildIpv4, parseIpv4 } from "./ipv4.ts";
import { buildUdp, parseUdp } from "./udp.ts";
import { type Faults, mutate, roundTrip, Wire } from "./wire.test-support.ts";

const serverIp = parseIp("10.0.2.1");
const first = parseIp("10.0.2.100");
const macOf = (client: number) => parseMac("52:54:00:00:01:00") + client;

/** A server with four addresses to give, and the frames of a client that has none. */
function rig(options: Partial<DhcpServerOptions> = {}, faults: Faults = {}, seed = 1) {
  const wire = new Wire(faults, seed);
  const host = new Host({ clock: wire.clock, port: wire.port(), mac: "52:54:00:00:00:01", address: "10.0.2.1" });
  const settings = { host, pool: { first: "10.0.2.100", last: "10.0.2.103" }, router: "10.0.2.1", ...options };
  const server = new DhcpServer(settings);
  const port: EthernetPort = wire.port();
  const received: { to: number; ip: number; message: DhcpMessage; length: number }[] = [];
  port.connect({
    link() {},
    receive(frame) {
      const ethernet = parseEthernet(frame);
      const ip = typeof ethernet === "string" || ethernet.type !== etherType.ipv4 ? "no" : parseIpv4(ethernet.payload);
      const udp = typeof ip === "string" ? "no" : parseUdp(ip.payload, ip.source, ip.destination);
      const message = typeof udp === "string" ? "malformed" : parseDhcp(udp.data);
      if (typeof ethernet === "string" || typeof ip === "string" || typeof udp === "string") return;
      if (typeof message !== "string")
        received.push({ to: ethernet.to, ip: ip.destination, message, length: udp.data.length });
    },
  });
  const sendBytes = (data: Uint8Array, source = 0) => {
    const payload = buildUdp({ sourcePort: 68, destinationPort: 67, data }, source, broadcastIp);
    const ip = { source, destination: broadcastIp, protocol: 17, ttl: 1, identification: 0, payload };
    port.send(
      buildEthernet({ to: broadcastMac, from: macOf(0), type: etherType.ipv4, vlan: null, payload: buildIpv4(ip) }),
    );
  };
  /** Sends a message of client `client` and gives the answer that came within a millisecond. */
  const ask = (
    client: number,
    type: number,
    options: [number, Uint8Array][] = [],
    fields: Partial<DhcpMessage> = {},
  ) => {
    received.length = 0;
    sendBytes(buildDhcp(message(client, type, options, fields), 1400));
    wire.run(ms(1));
    return received[0];
  };
  return { wire, host, server, settings, received, sendBytes, ask };
}

const message = (
  client: number,
  type: number,
  options: [number, Uint8Array][] = [],
  fields: Partial<DhcpMessage> = {},
): DhcpMessage => ({
  ...{
    op: 1,
    xid: 0x1000 + client,
    secs: 0,
    flags: 0,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    mac: macOf(client),
    file: "",
  },
  options: new Map([[dhcpOption.messageType, Uint8Array.of(type)], ...options]),
  ...fields,
});

const typeOf = (answer: { message: DhcpMessage } | undefined) =>
  answer?.message.options.get(dhcpOption.messageType)?.[0];
const wish = (address: number): [number, Uint8Array] => [dhcpOption.requestedAddress, words(address)];
const chosen: [number, Uint8Array] = [dhcpOption.serverIdentifier, words(serverIp)];
const textOf = (answer: { message: DhcpMessage }, code: number) => readText(answer.message.options.get(code)!);

/** The whole dance. @returns the address */
function obtain(r: ReturnType<typeof rig>, client: number): number {
  const { yiaddr } = r.ask(client, dhcpType.discover).message;
  assert.is(typeOf(r.ask(client, dhcpType.request, [chosen, wish(yiaddr)])), dhcpType.ack);
  return yiaddr;
}

test("DISCOVER, OFFER, REQUEST, ACK: an address with mask, router, times and server", () => {
  const r = rig({ dns: ["10.0.2.1", "10.0.2.2"], domain: "lab" });
  const offer = r.ask(1, dhcpType.discover, [[dhcpOption.clientIdentifier, Uint8Array.of(1, 2, 3)]]);
  assert.equal(
    [typeOf(offer), offer.to, offer.ip, offer.message.yiaddr],
    [dhcpType.offer, broadcastMac, broadcastIp, first],
  );
  assert.equal([offer.message.xid, offer.message.mac, offer.length >= 300], [0x1001, macOf(1), true]);
  const ack = r.ask(1, dhcpType.request, [chosen, wish(first), [dhcpOption.clientIdentifier, Uint8Array.of(1, 2, 3)]]);
  assert.is(typeOf(ack), dhcpType.ack);
  const { options } = ack.message;
  const { subnetMask, router, leaseTime, renewalTime, rebindingTime, serverIdentifier } = dhcpOption;
  const numbers = [subnetMask, router, leaseTime, renewalTime, rebindingTime, serverIdentifier].map((code) =>
    addressOf(options.get(code)),
  );
  assert.equal(numbers, [0xffffff00, serverIp, 3600, 1800, 3150, serverIp]);
  assert.is(options.get(dhcpOption.domainNameServer)?.length, 8);
  assert.is(textOf(ack, dhcpOption.domainName), "lab");
  assert.equal(options.get(dhcpOption.clientIdentifier), Uint8Array.of(1, 2, 3));
  assert.equal(
    r.server.leases.map(({ address, state }) => [address, state]),
    [[first, "bound"]],
  );
});

test("iPXE is told its file, its server, and not to wait for a proxy; others get theirs", () => {
  const r = rig({
    boot: [
      { file: "menu.ipxe", userClass: "iPXE" },
      { file: "ipxe.0", vendorClass: "PXEClient" },
    ],
  });
  const vendor: [number, Uint8Array] = [dhcpOption.vendorClass, asciiBytes("PXEClient:Arch:00000:UNDI:002001")];
  const ipxe = r.ask(1, dhcpType.discover, [vendor, [dhcpOption.userClass, asciiBytes("iPXE")]]);
  assert.equal([ipxe.message.file, ipxe.message.siaddr], ["menu.ipxe", serverIp]);
  assert.equal(ipxe.message.options.get(dhcpOption.ipxe), Uint8Array.of(0xb0, 1, 1));
  assert.equal([textOf(ipxe, dhcpOption.bootFile), textOf(ipxe, dhcpOption.tftpServer)], ["menu.ipxe", "10.0.2.1"]);
  assert.is(r.ask(2, dhcpType.discover, [vendor]).message.file, "ipxe.0");
  const plain = r.ask(3, dhcpType.discover).message;
  assert.equal([plain.file, plain.siaddr, plain.options.has(dhcpOption.bootFile)], ["", 0, false]);
});

test("a root path without a file: option 17, and no boot file", () => {
  const r = rig({ boot: [{ rootPath: "aoe:e0.0" }] });
  const offer = r.ask(1, dhcpType.discover);
  assert.equal([textOf(offer, dhcpOption.rootPath), offer.message.file], ["aoe:e0.0", ""]);
  assert.is(offer.message.options.has(dhcpOption.bootFile), false);
  assert.throws(() => rig({ boot: [{ rootPath: "a".repeat(256) }] }), /rootPath/);
});

test("fixed addresses go to their MAC address and to nobody else", () => {
  const r = rig({ fixed: { "52:54:00:00:01:07": "10.0.2.100" } });
  assert.is(r.ask(1, dhcpType.discover, [wish(first)]).message.yiaddr, first + 1);
  assert.is(obtain(r, 7), first);
  assert.is(typeOf(r.ask(7, dhcpType.request, [wish(first + 2)])), dhcpType.nak);
});

test("wrong requests are refused with a NAK, by broadcast", () => {
  const r = rig();
  obtain(r, 1);
  r.ask(2, dhcpType.discover);
  const nak = r.ask(2, dhcpType.request, [chosen, wish(first)]);
  assert.equal([typeOf(nak), nak.ip, nak.message.yiaddr], [dhcpType.nak, broadcastIp, 0]);
  assert.is(typeOf(r.ask(1, dhcpType.request, [wish(first + 3)])), dhcpType.nak);
  assert.is(typeOf(r.ask(3, dhcpType.request, [wish(parseIp("192.168.7.7"))])), dhcpType.nak);
  assert.is(typeOf(r.ask(2, dhcpType.request, [], { ciaddr: first })), dhcpType.nak);
});

test("a lease is renewed, ends in time, and its address is kept as long as there are others", () => {
  const r = rig({ leaseTime: 60 });
  assert.is(obtain(r, 1), first);
  r.wire.run(seconds(50));
  assert.is(typeOf(r.ask(1, dhcpType.request, [wish(first)])), dhcpType.ack);
  r.wire.run(seconds(50));
  assert.is(r.server.leases.length, 1);
  r.wire.run(seconds(20));
  assert.is(r.server.leases.length, 0);
  for (const client of [2, 3, 4]) obtain(r, client);
  assert.is(obtain(r, 1), first);
  assert.is(r.ask(5, dhcpType.discover), undefined);
  assert.is(r.server.drops["pool empty"], 1);
  r.wire.run(seconds(61));
  assert.is(obtain(r, 5), first + 1);
});

test("RELEASE frees an address at once, DECLINE keeps it from everybody", () => {
  const r = rig();
  for (const client of [1, 2, 3, 4]) obtain(r, client);
  r.ask(2, dhcpType.release, [], { ciaddr: first + 1 });
  assert.is(obtain(r, 5), first + 1);
  r.ask(5, dhcpType.decline, [wish(first + 1)]);
  assert.is(r.ask(5, dhcpType.discover), undefined);
  r.wire.run(seconds(601));
  assert.is(r.ask(5, dhcpType.discover).message.yiaddr, first + 1);
});

test("INFORM: options without an address; a relay and a renewing client are answered where they are", () => {
  const r = rig({ unicast: true });
  const relayed = r.ask(1, dhcpType.discover, [], { giaddr: parseIp("10.0.2.9") });
  assert.is(relayed, undefined); // it asks for the relay's MAC address first
  assert.is(r.host.statistics.framesOut, 1);
  const offer = r.ask(2, dhcpType.discover);
  assert.equal([offer.to, offer.ip], [macOf(2), offer.message.yiaddr]);
  assert.is(r.ask(2, dhcpType.discover, [], { flags: 0x8000 }).to, broadcastMac);
  r.ask(3, dhcpType.inform, [], { ciaddr: parseIp("10.0.2.50") });
  assert.is(r.server.statistics.ack, 1);
});

test("the maximum message size is kept, and small ones are 576 bytes", () => {
  const r = rig({
    dns: Array.from({ length: 63 }, (_, n) => `10.0.2.${n + 1}`),
    domain: "d".repeat(250),
    boot: [{ file: "f".repeat(127) }],
  });
  const small = r.ask(1, dhcpType.discover, [[dhcpOption.maximumSize, Uint8Array.of(0, 1)]]);
  assert.ok(small.length <= 548);
  const large = r.ask(1, dhcpType.discover, [[dhcpOption.maximumSize, Uint8Array.of(5, 0xdc)]]);
  assert.ok(large.length > 800);
});

test("a request for another server takes the offer back; every drop is counted", () => {
  const r = rig({ pool: { first: "10.0.2.100", last: "10.0.2.100" } });
  r.ask(1, dhcpType.discover);
  r.ask(2, dhcpType.discover); // pool empty
  r.ask(1, dhcpType.request, [[dhcpOption.serverIdentifier, words(5)], wish(first)]); // other server
  assert.is(obtain(r, 2), first);
  r.sendBytes(new Uint8Array(20)); // malformed
  r.ask(1, dhcpType.discover, [], { op: 2 }); // not a request
  r.ask(1, dhcpType.discover, [[dhcpOption.messageType, new Uint8Array(0)]]); // no message type
  r.ask(1, 99); // unknown type
  r.ask(3, dhcpType.request, [wish(first)]); // unknown client
  r.ask(3, dhcpType.inform); // no address
  assert.equal(
    Object.entries(r.server.drops),
    dhcpDrops.map((reason) => [reason, 1]),
  );
});

test("settings that cannot be are refused", () => {
  assert.throws(() => rig({ pool: { first: "10.0.3.1", last: "10.0.3.2" } }), /pool.first/);
  assert.throws(() => rig({ pool: { first: "10.0.2.9", last: "10.0.2.8" } }), /pool/);
  assert.throws(() => rig({ leaseTime: 1 }), /leaseTime/);
  assert.throws(() => rig({ router: "1.2.3.4" }), /router/);
  assert.throws(() => rig({ boot: [{ file: "f".repeat(128) }] }), /boot/);
});

for (const hop of [false, true]) {
  test(`a network that loses, doubles and reorders: four clients get four addresses${hop ? ", the server restored at each step" : ""}`, () => {
    for (let seed = 1; seed <= 5; seed++) {
      const r = rig({}, { loss: 0.3, duplication: 0.2, reordering: 0.3 }, seed);
      const server = r.server;
      const addresses = [1, 2, 3, 4].map((client) => {
        for (let tries = 0; tries < 100; tries++) {
          if (hop) {
            const state = roundTrip(dhcpServerState, server.save());
            server.restore({ ...state, leases: { leases: [], next: 0 } });
            assert.is(server.leases.length, 0);
            server.restore(state);
            assert.equal(server.save(), state);
          }
          r.ask(client, dhcpType.discover);
          r.wire.run(ms(5));
          const offer = r.received.find((one) => typeOf(one) === dhcpType.offer && one.message.mac === macOf(client));
          if (offer === undefined) continue;
          r.ask(client, dhcpType.request, [chosen, wish(offer.message.yiaddr)]);
          r.wire.run(ms(5));
          if (r.received.some((one) => typeOf(one) === dhcpType.ack && one.message.mac === macOf(client)))
            return offer.message.yiaddr;
        }
        return assert.unreachable("no lease");
      });
      assert.equal([...addresses].sort(), [first, first + 1, first + 2, first + 3]);
    }
  });
}

test("10,000 mutated messages: no exception, and never more leases than addresses", () => {
  const r = rig({ fixed: { "52:54:00:00:01:07": "10.0.2.200" } });
  const random = new Random("dhcp");
  const types = Object.values(dhcpType);
  for (let n = 0; n < 10_000; n++) {
    const client = random.below(1000);
    const options: [number, Uint8Array][] = [
      chosen,
      wish(first + random.below(6)),
      [dhcpOption.clientIdentifier, random.fill(new Uint8Array(4))],
    ];
    const fields = random.chance(0.3) ? { ciaddr: first + random.below(6) } : {};
    const valid = buildDhcp(
      message(
        client,
        random.pick(types),
        options.filter(() => random.chance(0.7)),
        fields,
      ),
      548,
    );
    r.sendBytes(mutate(random, valid));
    if (n % 50 === 0) r.wire.run(ms(1));
  }
  r.wire.run(ms(1));
  assert.ok(r.server.save().leases.leases.length <= 5);
  assert.ok(r.server.statistics.ack > 100 && r.server.statistics.nak > 100);
});

test.run();
