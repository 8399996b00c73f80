import { Random, readBig, writeBig } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { frameCheck, withoutCheck } from "./fcs.ts";
import { insertChecksum, insertTag, stripTag, sum } from "./offload.ts";
import { verify } from "./verify.ts";

/** The one's complement sum as RFC 1071 says it, with no short cuts. */
function reference(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    total += bytes[i] * 256 + (bytes[i + 1] ?? 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

test("the sum is that of RFC 1071, at odd ends and starts too", () => {
  const random = new Random(1);
  for (let length = 0; length < 200; length++) {
    const bytes = random.fill(new Uint8Array(length + 3));
    assert.is(sum(bytes, 3, length + 3), reference(bytes.subarray(3)), `${length}`);
  }
  assert.is(sum(Uint8Array.of(0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7), 0, 8), 0xddf2); // the RFC's example
});

test("a checksum is inserted in range only, to an inclusive end, and is never 0 where that means none", () => {
  const frame = Uint8Array.of(1, 2, 3, 4, 0, 0);
  insertChecksum(frame, 0, 4, 3, false);
  assert.is(readBig(frame, 4, 2), 0xffff - (0x0102 + 0x0304));
  const before = frame.slice();
  insertChecksum(frame, 0, 5, 0, false);
  insertChecksum(frame, 6, 0, 0, false);
  assert.equal(frame, before);
  const ones = Uint8Array.of(0xff, 0xff, 0, 0);
  insertChecksum(ones, 0, 2, 0, true);
  assert.is(readBig(ones, 2, 2), 0xffff);
  insertChecksum(Uint8Array.of(0xff, 0xff, 0, 0), 0, 2, 0, false);
});

test("a tag goes after the addresses, and comes off again", () => {
  const frame = Uint8Array.from({ length: 20 }, (_, i) => i);
  const tagged = insertTag(frame, 0x8100, 0x6005);
  assert.equal([...tagged.subarray(10, 18)], [10, 11, 0x81, 0x00, 0x60, 0x05, 12, 13]);
  assert.equal(stripTag(tagged), frame);
});

test("the CRC is that of Ethernet, and taken off when it is right", () => {
  const text = Uint8Array.from("123456789", (char) => char.charCodeAt(0));
  assert.is(frameCheck(text), 0xcbf4_3926);
  const frame = new Uint8Array(24);
  frame.set(text, 11);
  const check = frameCheck(frame.subarray(0, 20));
  frame.set([check, check >>> 8, check >>> 16, check >>> 24], 20);
  assert.is(withoutCheck(frame).length, 20);
  frame[20] ^= 1;
  assert.is(withoutCheck(frame).length, 24);
});

/** An IPv4 packet in a frame; the checksums are right. */
function packet(protocol: number, { options = 0, fragment = 0, snap = false, tag = false } = {}): Uint8Array {
  const ethernet = 14 + (tag ? 4 : 0) + (snap ? 8 : 0);
  const header = 20 + options;
  const total = header + 33;
  const frame = new Random(protocol).fill(new Uint8Array(ethernet + total + 3));
  let at = 12;
  if (tag) writeBig(frame, at, 2, 0x8100);
  if (tag) at += 4;
  if (snap) frame.set([0, total + 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], at);
  else frame.set([8, 0], at);
  const ip = frame.subarray(ethernet, ethernet + total);
  ip.set([0x40 | (header / 4), 0, 0, total, 0, 1, fragment >>> 8, fragment & 0xff, 64, protocol, 0, 0]);
  writeBig(ip, 10, 2, 0xffff - sum(ip, 0, header));
  const field = header + (protocol === 6 ? 16 : 6);
  writeBig(ip, field, 2, 0);
  const pseudo = Uint8Array.of(...ip.subarray(12, 20), 0, protocol, 0, 33, ...ip.subarray(header));
  writeBig(ip, field, 2, 0xffff - reference(pseudo));
  return frame;
}

const all = 0x700;

test("received IPv4: with options, tagged, in SNAP; wrong ones are found out", () => {
  for (const protocol of [6, 17]) {
    for (const shape of [{}, { options: 8 }, { snap: true }, { tag: true }]) {
      const good = packet(protocol, shape);
      assert.equal(verify(good, all, 0x8100), { ip: true, transport: true }, JSON.stringify(shape));
      assert.equal(verify(good, 0x100, 0x8100), { ip: true });
      assert.equal(verify(good, 0x200, 0x8100), { ip: undefined, transport: true });
      assert.equal(verify(good, 0, 0x8100), {});
      const damaged = good.slice();
      damaged[damaged.length - 4] ^= 1; // the last byte of the packet
      assert.equal(verify(damaged, all, 0x8100), { ip: true, transport: false });
      const wrong = good.slice();
      const ip = wrong.length - 3 - 33 - 20 - (shape.options ?? 0);
      wrong[ip + 8]--;
      assert.equal(verify(wrong, all, 0x8100), { ip: false, transport: true });
    }
  }
});

test("received fragments, other protocols, UDP without a checksum and nonsense are not judged", () => {
  assert.equal(verify(packet(17, { fragment: 0x2000 }), all, 0x8100), { ip: true });
  assert.equal(verify(packet(17, { fragment: 0x0001 }), all, 0x8100), { ip: true });
  assert.equal(verify(packet(1), all, 0x8100), { ip: true, transport: undefined });
  const silent = packet(17);
  writeBig(silent, 40, 2, 0);
  assert.equal(verify(silent, all, 0x8100), { ip: true, transport: undefined });
  const random = new Random(5);
  for (let i = 0; i < 2000; i++) {
    const frame = random.pick([packet(6), packet(17), packet6([]), packet6([0, 60])]);
    for (let n = 0; n < 3; n++) frame[random.below(frame.length)] = random.u32();
    verify(frame.subarray(0, 14 + random.below(frame.length - 14)), all, 0x8100);
  }
});

/** An IPv6 packet with UDP behind extension headers of 16 bytes. */
function packet6(extensions: readonly number[]): Uint8Array {
  const length = 16 * extensions.length + 21;
  const frame = new Random(6).fill(new Uint8Array(14 + 40 + length));
  frame.set([0x86, 0xdd, 0x60, 0, 0, 0, 0, length], 12);
  const chain = [...extensions, 17];
  frame[20] = chain[0];
  for (const [i] of extensions.entries()) frame.set([chain[i + 1], 1, 0, 0], 54 + 16 * i);
  const udp = frame.subarray(54 + 16 * extensions.length);
  writeBig(udp, 6, 2, 0);
  writeBig(udp, 6, 2, 0xffff - reference(Uint8Array.of(...frame.subarray(22, 54), 0, 17, 0, 21, ...udp)));
  return frame;
}

test("received IPv6: past extension headers, and only if it is asked for", () => {
  for (const extensions of [[], [0], [0, 43, 60]]) {
    const frame = packet6(extensions);
    assert.equal(verify(frame, all, 0x8100), { transport: true }, extensions.join());
    assert.equal(verify(frame, 0x300, 0x8100), {});
    frame[frame.length - 1] ^= 4;
    assert.equal(verify(frame, all, 0x8100), { transport: false });
  }
  assert.equal(verify(packet6([44]), all, 0x8100), { transport: undefined });
});

test.run();
