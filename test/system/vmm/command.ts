/** `castaway deploy` as a process of its own: its log, its report, its files. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../../scripts/bundle.mjs";
import { readByTshark } from "../net/tshark.ts";

const SCRIPT = ["--expect", "DEMO-READY", "--type", "check\\n", "--expect", "CHECK-OK"];

export function deployByCommand(): string {
  const folder = mkdtempSync(join(tmpdir(), "castaway-deploy-"));
  try {
    const [pcap, trace] = [join(folder, "lan.pcapng"), join(folder, "trace.json")];
    const files = ["--pcap", pcap, "--trace", trace];
    const options = ["--plain", "--until", "devirtualized", "--at-most", "60s", "--json", "-", "--log", "1", ...files];
    const command = [join(root, "packages/cli/bin/castaway.mjs"), "deploy", "--cpus", "2", ...SCRIPT, ...options];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", maxBuffer: 1 << 26 });
    assert.deepEqual([status, stderr], [0, ""], stdout);
    const lines = stdout.trimEnd().split("\n");
    for (const line of [/\] bare metal: /, /\] disk 100 %: /, /\] \| .*CHECK-OK$/, /\] vmm: castaway$/, /^verified: /])
      assert.ok(
        lines.some((one) => line.test(one)),
        String(line),
      );
    const report = JSON.parse(lines.at(-1)!);
    assert.deepEqual([report.verified, report.exitsAfterDevirtualization, report.exitCode], [true, 0, 0]);
    assert.deepEqual(Object.keys(report.phases), ["firmware", "network", "hypervisor", "streaming", "bare"]);
    assert.equal(report.bytes.local, report.bytes.image);
    assert.ok(report.bytes.disk.written - report.bytes.disk.guest >= 0.9 * report.bytes.image);
    const slices = JSON.parse(readFileSync(trace, "utf8")).filter(({ ph }: { ph: string }) => ph === "X");
    assert.equal(slices.length, 5);
    const frames = readByTshark(new Uint8Array(readFileSync(pcap)), ["_ws.col.Protocol"]);
    if (frames !== null) for (const protocol of ["DHCP", "TFTP", "AoE"]) assert.ok(frames.includes(protocol), protocol);
    const { streaming } = report.phases;
    return `streamed in ${streaming.toFixed(2)} s of virtual time, all in ${report.hostSeconds.toFixed(0)} s here`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
