import { ConfigError, Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Cpu, type CpuOptions, type Stop } from "../cpu.ts";

const hex = (text: string) => Uint8Array.from(text.match(/[0-9a-f]{2}/gi)!, (byte) => Number.parseInt(byte, 16));
const EXECUTORS = ["interpreter", "evaluator"] as const;
type Executor = (typeof EXECUTORS)[number];

// ---- a program with all that may go wrong, on one or two processors ----

/**
 * 64-bit code. RBP: private memory. Starts a periodic APIC timer, then 40 rounds of: arithmetic and read-modify-writes in
 * one long block that overwrites an instruction of itself, PUSH, REP MOVSB, CALL of a REP STOSQ, FXSAVE, CLI and STI, a
 * read across pages, PAUSE, a counter that all share, HLT in every eighth, OUT, UD2. 100h: the timer's handler; 120h: #UD's.
 */
const PROGRAM = hex(
  "bb0000e0fec783f0000000ff010000c783e00300000b000000c7832003000040000200c783800300000903000041bf280000" +
    "00fbb8010000004901c04d31c149c1c1034f8d5408054c899500010000ff85080100004c8b9d0001000083850c010000074c" +
    "879d100100004d11dc8805020000009004004d0fafec41558f85180100004889ee488dbd00020000b909000000f3a4e84900" +
    "00000fae8500040000faff8520010000fbff8524010000448bb5fd0f0000f390f0ff04250000030041f7c7070000007501f4" +
    "e6800f0b41ffcf0f855fffffffc7838003000000000000faf4488dbd00030000b9210000004c89c0f348abc3000000000000" +
    "00000000000050ff85280100004c898530010000b80000e0fec780b0000000000000005848cf488304240248cf",
);
/** So that its MOV ECX, 9 crosses from one page to the next. */
const ORIGIN = 0x11000 - 0x8e,
  PRIVATE = 0x20000,
  SHARED = 0x30000;

function blank(executor: Executor, cpus: number): Cpu {
  return new Cpu({ memory: "256KiB", cpus, executor, quantum: 1500 });
}
function boot(executor: Executor, cpus: number): Cpu {
  const cpu = blank(executor, cpus);
  cpu.write(0x1008, hex("ffff0000009baf00 ffff00000093cf00"));
  for (const [vector, at] of [
    [0x40, ORIGIN + 0x100],
    [6, ORIGIN + 0x120],
  ] as const)
    cpu.write(0x2000 + 16 * vector, [at & 0xff, (at >> 8) & 0xff, 8, 0, 0, 0x8e, at >> 16, 0]);
  cpu.write(ORIGIN, PROGRAM);
  for (let id = 0; id < cpus; id++) {
    cpu.enter("long", ORIGIN, id);
    for (const [name, value] of Object.entries({
      RBP: PRIVATE + 0x2000 * id,
      RSP: 0x28000 + 0x1000 * id,
      "GDTR.base": 0x1000,
      "GDTR.limit": 0xff,
      "IDTR.base": 0x2000,
      "IDTR.limit": 0xfff,
    }))
      cpu.set(name, value, id);
  }
  return cpu;
}
/** A time at which everything is over. */
const END = 1_000_000;
/** Undebugged: how it ends. */
function ending(executor: Executor, cpus: number): { digest: string; retired: number } {
  const cpu = boot(executor, cpus);
  assert.is(cpu.run().reason, "idle");
  cpu.run({ nanoseconds: END - cpu.now });
  return { digest: cpu.digest(), retired: cpu.retired };
}
const expectEnding = (cpu: Cpu, { digest, retired }: ReturnType<typeof ending>) => {
  cpu.run({ nanoseconds: END - cpu.now });
  assert.is(cpu.retired, retired);
  assert.is(cpu.digest(), digest);
};

