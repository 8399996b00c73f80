import { Random, readBig, readLittle, us, writeBig, writeLittle } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { frameCheck } from "./fcs.ts";
import { insertChecksum, sum } from "./offload.ts";
import {
  broadcast,
  CTRL,
  frameTo,
  ICR,
  payload,
  Rig,
  station,
  TCTL,
  TDBAL,
  TDH,
  TDLEN,
  TDT,
  TXDCTL,
  transmitRing,
} from "./rig.test-support.ts";

const ethernet = 14;
/** POPTS: checksums of IP, and of TCP or UDP. */
const [IXSM, TXSM] = [1, 2];

/** Headers of a large packet as a driver prepares them: no lengths, no IP checksum, a pseudo header without length. */
function headers(version: 4 | 6, protocol: 6 | 17): Uint8Array {
  const ip = version === 4 ? 20 : 40;
  const transport = protocol === 6 ? 20 : 8;
  const frame = new Random(version).fill(new Uint8Array(ethernet + ip + transport));
  frame.set([...station, ...station, ...(version === 4 ? [8, 0] : [0x86, 0xdd])]);
  const at = frame.subarray(ethernet);
  if (version === 4) at.set([0x45, 0, 0, 0, 0xff, 0xff, 0, 0, 64, protocol, 0, 0]);
  else at.set([0x60, 0, 0, 0, 0, 0, protocol, 64]);
  const t = at.subarray(ip);
  if (protocol === 6) t.set([0xff, 0xff, 0xff, 0x00, 0, 0, 0, 0, 0x50, 0x19], 4);
  const addresses = version === 4 ? at.subarray(12, 20) : at.subarray(8, 40);
  const pseudo = Uint8Array.of(...addresses, 0, protocol);
  writeBig(t, protocol === 6 ? 16 : 6, 2, sum(pseudo, 0, pseudo.length));
  if (protocol === 17) writeBig(t, 4, 2, 0);
  return frame;
}

/** Whether the checksum of TCP or UDP is right. */
function isRight(frame: Uint8Array, version: 4 | 6, protocol: number): boolean {
  const ip = version === 4 ? 20 : 40;
  const at = frame.subarray(ethernet);
  const addresses = version === 4 ? at.subarray(12, 20) : at.subarray(8, 40);
  const segment = at.subarray(ip);
  const whole = Uint8Array.of(...addresses, 0, protocol, segment.length >> 8, segment.length, ...segment);
  return sum(whole, 0, whole.length) === 0xffff;
}

