/**
 * `npm run bench -- deploy [--json] [--only PART]`: what deploying by castaway takes, in virtual time, beside other ways; and what
 * it costs the host. PART: boots, streams, reads.
 */
import { cpus, loadavg } from "node:os";
import { vmmImage } from "../../scripts/vmm.ts";
import { type BootTimes, bareBoot, castawayBoot, copyBoot } from "./boots.ts";
import { bareReads, mediatedReads, type ReadTimes } from "./latency.ts";
import { randomReads } from "./random.ts";
import { type StreamRate, streamCases, streamRate } from "./streams.ts";

/** The demo disk as it is, and with noise behind it. */
const sizes = { demo: 0, "256 MiB": 256 << 20 };

type Say = (line: string) => void;
type RandomReads = Awaited<ReturnType<typeof randomReads>>;
type Ways = Record<"bare" | "castaway" | "copy", BootTimes>;

export async function benchDeploy(json: boolean, only: string | undefined): Promise<void> {
  const say: Say = json ? () => {} : (line) => console.log(line);
  const wanted = (part: string) => only === undefined || part.includes(only);
  const machine = `${cpus()[0]?.model.trim()}, Node ${process.version}`;
  say(`${machine}, load ${loadavg()[0]!.toFixed(1)}`);
  const vmm = await vmmImage();
  const boots: Record<string, Ways> = {};
  const streams: StreamRate[] = [];
  let reads: { bare: ReadTimes; mediated: ReadTimes } | null = null;
  let random: RandomReads | null = null;
  if (wanted("boots")) {
    for (const [name, size] of Object.entries(sizes)) {
      const ways = { bare: await bareBoot(size), castaway: await castawayBoot(size, vmm), copy: await copyBoot(size) };
      boots[name] = ways;
      sayBoots(say, name, ways);
    }
  }
  if (wanted("streams")) {
    say(`\nstreaming, idle guest    MB/s    link    disk   share of the slower`);
    for (const one of streamCases) {
      const rate = await streamRate(one, vmm);
      streams.push(rate);
      say(rate.name.padEnd(20) + [rate.rate, rate.link, rate.disk].map(mega).join("") + percent(rate.share));
    }
  }
  if (wanted("reads")) {
    reads = { bare: bareReads(), mediated: await mediatedReads(vmm) };
    sayReads(say, reads.bare, reads.mediated);
    random = await randomReads();
    say("\n4 KiB at random, small guest   us");
    for (const [way, time] of Object.entries(random)) say(way.padEnd(24) + (time / 1000).toFixed(2).padStart(9));
    say(`added: ${percent(random.mediated / random.bare - 1).trim()}`);
  }
  if (json) console.log(JSON.stringify({ machine, load: loadavg()[0], boots, streams, reads, random }));
}

const mega = (bytes: number) => (bytes / 1e6).toFixed(1).padStart(8);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(10);
const secondsOf = (time: number | null) => (time === null ? "-" : time.toFixed(3)).padStart(12);

function sayBoots(say: Say, name: string, ways: Ways): void {
  const all = [ways.bare, ways.castaway, ways.copy];
  const line = (what: string, of: (times: BootTimes) => number | null) =>
    say(what.padEnd(30) + all.map((times) => secondsOf(of(times))).join(""));
  say(`\n${name.padEnd(30)}${["bare", "castaway", "copy"].map((way) => way.padStart(12)).join("")}`);
  line("power-on to DEMO-READY", ({ ready }) => ready);
  line("boot sector to DEMO-READY", ({ fromBootSector }) => fromBootSector);
  line("disk complete", ({ complete }) => complete);
  line("host, to DEMO-READY", ({ hostSeconds }) => hostSeconds.ready);
  line("host, to the complete disk", ({ hostSeconds }) => hostSeconds.complete);
  const { castaway, copy } = ways;
  say(`copy's time to DEMO-READY / castaway's: ${(copy.ready / castaway.ready).toFixed(2)}`);
  for (const [way, { extra }] of Object.entries({ castaway, copy })) {
    const facts = Object.entries(extra).map(([what, value]) => `${what} ${Number(value.toFixed(3))}`);
    say(`${way}: ${facts.join(", ")}`);
  }
}

function sayReads(say: Say, bare: ReadTimes, mediated: ReadTimes): void {
  say("\n4 KiB reads by Linux       us   drive's");
  for (const [way, { read, drive }] of Object.entries({ bare, mediated }))
    say(way.padEnd(20) + read.toFixed(1).padStart(9) + drive.toFixed(1).padStart(10));
  say(`added: ${percent(mediated.read / bare.read - 1).trim()}`);
  say("\nexits               a read       us   instructions   device accesses");
  for (const [reason, { perRead, microseconds, instructions, deviceAccesses }] of Object.entries(mediated.exits))
    say(
      reason.padEnd(18) +
        perRead.toFixed(2).padStart(8) +
        microseconds.toFixed(2).padStart(9) +
        instructions.toFixed(0).padStart(15) +
        deviceAccesses.toFixed(2).padStart(18),
    );
}
