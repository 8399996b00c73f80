import { Clock, ConfigError } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AhciHba } from "./hba.ts";
import {
  GHC,
  IS,
  list,
  PxCI,
  PxCLB,
  PxCMD,
  PxFB,
  PxIE,
  PxIS,
  PxSERR,
  PxSSTS,
  PxTFD,
  Rig,
  received,
} from "./rig.test-support.ts";

const empty = (ports: number) => {
  const dma = { read: (_: number, into: Uint8Array) => void into.fill(0xff), write: () => undefined };
  return new AhciHba({ clock: new Clock(), dma, irq: { set: () => undefined }, drives: new Array(ports).fill(null) });
};

test("capabilities tell what there is (AHCI 3.1)", () => {
  const hba = empty(6);
  assert.is(hba.read(0x00, 4), 0xc114_9f05);
  assert.is(hba.read(0x04, 4), 0x8000_0000);
  assert.is(hba.read(0x0c, 4), 0x3f);
  assert.is(hba.read(0x10, 4), 0x0001_0000);
  assert.is(hba.read(0x24, 4), 0);
  hba.write(0x00, 4, 0);
  hba.write(0x0c, 4, 0);
  assert.is(hba.read(0x00, 4), 0xc114_9f05);
  assert.is(hba.read(0x0c, 4), 0x3f);
  assert.is(empty(1).read(0x0c, 4), 1);
  assert.throws(
    () => empty(0),
    (error: unknown) => error instanceof ConfigError,
  );
  assert.throws(
    () => empty(7),
    (error: unknown) => error instanceof ConfigError,
  );
});

test("an empty port says that nothing is there (AHCI 3.3.8 to 3.3.10)", () => {
  const hba = empty(2);
  assert.is(hba.read(0x1a8, 4), 0);
  assert.is(hba.read(0x1a0, 4), 0x7f);
  assert.is(hba.read(0x1a4, 4), 0xffff_ffff);
  assert.is(hba.read(0x800, 4), 0);
  hba.write(0x1ac, 4, 1);
  hba.write(0x1ac, 4, 0);
  assert.is(hba.read(0x1a8, 4), 0);
});

test("HBA reset: everything but CLB and FB, and the link comes up anew (AHCI 10.4.3)", () => {
  const r = new Rig().start();
  r.prepare(0, { command: 0xe7 });
  r.write(PxCI, 1);
  r.write(GHC, 1);
  assert.is(r.read(GHC), 0x8000_0000);
  assert.is(r.read(IS), 0);
  assert.is(r.read(PxCLB), list);
  assert.is(r.read(PxFB), received);
  assert.is(r.read(PxIE), 0);
  assert.is(r.read(PxCMD), 6);
  assert.is(r.read(PxSSTS), 0);
  assert.is(r.high, false);
  r.settle();
  assert.is(r.read(PxSSTS), 0x113);
  assert.is(r.read(PxTFD), 0x150);
});

test("IS and GHC.IE: level, and a message each time a bit appears (AHCI 10.7)", () => {
  const r = new Rig().start();
  r.write(GHC, 0x8000_0000);
  r.run({ command: 0xe7 });
  assert.is(r.read(IS), 1);
  assert.is(r.high, false);
  assert.is(r.raised, 0);
  r.write(GHC, 2);
  assert.is(r.high, true);
  assert.is(r.raised, 1);
  r.run({ command: 0xe7 });
  assert.is(r.raised, 1); // still the same
  r.write(IS, 1);
  assert.is(r.raised, 2); // PxIS was left: the bit comes back, and another message with it
  r.write(PxIS, 1);
  r.write(IS, 1);
  assert.is(r.high, false);
  assert.is(r.raised, 2);
  r.run({ command: 0xe7 });
  assert.is(r.raised, 3);
});

test("parts of registers, and accesses across them", () => {
  const r = new Rig();
  r.settle();
  assert.is(r.read(PxSSTS, 1), 0x13);
  assert.is(r.read(PxSSTS + 1, 1), 1);
  assert.is(r.read(PxTFD, 2), 0x150);
  r.write(PxSERR + 2, 0x0401, 2);
  assert.is(r.read(PxSERR), 0);
  assert.is(r.read(0xffe, 4), 0);
});

test.run();
