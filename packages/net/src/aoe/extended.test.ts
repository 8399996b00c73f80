/** The extended read of docs/aoe-extension.md, with a small client over a wire that loses frames. */
import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ata, big, extended, pack, RamDisk, Rig, request } from "./rig.test-support.ts";

type Part = { flags: number; lba: number; sectors: number; index: number; total: number; data: Uint8Array };
const part = (frame: Uint8Array): Part => ({
  flags: frame[25],
  lba: big(frame, 28, 6),
  sectors: big(frame, 34, 4),
  index: big(frame, 38, 2),
  total: big(frame, 40, 2),
  data: frame.slice(42),
});
/** A fragment as a text: `d0+2` two sectors of data, `h2+8` a hole of eight. */
const shape = (frames: Uint8Array[]) =>
  frames.map((frame) => `${frame[25] === 1 ? "h" : "d"}${part(frame).lba}+${part(frame).sectors}`).join(" ");

for (const hops of [false, true]) {
  const test = suite(hops ? "aoe extended read, saved and restored at every step" : "aoe extended read");
  /** Zeros in sectors 10 to 39 and 60, and from 90 on. */
  const isZero = (s: number) => (s >= 10 && s < 40) || s === 60 || s >= 90;
  const disk = RamDisk.patterned(100, true, isZero);
  const rig = (more = {}) => new Rig({ targets: [{ shelf: 1, slot: 2, disk }], ...more }, hops);

  test("no sectors: the most that can be read, in one frame", () => {
    const [answer, ...more] = rig({ extended: 64 }).ask(extended(0, 0));
    assert.equal([answer.length, more.length, answer[14]], [60, 0, 0x18]);
    assert.equal([answer[24], big(answer, 26, 2), part(answer).sectors, part(answer).total], [1, 0x77, 64, 0]);
  });

  test("data in frames of two sectors, a run of zeros as one hole, the end as a hole", () => {
    const frames = rig().ask(extended(7, 40));
    assert.is(shape(frames), "d7+2 d9+1 h10+30 d40+2 d42+2 d44+2 d46+1");
    assert.equal(
      frames.map((frame) => [part(frame).index, part(frame).total]),
      frames.map((_, i) => [i, frames.length]),
    );
    assert.equal(frames[1].slice(42), disk.bytes.slice(9 * 512, 10 * 512));
    assert.is(frames[2].length, 60);
    assert.is(shape(rig().ask(extended(58, 4))), "d58+2 d60+2"); // one sector of zeros is no hole,
    assert.is(shape(rig().ask(extended(58, 3))), "d58+2 h60+1"); // but at the end it is
    assert.is(shape(rig().ask(extended(90, 10))), "h90+10");
  });

  test("jumbo frames; the client may ask for smaller ones, and for no holes", () => {
    const r = rig({ mtu: 9000 });
    assert.is(shape(r.ask(extended(40, 60))), "d40+17 d57+17 d74+16 h90+10");
    assert.is(shape(r.ask(extended(40, 12, { most: 8 }))), "d40+8 d48+4");
    assert.is(shape(r.ask(extended(80, 20, { flags: 0 }))), "d80+17 d97+3");
  });

  test("another version, too many sectors, sectors beyond the end: bad argument", () => {
    const r = rig({ extended: 50 });
    for (const frame of [extended(0, 1, { version: 2 }), extended(0, 51), extended(99, 2), extended(2 ** 47, 1)]) {
      const [answer] = r.ask(frame);
      assert.equal([answer[14], answer[15]], [0x1c, 2]);
    }
  });

  test("a server without it says unknown command, as any other server does", () => {
    const [answer] = rig({ extended: 0 }).ask(extended(0, 1));
    assert.equal([answer[14], answer[15]], [0x1c, 1]);
  });

  test("reserve lists and overlays hold as for plain reads", () => {
    const own = new RamDisk(100);
    const r = new Rig({ targets: [{ shelf: 1, slot: 2, disk, overlay: () => own }] }, hops);
    assert.is(shape(r.ask(extended(0, 2))), "d0+2");
    r.ask(ata(0x34, 50, 1, { data: new Uint8Array(512).fill(9) }));
    assert.is(shape(r.ask(extended(0, 2))), "h0+2");
    r.ask(request(3, pack([1, 1], [1, 1], [0xc9, 6])));
    const [answer] = r.ask(extended(0, 2));
    assert.equal([answer[14], answer[15]], [0x1c, 6]);
  });

  test("a medium that fails: device unavailable", () => {
    const broken = Object.assign(RamDisk.patterned(10), { broken: true });
    const [answer] = new Rig({ targets: [{ shelf: 1, slot: 2, disk: broken }] }, hops).ask(extended(0, 1));
    assert.equal([answer[14], answer[15]], [0x1c, 3]);
  });

  for (const [mode, offered] of [
    ["extended", 64],
    ["fallen back to plain reads", 0],
  ] as const) {
    test(`the whole disk over a wire that loses, doubles and reorders frames, ${mode}`, () => {
      const r = rig({ extended: offered });
      const { image, asked } = fetchAll(r, new Random(11), 100);
      assert.equal(image, disk.bytes);
      assert.ok(offered === 0 || asked < 40, `${asked} requests`);
      assert.ok(offered !== 0 || asked >= 50, `${asked} requests`);
    });
  }

  test.run();
}

/** A client: extended reads of 32 sectors, then plain reads for the fragments that were lost; every tag is new. */
function fetchAll(r: Rig, random: Random, sectors: number): { image: Uint8Array; asked: number } {
  const image = new Uint8Array(sectors * 512).fill(0xcc);
  const present = new Array<boolean>(sectors).fill(false);
  let [asked, tag, plain] = [0, 1, false];
  const exchange = (frame: Uint8Array): Uint8Array[] => {
    assert.ok(++asked < 1000, "the server does not answer");
    if (random.chance(0.1)) return [];
    const answers = r.ask(frame).flatMap((answer) => {
      if (random.chance(0.1)) return [];
      return random.chance(0.1) ? [answer, answer] : [answer];
    });
    if (random.chance(0.2)) answers.reverse();
    return answers.filter((answer) => big(answer, 20, 4) === tag);
  };
  const store = (lba: number, count: number, data: Uint8Array | null) => {
    present.fill(true, lba, lba + count);
    image.fill(0, lba * 512, (lba + count) * 512);
    if (data !== null) image.set(data.subarray(0, count * 512), lba * 512);
  };
  for (let at = 0; at < sectors && !plain; ) {
    const count = Math.min(32, sectors - at);
    const answers = exchange(extended(at, count, { tag: ++tag }));
    plain = answers.some((answer) => (answer[14] & 4) !== 0 && answer[15] === 1);
    for (const { flags, lba, sectors, data } of plain ? [] : answers.map(part)) {
      store(lba, sectors, flags & 1 ? null : data);
    }
    if (answers.length > 0) at += count;
  }
  for (let lba = 0; lba < sectors; lba++) {
    while (!present[lba]) {
      const count = present[lba + 1] === false ? 2 : 1;
      for (const answer of exchange(ata(0x24, lba, count, { flags: 0x40, tag: ++tag }))) {
        store(lba, count, answer.slice(36));
      }
    }
  }
  return { image, asked };
}
