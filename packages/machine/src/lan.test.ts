import { ImageDisk } from "@castaway/devices";
import { Clock, ConfigError, ms, StateError, us } from "@castaway/kit";
import { Host, Network } from "@castaway/net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Lan, type LanOptions } from "./lan.ts";
import { Machine } from "./machine.ts";
import { count, halt, withRom } from "./rom.test-support.ts";

/** A machine that counts, on a network where another host pings the servers' one. */
function counting(options: LanOptions = {}, code: readonly number[] = count) {
  const lan = new Lan({ sockets: 2, ...options });
  const answers: number[] = [];
  const [port, second] = [lan.ports[0]!, lan.ports[1]!];
  const guest = new Host({ clock: lan.clock, port: second, mac: "52:54:00:00:00:77", address: "10.0.2.77" });
  const beside = { clock: lan.clock, configuration: lan.configuration, parts: { ...lan.parts, guest } };
  const again = () =>
    guest.ping("10.0.2.1", ({ time }) => {
      answers.push(time ?? -1);
      if (answers.length < 50) again();
    });
  const pc = new Machine(withRom(code, { networkCards: [{ port }], beside }));
  return { lan, pc, guest, again, answers };
}

test("however a run is cut, machine and network end in the same state", () => {
  const digests = [ms(4), us(33), 777].map((cut) => {
    const { pc, again, answers, lan } = counting({ link: { loss: 0.1, jitter: us(5) }, seed: 4 });
    for (let n = 0; n < 8; n++) again();
    while (pc.now < ms(4)) pc.run({ atMost: Math.min(cut, ms(4) - pc.now) });
    assert.ok(answers.length > 5 && lan.host.statistics.framesIn > 5, String(answers.length));
    return `${pc.digest()} ${pc.instructions} ${answers}`;
  });
  assert.is(new Set(digests).size, 1);
});

test("by instructions and steps too; and a machine that waits is not idle while frames are under way", () => {
  const { pc, again, answers } = counting();
  again();
  while (answers.length < 3) pc.run({ instructions: 1000 });
  pc.step();
  const other = counting({}, halt);
  other.again();
  assert.is(other.pc.run({ atMost: ms(5) }).reason, "limit");
  assert.is(other.answers.length, 50);
  assert.is(other.answers[0], answers[0]);
});

test("a snapshot with frames under way: machine and servers go on to the same end", async () => {
  const first = counting();
  for (let n = 0; n < 8; n++) first.guest.ping("10.0.2.1", () => {}, 1400);
  first.pc.run({ atMost: us(130) });
  assert.ok(first.pc.board.clock.pending.some(({ name }) => name.startsWith("link")));
  const snapshot = await first.pc.save();
  const second = counting();
  await second.pc.restore(snapshot);
  for (const { pc } of [first, second]) pc.run({ atMost: ms(1) });
  assert.equal(second.pc.inspect("net"), first.pc.inspect("net"));
  assert.equal(second.pc.inspect("host.statistics"), first.pc.inspect("host.statistics"));
  assert.is(second.pc.digest(), first.pc.digest());
  assert.is(second.guest.statistics.framesIn, 1 + 8);
});

test("a reset of the machine is none of the network's business", () => {
  const { pc, again, answers, lan } = counting();
  again();
  pc.run({ atMost: us(350) });
  const before = lan.host.save();
  pc.reset();
  assert.equal(lan.host.save(), before);
  pc.run({ atMost: ms(1) });
  assert.ok(answers.every((time) => time > 0));
});

test("a snapshot of another network is refused by name, and nothing is restored", async () => {
  const image = (byte: number) => [{ image: new ImageDisk(new Uint8Array(1024).fill(byte)) }];
  const snapshot = await counting({ disks: image(1), bootFile: "a" }).pc.save();
  const others: [LanOptions, string][] = [
    [{ disks: image(2), bootFile: "a" }, "aoeDisk0"],
    [{ disks: image(1), bootFile: "b" }, "bootFile"],
    [{ disks: image(1), bootFile: "a", link: { latency: 5 } }, "link"],
    [{ disks: image(1), bootFile: "a", seed: 2 }, "networkSeed"],
    [{ disks: [{ ...image(1)[0]!, slot: 7 }], bootFile: "a" }, "aoe"],
    [{ disks: [...image(1), ...image(1)], bootFile: "a" }, "beside"],
  ];
  for (const [options, path] of others) {
    const { pc } = counting(options);
    const error = await pc.restore(snapshot).catch((error) => error);
    assert.instance(error, StateError);
    assert.is((error as StateError).path, path);
    assert.is(pc.now, 0);
  }
  const alone = await new Machine(withRom(count)).save();
  assert.instance(
    await counting()
      .pc.restore(alone)
      .catch((error) => error),
    StateError,
  );
  await counting({ disks: image(1), bootFile: "a" }).pc.restore(snapshot);
});

test("each client of a disk keeps what it wrote, in snapshots too; the image stays as it is", () => {
  const bytes = new Uint8Array(1024).fill(7);
  const make = () => new Lan({ disks: [{ image: new ImageDisk(bytes) }] });
  const lan = make();
  const mac = [0x52, 0x54, 0, 0, 0, 0x99];
  const request = (write: boolean) => {
    const header = [0x52, 0x54, 0, 0, 0, 2, ...mac, 0x88, 0xa2, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const ata = [write ? 1 : 0, 0, 1, write ? 0x30 : 0x20, 1, 0, 0, 0, 0, 0, 0, 0];
    return Uint8Array.from([...header, ...ata, ...new Array(write ? 512 : 0).fill(9)]);
  };
  lan.aoe!.receive(request(true));
  const there = make();
  for (const name of ["aoe", "aoeDisk0"]) there.parts[name]!.restore(lan.parts[name]!.save());
  const read: Uint8Array[] = [];
  there.net.links.at(-1)!.b.seen.on(({ frame }) => read.push(frame.slice()));
  there.aoe!.receive(request(false));
  assert.equal([read.length, read[0]?.[36], bytes[0]], [1, 9, 7]);
});

test("what cannot be", () => {
  const clock = new Clock();
  const net = new Network({ clock });
  const lan = net.switch();
  assert.throws(
    () => net.socket(lan),
    (error: unknown) => error instanceof ConfigError,
  );
  assert.throws(
    () => net.run(5),
    (error: unknown) => error instanceof ConfigError,
  );
  assert.throws(() => new Machine(withRom(count, { beside: { clock, parts: { com1: net } } })), /beside: "com1"/);
  clock.moveTo(5);
  assert.throws(() => new Machine(withRom(count, { beside: { clock, parts: { net } } })), /beside.clock/);
  assert.throws(() => new Lan({ sockets: 0 }), /sockets/);
  assert.throws(() => new Lan({ link: { mtu: 576 } }), /mtu/);
});

test.run();
