import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { DeploymentReport } from "castaway";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { castaway, folder, writeBlobs } from "../echo.test-support.ts";
import { summary } from "./summary.ts";
import { phaseStories } from "./words.ts";

const test = suite("castaway deploy");
const { path, remove } = folder();
const blobs = writeBlobs(path("blobs"));
const vmm = path("vmm.elf");
writeFileSync(vmm, new Uint8Array(Uint32Array.of(0, 0x1badb002, 0, 0).buffer));
const deploy = (...args: string[]) =>
  castaway(blobs, "deploy", "--plain", "--memory", "2MiB", "--vmm", vmm, "--at-most", "1s", ...args);
test.after(remove);

test("lines with virtual time: phases, and what the guest prints, as lines", async () => {
  const { code, out } = await deploy("--expect", "hello\\r\\n", "--type", "x\\e[1my\\n", "--expect", "y\\n");
  assert.is(code, 0);
  const lines = out.split("\n").map((line) => line.replace(/\d\.\d{6}/, "T"));
  assert.equal(lines.slice(0, 3), [`[   T] firmware: ${phaseStories["firmware"]}`, "[   T] | hello", "[   T] | xy"]);
  assert.match(out, /^disk {5}0 B of 1\.05 MB local; 0 B written \(.*\), 0 B read$/m);
});

test("--until: a text, a time, power-off; and what ends the run before it", async () => {
  assert.is((await deploy("--until", "ello")).code, 0);
  assert.is((await deploy("--until", "10ms")).code, 0);
  assert.is((await deploy("--until", "power-off", "--expect", "hello", "--type", "q")).code, 0);
  const off = await deploy("--until", "devirtualized", "--expect", "hello", "--type", "q");
  assert.equal([off.code, off.err], [1, "castaway: the machine powered off before devirtualized was seen\n"]);
  const late = await deploy("--until", "login:");
  assert.equal([late.code, late.err], [1, 'castaway: "login:" was not seen within 1 s of virtual time (--at-most)\n']);
  const stuck = await deploy("--expect", "hello", "--type", "h");
  assert.equal([stuck.code, /devirtualized was not seen/.test(stuck.err)], [3, true]);
});

test("the script is over before --until ends the run", async () => {
  const { out, code } = await deploy("--until", "hell", "--expect", "hello", "--type", "on", "--expect", "on");
  assert.is(code, 0);
  assert.match(out, /\| on$/m);
});

test("the report: the last line, equal for equal runs but for the host's time", async () => {
  const reports: Record<string, unknown>[] = [];
  for (let n = 0; n < 2; n++) {
    const { out } = await deploy("--until", "hello", "--json", "-");
    const { hostSeconds, mips, ...report } = JSON.parse(out.trimEnd().split("\n").at(-1)!);
    assert.ok(hostSeconds > 0 && mips >= 0);
    reports.push(report);
  }
  assert.equal(reports[0], reports[1]);
  const { phases, bytes, exits, exitsAfterDevirtualization, verified, stop } = reports[0]!;
  assert.equal([Object.keys(phases!), exits, exitsAfterDevirtualization, verified], [["firmware"], {}, null, null]);
  assert.equal(stop, { reason: "watch", detail: "hello" });
  assert.is((bytes as DeploymentReport["bytes"]).image, 1 << 20);
});

test("an image of one's own; capture, trace and snapshot", async () => {
  const image = path("disk.img");
  writeFileSync(image, new Uint8Array(4096));
  const [pcap, trace, save, json] = ["a.pcapng", "a.json", "a.snapshot", "report.json"].map(path);
  const files = ["--pcap", pcap!, "--trace", trace!, "--save", save!, "--json", json!];
  assert.is((await deploy(image, "--until", "1ms", "--disk-size", "1MiB", ...files)).code, 0);
  assert.is(JSON.parse(readFileSync(json!, "utf8")).bytes.image, 4096);
  assert.ok(Array.isArray(JSON.parse(readFileSync(trace!, "utf8"))));
  assert.ok(existsSync(pcap!) && existsSync(save!));
});

