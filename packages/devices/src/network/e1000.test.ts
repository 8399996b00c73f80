import { Clock, ConfigError, ms } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { trip } from "../hop.test-support.ts";
import { E1000, type E1000Options } from "./e1000.ts";

function board(options: Partial<E1000Options> = {}) {
  const clock = new Clock();
  const log: string[] = [];
  let high = false;
  const show = (base: number, size: number) => `${base.toString(16)}+${size.toString(16)}`;
  const env = {
    mapper: {
      map: (kind: string, base: number, size: number) => void log.push(`map ${kind} ${show(base, size)}`),
      unmap: (kind: string, base: number, size: number) => void log.push(`unmap ${kind} ${show(base, size)}`),
    },
    intx: {
      set: (asserted: boolean) => {
        if (asserted !== high) log.push(asserted ? "intx" : "no intx");
        high = asserted;
      },
    },
    dma: { read: (_: number, into: Uint8Array) => void into.fill(0), write: () => undefined },
  };
  const nic = new E1000(env, { clock, ...options });
  return { clock, nic, log, config: nic.pci.config };
}

test("identity and BARs are those of an 82540EM [8254x 4.1, 5]", () => {
  const { config, log } = board({ rom: new Uint8Array(3000) });
  assert.is(config.read(0x00, 4), 0x100e_8086);
  assert.is(config.read(0x08, 4), 0x0200_0003);
  assert.is(config.read(0x2c, 4), 0x001e_8086);
  assert.is(config.read(0x3c, 2), 0x0100);
  for (const [at, size] of [
    [0x10, 0xfffe_0000],
    [0x14, 0xffff_ffc1],
    [0x30, 0xffff_f001],
  ]) {
    config.write(at, 4, 0xffff_ffff);
    assert.is(config.read(at, 4), size);
  }
  config.write(0x10, 4, 0xfebc_0000);
  config.write(0x14, 4, 0xc001);
  config.write(0x30, 4, 0xfeb8_0001);
  config.write(0x04, 2, 7);
  assert.equal(log, ["map memory febc0000+20000", "map io c000+40", "map memory feb80000+1000"]);
});

test("the ROM is padded; it can only be read", () => {
  const { nic, config } = board({ rom: Uint8Array.of(0x55, 0xaa, 4) });
  config.write(0x30, 4, 0xfeb8_0001);
  config.write(0x04, 2, 2);
  const rom = nic.pci.ranges[0];
  assert.is(rom.size, 2048);
  rom.space.write(0, 4, 0);
  assert.is(rom.space.read(0, 4), 0xff04_aa55);
  assert.is(board().config.read(0x30, 4), 0);
});

test("IOADDR and IODATA reach the registers, in accesses of 4 bytes [8254x 13.2.2]", () => {
  const { nic, config } = board();
  config.write(0x14, 4, 0xc001);
  config.write(0x04, 2, 1);
  const ports = nic.pci.ranges[0].space;
  ports.write(0, 4, 0x5400);
  assert.is(ports.read(4, 4), 0x1200_5452);
  assert.is(ports.read(6, 2), 0x1200);
  assert.is(ports.read(4, 1), 0x52);
  ports.write(4, 4, 0x1122_3344);
  ports.write(4, 1, 0);
  ports.write(0, 2, 0);
  assert.is(nic.mac.read(0x5400, 4), 0x1122_3344);
  ports.write(0, 4, 0xffff_fff8);
  assert.is(ports.read(0, 4), 0x000f_fff8);
  assert.is(ports.read(4, 4), 0);
  ports.write(4, 4, 1);
  assert.is(ports.read(8, 4), 0);
  ports.write(0, 4, 0);
  ports.write(4, 4, 1 << 26); // the reset of Linux' driver
  assert.is(nic.mac.read(0x5400, 4), 0x1200_5452);
});

test("INTA# follows ICR and IMS, also over restore, which sends nothing", () => {
  const { nic, log, config } = board();
  nic.mac.write(0xd0, 4, 4);
  nic.mac.write(0xc8, 4, 4);
  assert.equal(log, ["intx"]);
  config.write(0x04, 2, 0x400);
  assert.equal(log, ["intx", "no intx"]);
  config.write(0x04, 2, 0);
  const other = board();
  other.nic.restore(trip(nic, nic.state));
  assert.equal(other.log, ["intx"]);
  assert.is(other.nic.mac.read(0xc0, 4), 4);
  assert.equal(other.log, ["intx", "no intx"]);
  nic.reset();
  assert.is(nic.mac.regs.IMS, 0);
  assert.is(log.at(-1), "no intx");
});

test("two cards on a cable hear each other", () => {
  const clock = new Clock();
  const cards: E1000[] = [];
  const end = (other: number) => ({
    send: (frame: Uint8Array) => cards[other].mac.receive(frame),
    connect: (card: { link(up: boolean): void } | null) => card?.link(true),
  });
  const make = (index: number, mac?: string) => board({ clock, port: end(1 - index), mac }).nic;
  cards.push(make(0), make(1, "52:54:00:AB:CD:EF"));
  clock.advanceTo(ms(50));
  for (const { mac } of cards) {
    assert.is(mac.read(8, 4) & 2, 2);
    mac.write(0x3808, 4, 128);
    mac.write(0x400, 4, 0xa);
    mac.write(0x100, 4, 0x801a);
  }
  assert.is(cards[1].mac.read(0x5400, 4), 0xab00_5452);
  const lost: string[] = [];
  cards[1].mac.dropped.on(({ reason }) => lost.push(reason));
  cards[0].pci.config.write(0x04, 2, 4);
  cards[0].mac.write(0x3818, 4, 1); // a descriptor of zeros: no frame
  clock.advanceTo(ms(51));
  cards[0].mac.write(0x400, 4, 0x40_000a); // SWXOFF
  assert.equal(lost, []);
  cards[0].mac.write(0x00, 4, 0x1000_0040);
  cards[0].mac.write(0x400, 4, 0x40_000a);
  assert.equal(lost, ["no descriptor"]);
});

test("wrong options are refused", () => {
  for (const mac of ["", "52:54:00:12:34", "53:54:00:12:34:56", "00:00:00:00:00:00", "52-54-00-12-34-56"]) {
    assert.throws(
      () => board({ mac }),
      (error: unknown) => error instanceof ConfigError,
      mac,
    );
  }
  assert.throws(() => board({ rom: new Uint8Array(0) }), /rom/);
  assert.throws(() => board({ rom: new Uint8Array(2 ** 20 + 1) }), /rom/);
});

test.run();
