import { Clock, mib, Probe, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { nvram } from "../firmware/nvram.ts";
import { Pit } from "../timers/pit.ts";
import { Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { DmaControllers, dmaState } from "./dma.ts";
import {
  Apm,
  apmState,
  constantPorts,
  debugPort,
  exitPort,
  Port61,
  Port92,
  port61State,
  port92State,
  ResetControl,
  resetControlState,
} from "./ports.ts";

twice("small ports", (test, hops) => {
  test("CF9: a rising bit 2 resets, bit 1 says what [82371AB 4.2.7]", () => {
    const w = new Wires();
    const r = new TestRig(resetControlState, () => new ResetControl((kind) => w.log.push(kind)), hops);
    const write = (value: number) => r.step().ports.write(0, 1, value);
    write(2);
    assert.equal(w.take(), []);
    write(6);
    assert.equal(w.take(), ["hard"]);
    write(6);
    assert.equal(w.take(), []);
    write(0);
    write(4);
    assert.equal(w.take(), ["soft"]);
    assert.is(r.step().ports.read(0, 1), 4);
  });

  test("92: gate A20, and a reset at a rising bit 0 [82371AB 4.2.7]", () => {
    const w = new Wires();
    let gate = false;
    const a20 = (on: boolean) => {
      if (on !== gate) w.log.push(`a20 ${on}`);
      gate = on;
    };
    const env = { a20, reset: (kind: string) => w.log.push(kind) };
    const r = new TestRig(port92State, () => new Port92(env), hops);
    const write = (value: number) => r.step().ports.write(0, 1, value);
    write(2);
    assert.is(r.step().ports.read(0, 1), 2);
    write(1);
    write(1);
    assert.equal(w.take(), ["a20 true", "a20 false", "soft"]);
  });

  test("61: gate and output of counter 2, and the refresh bit [82371AB 4.2.4]", () => {
    const pit = new Pit({ clock: new Clock(), irq: { set: () => {} } });
    const r = new TestRig(port61State, (clock) => new Port61({ clock, pit }), hops);
    pit.ports.write(3, 1, 0xb6);
    assert.is(r.step().ports.read(0, 1), 0x20);
    r.step().ports.write(0, 1, 0xff);
    assert.is(r.step().ports.read(0, 1), 0x2f);
    assert.is(r.step().speaker, true);
    let changes = 0;
    for (let i = 0, before = 0; i < 10000; i++) {
      r.after(us(1));
      const now = r.chip.ports.read(0, 1) & 0x10;
      if (now !== before) changes++;
      before = now;
    }
    assert.is(changes, Math.floor((10000 * 1.193182) / 18));
  });

  test("B2 and B3: the guest asks for ACPI, and gets it at once [82371AB 4.2.6]", () => {
    const w = new Wires();
    const r = new TestRig(apmState, () => new Apm({ acpi: (on) => w.log.push(`acpi ${on}`) }), hops);
    r.step().ports.write(1, 1, 0x42);
    r.step().ports.write(0, 1, 0xf1);
    r.step().ports.write(0, 1, 0x12);
    assert.is(r.step().ports.read(0, 2), 0x4212);
    r.step().ports.write(0, 1, 0xf0);
    assert.equal(w.take(), ["acpi true", "acpi false"]);
  });

  test("DMA controllers keep what is written [8237A]", () => {
    const r = new TestRig(dmaState, () => new DmaControllers(), hops);
    const dma = () => r.step();
    dma().first.write(13, 1, 0); // master clear
    assert.is(dma().first.read(15, 1), 0xff);
    dma().first.write(4, 1, 0x34);
    dma().first.write(4, 1, 0x12);
    assert.equal([dma().first.read(4, 1), dma().first.read(4, 1)], [0x34, 0x12]);
    dma().first.write(10, 1, 2);
    assert.is(dma().first.read(15, 1), 0xfb);
    dma().second.write(0x1a, 1, 0);
    dma().second.write(0x14, 1, 1);
    assert.is(dma().second.read(0x1e, 1), 0xfd);
    assert.is(dma().first.read(8, 1), 0);
    dma().pages.write(0, 1, 0x5a);
    dma().pages.write(7, 1, 0xa5);
    assert.is(dma().pages.read(7, 1), 0xa5);
    assert.is(dma().postCode, 0x5a);
  });
});

const test = suite("debug ports");
test("bytes reach who listens; reads say that somebody is there", () => {
  const probe = new Probe<number>("bytes");
  const port = debugPort(probe);
  port.write(0, 1, 0x41);
  const seen: number[] = [];
  probe.on((byte) => seen.push(byte));
  port.write(0, 1, 0x42);
  assert.equal(seen, [0x42]);
  assert.is(port.read(0, 1), 0xe9);
});
test("isa-debug-exit tells the code", () => {
  const codes: number[] = [];
  exitPort((code) => codes.push(code)).write(0, 4, 0x10);
  assert.equal(codes, [0x10]);
});
test("constant ports", () => {
  const zeros = constantPorts(0);
  zeros.write(3, 4, 0xffffffff);
  assert.is(zeros.read(3, 4), 0);
});
test("bytes of the RTC's memory say what the board has", () => {
  const bytes = nvram({ ram: mib(512), cpus: 4, boot: ["network", "disk"] });
  assert.equal([bytes[0x34], bytes[0x35]], [0x00, 0x1f]); // 496 MiB in units of 64 KiB
  assert.equal([bytes[0x17], bytes[0x18]], [0xff, 0xff]);
  assert.equal([bytes[0x3d], bytes[0x38], bytes[0x5f]], [0x24, 1, 3]);
});
test.run();
