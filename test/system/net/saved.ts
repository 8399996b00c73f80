/** Everything on a network is saved in the middle of a transfer; what is built anew from that goes on to the same bit. */
import assert from "node:assert/strict";
import { Digest, decodeState, encodeState, ms, type Nanoseconds, seconds, us } from "@castaway/kit";
import { aoeServerState, networkState } from "@castaway/net";
import { mount, serve } from "./aoe.ts";
import { dataImage, sha256 } from "./image.ts";
import { Lab } from "./linux.ts";

/** Chance and queues take part: what was drawn and what waits is state. */
const LINK = { loss: 0.002, jitter: us(5), bandwidth: 300_000_000 };
/** From the save to the end of the comparison: the transfer is over by then. */
const REST: Nanoseconds = ms(500);
/** Read by all that are built. */
const image = dataImage();

/** Two machines, the second with two processors, and an AoE server. */
function build() {
  const lab = new Lab({ seed: 5, link: LINK });
  const { server } = serve(lab, image);
  return { lab, server, machines: [lab.linux(), lab.linux({ cpus: 2 })] as const };
}
type World = ReturnType<typeof build>;

type Saved = { readonly machines: readonly Uint8Array[]; readonly net: Uint8Array; readonly server: Uint8Array };

const save = ({ lab, server, machines }: World): Saved => ({
  machines: machines.map(({ pc }) => pc.saveState()),
  net: encodeState("network", 1, lab.net.save()),
  server: encodeState("server", 1, server.save()),
});

function restored(saved: Saved): World {
  const world = build();
  const { lab, server, machines } = world;
  for (const [n, { pc }] of machines.entries()) pc.restoreState(saved.machines[n]);
  lab.net.restore(decodeState("network", 1, networkState, saved.net));
  server.restore(decodeState("server", 1, aoeServerState, saved.server));
  return world;
}

/** The first machine reads a file by AoE and sends it by TCP to the second one; up to the middle. */
function middle(): World {
  const world = build();
  const { lab, machines } = world;
  const [one, other] = machines;
  for (const linux of machines) lab.configure(linux);
  mount(lab, one, "ro");
  other.start("nc -l -p 5000 | sha256sum");
  lab.net.run(ms(200));
  one.start(`nc ${other.address} 5000 < /mnt/short`);
  lab.until("middle of the transfer", seconds(60), () => other.link.toB.statistics.deliveredBytes > 2_000_000);
  return world;
}

/** What there is to compare: digests of the machines, the network, the server. */
const digests = (world: World): string[] => {
  const { net, server } = save(world);
  const machines = world.machines.map(
    ({ pc }) => `${pc.digest()} after ${pc.instructions} instructions at ${pc.now} ns`,
  );
  return [...machines, ...[net, server].map((bytes) => new Digest().update(bytes).hex())];
};

/** Runs up to `end` in slices of changing lengths; the last one is what is left. */
function runTo(world: World, end: Nanoseconds, slices: readonly Nanoseconds[]): World {
  const { net } = world.lab;
  for (let n = 0; net.now < end; n++) net.run(Math.min(slices[n % slices.length], end - net.now));
  return world;
}

export function savedInATransfer(): string {
  const straight = middle();
  const saved = save(straight);
  const start = straight.lab.net.now;
  const end = start + REST;
  const under = straight.lab.net.save();
  const frames = under.links.reduce((sum, { toA, toB }) => sum + toA.queue.length + toB.queue.length, 0);
  runTo(straight, end, [REST]);
  const expected = digests(straight);
  const printed = ({ machines: [, other] }: World) => other.pc.com1.text;
  assert.ok(printed(straight).includes(sha256.short), "the transfer is over, and the file is whole");

  const anew = runTo(restored(saved), end, [REST]);
  assert.ok(printed(anew).includes(sha256.short));
  assert.deepEqual(digests(anew), expected, "restored");

  const slices = [us(1), us(777), ms(3), us(20), us(50_001)];
  const half = runTo(restored(saved), start + REST / 10, slices);
  const sliced = runTo(restored(save(half)), end, slices);
  assert.deepEqual(digests(sliced), expected, "in other slices, saved and restored once more");
  return `${frames} frames queued at the save, digests ${expected.map((digest) => digest.slice(0, 16)).join(" ")}`;
}
