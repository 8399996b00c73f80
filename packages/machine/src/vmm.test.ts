import { ConfigError, ms } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Lan } from "./lan.ts";
import { Machine } from "./machine.ts";
import { count, withRom } from "./rom.test-support.ts";

const rom = Uint8Array.of(0x55, 0xaa, 1, 0xcb);
const vmm = {
  bytes: new Uint8Array(64),
  symbolAt: (address: number) => (address >= 0x1000 && address < 0x1100 ? { name: "main", address: 0x1000 } : null),
};

test("a hypervisor brings a network that is in the machine's snapshots, and its symbols", async () => {
  const options = withRom(count, { networkCards: [{ rom }], vmm });
  const [pc, other] = [new Machine(options), new Machine(options)];
  assert.is(pc.configuration["bootFile"], "boot.ipxe");
  assert.is(pc.configuration["boot"], "network");
  assert.equal(
    [0x1000, 0x101c, 0x1100].map((address) => pc.symbolAt(address)),
    ["main", "main+1c", null],
  );
  pc.run({ atMost: ms(1) });
  await other.restore(await pc.save());
  assert.is(other.digest(), pc.digest());
});

test("bytes alone have no symbols; a network of one's own serves itself; a card without ROM starts nothing", () => {
  const plain = new Machine(withRom(count, { networkCards: [{ rom }], vmm: vmm.bytes }));
  assert.equal([plain.vmm?.bytes, plain.symbolAt(0x1000)], [vmm.bytes, null]);
  const lan = new Lan();
  const own = new Machine(withRom(count, { networkCards: [{ rom, port: lan.ports[0] }], beside: lan, vmm }));
  assert.equal([own.configuration["bootFile"], own.symbolAt(0x1000)], [null, "main"]);
  for (const networkCards of [[], [{}]])
    assert.throws(
      () => new Machine(withRom(count, { networkCards, vmm })),
      (error: Error) => error instanceof ConfigError && /^vmm: .*iPXE's ROM/.test(error.message),
    );
});

test.run();
