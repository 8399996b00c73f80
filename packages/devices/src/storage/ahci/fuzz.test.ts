import { Digest, encodeState, type Plain, Random, us } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ssdTiming } from "../timing.ts";
import { list, PxCI, PxCMD, PxSACT, PxSCTL, Rig, table } from "./rig.test-support.ts";

const opcodes = [0x06, 0x20, 0x25, 0x27, 0x2f, 0x30, 0x35, 0x37, 0x3d, 0x42, 0x60, 0x60, 0x60, 0x61, 0x61, 0x91, 0xc4];
const more = [0xc5, 0xc6, 0xc8, 0xca, 0xe0, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf8, 0xf9];

/** One thing that a hostile driver does. */
function act(r: Rig, random: Random): void {
  const word = () => random.pick([0, 1, 0xffff_ffff, random.u32(), 1 << random.below(32), list, 0x11]) >>> 0;
  switch (random.below(12)) {
    case 0:
      return r.write(random.below(0x1000), word(), random.pick([1, 2, 4] as const));
    case 1:
      return r.write(0x100 + 4 * random.below(18), word());
    case 2:
      return void r.read(random.below(0x1000), random.pick([1, 2, 4] as const));
    case 3:
      r.recover();
      if (random.chance(0.5)) r.run({ command: 0x2f, lba: 0x10, count: 1, regions: [[0x30_0000, 512]] }, 7);
      return r.recover();
    case 4:
      r.write(PxSCTL, 0x300 + random.pick([1, 1, 1, 4]));
      r.write(PxSCTL, 0x300);
      return void r.start();
    case 5:
      return r.after(us(random.below(300)));
    case 6:
      return void random.fill(r.ram.subarray(table(random.below(4)), table(random.below(4)) + random.below(256)));
    case 7:
      return void (r.ram[list + random.below(32 * 4)] = random.u32());
    default: {
      const slot = random.below(6);
      const command = random.chance(0.05) ? random.below(256) : random.pick(random.chance(0.5) ? opcodes : more);
      r.prepare(slot, {
        command,
        lba: random.pick([0, 1, 0x3ff0, 0x3fff, 0x4000, random.u53() % 2 ** 48]),
        count: command >> 1 === 0x30 ? random.pick([slot, random.below(32)]) << 3 : random.pick([0, 1, 8, 300]),
        features: random.pick([0, 1, 8, 3, random.below(0x1_0000)]),
        device: random.pick([0x40, 0x40, 0xc0, random.below(256)]),
        write: random.chance(0.5),
        regions: Array.from({ length: random.below(5) }, () => [
          random.pick([0, list, table(1), 0x20_0000, 0x3f_fff0, 2 ** 52 - 5, random.u32()]),
          random.pick([1, 2, 511, 512, 4096, 0x1_0000, 0x40_0000]),
          random.chance(0.5),
        ]),
      });
      r.write(PxCMD, 0x11);
      if (command >> 1 === 0x30) r.write(PxSACT, 1 << slot);
      return r.write(PxCI, 1 << slot);
    }
  }
}

/** A run's end as a digest; with `hops` it was saved and restored at random points. */
function play(seed: number, hops: boolean): string {
  const random = new Random(seed);
  const when = new Random(`${seed}/hops`);
  const r = new Rig({ timing: random.chance(0.3) ? undefined : ssdTiming({ depth: 1 + random.below(32) }) });
  r.faulty.unreadable.add(0x3ff5);
  r.faulty.unwritable.add(0x3ff8);
  r.start();
  for (let i = 0; i < 400; i++) {
    act(r, random);
    if (hops && when.chance(0.05)) r.hop();
  }
  r.settle();
  const state = { drive: r.drive.save(), hba: r.hba.save(), medium: r.medium.save(), raised: r.raised };
  const digest = new Digest().update(encodeState("fuzz", 1, state as unknown as Plain)).update(r.ram);
  return [...digest.bytes()].join();
}

test("whatever a guest writes: no exception, no endless loop, and a restored run goes on as the straight one", () => {
  for (let seed = 0; seed < 25; seed++) assert.is(play(seed, true), play(seed, false), `seed ${seed}`);
});

test.run();
