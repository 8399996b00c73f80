import { ConfigError, StateError } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { modelNamed, withFeatures } from "./core/model.ts";
import { LAYOUT } from "./core/physical.ts";
import type { Delivery } from "./core/probes.ts";
import { Cpu } from "./cpu.ts";

const test = suite("Cpu");

/** Real mode at 1000h; interrupt vectors lead to 2000h. */
function real(code: number[], executor: "evaluator" | "interpreter" = "interpreter"): Cpu {
  const cpu = new Cpu({ memory: "64KiB", executor });
  for (let vector = 0; vector < 256; vector++) cpu.write(4 * vector, [0, 0x20, 0, 0]);
  cpu.write(0x1000, code);
  cpu.write(0x2000, [0xf4]);
  cpu.enter("real", 0x1000);
  cpu.set("RSP", 0x8000);
  cpu.set("IDTR.limit", 0x3ff);
  return cpu;
}

test("impossible configurations say what is wrong and what is allowed", () => {
  for (const [options, pattern] of [
    [{ memory: "4GiB" }, /memory.*3\.5 GiB/],
    [{ memory: 1000 }, /memory.*4096/],
    [{ cpus: 17 }, /cpus: 17.*1 to 16/],
    [{ model: "pentium" }, /model.*westmere/],
    [{ quantum: 1 }, /quantum/],
    [{ seed: -1 }, /seed/],
    [{ executor: "magic" as "interpreter" }, /executor.*evaluator/],
  ] as const) {
    assert.throws(
      () => new Cpu(options),
      (e: unknown) => e instanceof ConfigError && pattern.test(e.message),
    );
  }
  assert.throws(
    () => new Cpu({ memory: "64KiB" }).get("EAX"),
    (e: unknown) => e instanceof ConfigError && /RAX/.test(e.message),
  );
});

test("a state of another memory size, model or number of processors is refused", () => {
  const saved = new Cpu({ memory: "64KiB" }).save();
  const lessened = withFeatures(modelNamed("westmere"), [], ["popcnt"]);
  for (const options of [
    { memory: "128KiB" },
    { memory: "64KiB", model: "core2" },
    { memory: "64KiB", model: lessened },
    { memory: "64KiB", cpus: 2 },
  ]) {
    assert.throws(
      () => new Cpu(options).restore(saved),
      (e: unknown) => e instanceof StateError,
    );
  }
  assert.throws(
    () => new Cpu({ memory: "64KiB" }).restore(saved.slice(0, 100)),
    (e: unknown) => e instanceof StateError,
  );
});

test("the probe of deliveries tells vector, kind, return address and time, and changes nothing", () => {
  const code = [0xcd, 0x21]; // int 21h
  const silent = real(code);
  silent.run({ instructions: 10 });
  const watched = real(code);
  const seen: Delivery[] = [];
  watched.probes.deliveries.on((d) => seen.push(d));
  watched.run({ instructions: 10 });
  assert.is(seen.length, 1);
  assert.equal([seen[0]!.vector, seen[0]!.kind, seen[0]!.ip, seen[0]!.errorCode], [0x21, 4, 0x1002, null]);
  assert.is(watched.digest(), silent.digest());
});

test("step runs one instruction, or one iteration of a repeated one", () => {
  const cpu = real([0x40, 0xf3, 0xaa, 0x40]); // inc ax; rep stosb; inc ax
  cpu.set("RCX", 2);
  cpu.set("RDI", 0x3000);
  const ips = [0, 1, 2, 3].map(() => {
    cpu.step();
    return cpu.get("RIP").toNumber();
  });
  assert.equal(ips, [0x1001, 0x1001, 0x1003, 0x1004]);
});

test("a run that is cut into pieces ends in the same state", () => {
  const loop = [0xb9, 0xe8, 0x03, 0x01, 0xc8, 0xe2, 0xfc, 0xf4]; // mov cx, 1000; L: add ax, cx; loop L; hlt
  const whole = real(loop);
  whole.run();
  const pieces = real(loop);
  while (pieces.run({ instructions: 7 }).reason === "limit");
  assert.is(pieces.digest(), whole.digest());
  assert.is(whole.get("RAX").toNumber(), ((1000 * 1001) / 2) & 0xffff);
});

test("a repeated instruction that overwrites itself is fetched again, wherever the run is cut", () => {
  const ends = (["evaluator", "interpreter"] as const).flatMap((executor) =>
    [1000, 1].map((instructions) => {
      const cpu = new Cpu({ memory: "64KiB", executor });
      cpu.enter("protected32", 0x1000);
      // mov edi, 100c; mov ecx, 8; mov al, 90; rep stosb over itself; hlt
      cpu.write(0x1000, [0xbf, 0x0c, 0x10, 0, 0, 0xb9, 8, 0, 0, 0, 0xb0, 0x90, 0xf3, 0xaa, 0xf4]);
      while (cpu.run({ instructions }).reason === "limit");
      return [cpu.get("RCX").toNumber(), cpu.digest()];
    }),
  );
  assert.is(ends[0]![0], 7);
  for (const end of ends) assert.equal(end, ends[0]);
});

