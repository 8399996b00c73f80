import { Clock } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { trip } from "../../hop.test-support.ts";
import { AtaDrive } from "../ata/drive.ts";
import { blankDisk } from "../media/overlay.ts";
import { AhciController } from "./function.ts";

function board() {
  const clock = new Clock();
  const log: string[] = [];
  let high = false;
  const drive = new AtaDrive({ clock, medium: blankDisk("1MiB") });
  const show = (base: number, size: number) => `${base.toString(16)}+${size.toString(16)}`;
  const env = {
    mapper: {
      map: (kind: string, base: number, size: number) => void log.push(`map ${kind} ${show(base, size)}`),
      unmap: (kind: string, base: number, size: number) => void log.push(`unmap ${kind} ${show(base, size)}`),
    },
    intx: {
      set: (asserted: boolean) => {
        if (asserted && !high) log.push("intx");
        high = asserted;
      },
    },
    message: (address: number, data: number) => void log.push(`message ${address.toString(16)} ${data}`),
    dma: { read: (_: number, into: Uint8Array) => void into.fill(0), write: () => undefined },
  };
  const ahci = new AhciController(env, { clock, drives: [drive] });
  return { clock, ahci, log, config: ahci.pci.config };
}

test("identity, BARs and capabilities are those of ICH9 [ICH9 14.1]", () => {
  const { config, log } = board();
  assert.is(config.read(0x00, 4), 0x2922_8086);
  assert.is(config.read(0x08, 4), 0x0106_0102);
  assert.is(config.read(0x3c, 2), 0x0100);
  assert.is(config.read(0x34, 1), 0x80);
  assert.is(config.read(0x80, 2), 0xa805);
  assert.is(config.read(0xa8, 4), 0x0010_0012);
  assert.is(config.read(0xac, 4), 0x48);
  config.write(0x24, 4, 0xffff_ffff);
  config.write(0x20, 4, 0xffff_ffff);
  assert.is(config.read(0x24, 4), 0xffff_f000);
  assert.is(config.read(0x20, 4), 0xffff_ffe1);
  config.write(0x24, 4, 0xfebf_1000);
  config.write(0x20, 4, 0xc041);
  config.write(0x04, 2, 7);
  assert.equal(log, ["map io c040+20", "map memory febf1000+1000"]);
});

test("the index/data pair reaches the same registers [AHCI 1.3.1 2.4]", () => {
  const { ahci, config } = board();
  config.write(0x20, 4, 0xc041);
  config.write(0x04, 2, 1);
  const pair = ahci.pci.ranges[0].space;
  pair.write(0x10, 4, 0x104);
  pair.write(0x14, 4, 5);
  assert.is(pair.read(0x10, 4), 0x104);
  assert.is(pair.read(0x14, 4), 5);
  assert.is(ahci.hba.read(0x104, 4), 5);
  pair.write(0x10, 4, 0xffff_ffff);
  assert.is(pair.read(0x10, 4), 0xffc);
});

test("INTx follows the level; with MSI a message goes each time something appears, also after restore", () => {
  const { clock, ahci, config, log } = board();
  config.write(0x04, 2, 6);
  ahci.hba.write(0x114, 4, 0x0040_0040);
  ahci.hba.write(0x04, 4, 2);
  clock.advanceTo(1_000_000);
  assert.equal(log, ["intx"]);
  config.write(0x84, 4, 0xfee0_1000);
  config.write(0x8c, 2, 0x31);
  config.write(0x82, 2, 1);
  ahci.hba.write(0x08, 4, 1); // the port still asks
  assert.equal(log.slice(1), ["message fee01000 49"]);
  const state = trip(ahci, ahci.state);
  const other = board();
  other.ahci.restore(state);
  assert.equal(other.log, []);
  other.ahci.hba.write(0x08, 4, 1);
  assert.equal(other.log, ["message fee01000 49"]);
});

test.run();