for (const hops of [false, true]) {
  const test = suite(`e1000 transmitter${hops ? ", saved and restored at every access" : ""}`);

  test("a legacy descriptor: the frame leaves after a microsecond, DD, TXDW and TXQE tell [8254x 3.3.3]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(broadcast, 70);
    r.ram.set(frame, payload + 1);
    const index = r.legacy(payload + 1, 70);
    r.write(TDT, 1);
    r.after(us(1) - 1);
    assert.is(r.sent.length, 0);
    assert.is(r.read(TDH), 0);
    r.after(1);
    assert.equal(r.sent, [frame]);
    assert.is(r.read(TDH), 1);
    assert.is(r.transmitStatus(index), 1);
    assert.is(r.read(ICR), 0x8003);
    assert.is(r.read(0x4080), 1); // GPTC
    assert.is(r.read(0x4090), 74); // GOTCL
    assert.is(r.read(0x40f4), 1); // BPTC
    assert.is(r.read(0x40dc), 1); // PTC127
  });

  test("several descriptors make a frame; without RS none is written back; the ring wraps", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 100);
    r.ram.set(frame, payload);
    for (let round = 0; round < 8; round++) {
      const first = r.legacy(payload, 10, { command: 0x02 });
      r.legacy(payload + 10, 0, { command: 0x02 });
      r.legacy(payload + 10, 90, { command: 0x03 });
      r.send();
      assert.is(r.transmitStatus(first), 0);
      assert.equal(r.sent[round], frame);
    }
    assert.is(r.read(TDH), 24 % 16);
    assert.is(r.read(ICR), 0x8002);
  });

  test("a short frame is padded if TCTL.PSP says so, and too short a one is dropped [8254x 13.4.33]", () => {
    const r = new Rig(hops).start();
    r.ram.set(frameTo(station, 60), payload);
    r.legacy(payload, 20);
    r.send();
    assert.is(r.sent[0].length, 60);
    assert.equal([...r.sent[0].subarray(18, 24)], [18, 19, 0, 0, 0, 0]);
    r.write(TCTL, 2);
    r.legacy(payload, 20);
    r.legacy(payload, 13);
    r.send();
    assert.is(r.sent.length, 2);
    assert.is(r.sent[1].length, 20);
    assert.equal(r.dropped, ["too short"]);
    assert.is(r.read(0x40d4), 2); // TPT
    assert.is(r.read(0x4080), 1); // GPTC
  });

  test("legacy checksums: from CSS on, at CSO; out of range nothing is inserted [8254x 3.3.3.1]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 81);
    r.ram.set(frame, payload);
    r.legacy(payload, 81, { command: 0x0f, css: 14, cso: 50 });
    r.legacy(payload, 81, { command: 0x0f, css: 90, cso: 50 });
    r.legacy(payload, 81, { command: 0x0f, css: 14, cso: 80 });
    r.send();
    const expected = frame.slice();
    insertChecksum(expected, 14, 50, 0, true);
    assert.is(sum(r.sent[0], 14, 81), 0xffff - sum(frame, 50, 52)); // the sum includes what stood there
    assert.equal(r.sent, [expected, frame, frame]);
  });

  test("IFCS: without it software has put the CRC at the end", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 64);
    writeLittle(frame, 60, 4, frameCheck(frame.subarray(0, 60)));
    r.ram.set(frame, payload);
    r.legacy(payload, 64, { command: 0x09 });
    r.legacy(payload, 60, { command: 0x09 });
    r.send();
    assert.equal(
      r.sent.map((sent) => sent.length),
      [60, 60],
    );
  });

  test("VLAN tags are inserted in VLAN mode, of the type in VET [8254x 9.1]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 60);
    r.ram.set(frame, payload);
    r.legacy(payload, 60, { command: 0x4b, special: 0x2345 });
    r.send();
    assert.equal(r.sent[0], frame);
    r.set(CTRL, 1 << 30);
    r.write(0x38, 0x88a8);
    r.legacy(payload, 60, { command: 0x4b, special: 0x2345 });
    r.data(payload, 30, { command: 0x22, special: 1 });
    r.data(payload + 30, 30, { command: 0x6b, special: 0x0678 }); // the last descriptor counts
    r.send();
    assert.equal(
      [...r.sent[1].subarray(10, 20)],
      [...frame.subarray(10, 12), 0x88, 0xa8, 0x23, 0x45, ...frame.subarray(12, 16)],
    );
    assert.is(readBig(r.sent[2], 14, 2), 0x0678);
  });

  test("a frame that ends within its addresses takes no tag, and is dropped", () => {
    const r = new Rig(hops).start();
    r.set(CTRL, 1 << 30);
    r.legacy(payload, 5, { command: 0x4b });
    r.legacy(payload, 0);
    r.send();
    assert.equal(r.dropped, ["too short", "too short"]);
    assert.is(r.sent.length, 0);
  });

  test("checksums of IP and TCP by a context; they stay until the next one [8254x 3.6]", () => {
    const r = new Rig(hops).start();
    const head = headers(4, 6);
    const frame = new Uint8Array(121);
    frame.set(head);
    frame.fill(7, head.length);
    writeBig(frame, 16, 2, 107);
    writeBig(frame, 50, 2, sum(Uint8Array.of(...frame.subarray(26, 34), 0, 6, 0, 87), 0, 12)); // the whole pseudo header
    r.ram.set(frame, payload);
    const context = r.context({ ip: [14, 24, 33], tu: [34, 50, 0], command: 0x2b });
    for (let i = 0; i < 2; i++) {
      r.data(payload, 40, { command: 0x22, options: IXSM | TXSM }); // the first descriptor's options count
      r.data(payload + 40, 81, { options: 0 });
    }
    r.data(payload, 121, { options: IXSM });
    r.send();
    assert.is(r.transmitStatus(context), 1);
    for (const sent of r.sent.slice(0, 2)) {
      assert.is(sum(sent, 14, 34), 0xffff);
      assert.is(isRight(sent, 4, 6), true);
    }
    assert.is(sum(r.sent[2], 14, 34), 0xffff);
    assert.equal(r.sent[2].subarray(34), frame.subarray(34));
  });

  for (const version of [4, 6] as const) {
    for (const protocol of [6, 17] as const) {
      test(`segmentation of IPv${version} with ${protocol === 6 ? "TCP" : "UDP"} [8254x 3.5]`, () => {
        const r = new Rig(hops).start();
        const head = headers(version, protocol);
        const ip = version === 4 ? 20 : 40;
        const [mss, paylen] = [500, 1777];
        const data = new Random(3).fill(new Uint8Array(paylen));
        r.ram.set(head, payload);
        r.ram.set(data, payload + 0x1000);
        const command = 0x2c | (version === 4 ? 2 : 0) | (protocol === 6 ? 1 : 0);
        const tu = [ethernet + ip, ethernet + ip + (protocol === 6 ? 16 : 6), 0];
        r.context({ ip: [ethernet, 24, ethernet + ip - 1], tu, paylen, command, hdrlen: head.length, mss });
        const options = version === 4 ? IXSM | TXSM : TXSM;
        r.data(payload, head.length, { command: 0x26, options });
        r.data(payload + 0x1000, 1200, { command: 0x26 });
        r.data(payload + 0x1000 + 1200, 577, { command: 0x2f });
        r.send();
        assert.equal(
          r.sent.map((sent) => sent.length - head.length),
          [500, 500, 500, 277],
        );
        for (const [i, sent] of r.sent.entries()) {
          const last = i === 3;
          const size = sent.length - ethernet;
          assert.equal(sent.subarray(head.length), data.subarray(500 * i, 500 * i + 500));
          if (version === 4) {
            assert.is(readBig(sent, 16, 2), size);
            assert.is(readBig(sent, 18, 2), (0xffff + i) & 0xffff);
            assert.is(sum(sent, 14, 34), 0xffff);
          } else assert.is(readBig(sent, 18, 2), size - 40);
          const t = sent.subarray(ethernet + ip);
          if (protocol === 6) {
            assert.is(readBig(t, 4, 4), (0xffff_ff00 + 500 * i) >>> 0);
            assert.is(t[13], last ? 0x19 : 0x10); // FIN and PSH in the last only
          } else assert.is(readBig(t, 4, 2), size - ip);
          assert.is(isRight(sent, version, protocol), true, `checksum of ${i}`);
        }
        assert.is(r.read(0x40f8), 1); // TSCTC
        assert.is(r.read(0x40fc), 0); // TSCTFC
      });
    }
  }

  test("segmentation with a VLAN tag from the first descriptor; headers and data in one buffer", () => {
    const r = new Rig(hops).start();
    r.set(CTRL, 1 << 30);
    const head = headers(4, 6);
    r.ram.set(head, payload);
    r.context({ ip: [14, 24, 33], tu: [34, 50, 0], paylen: 200, command: 0x2f, hdrlen: head.length, mss: 100 });
    r.data(payload, 30, { command: 0x66, options: IXSM | TXSM, special: 7 });
    r.data(payload + 30, head.length - 30 + 200, { command: 0x2f, special: 9 });
    r.send();
    assert.is(r.sent.length, 2);
    for (const sent of r.sent) {
      assert.is(readBig(sent, 12, 4), 0x8100_0007);
      assert.is(sent.length, head.length + 4 + 100);
      assert.is(sum(sent, 18, 38), 0xffff);
    }
  });

  test("segmentation that cannot be is given up and counted: no MSS, larger than the FIFO, another length", () => {
    const r = new Rig(hops).start();
    for (const [mss, paylen] of [
      [0, 100],
      [0xffff, 100],
      [100, 150],
    ]) {
      r.context({ paylen, command: 0x2f, hdrlen: 54, mss });
      r.data(payload, 154, { command: 0x2f });
    }
    r.data(payload, 40, { command: 0x2f }); // less than its headers
    r.send();
    assert.is(r.read(0x40fc), 4);
    assert.is(r.sent.length, 1);
    assert.equal(r.dropped, ["too long", "too long"]);
  });

  test("another context in the middle of a large packet changes nothing of it", () => {
    const r = new Rig(hops).start();
    r.context({ paylen: 300, command: 0x2f, hdrlen: 54, mss: 100 });
    r.data(payload, 140, { command: 0x26 });
    r.context({ paylen: 9, command: 0x2f, hdrlen: 3, mss: 1 });
    r.data(payload, 214, { command: 0x2f });
    r.send();
    assert.equal(
      r.sent.map((sent) => sent.length),
      [154, 154, 154],
    );
  });

  test("a frame longer than the FIFO is dropped as a whole, the next one leaves", () => {
    const r = new Rig(hops).start();
    for (let i = 0; i < 3; i++) r.legacy(payload, 8000, { command: i < 2 ? 0x02 : 0x0b });
    r.legacy(payload, 100);
    r.data(payload, 0xf_ffff);
    r.legacy(payload, 16288);
    r.send();
    assert.equal(
      r.sent.map((sent) => sent.length),
      [100, 16288],
    );
    assert.equal(r.dropped, ["too long", "too long"]);
  });

  test("no frame leaves while TCTL.EN is off, or without a link", () => {
    const r = new Rig(hops).start();
    r.write(TCTL, 0);
    r.legacy(payload, 60);
    r.write(TDT, 1);
    r.after(us(100));
    assert.is(r.read(TDH), 0);
    r.write(TCTL, 0xa);
    r.after(us(1));
    assert.is(r.read(TDH), 1);
    r.mac.link(false);
    r.legacy(payload, 60);
    r.send();
    assert.is(r.sent.length, 1);
    assert.equal(r.dropped, ["no link"]);
  });

  test("TXD_LOW comes when LWTHRESH descriptors are left [8254x 13.4.43]", () => {
    const r = new Rig(hops).start(0, 64);
    r.write(TXDCTL, (1 << 25) | (1 << 24));
    r.read(ICR);
    for (let i = 0; i < 9; i++) r.legacy(payload, 60, { command: 0x03 });
    r.write(TDT, 8);
    r.after(us(100));
    assert.is(r.read(ICR), 2);
    r.legacy(payload, 60, { command: 0x03 });
    for (let i = 0; i < 9; i++) r.legacy(payload, 60, { command: 0x03 });
    r.write(TDT, 18);
    r.after(us(100));
    assert.is(r.read(ICR), 0x8002);
  });

  test("a ring whose head or tail lies outside stands still; TDH forgets what was under way", () => {
    const r = new Rig(hops).start();
    for (const [length, head, tail] of [
      [0, 0, 5],
      [0x80, 0, 9],
      [0x80, 8, 3],
    ]) {
      r.write(TDLEN, length);
      r.write(TDH, head);
      r.write(TDT, tail);
      r.after(us(1000));
      assert.is(r.read(TDH), head);
      assert.is(r.clock.nextDue, Number.POSITIVE_INFINITY);
    }
    r.write(TDT, 0);
    r.write(TDH, 0);
    r.write(TDLEN, 0x100);
    r.legacy(payload, 30, { command: 0x02 });
    r.send();
    r.write(TDH, 1);
    r.legacy(payload, 60);
    r.send();
    assert.is(r.sent[0].length, 60);
  });

  test("a burst of large frames does not leave faster than a gigabit wire takes it", () => {
    const [count, bytes] = [200, 9014];
    const r = new Rig(hops);
    r.start(undefined, 256);
    for (let i = 0; i < count; i++) {
      writeLittle(r.ram, transmitRing + 16 * i, 4, payload);
      writeLittle(r.ram, transmitRing + 16 * i + 4, 4, 0);
      writeLittle(r.ram, transmitRing + 16 * i + 8, 4, bytes | 0x0100_0000);
      writeLittle(r.ram, transmitRing + 16 * i + 12, 4, 0);
    }
    r.write(TDT, count);
    r.after(us(2000));
    const carried = 2_000_000 / 8 / (bytes + 24);
    assert.ok(r.sent.length > carried - 4 && r.sent.length < carried + 4, `${r.sent.length} of ${carried.toFixed(1)}`);
  });

  test("a large ring of large buffers takes turns, and time goes on between them", () => {
    const r = new Rig(hops).start();
    r.context({ paylen: 0xf_ffff, command: 0x2f, hdrlen: 54, mss: 1 });
    r.data(payload, 0xf_ffff, { command: 0x2f });
    r.write(TDT, 2);
    r.after(us(1));
    assert.ok(r.sent.length < 200);
    r.after(us(200));
    assert.ok(r.sent.length > 250 && r.sent.length < 100 + 201_000 / 672); // a turn more than a gigabit
    assert.is(readLittle(r.ram, transmitRing + 16 + 12, 1), 0);
    r.write(TDBAL, 0); // what was fetched goes on
    r.after(us(200));
    assert.is(r.read(TDH), 1);
  });
  test.run();
}