test("what is not implemented stops the run with a typed outcome", () => {
  for (const executor of ["evaluator", "interpreter"] as const) {
    const cpu = new Cpu({ memory: "64KiB", executor });
    cpu.enter("protected32", 0x1000);
    cpu.write(0x1000, [0xc7, 0x05, 0, 3, 0xe0, 0xfe, 0, 2, 0, 0, 0xeb, 0xfe]); // mov dword [fee00300], 200 (SMI to 0); jmp $
    const stop = cpu.run({ instructions: 10 });
    assert.is(stop.reason, "unimplemented");
    assert.match(stop.detail, /system-management/);
  }
});

test("the state of a processor besides RAM fits in 16 MiB", () => {
  const { readHost, writeHost, codePages } = new Cpu({ memory: "64KiB" }).physical;
  assert.ok(LAYOUT.ram + readHost.byteLength + writeHost.byteLength + codePages.byteLength <= 16 * 2 ** 20);
});

/** Processor 0 halts and counts NMIs in BX; processor 1, whose turn comes later, sends one each `pause` instructions. */
function ringing(pause: number): Cpu {
  const cpu = new Cpu({ memory: "64KiB", cpus: 2 });
  cpu.enter("real", 0x1000, 0);
  cpu.enter("protected32", 0x2000, 1);
  cpu.set("activity", 0, 1);
  cpu.set("RSP", 0x8000, 0);
  cpu.write(8, [0x00, 0x11, 0, 0]); // NMI: 0000:1100
  cpu.write(0x1000, [0xf4, 0xeb, 0xfd]); // hlt; jmp back
  cpu.write(0x1100, [0x43, 0xcf]); // inc bx; iret
  // mov ecx, pause; loop $; mov dword [fee00300], 000c0400 (NMI to all others); hlt
  const ring = [0xb9, pause, 0, 0, 0, 0xe2, 0xfe, 0xc7, 0x05, 0, 3, 0xe0, 0xfe, 0, 4, 0x0c, 0];
  cpu.write(0x2000, [...ring, ...ring, 0xf4]);
  return cpu;
}

test("a halted processor whose turn is over hears a message of this round, even if then all are halted", () => {
  const cpu = ringing(1);
  assert.is(cpu.run({ nanoseconds: 1_000_000 }).reason, "idle");
  assert.is(cpu.get("RBX", 0).toNumber(), 1); // two messages in one turn are one NMI that waits
});

test("a run of several processors that is cut by time ends in the same state", () => {
  const whole = ringing(200);
  whole.run({ nanoseconds: 200_000 });
  const pieces = ringing(200);
  while (pieces.now < whole.now) pieces.run({ nanoseconds: Math.min(777, whole.now - pieces.now) });
  assert.is(pieces.digest(), whole.digest());
  assert.is(whole.get("RBX", 0).toNumber(), 1);
});

test("a processor that waited for seconds has retired what it retired", () => {
  const cpu = ringing(1);
  cpu.clock.timer("late", () => {}).arm(20e9);
  cpu.run({ nanoseconds: 1000 });
  const before = cpu.retired;
  for (let i = 0; i < 4; i++) {
    cpu.run({ nanoseconds: 5e9 });
    cpu.saveState();
  }
  assert.is(cpu.retired, before);
});

test("a restored processor that waits says until when", () => {
  const waiting = () => {
    const cpu = real([0xf4]);
    return { cpu, timer: cpu.clock.timer("late", () => {}) };
  };
  const { cpu, timer } = waiting();
  timer.arm(1e6);
  cpu.run({ nanoseconds: 1000 });
  assert.is(cpu.haltedUntil, 1e6);
  const other = waiting();
  other.cpu.restoreState(cpu.saveState());
  other.timer.restore(timer.save());
  assert.is(other.cpu.haltedUntil, 1e6);
});

test("how patiently handlers are made changes nothing but time", () => {
  const digests = [0, 50, 1e9].map((patience) => {
    const cpu = new Cpu({ memory: "64KiB", patience });
    // mov cx,1000; again: imul ax,cx,7; rol ax,3; xor [1234h],ax; inc word [bx+1236h]; dec cx; jnz again; cld; rep stosw; hlt
    cpu.write(0x1000, [0xb9, 0xe8, 0x03, 0x6b, 0xc1, 0x07, 0xc1, 0xc0, 0x03, 0x31, 0x06, 0x34, 0x12]);
    cpu.write(0x100d, [0xff, 0x87, 0x36, 0x12, 0x49, 0x75, 0xef, 0xfc, 0xb9, 0x40, 0x00, 0xf3, 0xab, 0xf4]);
    cpu.enter("real", 0x1000);
    cpu.set("RDI", 0x3000);
    assert.is(cpu.run({ instructions: 100_000 }).reason, "idle");
    return cpu.digest();
  });
  assert.equal(new Set(digests).size, 1);
});

test("the upper half of CR0 is clear in a flat 64-bit mode", () => {
  const cpu = new Cpu({ memory: "1MiB" });
  cpu.enter("long", 0x1000);
  assert.is(cpu.get("CR0").toString(16), "80000031");
});

test("two machines in one process share nothing but code", () => {
  const a = real([0x40, 0xf4]);
  const b = real([0x48, 0xf4]);
  a.run();
  b.run();
  assert.is(a.get("RAX").toNumber(), 1);
  assert.is(b.get("RAX").toNumber(), 0xffff);
});

test.run();
