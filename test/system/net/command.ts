/** `castaway boot` as a process of its own: iPXE loads a script from a folder, by TFTP, and says so on the serial console. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../../scripts/bundle.mjs";
import { readByTshark } from "./tshark.ts";

export function bootByCommand(): string {
  const folder = mkdtempSync(join(tmpdir(), "castaway-command-"));
  try {
    const pcap = join(folder, "lan.pcapng");
    const script = `#!ipxe\necho This is \${filename} at \${ip}\necho \${net0/mac} waits\nshell\n`;
    writeFileSync(join(folder, "boot.ipxe"), script);
    const network = ["--boot", "network", "--tftp", folder, "--boot-file", "boot.ipxe", "--mac", "52:54:00:00:00:99"];
    const first = castaway([...network, "--link", "latency=100us", "--pcap", pcap]);
    assert.deepEqual(first.disks, []);
    assert.deepEqual(first.network.leases, [{ address: "10.0.2.100", state: "bound" }]);
    assert.deepEqual([first.network.tftp.requests, first.network.tftp.done, first.network.aoe], [1, 1, null]);
    const frames = readByTshark(new Uint8Array(readFileSync(pcap)), ["ip.src", "_ws.col.Protocol"]);
    if (frames !== null) for (const line of ["0.0.0.0\tDHCP", "10.0.2.1\tTFTP"]) assert.ok(frames.includes(line), line);
    const again = castaway([...network, "--link", "latency=100us"]);
    assert.equal(again.digest, first.digest);
    return `seen after ${first.seenAt.toFixed(2)} s of virtual time; ${frames?.length ?? "unread"} frames captured`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function castaway(network: readonly string[]) {
  const script = ["--expect", "This is boot.ipxe at 10.0.2.100", "--expect", "52:54:00:00:00:99 waits"];
  const args = ["boot", "--memory", "32MiB", ...network, ...script, "--at-most", "20s", "--json", "-"];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "packages/cli/bin/castaway.mjs"), ...args, "--plain"],
    { encoding: "utf8" },
  );
  assert.deepEqual([status, stderr], [0, ""], stdout);
  const report = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  return { ...report, disks: report.devices.disks, seenAt: report.expected[0].seenAt as number };
}
