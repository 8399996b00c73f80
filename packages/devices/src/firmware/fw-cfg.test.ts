import { mib } from "@castaway/kit";
import * as assert from "uvu/assert";
import { Rig as TestRig, twice } from "../twice.test-support.ts";
import { boardItems, bootFailWait, bootOrder, e820, featureControl } from "./board-items.ts";
import { ascii, FwCfg, fwCfgState } from "./fw-cfg.ts";

twice("fw_cfg", (test, hops) => {
  function rig() {
    const files = { bootorder: bootOrder(["/pci@i0cf8/*@4/drive@0/disk@0", "HALT"]), "etc/e820": e820(mib(512)) };
    const make = () => new FwCfg({ items: boardItems({ cpus: 4, serialConsole: true }), files });
    const r = new TestRig(fwCfgState, make, hops);
    return (key: number, count: number) => {
      r.step().write(0, 2, key);
      return Array.from({ length: count }, () => r.step().read(1, 1));
    };
  }

  test("signature and features", () => {
    const read = rig();
    assert.equal(read(0, 6), [...ascii("QEMU"), 0, 0]);
    assert.equal(read(1, 4), [1, 0, 0, 0]);
  });

  test("items of the board; what is not there reads as zeros", () => {
    const read = rig();
    assert.equal(read(5, 2), [4, 0]);
    assert.equal(read(0x0f, 2), [4, 0]);
    assert.equal(read(4, 2), [1, 0]);
    assert.equal(read(0x8002, 1), [1]);
    assert.equal(read(0x0d, 8), [0, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(read(0x7777, 2), [0, 0]);
  });

  test("the directory names the files, in order, big-endian", () => {
    const read = rig();
    const bytes = read(0x19, 4 + 128);
    assert.equal(bytes.slice(0, 4), [0, 0, 0, 2]);
    assert.equal(bytes.slice(4, 12), [0, 0, 0, 35, 0, 0x20, 0, 0]);
    assert.equal(bytes.slice(12, 12 + 10), [...ascii("bootorder"), 0]);
    assert.equal(bytes.slice(68, 76), [0, 0, 0, 20, 0, 0x21, 0, 0]);
    assert.equal(bytes.slice(76, 76 + 9), [...ascii("etc/e820"), 0]);
    assert.equal(read(0x20, 36), [...ascii("/pci@i0cf8/*@4/drive@0/disk@0\nHALT\0"), 0]);
    assert.equal(read(0x21, 20), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0]);
  });

  test("accesses of other sizes do nothing", () => {
    const fwCfg = new FwCfg({});
    fwCfg.write(0, 1, 5);
    fwCfg.write(1, 1, 5);
    assert.is(fwCfg.read(0, 2), 0);
    assert.is(fwCfg.read(1, 1), "Q".charCodeAt(0));
    assert.is(fwCfg.read(1, 2), 0);
    assert.is(fwCfg.read(1, 1), "E".charCodeAt(0));
  });

  test("small files", () => {
    assert.equal([...featureControl()], [5, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal([...bootFailWait(1000)], [0xe8, 3, 0, 0]);
    assert.equal([...bootFailWait(undefined)], [255, 255, 255, 255]);
    assert.equal(e820(mib(64), { base: 0xfeffc000, size: 0x4000, reserved: true }).length, 40);
  });
});
