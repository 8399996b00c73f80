import { ImageDisk } from "@castaway/devices";
import { ConfigError, mib, ms, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../machine.ts";
import { count, rom } from "../rom.test-support.ts";
import { Trace } from "../trace.ts";
import { vmmCommandLine } from "./command-line.ts";
import { Laboratory, type LaboratoryOptions } from "./laboratory.ts";
import { traceDeployment } from "./tracks.ts";

const test = suite("Laboratory");
const files: Record<string, Uint8Array> = {
  "seabios/bios.bin": rom(...count),
  "ipxe/pxe-e1000.rom": Uint8Array.of(0x55, 0xaa, 1, 0xcb),
};
const read = async (path: string) => files[path]!;
const create = (options: Partial<LaboratoryOptions> = {}) =>
  Laboratory.create({
    ...{ read, display: false, memory: "2MiB", image: new Uint8Array(mib(1)), vmm: new Uint8Array(100) },
    ...options,
  });
const noTask = { command: 0, features: 0, count: 0, lba: 0, device: 0, control: 0 };

/** Tells what a processor would tell. */
const operation = ({ probes, now }: Machine, processor: number, on: boolean) =>
  probes.vmxOperation.emit({ processor, on, time: now });
const entry = ({ probes, now }: Machine) => probes.vmEntry.emit({ processor: 0, ip: 0x7c00, time: now });
const frame = ({ board }: Machine) => board.networkCards[0]!.mac.sent.emit({ frame: new Uint8Array(60) });

test("phases begin once each, in their order, and take what is between them", async () => {
  const lab = await create();
  const { machine } = lab;
  assert.is(lab.phase, "firmware");
  machine.run({ atMost: ms(1) });
  frame(machine);
  frame(machine);
  machine.run({ atMost: ms(1) });
  operation(machine, 0, true);
  operation(machine, 0, false);
  operation(machine, 0, true);
  assert.is(lab.phase, "hypervisor");
  machine.run({ atMost: ms(2) });
  entry(machine);
  entry(machine);
  assert.not(machine.probes.vmEntry.active);
  machine.run({ atMost: ms(3) });
  operation(machine, 0, false);
  machine.run({ atMost: ms(4) });
  const { phases, exitsAfterDevirtualization, phase } = lab.report();
  assert.equal(
    Object.entries(phases).map(([name, time]) => `${name} ${(time * 1e3).toFixed(0)}`),
    ["firmware 1", "network 1", "hypervisor 2", "streaming 3", "bare 4"],
  );
  assert.equal([phase, exitsAfterDevirtualization], ["bare", 0]);
});

test("bare is when the last processor has left VMX operation", async () => {
  const { machine, observer } = await create({ cpus: 2 });
  const [first, second] = machine.board.cpu.processors;
  first!.vmx.vmxonPointer = second!.vmx.vmxonPointer = 0x1000;
  entry(machine);
  first!.vmx.vmxonPointer = -1;
  operation(machine, 0, false);
  assert.is(observer.phase, "streaming");
  second!.vmx.vmxonPointer = -1;
  operation(machine, 1, false);
  assert.is(observer.phase, "bare");
});

test("a reset begins anew, until the machine is bare", async () => {
  const { machine, observer } = await create();
  entry(machine);
  machine.reset();
  assert.is(observer.phase, "firmware");
  entry(machine);
  operation(machine, 0, false);
  machine.reset();
  frame(machine);
  assert.is(observer.phase, "bare");
});

test("run ends at a phase; one that has begun ends it at once", async () => {
  const lab = await create();
  const { machine } = lab;
  machine.board.clock.timer("test", () => entry(machine)).arm(us(50));
  const stop = lab.run({ until: lab.reaches("streaming"), atMost: ms(1) });
  assert.equal([stop.reason, stop.detail], ["watch", "streaming"]);
  assert.ok(machine.now < us(100));
  assert.is(lab.run({ until: lab.reaches("hypervisor"), atMost: ms(1) }).instructions, 0);
});

test("what is local: the written share of the image's part of the disk", async () => {
  const lab = await create();
  lab.disk.write(0, new Uint8Array(512 * 512));
  lab.disk.write(1024, new Uint8Array(512));
  lab.disk.write(2048, new Uint8Array(mib(1)));
  assert.equal(lab.local(4), [1, 0, 1 / 512, 0]);
  assert.is(lab.localBytes, 513 * 512);
  assert.is(lab.local(10_000).length, 10_000);
});

test("disk and image: sizes, and what does not fit", async () => {
  assert.is((await create()).disk.sectors * 512, mib(32));
  assert.is((await create({ disk: { size: "1MiB" } })).disk.sectors * 512, mib(1));
  const wrong: [Partial<LaboratoryOptions>, RegExp][] = [
    [{ disk: { size: "512KiB" } }, /^disk size: "512KiB" .*1MiB or more/],
    [{ image: new ImageDisk(new Uint8Array(8192), { sectorSize: 4096 }) }, /^image: /],
    [{ commandLine: { block: 5000 } }, /^block: 5000 .*a power of two/],
    [{ server: { threads: 0 } }, /threads/],
    [{ link: { loss: 2 } }, /^loss: /],
  ];
  for (const [options, message] of wrong) {
    try {
      await create(options);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, ConfigError);
      assert.match((error as Error).message, message);
    }
  }
});

