import { Random } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatIp, formatMac, isGroupMac, maskOf, parseIp, parseMac } from "./address.ts";
import { parseArp } from "./arp.ts";
import { checksum } from "./checksum.ts";
import { parseDhcp } from "./dhcp-message.ts";
import { buildEthernet, parseEthernet } from "./ethernet.ts";
import { parseIcmp } from "./icmp.ts";
import { allNodesMac, buildNoRouter, linkLocal, parseIcmpv6 } from "./icmpv6.ts";
import { buildIpv4, parseIpv4 } from "./ipv4.ts";
import { buildOptionAck, buildRequest, parseTftp } from "./tftp-packet.ts";
import { buildUdp, parseUdp } from "./udp.ts";

const unhex = (text: string) =>
  Uint8Array.from(text.replaceAll(" ", "").match(/../g) ?? [], (byte) => Number(`0x${byte}`));
const hexOf = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

test("addresses: text and number, and what is none", () => {
  assert.is(formatMac(parseMac("52:54:00:aB:00:01")), "52:54:00:ab:00:01");
  assert.is(parseIp("10.0.2.255"), 0x0a0002ff);
  assert.is(formatIp(0xc0a80001), "192.168.0.1");
  assert.is(maskOf(24), 0xffffff00);
  assert.is(maskOf(0), 0);
  assert.ok(isGroupMac(allNodesMac));
  for (const bad of ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d"]) assert.throws(() => parseIp(bad), /possible/);
  for (const bad of ["", "01:00:5e:00:00:01", "52:54:00:ab:00", "00:00:00:00:00:00"]) {
    assert.throws(() => parseMac(bad), /possible/);
  }
});

test("ethernet: with and without a tag, padded to 60 bytes", () => {
  for (const vlan of [null, 0xa005]) {
    const frame = buildEthernet({
      to: 0xffffffffffff,
      from: 0x525400123456,
      type: 0x806,
      vlan,
      payload: Uint8Array.of(7),
    });
    assert.is(frame.length, 60);
    const parsed = parseEthernet(frame);
    if (typeof parsed === "string") return assert.unreachable(parsed);
    assert.equal(
      { ...parsed, payload: parsed.payload[0] },
      { to: 0xffffffffffff, from: 0x525400123456, type: 0x806, vlan, payload: 7 },
    );
  }
  assert.is(parseEthernet(new Uint8Array(13)), "frame too short");
  assert.is(parseEthernet(unhex("ffffffffffff 525400123456 8100 0001 08")), "frame too short");
});

test("ipv4: the header of an example known elsewhere, and its faults", () => {
  const header = unhex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
  assert.is(checksum(header), 0);
  const built = buildIpv4({
    source: 0xc0a80001,
    destination: 0xc0a800c7,
    protocol: 17,
    ttl: 64,
    identification: 0,
    payload: new Uint8Array(0x73 - 20),
  });
  assert.is(hexOf(built.subarray(0, 20)), hexOf(header));
  const faulty = (at: number, ...values: number[]) => {
    const copy = built.slice();
    copy.set(values, at);
    if (at !== 10) {
      copy.set([0, 0], 10);
      const sum = checksum(copy.subarray(0, (copy[0] & 15) * 4));
      copy.set([sum >> 8, sum & 255], 10);
    }
    return parseIpv4(copy);
  };
  assert.is(parseIpv4(built.subarray(0, 19)), "ipv4 too short");
  assert.is(faulty(0, 0x65), "ipv4 version");
  assert.is(faulty(0, 0x44), "ipv4 length");
  assert.is(faulty(2, 0xff, 0xff), "ipv4 length");
  assert.is(faulty(2, 0, 19), "ipv4 length");
  assert.is(faulty(10, 0, 0), "ipv4 checksum");
  assert.is(faulty(6, 0x20, 0), "ipv4 fragment");
  assert.is(faulty(6, 0, 1), "ipv4 fragment");
  const withOptions = faulty(0, 0x46);
  assert.is(typeof withOptions === "string" ? withOptions : withOptions.payload.length, 0x73 - 24);
});

test("udp: checksum over the pseudo header, 0 accepted, and its faults", () => {
  const bytes = buildUdp({ sourcePort: 68, destinationPort: 67, data: Uint8Array.of(1, 2, 3) }, 1, 2);
  const parsed = parseUdp(bytes, 1, 2);
  assert.is(typeof parsed === "string" ? parsed : hexOf(parsed.data), "010203");
  assert.is(parseUdp(bytes, 1, 3), "udp checksum");
  bytes.set([0, 0], 6);
  assert.is(typeof parseUdp(bytes, 1, 3), "object");
  bytes.set([0, 7], 4);
  assert.is(parseUdp(bytes, 1, 2), "udp length");
  bytes.set([0, 12], 4);
  assert.is(parseUdp(bytes, 1, 2), "udp length");
  assert.is(parseUdp(bytes.subarray(0, 7), 1, 2), "udp length");
});

test("udp: a sum of zero is sent as ffff", () => {
  const bytes = buildUdp({ sourcePort: 0xffff, destinationPort: 0, data: unhex("ffda") }, 0, 0);
  assert.is(hexOf(bytes.subarray(6, 8)), "ffff");
  assert.is(typeof parseUdp(bytes, 0, 0), "object");
});

test("icmpv6: the advertisement of no router, byte by byte (RFC 4861 4.2)", () => {
  assert.is(hexOf(linkLocal(0x525400123456)), "fe80000000000000505400fffe123456");
  const packet = buildNoRouter(0x525400123456);
  const addresses = "fe80000000000000505400fffe123456ff020000000000000000000000000001";
  assert.is(hexOf(packet), `60000000 0010 3a ff ${addresses} 8600 f873 000000000000000000000000`.replaceAll(" ", ""));
  assert.is(typeof parseIcmpv6(packet), "object");
  packet[45] ^= 1;
  assert.is(parseIcmpv6(packet), "icmpv6 checksum");
});

test("tftp: requests and option acknowledgements", () => {
  const request = { opcode: 1, file: "a/b", mode: "octet", options: new Map([["blksize", "1432"]]) };
  assert.equal(parseTftp(buildRequest(request)), { kind: "request", ...request });
  assert.equal(parseTftp(buildOptionAck(new Map([["tsize", "9"]]))), {
    kind: "optionAck",
    options: new Map([["tsize", "9"]]),
  });
  assert.is(parseTftp(buildRequest(request).subarray(0, -1)), null);
  assert.is(parseTftp(Uint8Array.of(0, 1, 65, 0)), null);
  assert.is(parseTftp(Uint8Array.of(0, 9, 0, 0)), null);
  assert.is(parseTftp(new Uint8Array(3)), null);
});

test("random bytes are never an exception to any parser", () => {
  const random = new Random("codecs");
  for (let n = 0; n < 10_000; n++) {
    const bytes = random.fill(new Uint8Array(random.below(n % 10 === 0 ? 400 : 64)));
    if (n % 2 === 0) bytes.set([0x45, 0, 0, bytes.length].slice(0, bytes.length));
    for (const parse of [parseEthernet, parseArp, parseIpv4, parseIcmp, parseIcmpv6, parseDhcp, parseTftp])
      parse(bytes);
    parseUdp(bytes, 1, 2);
  }
});

test.run();
