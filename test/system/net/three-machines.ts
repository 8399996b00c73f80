/** The example of docs/network.md: three machines load a script from the network and answer pings. */
import assert from "node:assert/strict";
import type { Network } from "castaway";
import { runExample } from "../example.ts";

export async function threeMachines(): Promise<string> {
  const net = (await runExample("docs/network.md", "machineOn", "net")) as Network;
  assert.equal(net.sockets.length, 3);
  assert.ok(net.sockets.every(({ statistics }) => statistics.sent > 5 && statistics.absent === 0));
  return `${(net.now / 1e9).toFixed(1)} s of virtual time`;
}
