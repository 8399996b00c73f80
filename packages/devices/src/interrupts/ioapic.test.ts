import * as assert from "uvu/assert";
import { Rig as TestRig, twice } from "../twice.test-support.ts";
import { type ApicMessage, IoApic, ioApicState } from "./ioapic.ts";

twice("I/O APIC", (test, hops) => {
  function rig(version: 0x11 | 0x20 = 0x11) {
    const sent: ApicMessage[] = [];
    const board = { heard: true };
    const deliver = (message: ApicMessage) => {
      sent.push(message);
      return board.heard;
    };
    const r = new TestRig(ioApicState, () => new IoApic({ deliver }, { version }), hops);
    const write = (index: number, value: number) => {
      r.step().write(0, 4, index);
      r.step().write(0x10, 4, value);
    };
    const read = (index: number) => {
      r.step().write(0, 4, index);
      return r.step().read(0x10, 4);
    };
    const entry = (n: number, low: number, high = 0) => {
      write(0x11 + 2 * n, high);
      write(0x10 + 2 * n, low);
    };
    const vectors = () => sent.splice(0).map(({ vector }) => vector);
    return {
      r,
      sent,
      board,
      write,
      read,
      entry,
      vectors,
      line: (n: number, high: boolean) => r.step().line(n).set(high),
    };
  }

  test("id, version and arbitration [82093AA 3.2]", () => {
    const { r, read, write } = rig();
    assert.is(read(1), 0x00170011);
    write(0, 0xff000000);
    assert.is(read(0), 0x0f000000);
    assert.is(read(2), 0x0f000000);
    assert.is(r.step().read(0, 4), 2);
    assert.is(rig(0x20).read(1), 0x00170020);
  });

  test("every input is masked after reset", () => {
    const { read, line, sent } = rig();
    for (let n = 0; n < 24; n++) {
      assert.is(read(0x10 + 2 * n), 0x10000);
      line(n, true);
    }
    assert.is(read(0x40), 0);
    assert.equal(sent, []);
  });

  test("an edge becomes one message, with all that its entry says", () => {
    const { entry, line, sent, read } = rig();
    entry(4, 0x0000_0934, 0x03ffffff);
    assert.is(read(0x19), 0x03000000);
    line(4, true);
    line(4, true);
    assert.equal(sent, [{ mode: 1, vector: 0x34, logical: true, destination: 3, level: false, assert: true }]);
    line(4, false);
    line(4, true);
    assert.is(sent.length, 2);
  });

  test("an edge on a masked input is lost [82093AA 3.2.4]", () => {
    const { entry, line, vectors } = rig();
    entry(1, 0x1_0031);
    line(1, true);
    entry(1, 0x31);
    assert.equal(vectors(), []);
    line(1, false);
    line(1, true);
    assert.equal(vectors(), [0x31]);
  });

  test("a level is sent once, and again after its end while it is asserted", () => {
    const { r, entry, line, vectors, read } = rig();
    entry(11, 0x8051);
    line(11, true);
    assert.equal(vectors(), [0x51]);
    assert.is(read(0x26), 0xc051);
    r.step().endOfInterrupt(0x50);
    assert.equal(vectors(), []);
    r.step().endOfInterrupt(0x51);
    assert.equal(vectors(), [0x51]);
    line(11, false);
    assert.is(read(0x26), 0xc051);
    r.step().endOfInterrupt(0x51);
    assert.equal(vectors(), []);
    assert.is(read(0x26), 0x8051);
  });

  test("a masked level waits for the mask to go", () => {
    const { entry, line, vectors } = rig();
    entry(11, 0x1_8051);
    line(11, true);
    assert.equal(vectors(), []);
    entry(11, 0x8051);
    assert.equal(vectors(), [0x51]);
  });

  test("a level that nobody hears is not in service", () => {
    const { board, entry, line, read, vectors } = rig();
    board.heard = false;
    entry(11, 0x8051, 0x09000000);
    line(11, true);
    assert.is(read(0x26), 0x8051);
    board.heard = true;
    vectors();
    entry(11, 0x8051, 0);
    assert.equal(vectors().slice(0, 1), [0x51]);
    assert.is(read(0x26), 0xc051);
  });

  test("remote IRR goes when an entry becomes edge-triggered: how Linux ends interrupts on version 11", () => {
    const { entry, line, read, vectors } = rig();
    entry(10, 0x8041);
    line(10, true);
    line(10, false);
    entry(10, 0x1_0041);
    entry(10, 0x8041);
    assert.is(read(0x24), 0x8041);
    line(10, true);
    assert.equal(vectors(), [0x41, 0x41]);
  });

  test("version 20 has an EOI register, version 11 has none", () => {
    for (const [version, again] of [
      [0x11, []],
      [0x20, [0x61]],
    ] as const) {
      const { r, entry, line, vectors } = rig(version);
      entry(9, 0x8061);
      line(9, true);
      vectors();
      r.step().write(0x40, 4, 0x61);
      assert.equal(vectors(), again);
    }
  });

  test("the polarity bit is kept and changes nothing: lines are asserted or not", () => {
    const { entry, line, read, vectors } = rig();
    entry(11, 0xa051);
    assert.is(read(0x26), 0xa051);
    assert.equal(vectors(), []);
    line(11, true);
    assert.equal(vectors(), [0x51]);
  });

  test("NMI and ExtINT are edges whatever the trigger mode says", () => {
    const { entry, line, sent, read } = rig();
    entry(0, 0x8700);
    line(0, true);
    assert.equal(sent, [{ mode: 7, vector: 0, logical: false, destination: 0, level: false, assert: true }]);
    assert.is(read(0x10), 0x8700);
  });
});
