import * as assert from "uvu/assert";
import { Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { Pics, picsState } from "./pics.ts";

twice("8259A pair", (test, hops) => {
  function rig() {
    const w = new Wires();
    const r = new TestRig(picsState, () => new Pics({ intr: w.line("INTR") }), hops);
    const chip = (port: number) => (port < 0xa0 ? r.step().master : r.step().slave);
    const out = (port: number, value: number) => chip(port).ports.write(port & 1, 1, value);
    const inp = (port: number) => chip(port).ports.read(port & 1, 1);
    const irq = (n: number, high: boolean) => r.step().line(n).set(high);
    const pulse = (n: number) => {
      irq(n, false);
      irq(n, true);
    };
    return { w, r, out, inp, irq, pulse, ack: () => r.step().acknowledge(), intr: () => w.high("INTR") };
  }
  /** As a PC's firmware initializes them: vectors 08 and 70, everything unmasked. */
  function ready(icw4 = 1) {
    const p = rig();
    for (const [port, words] of [
      [0x20, [0x11, 8, 4, icw4]],
      [0xa0, [0x11, 0x70, 2, 1]],
    ] as const) {
      for (const [i, word] of words.entries()) p.out(port | (i > 0 ? 1 : 0), word);
    }
    return p;
  }

  test("nothing is asked before initialization", () => {
    const p = rig();
    p.irq(0, true);
    assert.is(p.intr(), false);
  });

  test("an edge is served once; its end is the guest's [8259A fully nested mode]", () => {
    const p = ready();
    p.pulse(1);
    assert.is(p.intr(), true);
    assert.is(p.inp(0x20), 2);
    assert.is(p.ack(), 9);
    assert.is(p.intr(), false);
    p.out(0x20, 0x0b);
    assert.is(p.inp(0x20), 2);
    p.out(0x20, 0x20);
    assert.is(p.inp(0x20), 0);
    assert.is(p.intr(), false); // the line is still high, and was served
    p.pulse(1);
    assert.is(p.intr(), true);
  });

  test("lower inputs wait for the one in service, higher ones interrupt it", () => {
    const p = ready();
    p.pulse(4);
    assert.is(p.ack(), 12);
    p.pulse(5);
    assert.is(p.intr(), false);
    p.pulse(1);
    assert.is(p.ack(), 9);
    p.out(0x20, 0x20);
    assert.is(p.intr(), false);
    p.out(0x20, 0x20);
    assert.is(p.ack(), 13);
  });

  test("OCW1 masks; a masked edge is remembered", () => {
    const p = ready();
    p.out(0x21, 0xff);
    p.pulse(3);
    assert.is(p.intr(), false);
    assert.is(p.inp(0x21), 0xff);
    p.out(0x21, 0xf7);
    assert.is(p.ack(), 11);
  });

  test("the slave's requests come through input 2, with its vectors", () => {
    const p = ready();
    p.pulse(14);
    assert.is(p.ack(), 0x76);
    p.pulse(12);
    assert.is(p.intr(), false); // the master takes the slave for one input, which is in service
    p.out(0xa0, 0x20);
    p.out(0x20, 0x20);
    assert.is(p.ack(), 0x74);
  });

  test("special fully nested mode lets the slave interrupt itself [8259A]", () => {
    const p = ready(0x11);
    p.pulse(14);
    assert.is(p.ack(), 0x76);
    p.pulse(12);
    assert.is(p.intr(), true);
    assert.is(p.ack(), 0x74);
  });

  test("a request that has gone is the spurious IRQ 7, without service [8259A default IR7]", () => {
    const p = ready();
    p.pulse(4);
    p.irq(4, false);
    assert.is(p.intr(), false);
    assert.is(p.ack(), 15);
    p.out(0x20, 0x0b);
    assert.is(p.inp(0x20), 0);
  });

  test("a slave's request that has gone is the spurious IRQ 15; the master serves input 2", () => {
    const p = ready();
    const other = p.r; // withdrawn between the master's choice and the slave's: by masking the slave behind its back
    p.pulse(10);
    other.chip.slave.set(2, false);
    other.chip.master.set(2, true);
    assert.is(other.chip.acknowledge(), 0x77);
    p.out(0x20, 0x0b);
    assert.is(p.inp(0x20), 4);
    p.out(0xa0, 0x0b);
    assert.is(p.inp(0xa0), 0);
  });

  test("level-triggered inputs ask as long as they are high [82371AB 4.2.2]", () => {
    const p = ready();
    p.r.step().elcr.write(0, 2, 0xffff);
    assert.is(p.r.step().elcr.read(0, 2), 0xdef8);
    p.irq(11, true);
    assert.is(p.ack(), 0x73);
    assert.is(p.intr(), false);
    p.out(0xa0, 0x63);
    p.out(0x20, 0x62);
    assert.is(p.intr(), true);
    p.irq(11, false);
    assert.is(p.intr(), false);
  });

  test("ICW1 forgets edges, masks and service; a line that is high needs a new edge [8259A]", () => {
    const p = ready();
    p.irq(3, true);
    p.out(0x21, 0x55);
    for (const [i, word] of [0x11, 0x20, 4, 1].entries()) p.out(i > 0 ? 0x21 : 0x20, word);
    assert.is(p.inp(0x21), 0);
    assert.is(p.intr(), false);
    p.pulse(3);
    assert.is(p.ack(), 0x23);
  });

  test("automatic end of interrupt, with rotation [8259A]", () => {
    const p = ready(3);
    p.pulse(0);
    p.pulse(1);
    assert.is(p.ack(), 8);
    assert.is(p.ack(), 9);
    p.out(0x20, 0x80);
    p.pulse(0);
    p.pulse(1);
    assert.is(p.ack(), 8); // now input 0 is the lowest
    p.pulse(0);
    assert.is(p.ack(), 9);
    assert.is(p.ack(), 8);
  });

  test("the slave's remaining request reaches the master after an automatic end", () => {
    const p = rig();
    for (const [i, word] of [0x11, 8, 4, 3].entries()) p.out(i > 0 ? 0x21 : 0x20, word);
    for (const [i, word] of [0x11, 0x70, 2, 3].entries()) p.out(i > 0 ? 0xa1 : 0xa0, word);
    p.pulse(9);
    p.pulse(10);
    assert.is(p.ack(), 0x71);
    assert.is(p.ack(), 0x72);
    assert.is(p.intr(), false);
  });

  test("rotation on a specific end, and set priority [8259A]", () => {
    const p = ready();
    p.pulse(3);
    assert.is(p.ack(), 11);
    p.out(0x20, 0xe3); // rotate on specific end: input 3 becomes the lowest
    p.pulse(3);
    p.pulse(4);
    assert.is(p.ack(), 12);
    p.out(0x20, 0x20);
    assert.is(p.ack(), 11);
    p.out(0x20, 0x20);
    p.out(0x20, 0xc7); // set priority: back to 7
    p.pulse(7);
    p.pulse(0);
    assert.is(p.ack(), 8);
  });

  test("special mask mode: a masked input in service holds nobody back [8259A]", () => {
    const p = ready();
    p.pulse(1);
    assert.is(p.ack(), 9);
    p.pulse(5);
    assert.is(p.intr(), false);
    p.out(0x21, 2);
    p.out(0x20, 0x68);
    assert.is(p.intr(), true);
    assert.is(p.ack(), 13);
    p.out(0x20, 0x20); // a non-specific end does not reach the masked one
    p.out(0x20, 0x0b);
    assert.is(p.inp(0x20), 2);
    p.out(0x20, 0x48);
    assert.is(p.intr(), false);
  });

  test("a poll is an acknowledge by reading [8259A poll command]", () => {
    const p = ready();
    p.out(0x20, 0x0c);
    assert.is(p.inp(0x20), 0);
    p.pulse(6);
    p.out(0x20, 0x0c);
    assert.is(p.inp(0x20), 0x86);
    assert.is(p.intr(), false);
    p.out(0x20, 0x0b);
    assert.is(p.inp(0x20), 0x40);
  });
});
