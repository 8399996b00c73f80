/**
 * `npm run system -- net`: machines with their e1000 on a simulated network. The guest is SeaBIOS with iPXE, which asks for an
 * address by DHCP.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds, us } from "@castaway/kit";
import { Capture, Network } from "@castaway/net";
import { Machine } from "castaway";
import { root } from "../../scripts/bundle.mjs";
import type { Counts } from "../../scripts/counts.ts";
import type { SystemOptions } from "./cpu.ts";
import { machineParty } from "./net/party.ts";

const blob = (name: string) => new Uint8Array(readFileSync(join(root, "firmware-blobs", name)));
const firmware = { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") };

/** Two machines that boot from the network, on one switch, until both have been heard. */
function twoMachines(order: readonly number[]) {
  const net = new Network({ seed: 1 });
  const lan = net.switch({ ports: 2 });
  const sockets = [net.socket(lan), net.socket(lan)];
  const machines = sockets.map(
    (port, n) =>
      new Machine({
        firmware,
        memory: "32MiB",
        boot: ["network"],
        networkCards: [{ port, mac: `52:54:00:00:00:0${n + 1}`, rom: blob("ipxe/pxe-e1000.rom") }],
      }),
  );
  for (const n of order) net.join(machineParty(machines[n]), sockets[n]);
  const capture = new Capture();
  capture.watch(net.tap(lan, 0));
  capture.watch(net.tap(lan, 1));
  while (net.now < seconds(6) && lan.statistics.some(({ received }) => received < 1)) net.run(us(20_000));
  net.run(us(500));
  return { net, lan, sockets, machines, capture };
}

/** Two machines hear each other's DHCP requests, whichever of them runs first. */
function bothOrders(): string {
  const first = twoMachines([0, 1]);
  assert.ok(first.lan.statistics.every(({ received, badSource }) => received >= 1 && badSource === 0));
  assert.ok(first.sockets.every(({ statistics }) => statistics.received >= 1));
  const second = twoMachines([1, 0]);
  assert.deepEqual(second.capture.bytes(), first.capture.bytes());
  const digests = ({ machines }: typeof first) => machines.map((pc) => pc.digest());
  assert.deepEqual(digests(second), digests(first));
  const read = spawnSync("tshark", ["--version"]).error === undefined;
  if (read) readByTshark(first.capture.bytes());
  return read ? "tshark reads the capture" : "tshark is not installed, nobody else read the capture";
}

function readByTshark(capture: Uint8Array): void {
  const folder = mkdtempSync(join(tmpdir(), "castaway-"));
  try {
    const file = join(folder, "lan.pcapng");
    writeFileSync(file, capture);
    const shown = spawnSync("tshark", ["-r", file, "-T", "fields", "-e", "eth.src", "-e", "_ws.col.Protocol"]);
    const [out, errors] = [shown.stdout.toString(), shown.stderr.toString()];
    assert.equal(shown.status, 0, errors);
    for (const n of [1, 2]) assert.ok(out.includes(`52:54:00:00:00:0${n}\tDHCP`), out);
    assert.doesNotMatch(out, /Malformed/);
    assert.doesNotMatch(errors, /error|damaged|corrupt|cut short/);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const cases = { "two machines with iPXE on one switch": bothOrders };

export async function systemNet({ only }: SystemOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  for (const [name, play] of Object.entries(cases)) {
    if (only !== undefined && !name.includes(only)) continue;
    try {
      console.log(`ok    ${name}: ${play()}`);
      counts.passed++;
    } catch (error) {
      console.log(`WRONG ${name}: ${error instanceof Error ? error.message : String(error)}`);
      counts.failed++;
    }
  }
  return counts;
}
