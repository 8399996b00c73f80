/** Two machines whose SeaBIOS starts iPXE, which asks for an address by DHCP, on one switch. */
import assert from "node:assert/strict";
import { seconds, us } from "@castaway/kit";
import { Capture, Network } from "@castaway/net";
import { Machine, networkParty } from "castaway";
import { blob } from "../guests/machine.ts";
import { readByTshark } from "./tshark.ts";

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
  for (const n of order) net.join(networkParty(machines[n]), sockets[n]);
  const capture = new Capture();
  capture.watch(net.tap(lan, 0));
  capture.watch(net.tap(lan, 1));
  while (net.now < seconds(6) && lan.statistics.some(({ received }) => received < 1)) net.run(us(20_000));
  net.run(us(500));
  return { net, lan, sockets, machines, capture };
}

/** Two machines hear each other's DHCP requests, whichever of them runs first. */
export function twoMachinesInBothOrders(): string {
  const first = twoMachines([0, 1]);
  assert.ok(first.lan.statistics.every(({ received, badSource }) => received >= 1 && badSource === 0));
  assert.ok(first.sockets.every(({ statistics }) => statistics.received >= 1));
  const second = twoMachines([1, 0]);
  assert.deepEqual(second.capture.bytes(), first.capture.bytes());
  const digests = ({ machines }: typeof first) => machines.map((pc) => pc.digest());
  assert.deepEqual(digests(second), digests(first));
  const frames = readByTshark(first.capture.bytes(), ["eth.src", "_ws.col.Protocol"]);
  if (frames === null) return "tshark is not installed, nobody else read the capture";
  for (const n of [1, 2]) assert.ok(frames.includes(`52:54:00:00:00:0${n}\tDHCP`), frames.join("\n"));
  return "tshark reads the capture";
}
