import { ConfigError, StateError } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ata, big, clientMac, config, everyone, head, pack, RamDisk, Rig, request } from "./rig.test-support.ts";

const others = [0x5254_0000_00c2, 0x5254_0000_00c3];
const text = (frame: Uint8Array, at: number, length: number) => String.fromCharCode(...frame.slice(at, at + length));
/** Status, error, sector count of the only answer, which has no AoE error. */
function registers(frames: Uint8Array[]): number[] {
  assert.is(frames.length, 1);
  assert.is(frames[0][14], 0x18);
  return [frames[0][27], frames[0][25], frames[0][26]];
}
/** The AoE error of the only answer. */
function error(frames: Uint8Array[]): number {
  assert.is(frames.length, 1);
  assert.is(frames[0][14], 0x1c);
  return frames[0][15];
}

for (const hops of [false, true]) {
  const test = suite(hops ? "aoe, saved and restored at every step" : "aoe");
  const rig = (disk = RamDisk.patterned(100), more = {}) =>
    new Rig({ targets: [{ shelf: 1, slot: 2, disk }], ...more }, hops);

  test("the response has the request's tag and command, the target's address, swapped MACs [AoEr11 2]", () => {
    const [answer] = rig().ask(config(0));
    assert.is(head(answer), "525400000001>5254000000c1 18/0 1.2 1#deadbeef");
    assert.is(answer.length, 60);
  });

  test("broadcast: every target that matches answers with its own address [AoEr11 2.5]", () => {
    const disk = RamDisk.patterned(1);
    const places = [
      [1, 2],
      [1, 3],
      [2, 2],
    ];
    const r = new Rig({ targets: places.map(([shelf, slot]) => ({ shelf, slot, disk })) }, hops);
    const ask = (major: number, minor: number) =>
      r.ask(config(0, "", { major, minor, to: everyone })).map((frame) => `${big(frame, 16, 2)}.${frame[18]}`);
    assert.equal(ask(0xffff, 0xff), ["1.2", "1.3", "2.2"]);
    assert.equal(ask(1, 0xff), ["1.2", "1.3"]);
    assert.equal(ask(0xffff, 2), ["1.2", "2.2"]);
    assert.equal(ask(2, 2), ["2.2"]);
    assert.equal(ask(2, 3), []);
    assert.is(r.server.statistics.drops.noTarget, 1);
  });

  test("announce: a config response that nobody asked for, to all", () => {
    const r = rig();
    r.server.announce();
    const [frame] = r.take();
    assert.is(head(frame), "525400000001>ffffffffffff 18/0 1.2 1#0");
  });

  test("config: buffer count, firmware, sectors that fit the MTU [AoEr11 3.2]", () => {
    const told = (mtu: number) => {
      const [frame] = rig(undefined, { mtu, bufferCount: 5, firmware: 0x4014 }).ask(config(0));
      return [big(frame, 24, 2), big(frame, 26, 2), frame[28], frame[29], big(frame, 30, 2)];
    };
    assert.equal(told(1500), [5, 0x4014, 2, 0x10, 0]);
    assert.equal(told(9000), [5, 0x4014, 17, 0x10, 0]);
  });

  test("config: set once, force, read, test, test of a prefix [AoEr11 3.2]", () => {
    const r = rig();
    const string = (frames: Uint8Array[]) => frames.map((frame) => text(frame, 32, big(frame, 30, 2)));
    assert.equal(string(r.ask(config(3, "one two"))), ["one two"]);
    assert.is(error(r.ask(config(3, "other"))), 4);
    assert.equal(string(r.ask(config(3, "one two"))), ["one two"]); // sent again, as its answer may have been lost
    assert.equal(string(r.ask(config(0))), ["one two"]);
    assert.equal(string(r.ask(config(1, "one two"))), ["one two"]);
    assert.equal(r.ask(config(1, "one")), []);
    assert.equal(string(r.ask(config(2, "one"))), ["one two"]);
    assert.equal(r.ask(config(2, "one two three")), []);
    assert.equal(r.ask(config(2, "two")), []);
    assert.equal(string(r.ask(config(4, "x".repeat(1024)))), ["x".repeat(1024)]);
    assert.equal(string(r.ask(config(4, ""))), [""]);
    assert.equal(string(r.ask(config(3, "again"))), ["again"]);
    assert.is(r.server.statistics.silent, 3);
  });

  test("config: a string that is too long, longer than its frame, or an unknown CCmd is a bad argument", () => {
    const r = rig();
    assert.is(error(r.ask(config(4, "x".repeat(1025)))), 2);
    assert.is(error(r.ask(request(1, pack([0, 5], [0x14, 1], [200, 2])))), 2);
    assert.is(error(r.ask(config(5))), 2);
  });

  test("errors: unknown commands and other versions [AoEr11 2.4]", () => {
    const r = rig();
    for (const command of [4, 0x7f, 0xf1, 0xff]) assert.is(error(r.ask(request(command, new Uint8Array(0)))), 1);
    const [answer] = r.ask(config(0, "", { first: 0x20 }));
    assert.equal([answer[14], answer[15]], [0x1c, 5]);
    assert.is(r.server.statistics.aoeErrors, 5);
    assert.is(r.server.statistics.requests.unknown, 5);
  });

  test("read: 20h with 28 bits, 24h with 48 bits [AoEr11 3.1]", () => {
    const disk = RamDisk.patterned(100);
    const r = rig(disk);
    for (const opcode of [0x20, 0x24]) {
      const [answer] = r.ask(ata(opcode, 7, 2, { flags: 0x40 }));
      assert.equal(registers([answer]), [0x40, 0, 0]);
      assert.is(answer.length, 36 + 1024);
      assert.equal(answer.slice(36), disk.bytes.slice(7 * 512, 9 * 512));
      assert.equal(answer.slice(28, 34), Uint8Array.of(7, 0, 0, 0, 0, 0));
    }
    assert.equal(registers(r.ask(ata(0x20, 0xf0_0000_0007))), [0x40, 0, 0]); // only the low 28 bits count
    assert.equal(registers(r.ask(ata(0x24, 0xf0_0000_0007))), [0x41, 0x10, 1]);
    assert.is(r.server.statistics.bytesRead, 5 * 512);
  });

  test("the last sector is read, the one after it is IDNF, across the end too", () => {
    const r = rig();
    assert.equal(registers(r.ask(ata(0x24, 99))), [0x40, 0, 0]);
    assert.equal(registers(r.ask(ata(0x24, 100))), [0x41, 0x10, 1]);
    assert.equal(registers(r.ask(ata(0x24, 99, 2))), [0x41, 0x10, 2]);
    assert.equal(registers(r.ask(ata(0x34, 99, 2, { data: new Uint8Array(1024) }))), [0x41, 0x10, 2]);
    assert.is(r.server.statistics.ataErrors, 3);
  });

  test("counts that do not fit a frame, 0 among them, and data that are not there are bad arguments", () => {
    const r = rig();
    for (const count of [0, 3, 255]) assert.is(error(r.ask(ata(0x24, 0, count))), 2);
    assert.is(error(r.ask(ata(0x34, 0, 2, { data: new Uint8Array(1023) }))), 2);
  });

  test("jumbo frames carry 17 sectors at an MTU of 9,000", () => {
    const disk = RamDisk.patterned(100);
    const r = rig(disk, { mtu: 9000 });
    const [answer] = r.ask(ata(0x24, 3, 17));
    assert.equal(answer.slice(36), disk.bytes.slice(3 * 512, 20 * 512));
    assert.is(error(r.ask(ata(0x24, 3, 18))), 2);
    assert.equal(registers(r.ask(ata(0x34, 50, 17, { flags: 0x41, data: answer.slice(36) }))), [0x40, 0, 0]);
    assert.equal(disk.bytes.slice(50 * 512, 67 * 512), answer.slice(36));
  });

  test("write: 30h and 34h, with and without the flag for asynchronous ones", () => {
    const disk = RamDisk.patterned(100);
    const r = rig(disk);
    const data = new Uint8Array(512).fill(0xee);
    for (const [i, flags] of [0x01, 0x03, 0x41, 0x43].entries()) {
      assert.equal(registers(r.ask(ata(flags & 0x40 ? 0x34 : 0x30, i, 1, { flags, data }))), [0x40, 0, 0]);
    }
    assert.ok(disk.bytes.subarray(0, 4 * 512).every((byte) => byte === 0xee));
    assert.is(disk.bytes[4 * 512], 28);
    assert.is(r.server.statistics.bytesWritten, 4 * 512);
  });

  test("identify: PIO only, size, addresses of 48 bits, texts, checksum", () => {
    const [answer] = rig().ask(ata(0xec));
    const word = (index: number) => answer[36 + 2 * index] | (answer[37 + 2 * index] << 8);
    assert.equal([word(60), word(61), word(100), word(101)], [100, 0, 100, 0]);
    assert.is(word(83) & 0x0400, 0x0400);
    assert.is(word(49) & 0x0300, 0x0200);
    assert.is(answer.slice(36, 548).reduce((sum, byte) => sum + byte, 0) % 256, 0);
    const pairs = Array.from({ length: 20 }, (_, i) => text(answer, 36 + 54 + (i ^ 1), 1));
    assert.is(pairs.join(""), "castaway AoE target ".slice(0, 20));
  });

  test("flush reaches the disk; CHECK POWER MODE: active; the rest is aborted, DMA reads among it", () => {
    const disk = RamDisk.patterned(100);
    const r = rig(disk);
    for (const opcode of [0xe7, 0xea]) assert.equal(registers(r.ask(ata(opcode))), [0x40, 0, 0]);
    assert.is(disk.flushes, 2);
    assert.equal(registers(r.ask(ata(0xe5))), [0x40, 0, 0xff]);
    for (const opcode of [0x25, 0xc8, 0xca, 0xef, 0x00]) assert.equal(registers(r.ask(ata(opcode))), [0x41, 4, 0]);
  });

  test("a medium that fails: UNC on reads, device fault on writes and flushes", () => {
    const disk = RamDisk.patterned(100);
    const r = rig(disk);
    disk.broken = true;
    assert.equal(registers(r.ask(ata(0x24))), [0x41, 0x40, 1]);
    assert.equal(registers(r.ask(ata(0x34, 0, 1, { data: new Uint8Array(512) }))), [0x61, 4, 1]);
    assert.equal(registers(r.ask(ata(0xe7))), [0x61, 4, 0]);
  });

  test("a read-only image refuses writes as write-protected", () => {
    const disk = RamDisk.patterned(100, true);
    assert.equal(registers(rig(disk).ask(ata(0x34, 0, 1, { data: new Uint8Array(512) }))), [0x41, 0x44, 1]);
    assert.is(disk.bytes[1], 1);
  });

  test("overlays: each client sees its own writes, the image stays as it is, and only so many get one", () => {
    const disk = RamDisk.patterned(10, true);
    const made = new Map<number, RamDisk>();
    const overlay = (client: number) => {
      const own = made.get(client) ?? new RamDisk(10, { bytes: disk.bytes.slice() });
      made.set(client, own);
      return own;
    };
    const r = new Rig({ targets: [{ shelf: 1, slot: 2, disk, overlay, overlays: 2 }] }, hops);
    const clients = [clientMac, ...others];
    const write = (from: number, value: number) =>
      registers(r.ask(ata(0x34, 5, 1, { from, data: new Uint8Array(512).fill(value) })));
    const read = (from: number) => r.ask(ata(0x24, 5, 1, { from }))[0][36];
    assert.equal(write(clients[0], 0xa0), [0x40, 0, 0]);
    assert.equal(write(clients[1], 0xa1), [0x40, 0, 0]);
    assert.equal(write(clients[2], 0xa2), [0x41, 0x44, 1]);
    assert.equal(clients.map(read), [0xa0, 0xa1, 35]);
    assert.is(disk.bytes[5 * 512], 35);
    assert.equal([...made.keys()], clients.slice(0, 2));
  });

  test("mask list: add, delete, read; who is not in it gets no answer [AoEr11 3.3]", () => {
    const r = rig();
    const edit = (what: number, ...list: [number, number][]) =>
      request(2, pack([0, 1], [what, 1], [0, 1], [list.length, 1], ...list.map(([d, mac]) => pack([d, 2], [mac, 6]))));
    const listed = ([frame]: Uint8Array[]) => [
      frame[26],
      ...Array.from({ length: frame[27] }, (_, i) => big(frame, 28 + 8 * i + 2, 6)),
    ];
    assert.equal(listed(r.ask(edit(1, [1, clientMac], [1, others[0]], [1, clientMac]))), [0, clientMac, others[0]]);
    assert.equal(r.ask(ata(0xec, 0, 1, { from: others[1] })), []);
    assert.equal(r.ask(config(0, "", { from: others[1] })), []);
    assert.is(r.server.statistics.drops.masked, 2);
    assert.is(r.ask(ata(0xec, 0, 1, { from: others[0] })).length, 1);
    assert.equal(r.ask(edit(1, [1, others[1]], [3, 0]))[0].slice(24, 28), Uint8Array.of(0, 1, 2, 1)); // one was obeyed
    assert.equal(listed(r.ask(edit(0))), [0, clientMac, ...others]);
    assert.equal(listed(r.ask(edit(1, [2, others[1]]))), [0, clientMac, others[0]]);
    assert.equal(listed(r.ask(edit(1, [2, others[0]], [0, 0]))), [0, clientMac]);
    assert.equal(listed(r.ask(edit(0))), [0, clientMac]);
    for (let i = 0; i < 184; i += 92) {
      r.ask(edit(1, ...Array.from({ length: 92 }, (_, j): [number, number] => [1, 0x100 + i + j])));
    }
    assert.equal(r.ask(edit(1, [1, clientMac], [1, 7]))[0].slice(24, 28), Uint8Array.of(0, 1, 3, 1));
    assert.is(r.ask(edit(0))[0].length, 28 + 185 * 8);
    assert.is(error(r.ask(edit(2))), 2);
    assert.is(error(r.ask(request(2, pack([0, 1], [1, 1], [0, 1], [9, 1])))), 2);
  });

  test("reserve: others may not use or change the target; set, force, release [AoEr11 3.4]", () => {
    const r = rig();
    const ask = (what: number, from: number, ...list: number[]) =>
      r.ask(request(3, pack([what, 1], [list.length, 1], ...list.map((mac) => pack([mac, 6]))), { from }));
    const listed = ([frame]: Uint8Array[]) => Array.from({ length: frame[25] }, (_, i) => big(frame, 26 + 6 * i, 6));
    assert.equal(listed(ask(1, clientMac, clientMac)), [clientMac]);
    assert.equal(listed(ask(0, others[0])), [clientMac]);
    assert.is(error(ask(1, others[0], others[0])), 6);
    assert.is(error(r.ask(ata(0x24, 0, 1, { from: others[0] }))), 6);
    assert.is(error(r.ask(config(4, "mine", { from: others[0] }))), 6);
    assert.equal(registers(r.ask(ata(0xec, 0, 1, { from: others[0] }))), [0x40, 0, 0]);
    assert.is(r.ask(config(0, "", { from: others[0] }))[0][14], 0x18);
    assert.equal(registers(r.ask(ata(0x24))), [0x40, 0, 0]);
    assert.equal(listed(ask(2, others[0], others[0])), [others[0]]);
    assert.is(error(r.ask(ata(0x24))), 6);
    assert.equal(listed(ask(1, others[0])), []);
    assert.equal(registers(r.ask(ata(0x24))), [0x40, 0, 0]);
    assert.is(error(ask(3, clientMac)), 2);
    assert.is(error(r.ask(request(3, pack([1, 1], [200, 1])))), 2);
  });

  test("what is no request for it is dropped and counted", () => {
    const r = rig();
    const arp = config(0);
    arp[13] = 0x06;
    const frames = [
      arp,
      new Uint8Array(5),
      config(0).slice(0, 23),
      ata(0x24).slice(0, 35),
      config(0).slice(0, 31),
      ata(0x34, 0, 3, { data: new Uint8Array(1536) }),
      config(0, "", { to: others[0] }),
      config(0, "", { from: everyone }),
      config(0, "", { from: 0x5254_0000_0001 }),
      config(0, "", { first: 0x18 }),
    ];
    for (const frame of frames) assert.equal(r.ask(frame), []);
    const { drops } = r.server.statistics;
    const counted = { otherProtocol: 2, short: 3, long: 1, otherStation: 3, response: 1 };
    assert.equal(drops, { ...drops, ...counted });
  });

  test.run();
}

const limits = suite("aoe limits");

limits("options out of range are refused by name", () => {
  const disk = RamDisk.patterned(1);
  const target = { shelf: 1, slot: 2, disk };
  const wrong = [
    { mtu: 1499 },
    { bufferCount: 0 },
    { extended: 2049 },
    { firmware: -1 },
    { targets: [target, target] },
    { targets: [{ ...target, shelf: 0xffff }] },
    { targets: [{ ...target, slot: 0xff }] },
    { targets: [{ ...target, config: "x".repeat(1025) }] },
    { targets: [{ ...target, disk: Object.assign(RamDisk.patterned(1), { sectorSize: 4096 }) }] },
  ];
  for (const option of wrong) {
    assert.throws(
      () => new Rig({ targets: [target], ...option }),
      (thrown: unknown) => thrown instanceof ConfigError,
    );
  }
});

limits("a state of other targets is refused", () => {
  const disk = RamDisk.patterned(1);
  const state = new Rig({ targets: [{ shelf: 1, slot: 2, disk }] }).server.save();
  const other = new Rig({ targets: [{ shelf: 1, slot: 3, disk }] });
  assert.throws(
    () => other.server.restore(state),
    (thrown: unknown) => thrown instanceof StateError,
  );
});

limits.run();
