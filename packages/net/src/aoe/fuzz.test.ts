/** Frames of noise, and requests with bytes changed: no exception, no answer that is wrong in form, bounded memory. */
import { Digest, encodeState, type Plain, Random, us } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ata, big, clientMac, config, everyone, extended, pack, RamDisk, Rig, request } from "./rig.test-support.ts";

const overlays = 4;

/** A frame that a hostile client sends. */
function hostile(random: Random): Uint8Array {
  const from = random.chance(0.9) ? clientMac + random.below(16) : random.u53() % 2 ** 48;
  const asked = {
    to: random.chance(0.3) ? everyone : undefined,
    from,
    tag: random.u32(),
    major: random.pick([1, 1, 1, 0xffff, random.below(0x1_0000)]),
    minor: random.pick([2, 3, 0xff, random.below(0x100)]),
  };
  const lba = random.pick([0, 1, 20, 40, 62, 63, 64, 2 ** 28 - 1, 2 ** 48 - 1, random.u53() % 2 ** 48]);
  const noise = () => random.fill(new Uint8Array(random.pick([0, 1, 12, 512, 1024, 1024, 1500])));
  switch (random.below(6)) {
    case 0:
      return noise();
    case 1:
      return ata(random.pick([0x20, 0x24, 0x30, 0x34, 0xec, 0xe7, random.below(256)]), lba, random.pick([0, 1, 2, 3]), {
        ...asked,
        flags: random.below(256),
        data: noise(),
      });
    case 2:
      return config(random.below(8), "x".repeat(random.pick([0, 1, 1024, 1100])), asked);
    case 3:
      return extended(lba, random.pick([0, 1, 64, 65, random.u32()]), { ...asked, most: random.below(5) });
    case 4: {
      const directives = [clientMac, clientMac + random.below(3)].map((mac) => pack([random.below(4), 2], [mac, 6]));
      return request(
        2,
        pack([0, 1], [random.below(3), 1], [0, 1], [random.below(4), 1], ...directives, noise()),
        asked,
      );
    }
    default:
      return request(
        random.pick([3, 3, random.below(256)]),
        pack([random.below(4), 1], [random.below(4), 1], noise()),
        {
          ...asked,
        },
      );
  }
}

/** The owner opens the targets again, whoever was shut out: reserve lists and mask lists become empty. */
function open({ server }: Rig): void {
  for (const { masks, shelf, slot } of server.save().targets) {
    const asked = { from: masks[0] ?? clientMac, major: shelf, minor: slot };
    server.receive(request(3, pack([2, 1], [0, 1]), asked));
    const removals = masks.map((mac) => pack([2, 2], [mac, 6]));
    server.receive(request(2, pack([0, 1], [1, 1], [0, 1], [masks.length, 1], ...removals), asked));
  }
}

function play(seed: number, frames: number, hops: boolean): string {
  const random = new Random(seed);
  const when = new Random(`${seed}/hops`);
  const base = RamDisk.patterned(64, true, (s) => s > 40);
  const made = new Map<number, RamDisk>();
  const overlay = (client: number) => {
    const disk = made.get(client) ?? new RamDisk(64, { bytes: base.bytes.slice() });
    made.set(client, disk);
    return disk;
  };
  const targets = [
    { shelf: 1, slot: 2, disk: base, overlay, overlays },
    { shelf: 1, slot: 3, disk: RamDisk.patterned(64) },
  ];
  const cost = { perRequest: us(3), latency: us(5), bytesPerSecond: 100_000_000, threads: 3, queue: 20 };
  const r = new Rig({ targets, cost }, true);
  const digest = new Digest();
  for (let i = 0; i < frames; i++) {
    const frame = hostile(random);
    if (random.chance(0.3) && frame.length > 0) frame[random.below(Math.min(frame.length, 48))] = random.u32();
    if (i % 16 === 0) open(r);
    if (hops && when.chance(0.05)) r.step();
    r.server.receive(random.chance(0.1) ? frame.subarray(0, random.below(frame.length + 1)) : frame);
    r.clock.advanceTo(r.clock.now + us(random.below(20)));
    for (const answer of r.take()) {
      assert.ok(answer.length >= 60 && answer.length <= 1514, `${answer.length} bytes`);
      assert.equal([big(answer, 12, 2), answer[14] & 0xf8], [0x88a2, 0x18]);
      digest.update(answer);
    }
    assert.ok(r.server.load.waiting <= cost.queue && made.size <= overlays);
  }
  const state = r.server.save();
  const bytes = encodeState("aoe", 1, state as Plain);
  assert.ok(bytes.length < 200_000, `${bytes.length} bytes of state`);
  digest.update(bytes);
  const { requests, drops, bytesRead, bytesWritten, holes } = r.server.statistics;
  const reached = { ...requests, ...drops, bytesRead, bytesWritten, holes };
  for (const [what, count] of Object.entries(reached)) assert.ok(frames < 5_000 || count > 0, `never: ${what}`);
  return digest.hex();
}

test("10,000 frames of noise and mutation never throw, and memory stays bounded", () => {
  play(1, 10_000, false);
});

test("a run that is saved and restored at random points ends as the straight one", () => {
  for (let seed = 2; seed < 5; seed++) assert.is(play(seed, 600, true), play(seed, 600, false));
});

test.run();
