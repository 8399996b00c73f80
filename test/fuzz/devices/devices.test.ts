/** The fuzzer of the board finds what it is made to find: one device of each kind of defect, and none on a good one. */
import { type Plain, record, type Shape, u8 } from "@castaway/kit";
import type { Board } from "castaway";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Action, sourceOf } from "./actions.ts";
import type { Setup } from "./bench.ts";
import { difference, examine } from "./check.ts";
import { fuzzSeed } from "./devices.ts";
import { shrink } from "./shrink.ts";

/** A register of 8 bits at port 600, and whatever else is wrong with it. */
class Latch {
  value = 0;
  readonly shape: Shape<{ value: number }> = record({ value: u8 });
  read(_offset: number, bytes: number): number {
    return bytes === 1 ? this.value : 0;
  }
  write(_offset: number, _bytes: number, value: number): void {
    this.value = value & 0xff;
  }
  reset(): void {
    this.value = 0;
  }
  save(): Plain {
    return { value: this.value };
  }
  restore(state: Plain): void {
    this.value = (state as { value: number }).value;
  }
}
class Throws extends Latch {
  override write(_offset: number, _bytes: number, value: number): void {
    if (value & 0x80) throw new Error("bit 7 cannot happen");
  }
}
class Loops extends Latch {
  override write(_offset: number, _bytes: number, value: number): void {
    for (this.value = value & 0x20; this.value !== 0; );
  }
}
class Ticks extends Latch {
  readonly #timer;
  constructor(board: Board) {
    super();
    this.#timer = board.clock.timer("ticks", () => this.#timer.arm(1));
  }
  override write(_offset: number, _bytes: number, value: number): void {
    if (value & 0x40) this.#timer.arm(1);
  }
  override reset(): void {
    this.#timer.disarm();
  }
}
class Negative extends Latch {
  override read(): number {
    return this.value === 0xff ? -1 : 0;
  }
}
class Leaks extends Latch {
  readonly log: object[] = [];
  override write(offset: number, bytes: number, value: number): void {
    for (let i = 0; i < 200; i++) this.log.push({ offset, bytes, value });
  }
}
class Hoards extends Latch {
  #log: number[] = [];
  override readonly shape = record({ log: { check: () => {} } }) as unknown as Latch["shape"];
  override write(_offset: number, _bytes: number, value: number): void {
    for (let i = 0; i < 30_000; i++) this.#log.push(value);
  }
  override save(): Plain {
    return { log: [...this.#log] };
  }
  override restore(state: Plain): void {
    this.#log = [...(state as { log: number[] }).log];
  }
}
class Forgets extends Latch {
  override restore(): void {}
}
/** It saves and restores all that it says, but what decides is not in it. */
class Hides extends Latch {
  #toggled = false;
  override read(offset: number, bytes: number): number {
    return this.#toggled ? super.read(offset, bytes) : 0;
  }
  override write(offset: number, bytes: number, value: number): void {
    super.write(offset, bytes, value);
    this.#toggled = true;
  }
}
class Overflows extends Latch {
  override write(_offset: number, _bytes: number, value: number): void {
    this.value = value;
  }
  override read(): number {
    return 0;
  }
}
let chance = 0;
class Chance extends Latch {
  override read(): number {
    return chance++ & 0xff;
  }
}

type Defect = new (board: Board) => Latch;
const plugged = (Device: Defect): Setup => ({
  cpus: 1,
  msi: false,
  disks: [],
  networkCards: 0,
  display: false,
  extra: (board) => {
    const device = new Device(board);
    board.ports.map(0x600, 4, device);
    board.parts.add("defect", device, device.shape as unknown as Shape<Plain>);
  },
});
/** The first failure of a few seeds that drive the device; not made shorter unless there is time. */
function found(Device: Defect, { heap = false, limit = 20_000, patience = 0 } = {}) {
  for (let seed = 1; seed <= 8; seed++) {
    const options = { only: `${Device.name} ports 600`, setup: plugged(Device), heap, steps: 60, limit, patience };
    const verdict = fuzzSeed(seed, options);
    if (verdict.failure !== null) return verdict;
  }
  return undefined;
}

const test = suite("the fuzzer of devices");
for (const [Device, kind, limit] of [
  [Throws, "exception", 20_000],
  [Loops, "loop", 500],
  [Ticks, "events", 20_000],
  [Negative, "answer", 20_000],
  [Hoards, "growth", 20_000],
  [Forgets, "state", 20_000],
  [Hides, "restore", 20_000],
  [Overflows, "state", 20_000],
  [Chance, "chance", 20_000],
] as const) {
  test(`finds a device that ${Device.name.toLowerCase()}, and how`, () => {
    const verdict = found(Device, { limit });
    assert.is(verdict?.failure?.kind, kind, verdict?.failure?.message);
  });
}
test("finds a device that leaks", () => {
  assert.is(found(Leaks, { heap: true })?.failure?.kind, "growth");
});
test("finds nothing wrong with a good device", () => {
  assert.is(fuzzSeed(1, { setup: plugged(Latch), steps: 100 }).failure, null);
});
test("what failed is made shorter, and still fails", () => {
  const { failure, actions } = found(Throws, { patience: Number.POSITIVE_INFINITY })!;
  assert.is(actions.length, 1, actions.map(sourceOf).join());
  assert.is(examine(plugged(Throws), actions)?.message, failure?.message);
});
test("the same seed makes the same actions", () => {
  const setup: Setup = { cpus: 2, msi: true, disks: ["ssd", "faulty"], networkCards: 1, display: false };
  assert.equal(fuzzSeed(7, { setup, steps: 60 }), fuzzSeed(7, { setup, steps: 60 }));
});
test("every device that a board has is reached, and time passes", () => {
  const { actions } = fuzzSeed(3, {
    setup: { cpus: 1, msi: true, disks: ["instant"], networkCards: 1, display: false },
  });
  const seen = new Set(actions.map(([kind]) => kind));
  for (const kind of ["in", "out", "read", "write", "store", "wait", "apic write"] as const)
    assert.ok(seen.has(kind), kind);
});
test("shrinking leaves what is needed, in order", () => {
  const actions = Array.from({ length: 100 }, (_, n): Action => ["wait", n]);
  const needed = (list: readonly Action[]) => [3, 50, 99].every((n) => list.some(([, time]) => time === n));
  assert.equal(
    shrink(actions, needed, () => true).map(([, time]) => time),
    [3, 50, 99],
  );
});
test("a difference is named by its path", () => {
  assert.is(
    difference({ a: [1, { b: Uint8Array.of(1, 2) }] }, { a: [1, { b: Uint8Array.of(1, 3) }] }).split(" (")[0],
    "a.1.b[0x1] is 3, not 2",
  );
  assert.is(difference({ a: 1 }, { a: 1 }), "");
});
test.run();
