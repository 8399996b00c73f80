import { E1000 } from "@castaway/devices";
import { type EthernetCard, mib, ms, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Machine } from "../rig/machine.test-support.ts";

type Guest = {
  make(delta: bigint): void;
  start(): number;
  poll(): number;
  mac(): bigint;
  send(bytes: number, fill: number): number;
  flush(): void;
  next(): number;
  at(): bigint;
  length(): number;
  release(): void;
  refill(): void;
  stop(): void;
};

const test = suite("vmm e1000");
const guest = await compileGuest("net/e1000.test-entry.ts");

const base = 0xe000_0000;
const [CTRL, IMS, RCTL, TCTL, RDH, RDT] = [0x0000, 0x00d0, 0x0100, 0x0400, 0x2810, 0x2818];

/** A card that the firmware has placed, and the driver on it. */
class Bench {
  readonly machine = new Machine({ ram: mib(20), delta: mib(2) });
  readonly sent: Uint8Array[] = [];
  readonly card: E1000;
  readonly vmm: Guest;
  constructor(placed = true) {
    const { machine } = this;
    const port = {
      send: (frame: Uint8Array) => void this.sent.push(frame.slice()),
      connect: (card: EthernetCard | null) => card?.link(true),
    };
    this.card = new E1000(machine.pci(3), { clock: machine.clock, port, mac: "52:54:00:12:34:56" });
    machine.bus.add(3, 0, this.card.pci);
    if (placed) this.card.pci.config.write(0x10, 4, base);
    this.vmm = machine.load<Guest>(guest);
    this.vmm.make(BigInt(machine.delta));
  }
  up(): this {
    assert.is(this.vmm.start(), 1);
    this.poll(ms(100));
    return this;
  }
  poll(time: number, every = ms(1)): void {
    for (let passed = 0; passed < time; passed += every) {
      this.machine.after(every);
      this.vmm.poll();
    }
  }
  register(offset: number): number {
    return this.card.mac.read(offset, 4);
  }
  /** A frame to the card; byte n is n, but for addresses. */
  arrive(length: number, to = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]): Uint8Array {
    const frame = Uint8Array.from({ length }, (_, i) => (i * 7) % 251);
    frame.set([...to, 2, 0, 0, 0, 0, 1]);
    this.card.mac.receive(frame);
    return frame;
  }
  /** The next frame that the driver finds; undefined: none. */
  take(): Uint8Array | undefined {
    if (this.vmm.next() === 0) return undefined;
    const frame = this.machine.peek(Number(this.vmm.at()), this.vmm.length());
    this.vmm.release();
    return frame;
  }
}

test("a card comes up by polling alone, without an interrupt (R10.1)", () => {
  const bench = new Bench();
  bench.up();
  assert.is(bench.vmm.poll(), 1);
  assert.is(bench.vmm.mac(), 0x5254_0012_3456n);
  assert.is(bench.register(IMS), 0);
  assert.is(bench.register(RCTL) & 0x18, 0, "not promiscuous");
  bench.arrive(60);
  bench.machine.after(ms(1));
  assert.equal(bench.machine.pirq, [false, false, false, false]);
});

test("no card, or one without an address, is refused", () => {
  const machine = new Machine();
  const vmm = machine.load<Guest>(guest);
  vmm.make(BigInt(machine.delta));
  assert.is(vmm.start(), 0);
  assert.is(new Bench(false).vmm.start(), 0);
});

test("what the firmware left at work is reset first, and off the bus until its rings are ours (R10.4)", () => {
  const bench = new Bench();
  const { config } = bench.card.pci;
  config.write(4, 2, 7);
  for (const [offset, value] of [
    [0x2800, 0x1000],
    [0x2808, 0x80],
    [RDT, 7],
    [RCTL, 0x8002],
    [IMS, 0x1ffff],
  ]) {
    bench.card.mac.write(offset, 4, value); // a ring of the firmware's at 1000h
  }
  bench.vmm.start();
  assert.is(bench.register(RCTL), 0);
  assert.is(config.read(4, 2) & 4, 0);
  bench.arrive(60, [255, 255, 255, 255, 255, 255]);
  bench.poll(ms(100));
  assert.ok(bench.machine.peek(0, 0x4000).every((byte) => byte === 0));
  assert.is(config.read(4, 2) & 0x406, 0x406);
});