for (const cpus of [1, 2]) {
  const test = suite(`host debugging, ${cpus} processors: the guest notices nothing`);
  const undebugged = ending("interpreter", cpus);

  test("the program is worth it: timer interrupts came, and the evaluator agrees", () => {
    const cpu = boot("evaluator", cpus);
    cpu.run();
    expectEnding(cpu, undebugged);
    assert.ok(cpu.read(PRIVATE + 0x128, 1)[0]! > 20);
    assert.is(cpu.read(SHARED, 1)[0], 40 * cpus);
  });
  for (const executor of EXECUTORS) {
    test(`stopped by the hook before every instruction, ${executor}`, () => {
      const cpu = boot(executor, cpus);
      let asked = 0;
      cpu.debug.onInstruction = () => ++asked > 0;
      let stops = 0;
      for (let stop = cpu.run(); stop.reason !== "idle"; stop = cpu.run()) {
        assert.is(stop.reason, "step");
        stops++;
      }
      assert.is(stops, asked);
      expectEnding(cpu, undebugged);
    });
    test(`a breakpoint on every instruction, ${executor}`, () => {
      const cpu = boot(executor, cpus);
      for (let at = 0; at < PROGRAM.length; at++) cpu.debug.addBreakpoint(ORIGIN + at);
      let stops = 0;
      for (let stop = cpu.run(); stop.reason !== "idle"; stop = cpu.run()) {
        assert.is(stop.reason, "breakpoint");
        assert.is(cpu.get("RIP", stop.cpu).toNumber(), stop.address);
        stops++;
      }
      assert.ok(stops > 1000);
      expectEnding(cpu, undebugged);
    });
    test(`stepped from beginning to end, ${executor}: each step is one instruction or one event`, () => {
      const cpu = boot(executor, cpus),
        own = (id: number) => cpu.processors[id]!.retired();
      for (let n = 0; ; n++) {
        const id = n % 97 < 60 ? 0 : cpus - 1;
        cpu.get("RIP", id);
        const before = own(id),
          deliveries = cpu.processors[id]!.deliveries;
        const stop = cpu.step(id);
        if (stop.reason === "idle") break;
        assert.is(stop.reason, "step");
        assert.is(stop.cpu, id);
        assert.is(stop.address, cpu.get("RIP", id).toNumber());
        assert.is(own(id) - before, cpu.processors[id]!.deliveries > deliveries ? 0 : 1);
        if (cpus === 2 && cpu.state("activity", id) !== 0) cpu.run({ instructions: 30 });
      }
      cpu.run();
      expectEnding(cpu, undebugged);
    });
  }
  test("stopped at random, by all means, saved and restored in between", () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 4; seed++) {
      const random = new Random(seed),
        executor = EXECUTORS[seed === 2 ? 1 : 0]!;
      let cpu = boot(executor, cpus),
        other = blank(executor, cpus);
      for (let stop: Stop | null = null; stop?.reason !== "idle"; ) {
        stop = randomStop(cpu, random, cpus);
        seen.add(stop.reason);
        if (random.below(4) > 0) continue;
        other.restore(cpu.save());
        [cpu, other] = [other, cpu];
      }
      expectEnding(cpu, undebugged);
    }
    assert.equal([...seen].sort(), ["breakpoint", "idle", "limit", "step", "watchpoint"]);
  });
  test("at a block boundary the digest is that of a run without a debugger that was cut there", () => {
    const cpu = boot("interpreter", cpus),
      plain = boot("interpreter", cpus),
      random = new Random(5);
    for (let n = 0; n < 60; n++) {
      randomStop(cpu, random, cpus);
      cpu.run({ instructions: 1 }); // to the end of the block
      plain.run({ instructions: cpu.retired - plain.retired });
      assert.is(plain.retired, cpu.retired);
      assert.is(plain.digest(), cpu.digest());
    }
  });
  test.run();
}
/** Runs on to somewhere near, and leaves nothing behind. */
function randomStop(cpu: Cpu, random: Random, cpus: number): Stop {
  const { debug } = cpu,
    nanoseconds = 1 + random.below(4000);
  const code = ORIGIN + random.below(PROGRAM.length),
    data = random.below(8) === 0 ? SHARED : PRIVATE + 0x2000 * random.below(cpus) + random.below(0x1100),
    bytes = 1 + random.below(300),
    kind = (["read", "write", "access"] as const)[random.below(3)]!;
  switch (random.below(5)) {
    case 0:
      return cpu.step(random.below(cpus));
    case 1: {
      const limited = random.below(2) ? { cpu: random.below(cpus) } : {};
      debug.addBreakpoint(code, limited);
      const stop = cpu.run({ nanoseconds });
      debug.removeBreakpoint(code, limited);
      return stop;
    }
    case 2: {
      debug.addWatchpoint(data, bytes, kind);
      const stop = cpu.run({ nanoseconds });
      debug.removeWatchpoint(data, bytes, kind);
      return stop;
    }
    case 3: {
      let left = random.below(40);
      debug.onInstruction = () => left-- === 0;
      const stop = cpu.run({ nanoseconds });
      debug.onInstruction = null;
      return stop;
    }
    default:
      return cpu.run({ instructions: 1 + random.below(100), nanoseconds });
  }
}

