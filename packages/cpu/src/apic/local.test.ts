import { Clock } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApicBus, FIXED, LOWEST, type Message, NMI } from "./bus.ts";
import { type ApicEnv, LocalApic, type LocalApicState } from "./local.ts";

const ID = 0x20,
  TPR = 0x80,
  PPR = 0xa0,
  EOI = 0xb0,
  LDR = 0xd0,
  DFR = 0xe0,
  SVR = 0xf0,
  ISR = 0x100,
  TMR = 0x180,
  IRR = 0x200,
  ESR = 0x280,
  ICR = 0x300,
  ICR_HIGH = 0x310,
  TIMER = 0x320,
  LINT0 = 0x350,
  LINT1 = 0x360,
  ERRORS = 0x370,
  INITIAL = 0x380,
  CURRENT = 0x390,
  DIVIDE = 0x3e0;
const PERIODIC = 0x20000,
  DEADLINE = 0x40000,
  MASK = 0x10000,
  LEVEL = 0x8000;

/** APICs on one bus; what reaches their processors is in `signals`, as "0: nmi 0". */
class Rig {
  clock = new Clock();
  bus = new ApicBus();
  signals: string[] = [];
  ends: number[] = [];
  apics: LocalApic[] = [];
  readonly #count: number;
  constructor(count: number) {
    this.#count = count;
    this.#build();
    for (let id = 0; id < count; id++) this.write(SVR, 0x1ff, id);
  }
  #build(): void {
    this.bus = new ApicBus();
    this.bus.onEoi((vector) => this.ends.push(vector));
    this.apics = Array.from({ length: this.#count }, (_, id) => new LocalApic(id, this.#env(id)));
  }
  #env(id: number): ApicEnv {
    return {
      clock: this.clock,
      bus: this.bus,
      attend() {},
      acknowledgePic: () => 0x77,
      signal: (event, vector) => this.signals.push(`${id}: ${event} ${vector.toString(16)}`),
    };
  }
  /** Into fresh APICs on a fresh clock, through JSON. */
  hop(): void {
    const saved = JSON.parse(JSON.stringify(this.apics.map((a) => a.save()))) as LocalApicState[],
      { now } = this.clock;
    this.clock = new Clock();
    this.clock.advanceTo(now);
    this.#build();
    saved.forEach((state, id) => {
      this.apics[id]!.restore(state);
    });
  }
  read(register: number, id = 0): number {
    return this.apics[id]!.read(0xfee00000 + register, 4);
  }
  write(register: number, value: number, id = 0): void {
    this.apics[id]!.write(0xfee00000 + register, 4, value >>> 0);
  }
  after(time: number): void {
    this.clock.advanceTo(this.clock.now + time);
  }
  send(message: Partial<Message>): boolean {
    return this.bus.deliver({
      mode: FIXED,
      vector: 0x40,
      logical: false,
      destination: 0,
      level: false,
      assert: true,
      ...message,
    });
  }
  /** Vectors that are set in ISR, TMR or IRR. */
  vectors(set: number, id = 0): number[] {
    return Array.from({ length: 256 }, (_, v) => v).filter(
      (v) => (this.read(set + (v >> 5) * 16, id) >>> (v & 31)) & 1,
    );
  }
}

