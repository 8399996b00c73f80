import { Digest, encodeState, type Plain, Random, us, writeLittle } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MAC } from "./registers.ts";
import {
  buffers,
  CTRL,
  frameTo,
  MDIC,
  payload,
  RCTL,
  RDT,
  Rig,
  receiveRing,
  station,
  TCTL,
  TDT,
  transmitRing,
} from "./rig.test-support.ts";

const registers = MAC.rows.map(({ offset }) => offset);

/** One thing that a hostile driver, or a hostile network, does. */
function act(r: Rig, random: Random): void {
  const word = () =>
    random.pick([0, 1, 15, 0xffff_ffff, random.u32(), 2 ** random.below(32), 0x80, receiveRing, payload]);
  switch (random.below(14)) {
    case 0:
      return r.write(random.below(0x6000), word(), random.pick([1, 2, 4] as const));
    case 1:
      return r.write(random.pick(registers), word(), random.pick([1, 2, 4, 4, 4] as const));
    case 2:
      return void r.read(
        random.pick([random.below(0x2_0000), random.pick(registers)]),
        random.pick([1, 2, 4] as const),
      );
    case 3:
      r.write(TCTL, 0);
      r.start(random.pick([0x0400_8000, 0x0400_801c, random.u32() & 0x06df_b3fc]), 16, random.pick([0x4000, 64]));
      return r.write(CTRL, random.pick([0x41, 0x4800_0041, 0x5800_0041]));
    case 4:
      return r.after(us(random.below(random.chance(0.1) ? 3000 : 100)));
    case 5:
      return void random.fill(r.ram.subarray(transmitRing, transmitRing + 16 * random.below(16)));
    case 6:
      return writeLittle(r.ram, receiveRing + 16 * random.below(16), 4, random.pick([0, word(), buffers]));
    case 7:
      return r.mac.link(random.chance(0.8));
    case 8:
      return r.write(
        MDIC,
        (random.pick([1, 2, 3]) << 26) | (1 << 21) | (random.below(32) << 16) | random.below(0x1_0000),
      );
    case 9:
    case 10: {
      const head = random.pick([[8, 0, 0x45], [0x86, 0xdd, 0x60], [0x81, 0], [0x88, 8, 0, random.below(3), 0, 40], []]);
      const to = random.pick([station, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [1, 0x80, 0xc2, 0, 0, 1]]);
      const length = random.pick([60, 61, 200, 1514, 1519, 9000, 16380, 19 + random.below(50)]);
      return r.arrive(frameTo(to, length, head));
    }
    case 11:
      r.context({
        ip: [random.below(256), random.below(256), random.below(200)],
        tu: [random.below(80), random.below(256), random.pick([0, random.below(0x1_0000)])],
        paylen: random.pick([0, 100, 3000, random.below(2 ** 20)]),
        command: 0x20 | random.below(256),
        hdrlen: random.pick([0, 54, random.below(256)]),
        mss: random.pick([0, 1, 100, 1460, random.below(0x1_0000)]),
      });
      return r.write(TDT, random.below(16));
    default: {
      const length = random.pick([0, 1, 60, 1514, 9000, random.below(2 ** 20)]);
      const at = random.pick([payload, 0x3f_fff0, random.u32()]);
      const command = random.below(256);
      if (random.chance(0.5)) r.data(at, length, { command: command | 0x20, options: random.below(4) });
      else r.legacy(at, length & 0xffff, { command: command & 0xdf, cso: random.below(256), css: random.below(256) });
      if (random.chance(0.5)) r.write(TCTL, random.pick([2, 10, random.u32()]));
      if (random.chance(0.3)) r.write(RCTL, random.u32() | 2);
      if (random.chance(0.3)) r.write(RDT, random.below(16));
      return r.write(TDT, random.pick([random.below(16), word()]));
    }
  }
}

/** A run's end as a digest; with `hops` it was saved and restored at random points. */
function play(seed: number, hops: boolean): string {
  const random = new Random(seed);
  const when = new Random(`${seed}/hops`);
  const r = new Rig();
  random.fill(r.ram.subarray(payload, payload + 0x4000));
  r.start();
  for (let i = 0; i < 300; i++) {
    act(r, random);
    if (hops && when.chance(0.05)) r.hop();
  }
  r.after(us(1000));
  const digest = new Digest().update(encodeState("fuzz", 1, r.mac.save() as unknown as Plain)).update(r.ram);
  for (const frame of r.sent) digest.word(frame.length).update(frame);
  for (const reason of r.dropped) digest.text(reason);
  return [...digest.word(r.edges).bytes()].join();
}

test("whatever a guest writes: no exception, no endless loop, and a restored run goes on as the straight one", () => {
  for (let seed = 0; seed < 20; seed++) assert.is(play(seed, true), play(seed, false), `seed ${seed}`);
});

test.run();
