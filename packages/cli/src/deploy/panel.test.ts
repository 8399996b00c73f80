import type { Laboratory } from "castaway";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EXIT } from "../exit.ts";
import { DeployPanel } from "./panel.ts";
import { Verdict } from "./verdict.ts";

const test = suite("panel and verdict of a deployment");

/** A laboratory, as far as they look at it; tests change what has happened. */
function fake() {
  const cable = { statistics: { sentBytes: 0 } };
  const lab = {
    phase: "streaming",
    localBytes: 250_000,
    image: { sectors: 2000, sectorSize: 512 },
    machine: { now: 0, instructions: 0, vmExits: { total: 0 } },
    lan: { net: { links: [{ toA: { statistics: { sentBytes: 0 } }, toB: cable }] } },
    observer: { phase: "streaming", disk: { read: 0, written: 0 }, exitsAfter: null as number | null },
    oracle: { findings: [] as { message: string }[] },
    local: (cells: number) => Array.from({ length: cells }, (_, n) => (n < cells / 4 ? 1 : 0)),
    verify: () => ({ verified: true }),
  };
  return { lab, cable, verdict: new Verdict(lab as unknown as Laboratory) };
}
const plain = (line: string) =>
  line
    .split("\x1b")
    .map((part) => part.replace(/^\[\d+m/, ""))
    .join("");

test("headline, three lines of the disk, rates; no line is wider than the terminal", () => {
  const { lab, cable, verdict } = fake();
  let host = 0;
  const panel = new DeployPanel(lab as unknown as Laboratory, verdict, () => host);
  panel.lines(90);
  host = 500;
  lab.machine = { now: 0.5e9, instructions: 20e6, vmExits: { total: 600 } };
  cable.statistics.sentBytes = 5e6;
  lab.observer.disk.written = 4e6;
  lab.localBytes = 500_000;
  const lines = panel.lines(90).map(plain);
  assert.is(lines.length, panel.height);
  assert.match(lines[0]!, /^ streaming \| 500 kB of 1\.02 MB local \(48 %\) \| 0\.50 s \| 40 MIPS \| Ctrl-A h/);
  assert.is(lines[1], `${"█".repeat(68)}${"░".repeat(22)}`);
  assert.is(lines[4]!.trimEnd(), " network 10 MB/s, disk 8 MB/s, 1,200 VM exits/s, done in 1.05 s (of virtual time)");
  for (const columns of [5, 40, 200])
    for (const line of panel.lines(columns)) assert.ok(plain(line).length <= columns, `${columns}: ${line}`);
});

test("one line is left when the hypervisor has gone: the verdict, and exits since", () => {
  const { lab, verdict } = fake();
  const panel = new DeployPanel(lab as unknown as Laboratory, verdict, () => 0);
  lab.phase = lab.observer.phase = "bare";
  lab.observer.exitsAfter = 0;
  let told = 0;
  verdict.whenBare(() => told++);
  assert.is(verdict.problem(), null);
  verdict.problem();
  assert.is(told, 1);
  assert.equal(panel.lines(100).map(plain), [
    " bare metal: disk verified, 0 VM exits since the hypervisor left | 0 s | Ctrl-A h: help ",
  ]);
});

test("what the oracle finds ends the run, with a code of its own", () => {
  const { lab, verdict } = fake();
  assert.is(verdict.problem(), null);
  assert.is(verdict.compare(), null); // the hypervisor is still there
  lab.oracle.findings.push({ message: "sector 7 took zeros" }, { message: "another" });
  assert.equal(verdict.problem(), { problem: "sector 7 took zeros", code: EXIT.differs });
  assert.equal(verdict.wrongs(null), ["sector 7 took zeros", "another"]);
});

test.run();
