/**
 * One boot of the demo disk in a process of its own, so that its memory can be told: prints a line of JSON.
 * From power-on to DEMO-READY as fast as it goes; then the shell is left alone for some seconds at the wall clock's pace.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadDemoDisk, loadFirmware, Machine, Runner, seconds } from "castaway";
import { root } from "../../scripts/bundle.mjs";

const IDLE_SECONDS = 5;
const [cpus = "1", memory = "128MiB"] = process.argv.slice(2);

const read = async (path: string) => new Uint8Array(await readFile(join(root, "firmware-blobs", path)));
const started = performance.now();
const pc = await Machine.create({
  firmware: await loadFirmware(read),
  disks: [await loadDemoDisk(read)],
  memory,
  cpus: Number(cpus),
});
const powerOn = performance.now();
const stop = pc.run({ until: pc.com1.shows("DEMO-READY"), atMost: seconds(60) });
if (stop.reason !== "watch") throw new Error(`no DEMO-READY: ${stop.reason} ${stop.detail}`);
const ready = performance.now();
const booted = { instructions: pc.instructions, virtualSeconds: pc.now / 1e9 };

pc.run({ until: pc.com1.shows("# "), atMost: seconds(2) });
const before = process.cpuUsage();
const host = { now: () => performance.now(), sleep: (ms: number) => sleep(ms) };
await new Runner(pc, host, { pace: true }).run({ atMost: seconds(IDLE_SECONDS) });
const { user, system } = process.cpuUsage(before);

console.log(
  JSON.stringify({
    ...booted,
    buildSeconds: (powerOn - started) / 1000,
    bootSeconds: (ready - powerOn) / 1000,
    mips: booted.instructions / (ready - powerOn) / 1000,
    hostMemoryBeyondRam: process.resourceUsage().maxRSS * 1024 - pc.board.cpu.physical.ramBytes,
    idleShareOfCore: (user + system) / 1e6 / IDLE_SECONDS,
  }),
);