test("frames leave as they were written, many for one write of TDT", () => {
  const bench = new Bench().up();
  for (let i = 0; i < 20; i++) assert.is(bench.vmm.send(60 + i, i), 1);
  bench.machine.after(us(100));
  assert.is(bench.sent.length, 0);
  bench.vmm.flush();
  bench.machine.after(us(100));
  assert.equal(
    bench.sent.map((frame) => frame.length),
    Array.from({ length: 20 }, (_, i) => 60 + i),
  );
  assert.ok(bench.sent.every((frame, i) => frame.at(-1) === i && frame[6] === 2));
});

test("a full ring refuses, and goes on when the card is through; for ever", () => {
  const bench = new Bench().up();
  let sent = 0;
  for (let round = 0; round < 10; round++) {
    let now = 0;
    while (bench.vmm.send(60, 1) === 1) now++;
    assert.is(now, 63);
    sent += now;
    bench.vmm.flush();
    bench.machine.after(ms(1));
    assert.is(bench.sent.length, sent);
  }
});

test("frames of all lengths up to jumbo come whole, also across the ring's end", () => {
  const bench = new Bench().up();
  const lengths = [60, 61, 1514, 2047, 2048, 2049, 4096, 4097, 6000, 8746, 9014];
  for (let i = 0; i < 400; i++) {
    const length = lengths[i % lengths.length];
    const frame = bench.arrive(length);
    assert.equal(bench.take(), frame, `frame ${i}`);
    bench.vmm.refill();
  }
  assert.is(bench.take(), undefined);
});

test("a flood fills the ring and no more; afterwards it goes on", () => {
  const bench = new Bench().up();
  for (let i = 0; i < 1000; i++) bench.arrive(60);
  let came = 0;
  while (bench.take() !== undefined) came++;
  assert.is(came, 255);
  bench.vmm.refill();
  bench.arrive(60);
  assert.is(bench.take()?.length, 60);
});

test("a frame longer than ours takes its buffers and is shown without bytes", () => {
  const bench = new Bench().up();
  bench.arrive(16_000);
  const frame = bench.arrive(100);
  assert.is(bench.take()?.length, 0);
  assert.equal(bench.take(), frame);
});

test("frames for others are not taken", () => {
  const bench = new Bench().up();
  bench.arrive(60, [0x52, 0x54, 0, 0, 0, 9]);
  assert.is(bench.take(), undefined);
});

test("stop leaves the card reset, silent and off the bus (R10.3)", () => {
  const bench = new Bench().up();
  bench.vmm.send(60, 1);
  bench.vmm.flush();
  bench.vmm.stop();
  assert.equal(
    [RCTL, TCTL, RDH, RDT, IMS].map((offset) => bench.register(offset)),
    [0, 0, 0, 0, 0],
  );
  assert.is(bench.register(CTRL), 0x0014_0241);
  assert.is(bench.card.pci.config.read(4, 2) & 4, 0);
  const before = bench.machine.peek(0, bench.machine.ram.length);
  bench.arrive(60);
  bench.machine.after(ms(10));
  assert.is(bench.sent.length, 0);
  assert.is(Buffer.compare(bench.machine.peek(0, bench.machine.ram.length), before), 0);
  assert.is(bench.take(), undefined);
  assert.is(bench.vmm.send(60, 1), 0);
});

test("it can be started again", () => {
  const bench = new Bench().up();
  bench.vmm.stop();
  bench.up();
  const frame = bench.arrive(500);
  assert.equal(bench.take(), frame);
});

test("without a link nothing is sent", () => {
  const bench = new Bench();
  bench.vmm.start();
  assert.is(bench.vmm.send(60, 1), 0);
});

test.run();
