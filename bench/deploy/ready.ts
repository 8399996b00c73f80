/**
 * From power-on to a shell: from a disk that has the image, by the hypervisor, and after a copy of the image over the same
 * network, which a Linux makes that boots from a disk of its own (so the copy has a head start), and a reboot.
 */
import assert from "node:assert/strict";
import { mib, seconds } from "@castaway/kit";
import { ImageDisk, Lan } from "castaway";
import { PROMPT } from "../../test/system/guests/demo.ts";
import { Guest } from "../../test/system/guests/guest.ts";
import { demoImage } from "../../test/system/guests/machine.ts";
import { laboratory, untilBare, verified } from "../../test/system/vmm/deployment.ts";
import { fullImage, localDisk, plainMachine, type Say } from "./machine.ts";

const READY = "DEMO-READY";
const COPY = [
  "ip link set eth0 up; until [ -b /dev/etherd/e0.0 ]; do echo > /dev/etherd/discover; usleep 10000; done",
  "dd if=/dev/etherd/e0.0 of=/dev/sdb bs=1M; sync; echo ALL-COPIED",
].join("; ");

export async function benchReady(say: Say): Promise<unknown> {
  const rows: Record<string, unknown> = {};
  say("\nimage              bare    castaway  image copy  by network  castaway has all  host for the deployment");
  for (const [name, image] of [
    ["19 MiB", demoImage()],
    ["128 MiB", fullImage(demoImage(), mib(128))],
  ] as const) {
    const bare = await booted(image);
    const castaway = await deployed(image);
    const copy = await copied(image);
    const show = (time: number) => `${time.toFixed(2)} s`.padStart(10);
    const copyByNetwork = copy + castaway.loaded;
    const times = [bare, castaway.ready, copy, copyByNetwork, castaway.complete, castaway.host];
    say(`${name.padEnd(12)}${times.map(show).join("  ")}`);
    rows[name] = { bare, castaway, copy, copyByNetwork };
  }
  return rows;
}

async function booted(image: Uint8Array): Promise<number> {
  const machine = await plainMachine([image]);
  new Guest(machine).serial(READY, seconds(60));
  return machine.now / 1e9;
}

async function deployed(image: Uint8Array) {
  const start = performance.now();
  const { user, system } = process.cpuUsage();
  const lab = await laboratory({ image, disk: { timing: "ssd" } });
  const guest = new Guest(lab.machine);
  guest.serial(READY, seconds(60));
  const ready = lab.machine.now / 1e9;
  const local = lab.localBytes / image.length;
  untilBare(lab, seconds(120));
  const complete = lab.machine.now / 1e9;
  const host = (performance.now() - start) / 1000;
  const loaded = lab.starts.find(({ phase }) => phase === "hypervisor")!.at / 1e9;
  const after = process.cpuUsage();
  const cpu = (after.user + after.system - user - system) / 1e6;
  verified(lab);
  return { loaded, ready, local, complete, host, cpu };
}

async function copied(image: Uint8Array): Promise<number> {
  const lan = new Lan({ disks: [{ image: new ImageDisk(image) }] });
  const disk = localDisk(image);
  const options = { networkCards: [{ port: lan.ports[0] }], beside: lan };
  const installer = await plainMachine([demoImage(), disk], options);
  const guest = new Guest(installer);
  guest.serial(PROMPT, seconds(60));
  guest.serial("\nALL-COPIED", seconds(300), `${COPY}\n`);
  const first = new Uint8Array(image.length);
  assert.ok(disk.read(0, first) && Buffer.compare(first, image) === 0, "the copy is not the image");
  const again = await plainMachine([disk]);
  new Guest(again).serial(READY, seconds(60));
  return (installer.now + again.now) / 1e9;
}
