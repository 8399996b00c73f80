/**
 * Real firmware on the processor alone: SeaBIOS from its reset vector, with a CMOS, a debug port and a host bridge's
 * identity instead of a board. It sizes memory, counts processors through the local APIC, builds its tables, and halts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Cpu, type Ports } from "@castaway/cpu";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../scripts/bundle.mjs";

const test = suite("SeaBIOS without a board");
const bios = new Uint8Array(readFileSync(join(root, "firmware-blobs/seabios/bios.bin")));

/** Offsets in the host bridge's configuration space and the bytes there: 8086:1237, subsystem 1AF4:1100, PAM open. */
const BRIDGE = new Map(
  Object.entries({ 0: 0x86, 1: 0x80, 2: 0x37, 3: 0x12, 11: 6, 44: 0xf4, 45: 0x1a, 47: 0x11, 89: 0x30 }),
);

function ports(cpus: number, print: (text: string) => void): Ports {
  const cmos = new Uint8Array(128);
  cmos.set([0x26, 0x02, 0, 0x80], 0x0a);
  cmos.set([0x00, 0x07], 0x34); // 16 MiB + 1792 * 64 KiB
  cmos[0x5f] = cpus - 1;
  let index = 0;
  let address = 0;
  let refresh = 0;
  return {
    read(port, bytes) {
      if (port === 0x402) return 0xe9;
      if (port === 0x71) return cmos[index]!;
      if (port === 0x92) return 2;
      if (port === 0x61) return (refresh ^= 0x20);
      if (port === 0xcf8) return address;
      const bridge = port >= 0xcfc && port <= 0xcff && address >>> 31 === 1 && ((address >> 8) & 0xffff) === 0;
      let value = 0;
      for (let i = 0; i < bytes; i++) {
        const byte = bridge ? (BRIDGE.get(String((address & 0xfc) + (port & 3) + i)) ?? 0) : 0xff;
        value += byte * [1, 256, 65536, 16777216][i]!;
      }
      return value;
    },
    write(port, _bytes, value) {
      if (port === 0x402) print(String.fromCharCode(value & 0xff));
      else if (port === 0x70) index = value & 0x7f;
      else if (port === 0xcf8) address = value;
    },
  };
}

function powerOn(executor: "evaluator" | "interpreter", cpus = 1): { cpu: Cpu; log: () => string } {
  let text = "";
  const cpu = new Cpu({
    memory: "128MiB",
    extraBytes: bios.length,
    executor,
    cpus,
    ports: ports(cpus, (s) => {
      text += s;
    }),
  });
  const host = cpu.physical.allocate(bios.length);
  cpu.physical.u8.set(bios, host);
  for (let page = 0; page < bios.length / 4096; page++) cpu.physical.mapHost(0xfffe0 + page, host + page * 4096, false);
  cpu.write(0xe0000, bios);
  cpu.physicalMapChanged();
  return { cpu, log: () => text };
}

test("runs its power-on self test to the end", () => {
  const { cpu, log } = powerOn("interpreter");
  assert.is(cpu.run({ instructions: 20_000_000 }).reason, "idle");
  assert.match(log(), /SeaBIOS \(version 1\.16\.2/);
  assert.match(log(), /RamSize: 0x08000000 \[cmos\]/);
  assert.match(log(), /Found 1 cpu\(s\)/);
  assert.match(log(), /Press ESC for boot menu/);
});

test("finds four processors by INIT and SIPI", () => {
  const { cpu, log } = powerOn("interpreter", 4);
  cpu.run({ instructions: 20_000_000 });
  assert.match(log(), /Found 4 cpu\(s\)/);
});

test("evaluator and interpreter have equal digests after every 50,000 instructions", () => {
  const oracle = powerOn("evaluator").cpu;
  const subject = powerOn("interpreter").cpu;
  for (let n = 0; n < 6; n++) {
    oracle.run({ instructions: 50_000 });
    subject.run({ instructions: 50_000 });
    assert.is(
      subject.digest({ ram: n === 5 }),
      oracle.digest({ ram: n === 5 }),
      `after ${subject.retired} instructions`,
    );
  }
});

test("four processors have equal digests in both executors, also when saved and restored on the way", () => {
  const oracle = powerOn("evaluator", 4).cpu;
  let subject = powerOn("interpreter", 4).cpu;
  for (let n = 0; n < 4; n++) {
    oracle.run({ instructions: 100_000 });
    subject.run({ instructions: 100_000 });
    const saved = subject.save();
    subject = powerOn("interpreter", 4).cpu;
    subject.restore(saved);
    assert.is(subject.digest(), oracle.digest(), `after ${subject.retired} instructions`);
  }
});

test.run();
