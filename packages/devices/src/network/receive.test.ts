import { suite } from "uvu";
import * as assert from "uvu/assert";
import { frameCheck } from "./fcs.ts";
import { insertTag, sum } from "./offload.ts";
import {
  broadcast,
  buffers,
  CTRL,
  frameTo,
  ICR,
  RCTL,
  RDBAL,
  RDH,
  RDLEN,
  RDT,
  Rig,
  RXCSUM,
  receiveRing,
  station,
  VFTA,
} from "./rig.test-support.ts";

/** RCTL: strip the CRC, accept broadcasts. */
const plain = 0x0400_8000;
const LPE = 1 << 5;
const SBP = 1 << 2;

for (const hops of [false, true]) {
  const test = suite(`e1000 receiver${hops ? ", saved and restored at every access" : ""}`);

  test("a frame goes into the next buffer; DD, EOP and RXT0 tell [8254x 3.2.3]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 77);
    r.arrive(frame);
    const got = r.received(0);
    assert.equal(got.data, frame);
    assert.is(got.status, 0x07); // no checksum was computed
    assert.is(got.errors, 0);
    assert.is(r.read(RDH), 1);
    assert.is(r.read(ICR), 0x80);
    assert.is(r.read(0x4074), 1); // GPRC
    assert.is(r.read(0x4088), 81); // GORCL
    assert.is(r.read(0x40d0), 1); // TPR
    assert.is(r.read(0x4060), 1); // PRC127
    r.arrive(frameTo(broadcast));
    r.arrive(frameTo([2, 0, 0, 0, 0, 5]));
    assert.is(r.read(RDH), 2);
    assert.is(r.read(0x4078), 1); // BPRC
    assert.equal(r.dropped, ["not for us"]);
  });

  test("the CRC is stored unless RCTL.SECRC strips it", () => {
    const r = new Rig(hops).start(0x8000);
    const frame = frameTo(station, 60);
    r.arrive(frame);
    const { data } = r.received(0);
    assert.is(data.length, 64);
    assert.is(frameCheck(data.subarray(0, 60)), new DataView(data.buffer).getUint32(60, true));
  });

  test("the packet checksum runs from PCSS to the end [8254x 3.2.9, 13.4.47]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 75);
    r.write(RXCSUM, 14);
    r.arrive(frame);
    assert.is(r.received(0).checksum, 0xffff - sum(frame, 14, 75));
    r.write(RXCSUM, 0xff);
    r.arrive(frame);
    assert.is(r.received(1).checksum, 0xffff);
  });

  test("IPCS and TCPCS say what was verified, IPE and TCPE what was wrong", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 60, [8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    r.write(RXCSUM, 0x300);
    r.arrive(frame);
    assert.is(r.received(0).status, 0x63);
    assert.is(r.received(0).errors, 0x60);
    r.write(RXCSUM, 0x200);
    r.arrive(frame);
    assert.is(r.received(1).status, 0x23);
    assert.is(r.received(1).errors, 0x20);
  });

  test("buffer sizes, and frames over several buffers [8254x 13.4.22]", () => {
    for (const [bits, size] of [
      [0x0000_0000, 2048],
      [0x0001_0000, 1024],
      [0x0002_0000, 512],
      [0x0003_0000, 256],
      [0x0201_0000, 16384],
      [0x0202_0000, 8192],
      [0x0203_0000, 4096],
    ]) {
      const r = new Rig(hops).start(plain | LPE | bits, 128);
      const frame = frameTo(station, 16380);
      r.arrive(frame);
      const count = Math.ceil(16380 / size);
      assert.is(r.read(RDH), count, `buffers of ${size}`);
      const parts = Array.from({ length: count }, (_, i) => r.received(i));
      assert.equal(Uint8Array.from(parts.flatMap(({ data }) => [...data])), frame);
      for (const [i, { status }] of parts.entries()) assert.is(status & 3, i === count - 1 ? 3 : 1);
      assert.is(r.read(0x4074), 1);
    }
  });

  test("VLAN tags are stripped in VLAN mode, and told [8254x 9.2]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 64);
    const tagged = insertTag(frame, 0x8100, 0x6123);
    r.arrive(tagged);
    assert.equal(r.received(0).data, tagged);
    assert.is(r.received(0).status & 8, 0);
    r.set(CTRL, 1 << 30);
    r.arrive(tagged);
    assert.equal(r.received(1).data, frame);
    assert.is(r.received(1).status & 8, 8);
    assert.is(r.received(1).special, 0x6123);
    r.arrive(frame);
    assert.is(r.received(2).status & 8, 0);
    r.write(RCTL, 2 | plain | (1 << 18));
    r.arrive(tagged);
    assert.equal(r.dropped, ["VLAN"]);
    r.write(VFTA + 4 * (0x123 >> 5), 1 << (0x123 & 31));
    r.arrive(tagged);
    assert.is(r.read(RDH), 4);
  });

  test("PIF marks frames that software must look at", () => {
    const r = new Rig(hops).start(plain | 0x18);
    r.arrive(frameTo([2, 0, 0, 0, 0, 5]));
    r.arrive(frameTo([3, 0, 0, 0, 0, 5]));
    r.arrive(frameTo(station));
    r.arrive(frameTo(broadcast));
    assert.equal(
      [0, 1, 2, 3].map((i) => r.received(i).status & 0x80),
      [0x80, 0x80, 0, 0],
    );
    assert.is(r.read(0x407c), 1); // MPRC
  });

  test("without descriptors a frame is missed: RNBC, MPC, RXO [8254x 13.7.5, 13.7.33]", () => {
    const r = new Rig(hops).start(plain | 0x0002_0000, 8);
    for (let i = 0; i < 4; i++) r.arrive(frameTo(station, 500));
    r.read(ICR);
    r.arrive(frameTo(station, 1514)); // three buffers: all that are left
    assert.is(r.read(RDH), 7);
    assert.is(r.read(ICR), 0x80);
    r.arrive(frameTo(station));
    assert.is(r.read(ICR), 0x40);
    assert.equal(r.dropped, ["no descriptor"]);
    assert.is(r.read(0x40a0), 1);
    assert.is(r.read(0x4010), 1);
    assert.is(r.read(0x40d0), 6); // TPR counts it
    assert.is(r.read(0x4074), 5); // GPRC does not
    r.write(RDT, 1);
    r.arrive(frameTo(station, 600)); // needs two, and there are two
    assert.is(r.read(RDH), 1);
    r.write(RDT, 2);
    r.arrive(frameTo(station, 600));
    assert.is(r.read(RDH), 1);
  });

  test("RXDMT0 comes when a half, a quarter or an eighth is left [8254x 13.4.22]", () => {
    for (const [select, left] of [
      [0, 8],
      [1, 4],
      [2, 2],
    ]) {
      const r = new Rig(hops).start(plain | (select << 8), 16);
      for (let free = 14; free >= 0; free--) {
        r.arrive(frameTo(station));
        assert.is(r.read(ICR) & 0x10, free === left ? 0x10 : 0, `${left}: ${free}`);
      }
    }
  });

  test("lengths: too short and too long are dropped and counted, or stored as bad [8254x 13.7.15]", () => {
    const r = new Rig(hops).start();
    r.arrive(frameTo(station, 1518));
    r.arrive(frameTo(station, 1519));
    r.arrive(frameTo(station, 59));
    r.arrive(frameTo(station).subarray(0, 13));
    assert.equal(r.dropped, ["too long", "too short", "too short"]);
    assert.is(r.read(RDH), 1);
    assert.is(r.read(0x4040), 2); // RLEC
    assert.is(r.read(0x40a4), 1); // RUC
    assert.is(r.read(0x40ac), 1); // ROC
    r.write(RCTL, 2 | plain | SBP);
    r.arrive(frameTo(station, 1519));
    r.arrive(frameTo(station, 59));
    assert.is(r.read(RDH), 3);
    assert.is(r.read(0x4074), 1); // GPRC
    r.write(RCTL, 2 | plain | LPE | SBP);
    r.arrive(frameTo(station, 1519));
    assert.is(r.read(0x4074), 1);
    r.arrive(frameTo(station, 16381));
    assert.is(r.dropped.length, 4);
  });

  test("descriptors with a null address are handed back unused", () => {
    const r = new Rig(hops).start();
    r.ram.fill(0, receiveRing, receiveRing + 32);
    r.arrive(frameTo(station, 70));
    assert.is(r.read(RDH), 3);
    assert.is(r.ram[receiveRing + 12], 1);
    assert.is(r.received(2).length, 70);
    assert.equal(r.received(2).data, frameTo(station, 70));
    r.ram.fill(0, receiveRing, receiveRing + 0x1000);
    r.arrive(frameTo(station, 70));
    assert.is(r.read(RDH), 15);
    assert.is(r.read(ICR) & 0x40, 0x40);
    r.write(RDLEN, 0x1000);
    r.write(RDT, 14);
    r.arrive(frameTo(station, 70)); // a frame goes through so many at most
    assert.is(r.read(RDH), 15 + 128);
  });

  test("the receiver is off, there is no link, or the ring lies nowhere", () => {
    const r = new Rig(hops).start();
    r.write(RCTL, 0);
    r.arrive(frameTo(station));
    r.write(RCTL, 2 | plain);
    r.mac.link(false);
    r.arrive(frameTo(station));
    assert.equal(r.dropped, ["receiver off", "no link"]);
    r.mac.link(true);
    r.up();
    for (const [length, head, tail] of [
      [0, 0, 5],
      [0x80, 8, 3],
      [0x80, 0, 8],
    ]) {
      r.write(RDLEN, length);
      r.write(RDH, head);
      r.write(RDT, tail);
      r.arrive(frameTo(station));
      assert.is(r.read(RDH), head);
    }
    r.write(RDLEN, 0x100);
    r.write(RDH, 0);
    r.write(RDBAL, 0xffff_fff0);
    r.write(RDBAL + 4, 0xffff_ffff);
    r.arrive(frameTo(station));
    assert.is(r.read(RDH), 1);
    assert.is(r.ram[buffers], 0);
  });
  test.run();
}