test("the hypervisor's command line", () => {
  assert.is(vmmCommandLine(), "");
  const all = { block: 65_536, mtu: 9000, idle: us(1500), pause: 0, chunk: 4, redirect: "dummy", log: 2 } as const;
  assert.is(vmmCommandLine(all), "block=65536 mtu=9000 idle=1500 pause=0 chunk=4 redirect=dummy log=2");
  for (const wrong of [{ idle: 1 }, { pause: -1000 }, { chunk: 9 }, { log: 4 }, { block: 1 << 21 }, { mtu: 576 }])
    assert.throws(() => vmmCommandLine(wrong), /is not possible/);
});

test("a snapshot has the history too: another laboratory goes on with it", async () => {
  const [one, two] = [await create(), await create()];
  one.machine.run({ atMost: ms(1) });
  entry(one.machine);
  one.disk.write(3, new Uint8Array(512).fill(1));
  const before = one.report();
  await two.restore(await one.save());
  assert.equal(two.report(), before);
  assert.not(two.machine.probes.vmEntry.active);
  for (const lab of [one, two]) {
    lab.run({ atMost: ms(1) });
    operation(lab.machine, 0, false);
  }
  assert.equal(two.report(), one.report());
  assert.is(two.machine.digest(), one.machine.digest());
});

test("a trace: phases, disk commands that overlap, frames, progress", async () => {
  const lab = await create();
  const { machine } = lab;
  let text = "";
  const trace = new Trace(machine, { write: (piece) => (text += piece) });
  const end = traceDeployment(trace, lab);
  machine.run({ atMost: ms(1) });
  frame(machine);
  const command = { name: "WRITE DMA EXT", task: noTask, tag: 0, lba: 8, sectors: 2, moved: 2, status: 0x50, error: 0 };
  machine.board.drives[0]!.commands.emit({ ...command, issued: us(900), ended: ms(1) });
  const aoe = new Uint8Array(60).fill(0x88, 12, 13).fill(0xa2, 13, 14);
  lab.lan.taps[0]!.seen.emit({ time: machine.now, frame: aoe, direction: "out" });
  end();
  trace.close();
  const events = JSON.parse(text).filter(({ ph }: { ph: string }) => ph !== "M");
  const told = events.map(({ ph, name, ts, cat }: Record<string, unknown>) => `${ph} ${name} ${cat ?? ""} ${ts}`);
  const lines = told.map((line: string) => line.replace(/ 1000\.\d+$/, " 1000"));
  assert.equal(lines, [
    ...["X firmware  0", "b WRITE DMA EXT local disk 900", "e WRITE DMA EXT local disk 1000"],
    ...["C local MB  1000", "i AoE  1000", "X network  1000"],
  ]);
});

test("the oracle goes with snapshots; without it nothing is verified", async () => {
  const spoilt = await create();
  spoilt.disk.write(7, new Uint8Array(512).fill(1));
  assert.is(spoilt.verify()?.verified, false);
  const [one, two, blind] = [await create(), await create(), await create({ oracle: false })];
  one.machine.board.drives[0]!.writes.emit({ lba: 3, sectors: 1, data: new Uint8Array(512).fill(9) });
  assert.is(one.oracle?.findings.length, 1);
  const snapshot = await one.save();
  await two.restore(snapshot);
  assert.equal(two.oracle?.findings, one.oracle?.findings);
  assert.equal([one.verify()?.verified, blind.verify(), blind.report().bytes.disk.guest], [false, null, null]);
  try {
    await blind.restore(snapshot);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /^saved state at oracle: /);
  }
});

test.run();