test("a snapshot goes on where it was taken, with the options of its laboratory", async () => {
  const save = path("half.snapshot");
  await deploy("--until", "hello", "--save", save);
  const { code, out } = await deploy("--load", save, "--type", "on", "--expect", "on");
  assert.equal([code, /\| on$/m.test(out), /hello/.test(out)], [0, true, false]);
  const other = await deploy("--load", save, "--cpus", "2");
  assert.equal([other.code, /^castaway: saved state at cpus: /.test(other.err)], [2, true]);
});

test("what the user did wrong is one line, and 2", async () => {
  const cases: [args: string[], line: RegExp][] = [
    [[path("none.img")], /^castaway: cannot read .*none\.img: there is no such file or folder$/],
    [
      ["--disk-size", "512KiB"],
      /^castaway: --disk-size: "512KiB" is not possible; allowed: 1MiB or more, which the image has$/,
    ],
    [["--disk-size", "big"], /^castaway: --disk-size: "big" is not possible/],
    [["--vmm", path("none.elf")], /^castaway: cannot read .*none\.elf: there is no such file or folder$/],
    [["--vmm", path("blobs/seabios/bios.bin")], /^castaway: --vmm: .*bios\.bin is no multiboot program/],
    [["--block-size", "5000"], /^castaway: --block-size: 5000 .*is not possible; allowed: a power of two/],
    [["--idle", "10ns"], /^castaway: --idle: 10 .*is not possible; allowed: whole microseconds/],
    [["--server", "threads=none"], /^castaway: option '--server <OPTIONS>' .* threads: Allowed: 1 to 1024/],
    [["--server", "bandwidth=1"], /^castaway: --server bandwidth: 1 is not possible/],
    [["--link", "mtu=100"], /^castaway: --link mtu: 100 /],
    [["--redirect", "magic"], /^castaway: option '--redirect <HOW>' .* Allowed choices are store, dummy/],
    [["--gdb", "0", "--until", "1s"], /^castaway: --gdb does not go with --until/],
    [["--json", path("nowhere/file")], /^castaway: cannot write .*nowhere/],
  ];
  for (const [args, line] of cases) {
    const { code, out, err } = await deploy(...args);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.match(err.trimEnd(), line);
  }
});

test("without a hypervisor of its own the program says what to give", async () => {
  const { code, err } = await castaway(blobs, "deploy", "--plain", "--at-most", "1ms");
  assert.equal([code, err], [2, "castaway: there is no hypervisor here; give one with --vmm FILE\n"]);
});

test("help teaches with examples", async () => {
  const { code, out } = await castaway(blobs, "deploy", "--help");
  assert.is(code, 0);
  assert.match(out, /Examples:\n +castaway deploy [\s\S]*Exit codes:\n +0 [\s\S]* 4 /);
});

const report: DeploymentReport = {
  phase: "bare",
  phases: { firmware: 2.1484, streaming: 0.84 },
  bytes: {
    ...{ image: 2e7, local: 2e7 },
    network: { payload: 1.9e7, toMachine: 2.1e7, toNetwork: 3e5 },
    disk: { read: 5e6, written: 2.1e7, guest: 1e6 },
  },
  exits: { eptViolation: 8000, io: 3000, cpuid: 20, msrRead: 4, vmcall: 3, sipi: 1 },
  exitsAfterDevirtualization: 0,
  instructions: 1e9,
  virtualSeconds: 3,
};

const verification = {
  ...{ verified: true, sectors: 40_000, guestWrites: 7, guestSectors: 9, differences: 0 },
  ...{ underWay: 0, hidden: 0, findings: 0 },
};

test("the summary: times, bytes, exits, the verdict", () => {
  assert.equal(summary(report, verification, []), [
    "times    firmware 2.15 s, streaming 0.84 s",
    "network  19 MB of the image; on the wire 21 MB to the machine, 300 kB from it",
    "disk     20 MB of 20 MB local; 21 MB written (1 MB by the guest, 20 MB by the hypervisor), 5 MB read",
    "exits    11,028 VM exits: eptViolation 8,000, io 3,000, cpuid 20, msrRead 4, others 4; none after the hypervisor was gone",
    "verified: the local disk is the image and what the guest wrote, bit for bit",
  ]);
  const bad = summary({ ...report, exits: {}, exitsAfterDevirtualization: null }, null, ["sector 5"]);
  assert.equal(bad.slice(3), ["exits    no VM exits", "NOT VERIFIED:", "sector 5"]);
  assert.is(summary(report, null, []).length, 4);
});

test.run();
