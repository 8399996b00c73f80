import { test } from "uvu";
import * as assert from "uvu/assert";
import { StateError } from "./errors.ts";
import { Random } from "./random.ts";
import { bits, registers, ro, rw, type Unclaimed, type Width, w1c, w1s, wo } from "./registers.ts";

const MAP = registers({
  CI: w1s(0x14, 0xffffffff, "manual 5"),
  CMD: rw(0x00, 0x0547, "manual 1", { size: 2, reset: 0x0100 }),
  STS: bits(0x02, { rw: 0x0001, w1c: 0xf900 }, "manual 2", { size: 2, reset: 0x0010 }),
  ID: ro(0x04, 0xcafe_babe, "manual 3"),
  IS: w1c(0x08, 0x00ff00ff, "manual 4"),
  EOI: wo(0x0c, 0xff, "manual 6", { size: 1 }),
});

test("each kind of bit takes writes its own way", () => {
  const r = MAP.file();
  r.write(0x00, 2, 0xffff);
  assert.is(r.CMD, 0x0547);
  r.write(0x00, 2, 0);
  assert.is(r.CMD, 0);

  r.STS = 0xffff;
  r.write(0x02, 2, 0x0800);
  assert.is(r.STS, 0xf7fe); // 0x0800 cleared, the read-write bit 0 took 0, the rest stayed
  r.write(0x04, 4, 0);
  assert.is(r.read(0x04, 4), 0xcafebabe);

  r.IS = 0xffffffff;
  r.write(0x08, 4, 0x0f0f0f0f);
  assert.is(r.IS, 0xfff0fff0);
  r.write(0x14, 4, 5);
  r.write(0x14, 4, 8);
  assert.is(r.read(0x14, 4), 13);

  r.write(0x0c, 1, 0xab);
  assert.is(r.EOI, 0xab);
  assert.is(r.read(0x0c, 1), 0);
});

test("a device's own writes reach every bit, within the size", () => {
  const r = MAP.file();
  r.CMD = 0x12345;
  assert.is(r.CMD, 0x2345);
  r.CI = -1;
  assert.is(r.CI, 0xffffffff);
  r.CI &= ~1;
  assert.is(r.CI, 0xfffffffe);
});

test("stored values stand at the registers' places, in the order of offsets", () => {
  const r = MAP.file();
  r.IS = 7;
  assert.is(r.values[MAP.at.IS], 7);
  r.values[MAP.at.CI] = 9;
  assert.is(r.read(0x14, 4), 9);
  assert.equal([MAP.at.CMD, MAP.at.STS, MAP.at.ID, MAP.at.IS, MAP.at.EOI, MAP.at.CI], [0, 1, 2, 3, 4, 5]);
});

test("hooks see what was written and what was before, once a register, in the order of offsets", () => {
  const log: string[] = [];
  const r = MAP.file({
    CMD: (written, before) => log.push(`CMD ${written.toString(16)} ${before.toString(16)} ${r.CMD.toString(16)}`),
    STS: { write: (written) => log.push(`STS ${written.toString(16)}`) },
    ID: {
      read: () => {
        log.push("ID");
        return 0x12345678;
      },
    },
  });
  r.write(0, 4, 0x00010007);
  r.write(1, 1, 0x05);
  assert.is(r.read(2, 4), 0x56780011);
  assert.equal(log, ["CMD 7 100 7", "STS 1", "CMD 500 7 507", "ID"]);
});

test("reading can clear", () => {
  const r = MAP.file({
    IS: {
      read: () => {
        const value = r.IS;
        r.IS = 0;
        return value;
      },
    },
  });
  r.IS = 0x1234;
  assert.is(r.read(0x09, 1), 0x12);
  assert.is(r.read(0x08, 4), 0);
});

test("accesses of every size and place agree with single bytes", () => {
  const random = new Random(1);
  const sizes: Width[] = [1, 2, 4];
  for (let round = 0; round < 2000; round++) {
    const [one, two] = [MAP.file({}, { hole: 0xff }), MAP.file({}, { hole: 0xff })];
    for (const r of [one, two]) for (const name of MAP.names) r[name] = name.charCodeAt(0) * 0x01030507 + round;
    const [offset, size, value] = [random.below(0x1a), random.pick(sizes), random.u32()];
    one.write(offset, size, value);
    for (let i = 0; i < size; i++) two.write(offset + i, 1, value >>> (8 * i));
    assert.equal(one.save(), two.save());
    let bytes = 0;
    for (let i = 0; i < size; i++) bytes += two.read(offset + i, 1) * 256 ** i;
    assert.is(one.read(offset, size), bytes);
  }
});

test("holes read as told, swallow writes, and are told of", () => {
  const seen: Unclaimed[] = [];
  const r = MAP.file({}, { hole: 0xff, unclaimed: (access) => seen.push(access) });
  assert.is(r.read(0x0c, 4), 0xffffff00);
  r.write(0x100, 2, 0x12345);
  assert.is(r.read(-4, 4), 0xffffffff);
  assert.equal(seen, [
    { offset: 0x0c, size: 4, value: undefined },
    { offset: 0x100, size: 2, value: 0x2345 },
    { offset: -4, size: 4, value: undefined },
  ]);
  assert.is(MAP.file().read(0x10, 4), 0);
});

test("reset, save and restore", () => {
  const r = MAP.file();
  const fresh = r.save();
  assert.equal(fresh, { CMD: 0x0100, STS: 0x0010, ID: 0xcafebabe, IS: 0, EOI: 0, CI: 0 });
  r.CI = 7;
  r.IS = 9;
  const saved = JSON.parse(JSON.stringify(r.save()));
  r.reset();
  assert.equal(r.save(), fresh);
  const other = MAP.file({ CI: () => assert.unreachable("restore runs no hook") });
  other.restore(saved);
  assert.is(other.CI, 7);
  const refused = (state: object) => {
    try {
      other.restore(state as never);
    } catch (error) {
      return assert.instance(error, StateError);
    }
    assert.unreachable("it was accepted");
  };
  refused({ ...saved, CMD: 0x10000 });
  refused({ ...saved, MORE: 1 });
  const { CI: _, ...less } = saved;
  refused(less);
});

test("names for traces", () => {
  assert.equal(MAP.names, ["CMD", "STS", "ID", "IS", "EOI", "CI"]);
  assert.equal(
    [0, 1, 0x14, 0x7c].map((at) => MAP.nameAt(at)),
    ["CMD", "CMD+1", "CI", "0x7c"],
  );
  assert.is(MAP.rows[MAP.indexAt(0x16)].cite, "manual 5");
});

test("a wrong map is refused, by name", () => {
  assert.throws(() => registers({ A: rw(0, 1, ""), B: rw(3, 1, "") }), /share a byte\n {2}at = 3\n.*"B"\n.*"A"/);
  assert.throws(() => registers({ A: rw(0, 0x1ff, "", { size: 1 }) }), /fit its size/);
  assert.throws(() => registers({ A: bits(0, { rw: 3, w1c: 2 }, "") }), /of one kind/);
  assert.throws(() => registers({ read: rw(0, 1, "") }), /capital letter/);
  assert.throws(() => registers({ A: rw(-4, 1, "") }), /below 1 MiB/);
});

test.run();
