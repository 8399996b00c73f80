import type { Shape } from "@castaway/kit";
import * as assert from "uvu/assert";
import type { PciFunctionState } from "../pci/function.ts";
import { ram, Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { HostBridge, type PamSegment } from "./host-bridge.ts";
import { IsaBridge } from "./isa-bridge.ts";
import { PowerManagement } from "./power.ts";

/** The state of a PCI function is checked by the function, which knows its registers. */
const anyState = { check: () => {} } as unknown as Shape<PciFunctionState>;

twice("440FX host bridge", (test, hops) => {
  function rig() {
    const w = new Wires();
    const map = new Map<number, string>();
    let told = 0;
    const pam = ({ base, size, readable, writable }: PamSegment) => {
      told++;
      map.set(base, `${(size >> 10).toString()}${readable ? "r" : "-"}${writable ? "w" : "-"}`);
    };
    const make = () => new HostBridge({ pam, smram: (open) => w.log.push(open ? "open" : "closed") });
    const r = new TestRig(anyState, make, hops);
    r.chip.reset();
    w.take();
    const write = (at: number, bytes: 1 | 2 | 4, value: number) => r.step().pci.config.write(at, bytes, value);
    const read = (at: number, bytes: 1 | 2 | 4) => r.step().pci.config.read(at, bytes);
    return { r, w, map, read, write, told: () => told };
  }

  test("identifies itself, with the subsystem by which firmware knows the board", () => {
    const { read } = rig();
    assert.equal([read(0, 4), read(8, 4), read(0x0e, 1), read(0x2c, 4)], [0x12378086, 0x06000002, 0, 0x11001af4]);
    for (const bar of [0x10, 0x24, 0x30]) assert.is(read(bar, 4), 0);
  });

  test("after reset ROM answers everywhere between C0000 and FFFFF", () => {
    const { map } = rig();
    assert.is(map.size, 13);
    assert.is(map.get(0xf0000), "64--");
    for (let base = 0xc0000; base < 0xf0000; base += 0x4000) assert.is(map.get(base), "16--");
  });

  test("SeaBIOS opens the shadow and closes it: 33 everywhere, then 11", () => {
    const { r, map, read, write } = rig();
    r.step();
    assert.is(read(0x59, 1) & 0x10, 0);
    write(0x58, 4, 0x33333000 | read(0x58, 1));
    write(0x5c, 4, 0x33333333);
    assert.ok([...map.values()].every((state) => state.endsWith("rw")));
    assert.is(read(0x59, 1), 0x30);
    write(0x58, 4, 0x11111000);
    write(0x5c, 4, 0x33111111);
    assert.is(map.get(0xf0000), "64r-");
    assert.is(map.get(0xe4000), "16r-");
    assert.is(map.get(0xe8000), "16rw");
    assert.is(map.get(0xec000), "16rw");
  });

  test("reads and writes of a segment are independent, low half first", () => {
    const { map, write } = rig();
    write(0x5a, 1, 0x21);
    assert.is(map.get(0xc0000), "16r-");
    assert.is(map.get(0xc4000), "16-w");
    assert.is(map.get(0xc8000), "16--");
  });

  test("only segments that change are told", () => {
    if (hops) return; // restoring tells of all of them
    const { write, told } = rig();
    const before = told();
    write(0x5a, 1, 0x01);
    write(0x5a, 1, 0x01);
    assert.is(told(), before + 1);
  });

  test("SMRAM opens until it is locked", () => {
    const { r, read, write } = rig();
    write(0x72, 1, 0x4a);
    assert.is(read(0x72, 1), 0x4a);
    assert.is(r.step().smramOpen, true);
    write(0x72, 1, 0x5a);
    assert.is(r.step().smramOpen, false);
    write(0x72, 1, 0x4a);
    assert.is(r.step().smramOpen, false);
    assert.is(read(0x72, 1), 0x1a);
  });
});

twice("PIIX3 ISA bridge", (test, hops) => {
  function rig() {
    const w = new Wires();
    const r = new TestRig(anyState, () => new IsaBridge({ irq: (n) => w.line(`${n}`) }), hops);
    const levels = [false, false, false, false];
    const pirq = (index: number, high: boolean) => {
      levels[index] = high;
      const chip = r.step();
      for (const [n, level] of levels.entries()) chip.pirq[n].set(level); // the functions drive them when restored
    };
    const asserted = () => [...w.levels].filter(([, high]) => high).map(([name]) => Number(name));
    return { r, pirq, asserted, write: (at: number, value: number) => r.step().pci.config.write(at, 1, value) };
  }

  test("identifies itself as one of several functions", () => {
    const { config } = rig().r.step().pci;
    assert.equal([config.read(0, 4), config.read(8, 4), config.read(0x0e, 1)], [0x70008086, 0x06010000, 0x80]);
  });

  test("PIRQs lead nowhere until they are routed [82371SB 2.2, PIRQRC]", () => {
    const { pirq, asserted } = rig();
    pirq(0, true);
    assert.equal(asserted(), []);
  });

  test("PIRQs share interrupt requests, wired-or", () => {
    const { pirq, asserted, write } = rig();
    for (const [index, irq] of [10, 10, 11, 11].entries()) write(0x60 + index, irq);
    pirq(0, true);
    pirq(1, true);
    assert.equal(asserted(), [10]);
    pirq(0, false);
    assert.equal(asserted(), [10]);
    pirq(3, true);
    pirq(1, false);
    assert.equal(asserted(), [11]);
  });

  test("a route that moves takes its level along; reserved ones and bit 7 lead nowhere", () => {
    const { pirq, asserted, write } = rig();
    write(0x60, 5);
    pirq(0, true);
    write(0x60, 11);
    pirq(0, true);
    assert.equal(asserted(), [11]);
    for (const route of [0, 2, 8, 13, 0x8b]) {
      write(0x60, route);
      pirq(0, true);
      assert.equal(asserted(), []);
    }
  });
});

twice("PIIX4 power management function", (test, hops) => {
  test("decodes its ports where PMBA says, once enabled", () => {
    const w = new Wires();
    const acpi = ram(64);
    const mapper = {
      map: (kind: string, base: number, size: number) => w.log.push(`map ${kind} ${base.toString(16)} ${size}`),
      unmap: (_kind: string, base: number) => w.log.push(`unmap ${base.toString(16)}`),
    };
    const r = new TestRig(anyState, () => new PowerManagement({ mapper, acpi }), hops);
    const write = (at: number, value: number) => {
      const chip = r.step();
      w.take();
      chip.pci.config.write(at, 4, value);
    };
    const { config } = r.step().pci;
    assert.equal([config.read(0, 4), config.read(8, 4), config.read(0x3d, 1)], [0x71138086, 0x06800003, 1]);
    assert.is(config.read(0x58, 4) & 0x02000000, 0x02000000);
    write(0x40, 0x601);
    assert.equal(w.take(), []);
    write(0x80, 1);
    assert.equal(w.take(), ["map io 600 64"]);
    write(0x40, 0xb001);
    assert.equal(w.take(), ["unmap 600", "map io b000 64"]);
    write(0x80, 0);
    assert.equal(w.take(), ["unmap b000"]);
  });
});
