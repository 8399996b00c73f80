import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { Counter } from "./counter.ts";
import { PIT_RATE, Pit, pitState } from "./pit.ts";

twice("8254", (test, hops) => {
  function rig() {
    const w = new Wires();
    const r = new TestRig(pitState, (clock) => new Pit({ clock, irq: w.line("IRQ0") }), hops);
    const out = (port: number, ...values: number[]) => {
      for (const value of values) r.step().ports.write(port - 0x40, 1, value);
    };
    const inp = (port: number) => r.step().ports.read(port - 0x40, 1);
    const word = (port: number) => inp(port) | (inp(port) << 8);
    /** Lets so many ticks pass, up to the first nanosecond of a tick. */
    const ticks = (count: number) => {
      r.step();
      r.clock.advanceTo(PIT_RATE.timeOf(PIT_RATE.ticksAt(r.clock.now) + count));
    };
    return { r, w, out, inp, word, ticks, irq: () => w.high("IRQ0") };
  }

  test("mode 0: OUT rises when the count has expired, and stays [8254 mode 0]", () => {
    const p = rig();
    p.out(0x43, 0x30);
    p.out(0x40, 100, 0);
    p.ticks(100);
    assert.is(p.irq(), false); // the count was loaded by the first tick
    p.ticks(1);
    assert.is(p.irq(), true);
    p.ticks(1000);
    assert.is(p.irq(), true);
    p.out(0x40, 5);
    assert.is(p.irq(), false); // the first byte of two stops counting
    p.ticks(10);
    assert.is(p.irq(), false);
    p.out(0x40, 0);
    p.ticks(6);
    assert.is(p.irq(), true);
  });

  test("mode 2: one tick low a period, for ever [8254 mode 2]", () => {
    const p = rig();
    p.out(0x43, 0x34);
    p.out(0x40, 10, 0);
    p.ticks(1);
    let rises = 0;
    let low = 0;
    for (let before = true, i = 0; i < 1000; i++) {
      if (p.irq() && !before) rises++;
      if (!p.irq()) low++;
      before = p.irq();
      p.ticks(1);
    }
    assert.equal([rises, low], [99, 100]);
  });

  test("mode 2 is exact over an hour: 65536 ticks a period", () => {
    const p = rig();
    p.out(0x43, 0x34);
    p.out(0x40, 0, 0);
    p.r.step();
    let rises = 0;
    p.w.levels.set = (_name: string, high: boolean) => {
      if (high && !p.w.high("IRQ0")) rises++;
      return Map.prototype.set.call(p.w.levels, "IRQ0", high) as typeof p.w.levels;
    };
    p.r.clock.advanceTo(3_600_000_000_000);
    assert.is(rises, Math.floor((1_193_182 * 3600 - 1) / 65536));
  });

  test("a late timer skips no edge", () => {
    const p = rig();
    p.out(0x43, 0x34);
    p.out(0x40, 10, 0);
    p.ticks(1);
    const edges: boolean[] = [];
    p.w.levels.set = (_name: string, high: boolean) => {
      edges.push(high);
      return p.w.levels;
    };
    p.r.clock.moveTo(PIT_RATE.timeOf(PIT_RATE.ticksAt(p.r.clock.now) + 30));
    p.r.clock.fire();
    assert.equal(edges, [false, true, false, true, false, true]);
  });

  test("a count is read live, or latched until it was read [8254 counter latch]", () => {
    const p = rig();
    p.out(0x43, 0x34);
    p.out(0x40, 0x34, 0x12);
    p.ticks(1);
    assert.is(p.word(0x40), 0x1234);
    p.ticks(0x34);
    p.out(0x43, 0x00);
    p.ticks(5);
    p.out(0x43, 0x00); // a second latch changes nothing
    assert.is(p.word(0x40), 0x1200);
    assert.is(p.word(0x40), 0x11fb);
  });

  test("read-back latches status and count of several counters [8254 read-back]", () => {
    const p = rig();
    p.out(0x43, 0x34);
    p.out(0x43, 0xe2); // status only, counter 0
    assert.is(p.inp(0x40), 0xf4); // OUT high, null count
    p.out(0x40, 100, 0);
    p.ticks(1);
    p.out(0x43, 0xc2);
    assert.equal([p.inp(0x40), p.inp(0x40), p.inp(0x40)], [0xb4, 100, 0]);
    p.out(0x43, 0x96);
    p.out(0x42, 7);
    p.out(0x43, 0xc8); // counter 2, whose gate is low: it waits
    assert.is(p.inp(0x42) & 0x7f, 0x56);
  });

  test("one byte only: the other is 0", () => {
    const p = rig();
    p.out(0x43, 0x24);
    p.out(0x40, 2);
    p.ticks(1);
    assert.equal([p.inp(0x40), p.inp(0x40)], [2, 2]);
    p.out(0x43, 0x14);
    p.out(0x40, 200);
    p.ticks(1);
    assert.equal([p.inp(0x40), p.inp(0x40)], [200, 200]);
  });

  test("counter 2 counts while its gate is high: how delays are calibrated", () => {
    const p = rig();
    p.r.step().setGate(true);
    p.out(0x43, 0xb0);
    p.out(0x42, 50, 0);
    assert.is(p.r.step().output, false);
    p.ticks(21);
    p.r.step().setGate(false);
    p.ticks(100);
    assert.is(p.r.step().output, false);
    assert.is(p.word(0x42), 30);
    p.r.step().setGate(true);
    p.ticks(29);
    assert.is(p.r.step().output, false);
    p.ticks(1);
    assert.is(p.r.step().output, true);
  });

  test("BCD counts decimally [8254 control word]", () => {
    const p = rig();
    p.out(0x43, 0x31);
    p.out(0x40, 0x05, 0x10); // 1005
    p.ticks(7);
    assert.is(p.word(0x40), 0x0999);
    p.ticks(1000);
    assert.is(p.word(0x40), 0x9999);
    assert.is(p.irq(), true);
  });

  test("a new count takes over at the end of the period [8254 mode 2]", () => {
    const p = rig();
    p.out(0x43, 0x34);
    p.out(0x40, 10, 0);
    p.ticks(4);
    p.out(0x40, 20, 0);
    assert.is(p.word(0x40), 7);
    p.ticks(7);
    assert.is(p.word(0x40), 20);
  });

  test("the port of control words reads as ones", () => assert.is(rig().inp(0x43), 0xff));
});

