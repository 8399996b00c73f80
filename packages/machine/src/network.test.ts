import { ms } from "@castaway/kit";
import { Network } from "@castaway/net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "./machine.ts";
import { machineOn, networkParty } from "./network.ts";
import { forever, print, withRom } from "./rom.test-support.ts";

test("machines on a switch: addresses one after the other, unless given", async () => {
  const net = new Network();
  const lan = net.switch();
  const options = withRom(forever);
  const given = { ...options, mac: "52:54:00:00:00:99", link: { latency: 500 } };
  const machines = [
    await machineOn(net, lan, options),
    await machineOn(net, lan, given),
    await machineOn(net, lan, options),
  ];
  const addresses = machines.map(({ configuration }) => configuration["networkCards"]);
  assert.equal(addresses, ["52:54:00:12:34:56 ", "52:54:00:00:00:99 ", "52:54:00:12:34:58 "]);
  net.run(ms(1));
  assert.ok(machines.every((pc) => pc.now >= ms(1) && pc.now < ms(2)));
  assert.is(net.linkOf(net.sockets[1]!).toA.settings.latency, 500);
});

test("a network's run ends when a machine shows what is waited for, and the party tells why", () => {
  const net = new Network();
  const socket = net.socket(net.switch());
  const pc = new Machine(withRom([...print(0xe9, "hi"), ...forever], { networkCards: [{ port: socket }] }));
  const party = networkParty(pc, { until: pc.debugLog.shows("hi") });
  net.join(party, socket);
  assert.is(party.stop, null);
  assert.is(net.run(ms(5)).reason, "party");
  assert.equal([party.stop?.reason, party.stop?.detail], ["watch", "hi"]);
});

test.run();
