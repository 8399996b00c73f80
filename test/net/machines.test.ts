/** Machines with their e1000 on a simulated network: the guest is SeaBIOS with iPXE, which asks for an address by DHCP. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds, us } from "@castaway/kit";
import { Capture, Network } from "@castaway/net";
import { Machine } from "castaway";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../scripts/bundle.mjs";
import { machineParty } from "./party.ts";

const test = suite("machines on a network");
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

test("two machines hear each other's DHCP requests, whichever of them runs first", () => {
  const first = twoMachines([0, 1]);
  assert.ok(first.lan.statistics.every(({ received, badSource }) => received >= 1 && badSource === 0));
  assert.ok(first.sockets.every(({ statistics }) => statistics.received >= 1));
  const second = twoMachines([1, 0]);
  assert.equal(second.capture.bytes(), first.capture.bytes());
  assert.equal(
    second.machines.map((pc) => pc.digest()),
    first.machines.map((pc) => pc.digest()),
  );

  if (spawnSync("tshark", ["--version"]).error) return; // the rest needs tshark
  const folder = mkdtempSync(join(tmpdir(), "castaway-"));
  try {
    writeFileSync(join(folder, "lan.pcapng"), first.capture.bytes());
    const shown = spawnSync("tshark", [
      "-r",
      join(folder, "lan.pcapng"),
      "-T",
      "fields",
      "-e",
      "eth.src",
      "-e",
      "_ws.col.Protocol",
    ]);
    const lines = shown.stdout.toString().trim().split("\n");
    assert.is(shown.status, 0, shown.stderr.toString());
    for (const n of [1, 2])
      assert.ok(
        lines.some((line) => line === `52:54:00:00:00:0${n}\tDHCP`),
        lines.join("\n"),
      );
    assert.not.match(shown.stdout.toString(), /Malformed/);
    assert.not.match(shown.stderr.toString(), /error|damaged|corrupt|cut short/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