/** The data sheet's text, played clock by clock: an independent oracle for OUT and the counting element. */
class Played {
  ce = 0;
  out: boolean;
  gate = true;
  #cr = 0;
  #load = false;
  #armed = false;
  counting = false;
  #trigger = false;
  readonly #mode: number;
  constructor(mode: number) {
    this.#mode = mode;
    this.out = mode !== 0;
  }
  write(count: number) {
    const first = this.#cr === 0;
    this.#cr = count;
    if (this.#mode === 0) this.out = false;
    if (this.#mode === 0 || this.#mode === 4) this.#load = true;
    if ((this.#mode === 2 || this.#mode === 3) && first && this.gate) this.#load = true;
  }
  setGate(high: boolean) {
    if (high && !this.gate) this.#trigger = true;
    this.gate = high;
    if (!high && this.#mode === 4) this.out = true; // ours: the strobe ends with the gate, not with the clock
    if (!high && (this.#mode === 2 || this.#mode === 3)) {
      this.out = true;
      this.#load = false;
    }
  }
  /** One pulse of CLK. */
  clock() {
    const edge = this.#trigger && this.#cr !== 0;
    this.#trigger = false;
    const mode = this.#mode;
    if (this.#load || (edge && mode !== 0 && mode !== 4)) {
      this.#load = false;
      this.counting = this.#armed = true;
      this.ce = mode === 3 ? this.#cr & ~1 : this.#cr;
      if (mode === 3) this.#wait = this.#cr & 1;
      if (mode === 1) this.out = false;
      else if (mode !== 0) this.out = true;
      return;
    }
    if (!this.counting) return;
    const stopped = !this.gate && mode !== 1 && mode !== 5;
    if (mode === 4 || mode === 5) this.out = true;
    if (stopped) return;
    if (mode === 3) this.#square();
    else if (mode === 2) {
      this.ce = this.ce === 1 ? this.#cr : this.ce - 1;
      this.out = this.ce !== 1;
    } else {
      this.ce = (this.ce - 1) & 0xffff;
      if (this.ce !== 0 || !this.#armed) return;
      this.#armed = false;
      this.out = mode < 2;
    }
  }
  #wait = 0;
  /** An odd count stays one clock at 0 while OUT is high. */
  #square() {
    if (this.ce > 2 || (this.ce === 2 && this.#wait && this.out)) this.ce -= 2;
    else {
      this.out = !this.out;
      this.ce = this.#cr & ~1;
      this.#wait = this.#cr & 1;
    }
  }
}

const oracle = suite("8254 counter against the data sheet played clock by clock");
for (const mode of [0, 1, 2, 3, 4, 5]) {
  oracle(`mode ${mode}: OUT, its edges, and the count, with random counts and gates`, () => {
    const random = new Random(mode + 1);
    for (let round = 0; round < 60; round++) {
      const played = new Played(mode);
      const counter = new Counter(true);
      counter.control(0x30 | (mode << 1));
      let edge: number | undefined;
      let level = counter.out(0);
      for (let tick = 1; tick < 300; tick++) {
        played.clock();
        const where = `mode ${mode} round ${round} tick ${tick}`;
        const out = counter.out(tick);
        assert.is(out, played.out, `${where}: OUT`);
        const read = () => counter.read(tick);
        if (played.counting) assert.is(read() | (read() << 8), played.ce, `${where}: count`);
        if (out !== level) assert.is(edge, tick, `${where}: an edge that was not announced`);
        level = out;
        let touched = false;
        if (tick === 2 || (mode !== 3 && random.below(40) === 0)) {
          const count = 2 + random.below(60);
          played.write(count);
          counter.write(tick, count & 0xff);
          counter.write(tick, count >> 8);
          level = counter.out(tick);
          touched = true;
        }
        if (random.below(25) === 0) {
          played.setGate(!played.gate);
          counter.setGate(tick, played.gate);
          level = counter.out(tick);
          touched = true;
        }
        if (touched || edge === tick) edge = counter.nextEdge(tick);
      }
    }
  });
}
oracle("mode 3: a new count takes over at the end of the half cycle [8254 mode 3]", () => {
  const counter = new Counter(true);
  counter.control(0x36);
  counter.write(0, 10);
  counter.write(0, 0);
  const shape = (from: number, to: number) => {
    let text = "";
    for (let tick = from; tick < to; tick++) text += counter.out(tick) ? "-" : "_";
    return text;
  };
  assert.is(shape(1, 4), "---");
  counter.write(3, 7);
  counter.write(3, 0);
  assert.is(shape(4, 30), "--___----___----___----___");
});
oracle.run();