for (const snapshot of [false, true]) {
  const name = snapshot ? ", saved and restored at every step" : "",
    hop = (r: Rig) => {
      if (snapshot) r.hop();
    };

  const priority = suite(`local APIC: priorities${name}`);
  priority("the highest vector comes first, goes from IRR to ISR, and EOI ends it (SDM 3A 10.8.4)", () => {
    const r = new Rig(1),
      apic = () => r.apics[0]!;
    r.send({ vector: 0x41 });
    r.send({ vector: 0x61 });
    hop(r);
    assert.equal(r.vectors(IRR), [0x41, 0x61]);
    assert.is(apic().acknowledge(), 0x61);
    hop(r);
    assert.equal([r.vectors(IRR), r.vectors(ISR)], [[0x41], [0x61]]);
    assert.is(apic().requested, false, "a lower class waits");
    assert.is(r.read(PPR), 0x60);
    r.send({ vector: 0x71 });
    hop(r);
    assert.is(apic().acknowledge(), 0x71, "a higher class interrupts");
    r.write(EOI, 0);
    r.write(EOI, 0);
    hop(r);
    assert.equal(r.vectors(ISR), []);
    assert.is(apic().acknowledge(), 0x41);
  });
  priority("TPR holds its class and those below back (SDM 3A 10.8.3.1)", () => {
    const r = new Rig(1);
    r.write(TPR, 0x4f);
    r.send({ vector: 0x45 });
    hop(r);
    assert.is(r.apics[0]!.requested, false);
    r.write(TPR, 0x3f);
    hop(r);
    assert.is(r.apics[0]!.requested, true);
    assert.is(r.read(PPR), 0x3f);
  });
  priority(
    "the EOI of a level-triggered interrupt is broadcast, that of an edge-triggered one is not (SDM 3A 10.8.5)",
    () => {
      const r = new Rig(1);
      r.send({ vector: 0x50, level: true });
      r.send({ vector: 0x51 });
      hop(r);
      assert.equal(r.vectors(TMR), [0x50]);
      r.apics[0]!.acknowledge();
      r.write(EOI, 0);
      hop(r);
      assert.equal(r.ends, []);
      r.apics[0]!.acknowledge();
      r.write(EOI, 0);
      assert.equal(r.ends, [0x50]);
    },
  );
  priority("switched off by SVR: LVT entries are masked and stay so, nothing is accepted (SDM 3A 10.4.7.2)", () => {
    const r = new Rig(1);
    r.write(LINT0, 0x700);
    r.write(SVR, 0xff);
    hop(r);
    assert.is(r.read(LINT0), 0x10700);
    r.write(LINT0, 0x700);
    r.send({ vector: 0x50 });
    hop(r);
    assert.is(r.read(LINT0), 0x10700);
    assert.equal(r.vectors(IRR), []);
  });
  priority.run();

  const timer = suite(`local APIC: timer${name}`);
  timer("one-shot: counts down once, divided (SDM 3A 10.5.4)", () => {
    const r = new Rig(1);
    r.write(TIMER, 0x30);
    r.write(DIVIDE, 0b0011);
    r.write(INITIAL, 100);
    hop(r); // by 16
    r.after(800);
    hop(r);
    assert.is(r.read(CURRENT), 50);
    r.after(799);
    hop(r);
    assert.equal([r.read(CURRENT), r.vectors(IRR)], [1, []]);
    r.after(1);
    hop(r);
    assert.equal([r.read(CURRENT), r.vectors(IRR)], [0, [0x30]]);
    r.apics[0]!.acknowledge();
    r.after(5000);
    assert.equal(r.vectors(IRR), []);
  });
  timer("periodic: reloads without drift (SDM 3A 10.5.4)", () => {
    const r = new Rig(1);
    r.write(TIMER, PERIODIC | 0x30);
    r.write(DIVIDE, 0b1011);
    r.write(INITIAL, 1000);
    hop(r);
    let count = 0;
    for (let n = 0; n < 10; n++) {
      r.after(1000);
      hop(r);
      if (r.vectors(IRR).length > 0) {
        count++;
        r.apics[0]!.acknowledge();
        r.write(EOI, 0);
      }
    }
    assert.is(count, 10);
    r.after(300);
    hop(r);
    assert.is(r.read(CURRENT), 700);
  });
  timer("a masked timer counts and stays silent; an initial count of 0 stops it", () => {
    const r = new Rig(1);
    r.write(TIMER, MASK | 0x30);
    r.write(INITIAL, 100);
    hop(r);
    r.after(300);
    hop(r);
    assert.equal(r.vectors(IRR), []);
    r.write(TIMER, 0x30);
    r.write(INITIAL, 100);
    r.write(INITIAL, 0);
    hop(r);
    r.after(300);
    assert.equal([r.read(CURRENT), r.vectors(IRR)], [0, []]);
  });
  timer("the divisor can change while it counts", () => {
    const r = new Rig(1);
    r.write(TIMER, 0x30);
    r.write(DIVIDE, 0b1011);
    r.write(INITIAL, 1000);
    r.after(400);
    hop(r);
    r.write(DIVIDE, 0);
    hop(r); // by 2: 600 left take 1200 ns
    r.after(1199);
    hop(r);
    assert.equal(r.vectors(IRR), []);
    r.after(1);
    assert.equal(r.vectors(IRR), [0x30]);
  });
  timer("TSC-deadline mode fires once and reads 0 then; the initial count is dead (SDM 3A 10.5.4.1)", () => {
    const r = new Rig(1);
    r.apics[0]!.setDeadline(500n, 500);
    assert.is(r.apics[0]!.deadline, 0n, "not in this mode");
    r.write(TIMER, DEADLINE | 0x30);
    r.write(INITIAL, 10);
    r.apics[0]!.setDeadline(500n, 500);
    hop(r);
    assert.is(r.apics[0]!.deadline, 500n);
    r.after(499);
    hop(r);
    assert.equal(r.vectors(IRR), []);
    r.after(1);
    hop(r);
    assert.equal([r.apics[0]!.deadline, r.vectors(IRR)], [0n, [0x30]]);
  });
  timer.run();

  const pins = suite(`local APIC: pins and errors${name}`);
  pins("LINT0 as ExtINT asks for the external controller's vector, whatever the priority (SDM 3A 10.5.1)", () => {
    const r = new Rig(1);
    r.write(LINT0, 0x700);
    r.write(TPR, 0xff);
    r.apics[0]!.setLine(0, true);
    hop(r);
    assert.is(r.apics[0]!.requested, true);
    assert.is(r.apics[0]!.acknowledge(), 0x77);
    r.apics[0]!.setLine(0, false);
    hop(r);
    assert.is(r.apics[0]!.requested, false);
  });
  pins("LINT1 as NMI signals at its rising edge", () => {
    const r = new Rig(1);
    r.write(LINT1, 0x400);
    r.apics[0]!.setLine(1, true);
    hop(r);
    r.apics[0]!.setLine(1, true);
    assert.equal(r.signals, ["0: nmi 0"]);
  });
  pins("a level-triggered pin asks again after EOI while it is high (SDM 3A 10.5.1)", () => {
    const r = new Rig(1);
    r.write(LINT0, LEVEL | 0x45);
    r.apics[0]!.setLine(0, true);
    hop(r);
    assert.is(r.apics[0]!.acknowledge(), 0x45);
    assert.is(r.read(LINT0) & 0x4000, 0x4000, "remote IRR");
    r.write(EOI, 0);
    hop(r);
    assert.equal(r.vectors(IRR), [0x45]);
  });
  pins("errors are gathered, shown after a write of ESR, and raise the error entry (SDM 3A 10.5.3)", () => {
    const r = new Rig(1);
    r.write(ERRORS, 0x2f);
    r.send({ vector: 5 });
    hop(r);
    assert.equal([r.read(ESR), r.vectors(IRR)], [0, [0x2f]]);
    r.write(ESR, 0);
    hop(r);
    assert.is(r.read(ESR), 0x40);
    r.write(ESR, 0);
    assert.is(r.read(ESR), 0);
    r.read(0x40);
    r.write(ESR, 0);
    assert.is(r.read(ESR), 0x80, "no such register");
  });
  pins.run();

  const messages = suite(`local APIC: messages${name}`);
  messages("physical destinations name one, FF all; shorthands say self, all, others (SDM 3A 10.6.2)", () => {
    const r = new Rig(3),
      received = () => r.apics.map((_, id) => r.vectors(IRR, id).length);
    r.write(ICR_HIGH, 2 << 24, 1);
    r.write(ICR, 0x40, 1);
    hop(r);
    assert.equal(received(), [0, 0, 1]);
    r.write(ICR, 0x41 | (1 << 18), 1);
    hop(r);
    assert.equal(received(), [0, 1, 1]);
    r.write(ICR, 0x42 | (2 << 18), 1);
    hop(r);
    assert.equal(received(), [1, 2, 2]);
    r.write(ICR, 0x43 | (3 << 18), 1);
    assert.equal(received(), [2, 2, 3]);
    r.write(ICR_HIGH, 0xff << 24, 1);
    r.write(ICR, 0x44, 1);
    assert.equal(received(), [3, 3, 4]);
  });
  messages("logical destinations: flat by bits, cluster by number and bits (SDM 3A 10.6.2.2)", () => {
    const r = new Rig(3),
      to = (destination: number) => {
        r.send({ vector: 0x50, logical: true, destination });
        return r.apics.filter((_, id) => {
          const hit = r.vectors(IRR, id).length > 0;
          if (hit) r.apics[id]!.acknowledge();
          r.write(EOI, 0, id);
          return hit;
        }).length;
      };
    [1, 2, 4].forEach((bit, id) => {
      r.write(LDR, bit << 24, id);
    });
    hop(r);
    assert.equal([to(1), to(6), to(8), to(0xff)], [1, 2, 0, 3]);
    for (const [id, ldr] of [
      [0, 0x11],
      [1, 0x12],
      [2, 0x21],
    ] as const) {
      r.write(DFR, 0x0fffffff, id);
      r.write(LDR, ldr << 24, id);
    }
    hop(r);
    assert.equal([to(0x13), to(0x21), to(0x22), to(0x31)], [2, 1, 0, 0]);
  });
  messages("lowest priority picks the most willing one (SDM 3A 10.6.2.4)", () => {
    const r = new Rig(2);
    r.write(TPR, 0x50, 0);
    hop(r);
    r.send({ mode: LOWEST, vector: 0x60, destination: 0xff });
    assert.equal(
      r.apics.map((_, id) => r.vectors(IRR, id)),
      [[], [0x60]],
    );
  });
  messages(
    "INIT, SIPI and NMI reach the processor even of an APIC that software switched off (SDM 3A 10.4.7.2)",
    () => {
      const r = new Rig(2);
      r.write(SVR, 0xff, 1);
      hop(r);
      r.write(ICR, 0xc4500);
      r.write(ICR, 0xc8500);
      r.write(ICR, 0xc4612);
      hop(r); // INIT, its de-assertion, SIPI, to all others
      r.send({ mode: NMI, destination: 1 });
      assert.equal(r.signals, ["1: init 0", "1: sipi 12", "1: nmi 0"]);
    },
  );
  messages("sending an illegal vector is an error of the sender (SDM 3A 10.5.3)", () => {
    const r = new Rig(1);
    r.write(ICR, 0x0f | (1 << 18));
    r.write(ESR, 0);
    hop(r);
    assert.is(r.read(ESR), 0x20);
  });
  messages("a bus master's write to FEExxxxx is a message (SDM 3A 10.11)", () => {
    const r = new Rig(2);
    assert.is(r.bus.messageSignalled(0xfee01000, 0x4051), true);
    hop(r);
    assert.equal(r.vectors(IRR, 1), [0x51]);
    assert.is(r.bus.messageSignalled(0xfee07000, 0x4051), false, "nobody has this id");
  });
  messages.run();

  const x2 = suite(`local APIC: x2APIC${name}`);
  const x2rig = (count: number) => {
    const r = new Rig(count);
    for (const apic of r.apics) apic.setMode("x2apic");
    return r;
  };
  x2("registers are MSRs; ICR has 64 bits and 32 bits of destination (SDM 3A 10.12.9)", () => {
    const r = x2rig(2),
      apic = () => r.apics[0]!;
    hop(r);
    assert.equal([apic().readMsr(0x02), r.apics[1]!.readMsr(0x02)], [0n, 1n]);
    assert.is(apic().writeMsr(0x30, 0x40, 1), true);
    hop(r);
    assert.is(apic().readMsr(0x30), 0x1_0000_0040n);
    assert.is(r.apics[1]!.readMsr(0x22), 1n);
    assert.is(apic().writeMsr(0x30, 0x41 | (3 << 18), 0), true);
    assert.is(r.apics[1]!.readMsr(0x22), 3n);
  });
  x2("what is not there, read-only or reserved is refused (SDM 3A 10.12.1.3)", () => {
    const {
      apics: [apic],
    } = x2rig(1);
    for (const register of [0x00, 0x0b, 0x0e, 0x31, 0x3f, 0x40])
      assert.is(apic!.readMsr(register), null, register.toString(16));
    for (const register of [0x02, 0x03, 0x0a, 0x0d, 0x10, 0x39])
      assert.is(apic!.writeMsr(register, 0, 0), false, register.toString(16));
    assert.is(apic!.writeMsr(0x0b, 1, 0), false, "EOI takes 0 only");
    assert.is(apic!.writeMsr(0x08, 0x100, 0), false, "reserved bits of TPR");
    assert.is(apic!.writeMsr(0x08, 0, 1), false, "the upper half");
  });
  x2("the logical id follows from the id: clusters of 16 (SDM 3A 10.12.10.2)", () => {
    const apic = new LocalApic(0x25, {
      clock: new Clock(),
      bus: new ApicBus(),
      attend() {},
      acknowledgePic: () => 0,
      signal() {},
    });
    apic.setMode("x2apic");
    assert.is(apic.readMsr(0x0d), 0x20020n);
    const meant = [
      apic.matches(0x20020, true, true),
      apic.matches(0x20010, true, true),
      apic.matches(0x30020, true, true),
    ];
    assert.equal(
      [...meant, apic.matches(0x25, false, true), apic.matches(0xffffffff, true, true)],
      [true, false, false, true, true],
    );
  });
  x2("SELF IPI (SDM 3A 10.12.11)", () => {
    const r = x2rig(1);
    assert.is(r.apics[0]!.writeMsr(0x3f, 0x55, 0), true);
    hop(r);
    assert.is(r.apics[0]!.acknowledge(), 0x55);
  });
  x2.run();
}

const memory = suite("local APIC: registers in memory");
memory("ID, version, reset values (SDM 3A 10.4.7.1)", () => {
  const r = new Rig(2);
  r.apics[1]!.reset();
  assert.equal(
    [ID, 0x30, TPR, LDR, DFR, SVR, TIMER, LINT0].map((register) => r.read(register, 1).toString(16)),
    ["1000000", "50014", "0", "0", "ffffffff", "ff", "10000", "10000"],
  );
});
memory("bytes and words of a register can be read; only whole writes count (SDM 3A 10.4.1)", () => {
  const r = new Rig(1),
    apic = r.apics[0]!;
  assert.is(apic.read(0xfee000f1, 1), 1);
  assert.is(apic.read(0xfee00032, 2), 5);
  apic.write(0xfee00080, 1, 0x20);
  assert.is(r.read(TPR), 0);
});
memory.run();
