import { Random, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ssdTiming } from "../timing.ts";
import {
  IS,
  list,
  PxCI,
  PxCMD,
  PxFB,
  PxIE,
  PxIS,
  PxSACT,
  PxSCTL,
  PxSERR,
  PxSIG,
  PxSSTS,
  PxTFD,
  Rig,
  received,
  table,
} from "./rig.test-support.ts";

const buffer = 0x10_0000;

for (const snapshot of [false, true]) {
  const test = suite(`ahci port${snapshot ? ", saved and restored at every step" : ""}`);
  const step = (r: Rig) => snapshot && r.hop();

  test("after power-on the link trains, then the signature arrives (AHCI 10.1)", () => {
    const r = new Rig();
    assert.is(r.read(PxSSTS), 0);
    assert.is(r.read(PxTFD), 0x7f);
    assert.is(r.read(PxSIG), 0xffffffff);
    step(r);
    r.after(us(100));
    step(r);
    assert.is(r.read(PxSSTS), 0x113);
    assert.is(r.read(PxTFD), 0x80);
    assert.is(r.read(PxIS), 0x0040_0040); // PCS and PRCS follow SERR.X and SERR.N
    r.write(PxSERR, 0xffffffff);
    assert.is(r.read(PxIS), 0);
    step(r);
    r.after(us(500));
    assert.is(r.read(PxTFD), 0x150);
    assert.is(r.read(PxSIG), 0x101);
    step(r);
    r.write(PxFB, received);
    r.write(PxCMD, 0x10);
    step(r);
    assert.is(r.read(PxCMD), 0x4016);
    assert.equal(r.bytes(received + 0x40, 8), [0x34, 0, 0x50, 1, 1, 0, 0, 0]); // kept until FRE
  });

  test("READ DMA EXT scatters over odd regions, and says D2H, PRDBC and DPS (AHCI 4.2.3, 5.6.2)", () => {
    const r = new Rig({ timing: ssdTiming({ read: us(80) }) }).start();
    const data = r.fill(100, 3, new Random(1));
    step(r);
    r.prepare(7, {
      command: 0x25,
      lba: 100,
      count: 3,
      regions: [
        [buffer + 1, 1],
        [buffer + 0x1000, 513, true],
        [buffer + 0x2002, 1000],
        [buffer + 0x3000, 0x40_0000],
      ],
    });
    r.write(PxCI, 1 << 7);
    step(r);
    r.after(us(80));
    assert.is(r.read(PxCI), 1 << 7);
    assert.is(r.read(PxTFD) & 0x80, 0x80);
    assert.is(r.high, false);
    step(r);
    r.after(us(80));
    step(r);
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxTFD), 0x50);
    assert.is(r.read(PxIS), 0x21);
    assert.is(r.high, true);
    assert.is(r.word(list + 7 * 32 + 4), 1536);
    const got = [
      ...r.bytes(buffer + 1, 1),
      ...r.bytes(buffer + 0x1000, 513),
      ...r.bytes(buffer + 0x2002, 1000),
      ...r.bytes(buffer + 0x3000, 22),
    ];
    assert.equal(got, [...data]);
    assert.equal(r.bytes(received + 0x40, 4), [0x34, 0x40, 0x50, 0]);
    r.write(IS, 1);
    assert.is(r.high, true); // the port still asks
    r.write(PxIS, 0x21);
    step(r);
    assert.is(r.high, true); // IS is sticky
    r.write(IS, 1);
    assert.is(r.high, false);
  });

  test("a masked interrupt stays pending and comes when it is unmasked (AHCI 3.3.6)", () => {
    const r = new Rig().start();
    r.write(PxIE, 0);
    r.run({ command: 0xe7 });
    step(r);
    assert.is(r.read(PxIS), 1);
    assert.is(r.high, false);
    assert.is(r.raised, 0);
    r.write(PxIE, 1);
    assert.is(r.high, true);
    assert.is(r.raised, 1);
  });

  test("IDENTIFY DEVICE: PIO setup, data, no D2H (AHCI 5.6.3, SATA 11.8)", () => {
    const r = new Rig().start();
    r.ram.fill(0xee, received, received + 0x100);
    r.prepare(0, { command: 0xec, regions: [[buffer, 512]] });
    r.write(PxCI, 1);
    step(r);
    r.settle();
    step(r);
    assert.is(r.read(PxIS), 2);
    assert.is(r.read(PxTFD), 0x50);
    assert.is(r.read(PxCI), 0);
    assert.equal(r.bytes(received + 0x20, 4), [0x5f, 0x60, 0x58, 0]);
    assert.equal(r.bytes(received + 0x20 + 15, 3), [0x50, 0, 2]);
    assert.is(r.ram[received + 0x40], 0xee);
    assert.is(r.word(list + 4), 512);
    assert.is(r.word(buffer) & 0xffff, 0x40);
  });

  test("PIO of several blocks: a setup and an interrupt each; data out ends with D2H (SATA 11.9)", () => {
    const r = new Rig().start();
    const data = new Random(2).fill(new Uint8Array(4 * 512));
    r.ram.set(data, buffer);
    step(r);
    const tfd = r.run({ command: 0x34, lba: 5, count: 4, write: true, regions: [[buffer, 4 * 512]] });
    step(r);
    assert.is(tfd, 0x50);
    assert.is(r.read(PxIS), 3);
    assert.is(r.word(list + 4), 2048);
    r.write(PxIS, 3);
    assert.is(r.run({ command: 0x24, lba: 5, count: 4, regions: [[buffer + 0x1000, 4 * 512]] }), 0x50);
    assert.equal(r.bytes(buffer + 0x1000, 2048), [...data]);
    assert.is(r.read(PxIS), 2);
  });

  test("an unknown command: TFES, the port stops; ST off and on goes on (AHCI 6.2.2)", () => {
    const r = new Rig().start();
    assert.is(r.run({ command: 0xa1, regions: [[buffer, 512]] }), 0x0451);
    step(r);
    assert.is(r.read(PxIS), 0x4000_0001);
    assert.is(r.read(PxCI), 1);
    assert.equal(r.bytes(received + 0x40, 4), [0x34, 0x40, 0x51, 4]);
    r.prepare(1, { command: 0xe7 });
    r.write(PxCI, 2);
    r.settle();
    assert.is(r.read(PxCI), 3); // stopped
    step(r);
    r.write(PxCMD, 0x10);
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxCMD), 0x4016);
    step(r);
    r.recover();
    assert.is(r.run({ command: 0xe7 }), 0x50);
  });

  test("slots are taken in a circle from the one sent last (AHCI 5.3.3)", () => {
    const r = new Rig({ timing: ssdTiming() }).start();
    const order: number[] = [];
    const watch = () => r.drive.commands.on(({ tag }) => order.push(tag));
    watch();
    for (const slot of [0, 3, 5, 31]) r.prepare(slot, { command: 0xc8, lba: slot, count: 1, regions: [[buffer, 512]] });
    r.write(PxCI, 0x20);
    r.write(PxCI, 0x8000_0009);
    step(r);
    if (snapshot) watch();
    r.settle();
    assert.equal(order, [5, 31, 0, 3]);
    assert.is(r.read(PxCI), 0);
  });

  test("NCQ: CI clears at once, SACT when done, out of order; SDB tells (AHCI 5.6.4, SATA 13.6)", () => {
    const r = new Rig({ timing: ssdTiming({ read: us(80), write: us(10), bandwidth: 1e9 }) }).start();
    const data = r.fill(1000, 256, new Random(3));
    const out = new Random(4).fill(new Uint8Array(512));
    r.ram.set(out, buffer + 0x8_0000);
    const at: [number, number] = [buffer, 256 * 512];
    r.prepare(2, { command: 0x60, lba: 1000, features: 256, count: 2 << 3, regions: [at] });
    r.prepare(9, {
      command: 0x61,
      lba: 50,
      features: 1,
      count: 9 << 3,
      write: true,
      regions: [[buffer + 0x8_0000, 512]],
    });
    r.write(PxSACT, (1 << 2) | (1 << 9));
    r.write(PxCI, (1 << 2) | (1 << 9));
    step(r);
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxTFD), 0x50);
    assert.is(r.read(PxSACT), 0x204);
    assert.is(r.read(PxIS), 0);
    r.after(us(11));
    step(r);
    assert.is(r.read(PxSACT), 4);
    assert.is(r.read(PxIS), 8);
    assert.equal(r.bytes(received + 0x58, 8), [0xa1, 0x40, 0x50, 0, 0, 2, 0, 0]);
    r.settle();
    step(r);
    assert.is(r.read(PxSACT), 0);
    assert.equal(r.bytes(received + 0x58, 8), [0xa1, 0x40, 0x50, 0, 4, 0, 0, 0]);
    assert.equal(r.bytes(buffer, 256 * 512), [...data]);
    const written = new Uint8Array(512);
    r.medium.read(50, written);
    assert.equal(written, out);
    assert.equal(r.bytes(received, 2), [0x41, 0x20]);
  });

  test("an NCQ error takes the queue with it; page 10h tells which, and frees the drive (SATA 13.6, AHCI 6.2.2)", () => {
    const r = new Rig({ timing: ssdTiming() }).start();
    r.faulty.unreadable.add(0x123);
    for (const tag of [0, 1, 2]) {
      const lba = tag === 0 ? 0x120 : 0x1000 * tag;
      r.prepare(tag, { command: 0x60, lba, features: 8, count: tag << 3, regions: [[buffer, 4096]] });
    }
    r.write(PxSACT, 7);
    r.write(PxCI, 7);
    step(r);
    r.settle();
    step(r);
    assert.is(r.read(PxIS), 0x4000_0008);
    assert.is(r.read(PxTFD), 0x4051);
    assert.is(r.read(PxSACT), 7);
    assert.equal(r.bytes(received + 0x58, 8), [0xa1, 0x40, 0x51, 0x40, 0, 0, 0, 0]);
    r.recover();
    assert.is(r.read(PxSACT), 0);
    assert.is(r.run({ command: 0x25, lba: 0, count: 1, regions: [[buffer, 512]] }), 0x0451); // first the log
    r.recover();
    step(r);
    assert.is(r.run({ command: 0x2f, lba: 0x10, count: 1, regions: [[buffer, 512]] }), 0x50);
    assert.equal(r.bytes(buffer, 8), [0, 0, 0x51, 0x40, 0x23, 1, 0, 0x40]);
    const sum = r.bytes(buffer, 512).reduce((a, b) => a + b, 0);
    assert.is(sum % 256, 0);
    step(r);
    assert.is(r.run({ command: 0x25, lba: 0, count: 1, regions: [[buffer, 512]] }), 0x50);
  });

  test("an unqueued command among queued ones ends them all with ABRT (SATA 13.6)", () => {
    const r = new Rig({ timing: ssdTiming() }).start();
    r.prepare(4, { command: 0x60, lba: 0, features: 1, count: 4 << 3, regions: [[buffer, 512]] });
    r.prepare(5, { command: 0xe7 });
    r.write(PxSACT, 0x10);
    r.write(PxCI, 0x10);
    r.write(PxCI, 0x20);
    step(r);
    r.settle();
    assert.is(r.read(PxTFD), 0x0451);
    assert.is(r.read(PxSACT), 0x10);
    r.recover();
    step(r);
    r.run({ command: 0x2f, lba: 0x10, count: 1, regions: [[buffer, 512]] });
    assert.is(r.ram[buffer], 0x80);
  });

  test("too small a table: reads lose the rest and set OFS, writes wait for a reset (AHCI 6.1)", () => {
    const r = new Rig().start();
    const data = r.fill(0, 2, new Random(5));
    assert.is(r.run({ command: 0x25, count: 2, regions: [[buffer, 700]] }), 0x50);
    step(r);
    assert.is(r.read(PxIS), 0x0100_0001);
    assert.is(r.word(list + 4), 700);
    assert.equal(r.bytes(buffer, 700), [...data.subarray(0, 700)]);
    assert.is(r.ram[buffer + 700], 0);
    assert.is(r.run({ command: 0x35, count: 2, write: true, regions: [[buffer + 0x1000, 512]] }) & 0x80, 0x80);
    step(r);
    assert.is(r.read(PxCI), 1);
    r.write(PxCMD, 0x10);
    r.write(PxSCTL, 1);
    assert.is(r.read(PxSSTS), 0);
    step(r);
    r.write(PxSCTL, 0);
    step(r);
    r.settle();
    assert.is(r.read(PxTFD), 0x150);
    const now = new Uint8Array(1024);
    r.medium.read(0, now);
    assert.equal(now, data);
  });

  test("COMRESET in the middle of a command: no memory is written afterwards (AHCI 10.4.2)", () => {
    const r = new Rig({ timing: ssdTiming() }).start();
    r.fill(0, 1, new Random(6));
    r.prepare(0, { command: 0x25, count: 1, regions: [[buffer, 512]] });
    r.write(PxCI, 1);
    r.after(us(10));
    step(r);
    r.write(PxSCTL, 0x301);
    r.write(PxSCTL, 0x300);
    r.settle();
    step(r);
    assert.equal(r.bytes(buffer, 512), new Array(512).fill(0));
    assert.is(r.read(PxTFD), 0x150);
    assert.is(r.read(PxCI), 1); // ST was on: the port needs a restart
    assert.is(r.read(PxSERR), 0x0401_0000);
    r.recover();
    assert.is(r.run({ command: 0x25, count: 1, regions: [[buffer, 512]] }), 0x50);
  });

  test("clearing ST in the middle of a command: it is forgotten, its end shows in TFD (AHCI 5.3.2, 10.3.2)", () => {
    const r = new Rig({ timing: ssdTiming() }).start();
    r.fill(0, 1, new Random(7));
    r.prepare(0, { command: 0x25, count: 1, regions: [[buffer, 512]] });
    r.write(PxCI, 1);
    step(r);
    r.write(PxCMD, 0x10);
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxCMD), 0x4016);
    r.settle();
    assert.is(r.read(PxTFD) & 0x80, 0x80);
    assert.equal(r.bytes(buffer, 512), new Array(512).fill(0));
    step(r);
    r.write(PxCMD, 0x18); // CLO
    assert.is(r.read(PxCMD), 0x4016);
    assert.is(r.read(PxTFD) & 0x88, 0);
    step(r);
    r.write(PxCMD, 0x11);
    assert.is(r.run({ command: 0x25, count: 1, regions: [[buffer, 512]] }), 0x50);
  });

  test("software reset: two control frames, and the signature (AHCI 10.4.1)", () => {
    const r = new Rig().start();
    r.prepare(0, { command: 0 });
    r.prepare(1, { command: 0 });
    r.ram.set([0x27, 0], table(0));
    r.ram.set([0x27, 0], table(1));
    r.ram[table(0) + 15] = 4;
    r.ram[list + 1] = 0x05; // R and C
    r.write(PxCI, 1);
    step(r);
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxTFD) & 0x80, 0);
    r.write(PxCI, 2);
    step(r);
    r.settle();
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxTFD), 0x150);
    assert.is(r.read(PxSIG), 0x101);
    assert.is(r.run({ command: 0xe5 }), 0x50);
  });

  test("a frame that is no command frame: IFS, and the port stops (AHCI 6.1)", () => {
    const r = new Rig().start();
    r.prepare(0, { command: 0xe7 });
    r.ram[table(0)] = 0x34;
    r.write(PxCI, 1);
    step(r);
    assert.is(r.read(PxIS), 0x0800_0000);
    assert.is(r.high, true);
    r.recover();
    assert.is(r.run({ command: 0xe7 }), 0x50);
  });

  test("commands are issued with ST only, and wait for FRE and the link (AHCI 3.3.14)", () => {
    const r = new Rig();
    r.write(PxSACT, 1);
    r.write(PxCI, 1);
    assert.is(r.read(PxCI), 0);
    assert.is(r.read(PxSACT), 0);
    r.start();
    r.write(PxCMD, 0x01);
    r.prepare(0, { command: 0xe7 });
    r.write(PxCI, 1);
    r.settle();
    assert.is(r.read(PxCI), 1);
    step(r);
    r.write(PxCMD, 0x11);
    r.settle();
    assert.is(r.read(PxCI), 0);
  });

  test("lists and buffers beyond all memory harm nobody", () => {
    const r = new Rig().start();
    r.write(0x104, 0xffff_ffff);
    r.write(PxCI, 0xffff_ffff);
    r.settle();
    step(r);
    assert.is(r.read(PxIS) & 0x0800_0000, 0x0800_0000);
    r.write(0x104, 0);
    r.recover();
    r.prepare(0, {
      command: 0x25,
      count: 8,
      regions: [
        [buffer, 512],
        [2 ** 52 - 100, 512],
        [buffer + 512, 4096],
      ],
    });
    r.ram.fill(0xff, table(0) + 0x94, table(0) + 0x98);
    r.write(PxCI, 1);
    r.settle();
    assert.is(r.read(PxTFD), 0x50);
    assert.is(r.word(list + 4), 4096);
  });

  test.run();
}