// ---- breakpoints ----

const CODE = 0x1000;
/** Flat code at 1000h. */
function flat(mode: Parameters<Cpu["enter"]>[0], code: string, options: CpuOptions = {}): Cpu {
  const cpu = new Cpu({ memory: "256KiB", ...options });
  cpu.write(CODE, hex(code));
  cpu.enter(mode, CODE);
  cpu.set("RSP", 0x8000);
  return cpu;
}
const rip = (cpu: Cpu) => cpu.get("RIP").toNumber();
const where = (stop: Stop) => [stop.reason, stop.cpu, stop.address];

for (const executor of EXECUTORS) {
  const test = suite(`breakpoints, ${executor}`);
  for (const mode of ["real", "protected16", "protected32", "long"] as const) {
    for (const [place, at] of [
      ["first", CODE],
      ["middle", CODE + 2],
      ["last", CODE + 4],
    ] as const) {
      test(`on the ${place} instruction of a block in ${mode}`, () => {
        const cpu = flat(mode, "00c0 00c0 ebfa", { executor }); // add al, al, twice; jmp back
        cpu.run({ instructions: 30 }); // the block is known
        assert.is(rip(cpu), CODE);
        const before = cpu.retired;
        cpu.debug.addBreakpoint(at);
        for (let round = 0; round < 3; round++) {
          assert.equal(where(cpu.run()), ["breakpoint", 0, at]);
          assert.is(rip(cpu), at);
          assert.is(cpu.retired - before, 3 * round + (at - CODE) / 2);
        }
        cpu.debug.removeBreakpoint(at);
        assert.is(cpu.run({ instructions: 100 }).reason, "limit");
      });
    }
  }
  test("in real mode the address is that of CS's base and IP", () => {
    const cpu = flat("real", "40 40 f4", { executor });
    cpu.set("CS.base", 0x500);
    cpu.set("RIP", 0xb00);
    cpu.debug.addBreakpoint(0x1001);
    assert.equal(where(cpu.run()), ["breakpoint", 0, 0x1001]);
    assert.is(rip(cpu), 0xb01);
  });
  test("an instruction that crosses its page", () => {
    const cpu = flat("long", "e9fa0f0000", { executor }); // jmp 1fff
    cpu.write(0x1fff, hex("b878563412 ebf9")); // mov eax, ..; jmp to it
    cpu.debug.addBreakpoint(0x1fff);
    for (let n = 0; n < 3; n++) assert.equal(where(cpu.run()), ["breakpoint", 0, 0x1fff]);
    assert.is(cpu.retired, 5);
  });
  test("in code that the guest writes after it was set", () => {
    const cpu = flat("long", "c6050700000090 c6050100000090 0f0b f4", { executor }); // two stores make NOPs of UD2
    cpu.debug.addBreakpoint(CODE + 0xf);
    assert.equal(where(cpu.run()), ["breakpoint", 0, CODE + 0xf]);
    assert.is(cpu.retired, 3);
    cpu.run();
    assert.is(cpu.state("activity"), 1);
  });
  test("on a repeated instruction: once, before its first iteration", () => {
    const cpu = flat("long", "b964000000 bf00500000 f3aa f4", { executor });
    cpu.debug.addBreakpoint(CODE + 10);
    assert.is(cpu.run().reason, "breakpoint");
    assert.is(cpu.get("RCX").toNumber(), 100);
    for (let left = 99; left >= 90; left--) {
      assert.is(cpu.step().reason, "step");
      assert.is(cpu.get("RCX").toNumber(), left);
    }
    assert.is(cpu.run({ instructions: 30 }).reason, "limit");
    assert.is(cpu.run().reason, "idle");
  });
  test("of one processor only, and by linear address in whatever address space", () => {
    const cpu = flat("long", "90 90 ebfc", { executor, cpus: 2 });
    cpu.enter("long", CODE, 1);
    cpu.debug.addBreakpoint(CODE + 1, { cpu: 1 });
    for (let n = 0; n < 3; n++) assert.equal(where(cpu.run()), ["breakpoint", 1, CODE + 1]);
    cpu.debug.removeBreakpoint(CODE + 1, { cpu: 1 });
    assert.is(cpu.run({ instructions: 100 }).reason, "limit");
  });
  test("one that was reached at a limit is reported when the run goes on, and only once", () => {
    const cpu = flat("long", "eb00 ebfc", { executor });
    cpu.debug.addBreakpoint(CODE + 2);
    assert.is(cpu.run({ instructions: 1 }).reason, "limit");
    assert.is(rip(cpu), CODE + 2);
    assert.is(cpu.run({ instructions: 1 }).reason, "breakpoint");
    assert.is(cpu.run({ instructions: 1 }).reason, "limit");
    assert.is(rip(cpu), CODE);
  });
  test("moving RIP leaves the block that was interrupted", () => {
    const cpu = flat("long", "ffc0 ffc0 ffc0 f4", { executor });
    cpu.debug.addBreakpoint(CODE + 4);
    cpu.run();
    cpu.set("RIP", CODE + 2);
    assert.is(cpu.run().reason, "breakpoint");
    assert.is(cpu.run().reason, "idle");
    assert.is(cpu.get("RAX").toNumber(), 4);
  });
  test("the guest's own breakpoints still work beside those of the host", () => {
    const cpu = boot(executor, 1);
    cpu.write(0x2000 + 16, [0, 0x50, 8, 0, 0, 0x8e, 0, 0]);
    cpu.write(0x5000, [0xf4]);
    cpu.write(CODE, hex("ff0504400000 90 f4")); // inc dword [500ah]; nop; hlt
    cpu.enter("long", CODE);
    cpu.set("DR0", 0x500a);
    cpu.set("DR7", 0xd0402); // on writes, 4 bytes
    cpu.debug.addBreakpoint(CODE);
    cpu.debug.addWatchpoint(0x500a, 1, "write");
    assert.is(cpu.run().reason, "breakpoint");
    // DR7 was set behind the guest's back: a restore arms what it says
    cpu.restore(cpu.save());
    assert.equal(where(cpu.run()), ["watchpoint", 0, 0x500a]);
    assert.is(rip(cpu), CODE + 6);
    cpu.run({ instructions: 1 });
    assert.is(rip(cpu), 0x5001);
    assert.is(cpu.get("DR6").low & 15, 1);
  });
  test.run();
}

