import { Clock, readLittle } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Link } from "./link.ts";
import { Capture, enhancedPacket, interfaceDescription, sectionHeader } from "./pcapng.ts";
import { frame } from "./rig.test-support.ts";

const test = suite("pcapng");

/** Blocks of a file: type and bytes between the two lengths, which must agree. */
function blocks(bytes: Uint8Array): { type: number; body: Uint8Array }[] {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const length = readLittle(bytes, at + 4, 4);
    assert.is(length % 4, 0);
    assert.is(readLittle(bytes, at + length - 4, 4), length);
    found.push({ type: readLittle(bytes, at, 4), body: bytes.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return found;
}

test("the section header: byte order, version 1.0, unknown length", () => {
  const hex = "0a0d0d0a 2c000000 4d3c2b1a 01000000 ffffffffffffffff 0400 0800 6361737461776179 00000000 2c000000";
  assert.is(Buffer.from(sectionHeader()).toString("hex"), hex.replaceAll(" ", ""));
});

test("an interface: Ethernet, snap length, name, nanoseconds", () => {
  const hex = "01000000 28000000 01000000 00000400 0200 0400 6c616e30 0900 0100 09000000 00000000 28000000";
  assert.is(Buffer.from(interfaceDescription("lan0", 0x40000)).toString("hex"), hex.replaceAll(" ", ""));
});

test("a packet: time in two halves, both lengths, padding, direction, comment", () => {
  const packet = { interface: 1, time: 0x1_0000_0002, data: Uint8Array.of(1, 2, 3, 4, 5), length: 9, comment: "gone" };
  const hex =
    "06000000 3c000000 01000000 01000000 02000000 05000000 09000000 0102030405000000" +
    "0200 0400 02000000 0100 0400 676f6e65 00000000 3c000000";
  assert.is(Buffer.from(enhancedPacket({ ...packet, direction: "out" })).toString("hex"), hex.replaceAll(" ", ""));
});

test("a capture of both ends of a link, with a dropped frame, cut at the snap length", () => {
  const clock = new Clock();
  const link = new Link({ clock, name: "cable", seed: 1 }, { mtu: 1000 });
  const capture = new Capture({ snaplen: 20 });
  capture.watch(link.a);
  capture.watch(link.b);
  link.b.connect({ receive() {}, link() {} });
  link.a.send(frame(2, 1, 1));
  link.a.send(frame(2, 1, 2, 1200));
  clock.advanceTo(1_000_000);
  capture.stop();
  link.a.send(frame(2, 1, 3));
  const all = blocks(capture.bytes());
  assert.equal(
    all.map(({ type }) => type),
    [0x0a0d0d0a, 1, 1, 6, 6, 6],
  );
  const packets = all.slice(3).map(({ body }) => [0, 8, 12, 16].map((at) => readLittle(body, at, 4)));
  assert.equal(packets, [
    [0, 0, 20, 60],
    [0, 0, 20, 1200],
    [1, 20_672, 20, 60],
  ]);
  assert.ok(Buffer.from(all[4].body).toString("latin1").includes("dropped: tooLong"));
});

test.run();
