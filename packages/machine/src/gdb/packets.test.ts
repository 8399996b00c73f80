import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  addressText,
  bytesOf,
  escape,
  fromHex,
  hexAddress,
  hexNumber,
  PACKET_SIZE,
  PacketReader,
  packet,
  textOf,
  toHex,
  unescape,
} from "./packets.ts";

const read = (reader: PacketReader, text: string) =>
  [...reader.read(bytesOf(text))].map((incoming) => (incoming.kind === "packet" ? incoming.data : incoming));

test("a packet's checksum is the sum of its data", () => {
  assert.is(textOf(packet("OK")), "$OK#9a");
  assert.is(textOf(packet("")), "$#00");
});

test("packets come joined, and cut anywhere", () => {
  assert.equal(read(new PacketReader(), "+$g#67+$?#3f"), ["g", "?"]);
  const reader = new PacketReader();
  assert.equal(
    Array.from("$m0,4#fd", (c) => read(reader, c)).flat(),
    ["m0,4"], // 6d+30+2c+34 = fd
  );
});

test("Ctrl-C counts between packets, and is data within one", () => {
  assert.equal(read(new PacketReader(), "\x03$X0,1:\x03#22\x03"), [
    { kind: "interrupt" },
    "X0,1:\x03",
    { kind: "interrupt" },
  ]);
});

test("a wrong checksum, one of no digits, and a packet that begins anew", () => {
  assert.equal(read(new PacketReader(), "$g#68$g#zz$g#6"), [{ kind: "damaged" }, { kind: "damaged" }]);
  assert.equal(read(new PacketReader(), "$qSup$g#67"), ["g"]);
  assert.equal(read(new PacketReader(), "garbage-#67"), [{ kind: "repeat" }]);
});

test("a packet of the greatest length is taken, a longer one is not, and the next one is", () => {
  const text = (length: number) => textOf(packet("m".repeat(length)));
  assert.equal(read(new PacketReader(), text(PACKET_SIZE)), ["m".repeat(PACKET_SIZE)]);
  assert.equal(read(new PacketReader(), `${text(PACKET_SIZE + 1)}${text(100_000)}$g#67`), [
    { kind: "too long" },
    { kind: "too long" },
    "g",
  ]);
});

test("binary data are escaped and come back", () => {
  const all = textOf(Uint8Array.from({ length: 256 }, (_, i) => i));
  assert.is(escape("a}#$*"), "a}]}\x03}\x04}\x0a");
  assert.is(unescape(escape(all)), all);
  assert.not.match(escape(all), /[#$]/);
});

test("hexadecimal, or null", () => {
  assert.equal(fromHex("00ffA0"), Uint8Array.of(0, 0xff, 0xa0));
  assert.is(toHex(Uint8Array.of(0, 0xff, 0xa0)), "00ffa0");
  for (const text of ["0", "0g", " 1", "+1"]) assert.is(fromHex(text), null);
  assert.is(hexNumber("1fffffffffffff"), 2 ** 53 - 1);
  for (const text of ["", "x", "-1", "20000000000000", "0".repeat(17), undefined]) assert.is(hexNumber(text), null);
});

test("addresses: those of the upper half are negative, others that are not canonical are none", () => {
  assert.is(hexAddress("7fffffffffff"), 2 ** 47 - 1);
  assert.is(hexAddress("ffffffff81000000"), -0x7f000000);
  assert.is(addressText(-0x7f000000), "ffffffff81000000");
  for (const text of ["800000000000", "ffff7fffffffffff", "", "0x10", "-1"]) assert.is(hexAddress(text), null);
});

test.run();