// ---- watchpoints ----

interface Watched {
  readonly what: string;
  readonly code: string;
  /** Watched bytes. */
  readonly linear: number;
  readonly bytes?: number;
  readonly kind: "read" | "write" | "access";
  /** Instructions retired when it stops, and what is said; or none. */
  readonly after: number | null;
  readonly access?: "read" | "write";
  readonly address?: number;
}
/** RSI = RDI = 5000h, RCX = 3, RSP = 8000h; every block goes on behind the access with NOPs. */
const WATCHED: Watched[] = [
  { what: "a store", code: "90 8906", linear: 0x5003, kind: "write", after: 2 },
  { what: "a store, by a watch on accesses", code: "90 8906", linear: 0x5000, kind: "access", after: 2 },
  { what: "a store, by a watch on reads", code: "90 8906", linear: 0x5000, kind: "read", after: null },
  { what: "a load", code: "8b06", linear: 0x5000, kind: "read", after: 1 },
  { what: "a load, by a watch on writes", code: "8b06", linear: 0x5000, kind: "write", after: null },
  { what: "a load of the bytes beside", code: "8b06 8b4608", linear: 0x5004, bytes: 4, kind: "access", after: null },
  { what: "a store across pages", code: "8987fe0f0000", linear: 0x6001, kind: "write", after: 1 },
  { what: "a load across pages", code: "8b87fe0f0000", linear: 0x5fff, kind: "read", after: 1 },
  { what: "a read-modify-write, read", code: "ff06", linear: 0x5000, kind: "read", after: 1 },
  { what: "a read-modify-write, accessed", code: "ff06", linear: 0x5000, kind: "access", after: 1, access: "write" },
  { what: "an exchange", code: "8706", linear: 0x5000, kind: "write", after: 1 },
  { what: "the second iteration of REP STOSB", code: "f3aa", linear: 0x5001, kind: "write", after: 2 },
  { what: "the last iteration of REP LODSB", code: "f3ac", linear: 0x5002, kind: "read", after: 3 },
  { what: "PUSH", code: "50", linear: 0x7ff8, bytes: 8, kind: "write", after: 1 },
  { what: "POP", code: "58", linear: 0x8000, bytes: 8, kind: "read", after: 1 },
  { what: "CALL", code: "e800000000", linear: 0x7ff8, kind: "write", after: 1 },
  { what: "RET", code: "c3", linear: 0x8000, kind: "read", after: 1 },
  { what: "FXSAVE", code: "0fae06", linear: 0x50a0, kind: "write", after: 1 },
  { what: "FXRSTOR", code: "0fae4e00", linear: 0x5018, kind: "read", after: 1 },
  { what: "MOVUPS", code: "0f1106", linear: 0x500f, kind: "write", after: 1 },
  { what: "the jump of a block's end", code: "90 ff26", linear: 0x5000, bytes: 8, kind: "read", after: 2 },
  { what: "a range of pages", code: "8906", linear: 0x3000, bytes: 0x3000, kind: "write", after: 1, address: 0x5000 },
];
for (const executor of EXECUTORS) {
  const test = suite(`watchpoints, ${executor}`);
  for (const { what, code, linear, bytes = 1, kind, after, access, address } of WATCHED) {
    const prepare = () => {
      const cpu = flat("long", `${code} 90 90 90 f4`, { executor });
      cpu.write(0x5000, hex("0020000000000000 0000000000000000 0000000000000000 801f0000"));
      cpu.write(0x2000, [0x90, 0xf4]);
      cpu.write(0x8000, [0, 0x20, 0, 0, 0, 0, 0, 0]);
      for (const name of ["RSI", "RDI"]) cpu.set(name, 0x5000);
      cpu.set("RCX", 3);
      return cpu;
    };
    test(`${what}: ${after === null ? "does not stop" : "stops at the instruction's end"}`, () => {
      const plain = prepare(),
        cpu = prepare();
      plain.run();
      cpu.debug.addWatchpoint(linear, bytes, kind);
      const stop = cpu.run();
      if (after !== null) {
        assert.equal(where(stop), ["watchpoint", 0, address ?? linear]);
        assert.is(stop.access, access ?? (kind === "access" ? stop.access : kind));
        assert.is(cpu.retired, after);
        assert.is(cpu.run().reason === "idle" || what.startsWith("the second"), true);
      } else assert.is(stop.reason, "idle");
      cpu.debug.removeWatchpoint(linear, bytes, kind);
      cpu.run();
      assert.is(cpu.digest(), plain.digest());
    });
  }
  test("a store that overwrites its own block is reported, and the new code runs", () => {
    const cpu = flat("long", "c60501000000f4 90 90 f4", { executor }); // mov byte [rip+1], f4: the second nop
    cpu.debug.addWatchpoint(CODE + 8, 1, "write");
    assert.is(cpu.run().reason, "watchpoint");
    assert.is(cpu.run().reason, "idle");
    assert.is(rip(cpu), CODE + 9);
  });
  test("what an interrupt pushes counts: it stops before the handler's first instruction", () => {
    const cpu = boot(executor, 1);
    cpu.debug.addWatchpoint(0x27fe0, 32, "write");
    const stop = cpu.run();
    assert.is(stop.reason, "watchpoint");
    cpu.debug.removeWatchpoint(0x27fe0, 32, "write");
    cpu.run();
    expectEnding(cpu, ending(executor, 1));
  });
  test.run();
}

