import { ro, rw } from "@castaway/kit";
import * as assert from "uvu/assert";
import type { Device } from "../device.ts";
import { type Rig, ram, Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { PciBus, type PciBusState } from "./bus.ts";
import { msiCapability } from "./config.ts";
import { PciFunction, type PciFunctionState } from "./function.ts";

type State = { bus: PciBusState; card: PciFunctionState };

/** A bus with one card in slot 4: every kind of base address register, a ROM, MSI with masks. */
class Board implements Device<State> {
  readonly bus: PciBus;
  readonly card: PciFunction<"OWN">;
  constructor(w: Wires, spaces: ReturnType<typeof ram>[]) {
    const lines = [0, 1, 2, 3].map((n) => w.line(`PIRQ${n}`));
    const [a, b, c, d] = lines;
    this.bus = new PciBus({
      pirq: [a, b, c, d],
      resetControl: { read: () => 0x5a, write: (_o, _n, v) => w.log.push(`cf9 ${v}`) },
    });
    const show = (kind: string, base: number, size: number) => `${kind} ${base.toString(16)}+${size.toString(16)}`;
    this.card = new PciFunction(
      {
        vendor: 0x1234,
        device: 0x5678,
        revision: 9,
        classCode: 0x010601,
        interruptPin: 1,
        rom: 0x10000,
        bars: {
          0: { kind: "memory", size: 0x1000 },
          1: { kind: "io", size: 0x20 },
          2: { kind: "memory", size: 0x100000, wide: true, prefetchable: true },
        },
        capabilities: [
          { id: 0x12, at: 0x70, registers: { SATA: ro(0x72, 0x10, "test", { size: 2 }) } },
          msiCapability(0x80, { maskable: true }),
        ],
        registers: { OWN: rw(0x40, 0x0f, "test", { size: 1, reset: 3 }) },
        hooks: { OWN: (written: number) => w.log.push(`own ${written}`) },
      },
      {
        mapper: {
          map: (kind, base, size) => w.log.push(`map ${show(kind, base, size)}`),
          unmap: (kind, base, size) => w.log.push(`unmap ${show(kind, base, size)}`),
        },
        intx: this.bus.intx(4, 1),
        message: (address, data) => w.log.push(`message ${address.toString(16)} ${data.toString(16)}`),
        dma: { read: (_a, into) => into.fill(7), write: (address) => w.log.push(`dma ${address}`) },
      },
    );
    for (const [index, space] of spaces.entries()) this.card.attach(index as 0 | 1 | 2, space);
    this.card.attach("rom", ram(0x10000));
    this.bus.add(4, 0, this.card);
  }
  reset() {
    this.bus.reset();
    this.card.reset();
  }
  save() {
    return { bus: this.bus.save(), card: this.card.save() };
  }
  restore(s: State) {
    this.card.restore(s.card);
    this.bus.restore(s.bus);
  }
}

twice("PCI", (test, hops) => {
  function rig() {
    const w = new Wires();
    const spaces = [ram(0x1000), ram(0x20), ram(0x100000)];
    const anything = { check: () => {} } as never;
    const r: Rig<State, Board> = new TestRig<State, Board>(anything, () => new Board(w, spaces), hops);
    const step = r.step.bind(r);
    r.step = () => {
      const told = w.take(); // what a fresh board maps while it is restored was told already
      const board = step();
      w.take();
      w.log.push(...told);
      return board;
    };
    const address = (reg: number, fn = 4 << 3) => 0x80000000 + (fn << 8) + (reg & 0xfc);
    const read = (reg: number, bytes: number, fn?: number) => {
      r.step().bus.ports.write(0, 4, address(reg, fn));
      return r.step().bus.ports.read(4 + (reg & 3), bytes);
    };
    const write = (reg: number, bytes: number, value: number) => {
      r.step().bus.ports.write(0, 4, address(reg));
      r.step().bus.ports.write(4 + (reg & 3), bytes, value);
    };
    return { r, w, read, write };
  }

  test("configuration space is read in bytes, words and double words [PCI 3.2.2.3.2]", () => {
    const { read } = rig();
    assert.is(read(0, 4), 0x56781234);
    assert.is(read(0, 2), 0x1234);
    assert.is(read(2, 2), 0x5678);
    assert.is(read(3, 1), 0x56);
    assert.is(read(8, 4), 0x01060109);
    assert.is(read(0x2c, 4), 0x11001af4);
    assert.is(read(0x3d, 1), 1);
    assert.is(read(0x60, 4), 0);
  });

  test("absent functions, other buses, and a disabled address read as ones", () => {
    const { r, read } = rig();
    assert.is(read(0, 4, 5 << 3), 0xffffffff);
    assert.is(read(0, 2, (4 << 3) | 1), 0xffff);
    assert.is(read(0, 4, 0x100 | (4 << 3)), 0xffffffff);
    const { ports } = r.chip.bus;
    ports.write(0, 4, 4 << 11);
    assert.is(ports.read(4, 4), 0xffffffff);
    ports.write(0, 4, 0xffffffff);
    assert.is(ports.read(0, 4), 0x80fffffc);
    assert.is(ports.read(7, 2), 0xffff);
    ports.write(7, 4, 0);
    ports.write(0, 2, 0); // no access to the address register: it has 32 bits or none
    assert.is(ports.read(0, 4), 0x80fffffc);
    assert.is(ports.read(0, 2), 0xffff);
  });

  test("bytes at CF9 are the reset control register's", () => {
    const { r, w } = rig();
    r.chip.bus.ports.write(1, 1, 6);
    assert.equal(w.take(), ["cf9 6"]);
    assert.is(r.chip.bus.ports.read(1, 1), 0x5a);
    assert.is(r.chip.bus.ports.read(0, 4), 0);
  });

  test("base address registers tell their sizes and types [PCI 6.2.5.1]", () => {
    const { read, write } = rig();
    for (const reg of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30]) write(reg, 4, 0xffffffff);
    assert.is(read(0x10, 4), 0xfffff000);
    assert.is(read(0x14, 4), 0xffffffe1);
    assert.is(read(0x18, 4), 0xfff0000c);
    assert.is(read(0x1c, 4), 0xffffffff);
    assert.is(read(0x20, 4), 0);
    assert.is(read(0x24, 4), 0);
    assert.is(read(0x30, 4), 0xffff0001);
  });

  test("ranges are decoded where the registers say, while the command register allows it [PCI 6.2.2]", () => {
    const { w, write } = rig();
    write(0x10, 4, 0xfebf0000);
    write(0x14, 4, 0xc000);
    write(0x18, 4, 0x00100000);
    write(0x1c, 4, 2);
    assert.equal(w.take(), []);
    write(4, 2, 1);
    assert.equal(w.take(), ["map io c000+20"]);
    write(4, 2, 3);
    assert.equal(w.take(), ["map memory febf0000+1000", "map memory 200100000+100000"]);
    write(0x14, 2, 0xc100);
    assert.equal(w.take(), ["unmap io c000+20", "map io c100+20"]);
    write(0x10, 4, 0xffffffff); // sized while decoding: it is nowhere meanwhile
    write(0x10, 4, 0xe0000000);
    assert.equal(w.take(), ["unmap memory febf0000+1000", "map memory e0000000+1000"]);
    write(4, 2, 0);
    assert.equal(w.take(), ["unmap memory e0000000+1000", "unmap io c100+20", "unmap memory 200100000+100000"]);
  });

  test("the expansion ROM has an enable bit of its own [PCI 6.2.5.2]", () => {
    const { w, write } = rig();
    write(4, 2, 2);
    write(0x30, 4, 0xfeb00000);
    assert.equal(w.take(), []);
    write(0x30, 4, 0xfeb00001);
    assert.equal(w.take(), ["map memory feb00000+10000"]);
    write(0x30, 4, 0xfeb00000);
    assert.equal(w.take(), ["unmap memory feb00000+10000"]);
  });

  test("reset takes every range away", () => {
    const { r, w, write } = rig();
    write(0x10, 4, 0xfebf0000);
    write(4, 2, 2);
    w.take();
    r.step().reset();
    assert.equal(w.take(), ["unmap memory febf0000+1000"]);
  });

  test("registers of the function's own, with its hooks", () => {
    const { w, read, write } = rig();
    assert.is(read(0x40, 1), 3);
    write(0x40, 1, 0xf5);
    assert.is(read(0x40, 4), 5);
    assert.equal(w.take(), [`own ${0xf5}`]);
  });

  test("INTA# of slot 4 is PIRQ index 3; the status bit tells, the disable bit forbids [PCI 6.2.3]", () => {
    const { r, w, read, write } = rig();
    r.step().card.irq.set(true);
    assert.is(w.high("PIRQ3"), true);
    assert.is(read(6, 2), 0x0018);
    write(4, 2, 0x400);
    assert.is(w.high("PIRQ3"), false);
    assert.is(read(6, 2), 0x0018);
    write(4, 2, 0);
    assert.is(w.high("PIRQ3"), true);
    r.step().card.irq.set(false);
    assert.is(w.high("PIRQ3"), false);
    assert.is(read(6, 2), 0x0010);
  });

  test("the capability list has the entries in their order [PCI 6.7]", () => {
    const { read } = rig();
    assert.is(read(0x34, 1), 0x70);
    assert.is(read(0x70, 4), 0x00108012);
    assert.is(read(0x80, 4), 0x01800005);
  });

  test("MSI: a rising edge is a message, and INTx# stays quiet [PCI 6.8]", () => {
    const { r, w, write } = rig();
    write(0x84, 4, 0xfee01004);
    write(0x8c, 2, 0x4041);
    write(0x82, 2, 1);
    r.step().card.irq.set(true);
    assert.equal(w.take(), []); // not without being a bus master
    r.step().card.irq.set(false);
    write(4, 2, 4);
    r.step().card.irq.set(true);
    r.step().card.irq.set(true);
    assert.equal(w.take(), ["message fee01004 4041"]);
    assert.is(w.high("PIRQ3"), false);
    r.step().card.signal();
    assert.equal(w.take(), ["message fee01004 4041"]);
    write(0x82, 2, 0);
    assert.is(w.high("PIRQ3"), true);
  });

  test("MSI: a masked message stays pending and leaves when unmasked [PCI 6.8.1.7]", () => {
    const { r, w, read, write } = rig();
    write(4, 2, 4);
    write(0x84, 4, 0xfee00000);
    write(0x82, 2, 1);
    write(0x90, 4, 1);
    r.step().card.irq.set(true);
    assert.equal(w.take(), []);
    assert.is(read(0x94, 4), 1);
    write(0x90, 4, 0);
    assert.equal(w.take(), ["message fee00000 0"]);
    assert.is(read(0x94, 4), 0);
  });

  test("only a bus master reaches memory [PCI 6.2.2]", () => {
    const { r, w, write } = rig();
    const bytes = new Uint8Array(2);
    r.step().card.dma.read(0x1000, bytes);
    r.step().card.dma.write(0x1000, bytes);
    assert.equal([...bytes], [0xff, 0xff]);
    write(4, 2, 4);
    r.step().card.dma.read(0x1000, bytes);
    r.step().card.dma.write(0x1000, bytes);
    assert.equal([...bytes], [7, 7]);
    assert.equal(w.take(), ["dma 4096"]);
  });
});
