/** The server on a network with cables and a switch. */
import { type EthernetCard, ms } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Network } from "../ethernet/network.ts";
import { ata, big, config, everyone, extended, RamDisk, serverMac } from "./rig.test-support.ts";
import { AoeServer } from "./server.ts";

test("two clients behind a switch find a server and read from it, plainly and by extended reads", () => {
  const net = new Network({ seed: 1 });
  const lan = net.switch({ ports: 4 });
  const disk = RamDisk.patterned(100, true);
  const targets = [{ shelf: 1, slot: 2, disk }];
  net.plug(lan, ({ clock, port }) => new AoeServer({ clock, port, mac: serverMac, targets }));
  const clients = [0xc2, 0xc4].map((from) => {
    const got: Uint8Array[] = [];
    const card: EthernetCard = { receive: (frame) => void got.push(frame.slice()), link: () => {} };
    return net.plug(lan, ({ port }) => {
      port.connect(card);
      return { from, got, port };
    });
  });
  const all = (make: (from: number) => Uint8Array) => {
    for (const { from, port } of clients) port.send(make(from));
    net.run(ms(5));
    return clients.map(({ got }) => got.splice(0).filter((frame) => frame[12] === 0x88 && (frame[14] & 8) !== 0));
  };
  for (const [answer] of all((from) => config(0, "", { from, to: everyone }))) assert.is(big(answer, 6, 6), serverMac);
  for (const [answer] of all((from) => ata(0x24, 7, 2, { from }))) {
    assert.equal(answer.slice(36), disk.bytes.slice(7 * 512, 9 * 512));
  }
  for (const answers of all((from) => extended(0, 32, { from }))) {
    assert.equal(
      answers.flatMap((frame) => [...frame.slice(42)]),
      [...disk.bytes.slice(0, 32 * 512)],
    );
  }
});

test.run();