const fast = suite("watchpoints and breakpoints leave the rest alone");
fast("accesses beside the watched page, and code beside a page with a breakpoint, do not leave emitted code", () => {
  const cpu = flat("long", "8906 8b06 ebfa"); // mov [rsi], eax; mov eax, [rsi]; jmp
  cpu.set("RSI", 0x6000);
  const [p] = cpu.processors;
  cpu.run({ instructions: 100 });
  cpu.debug.addWatchpoint(0x5000, 0x1000, "access");
  cpu.debug.addBreakpoint(0x2000);
  let slow = 0;
  const { load, store } = p!.access,
    find = cpu.blocks.find.bind(cpu.blocks);
  p!.access.load = (...args) => ++slow > 0 && load.apply(p!.access, args);
  p!.access.store = (...args) => ++slow > 0 && store.apply(p!.access, args);
  cpu.blocks.find = (...args) => (++slow > 0 ? find(...args) : null);
  cpu.run({ instructions: 100_000 });
  assert.is(slow, 0);
  cpu.set("RSI", 0x5ffc);
  assert.is(cpu.run({ instructions: 100_000 }).reason, "watchpoint");
  assert.ok(slow > 0);
});
fast("impossible requests say what is allowed", () => {
  const { debug } = blank("interpreter", 1);
  for (const wrong of [
    () => debug.addBreakpoint(2 ** 47),
    () => debug.addBreakpoint(0.5),
    () => debug.addWatchpoint(0, 0, "read"),
    () => blank("interpreter", 1).step(1),
  ])
    assert.throws(wrong, (e: unknown) => e instanceof ConfigError);
  debug.addBreakpoint(-4096);
  debug.removeBreakpoint(123);
  debug.removeWatchpoint(123, 1, "read");
});
fast.run();

// ---- stepping over time, and runs without end ----

const time = suite("stepping and halts");
time("a processor that is halted is stepped to the event that wakes it, or to the limit", () => {
  const cpu = flat("long", "fb f4 90"); // sti; hlt
  cpu.write(0x1808, hex("ffff0000009baf00 ffff00000093cf00"));
  cpu.set("GDTR.base", 0x1800);
  cpu.set("GDTR.limit", 0xff);
  cpu.set("IDTR.base", 0x2000);
  cpu.set("IDTR.limit", 0xfff);
  cpu.write(0x2000 + 16 * 0x30, [0, 0x60, 8, 0, 0, 0x8e, 0, 0]);
  cpu.step();
  assert.is(cpu.step().reason, "step");
  assert.is(cpu.state("activity"), 1);
  assert.is(cpu.run({ stepping: 0, nanoseconds: 500 }).reason, "idle");
  cpu.clock
    .timer("test", () =>
      cpu.apicBus.deliver({ mode: 0, vector: 0x30, destination: 0, logical: false, level: false, assert: true }, false),
    )
    .arm(1_000_000);
  cpu.processors[0]!.apic!.write(0xf0, 4, 0x1ff);
  const stop = cpu.step();
  assert.equal(where(stop), ["step", 0, 0x6000]);
  assert.ok(cpu.now >= 1_000_000);
});
time("a run without a time ends though a masked timer fires for ever", () => {
  const cpu = boot("interpreter", 1);
  cpu.write(ORIGIN + 0x33, hex("faf4")); // cli; hlt, with the timer going
  const stop = cpu.run({ instructions: 1000 });
  assert.is(stop.reason, "idle");
  assert.match(stop.detail, /timers/);
  const { now } = cpu;
  assert.is(cpu.run({ nanoseconds: 1_000_000 }).reason, "limit");
  assert.is(cpu.now, now + 1_000_000);
});
time.run();
