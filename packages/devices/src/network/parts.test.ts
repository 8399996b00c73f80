import { ms, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { trip } from "../hop.test-support.ts";
import { Eeprom, eepromState } from "./eeprom.ts";
import {
  broadcast,
  CTRL_EXT,
  EECD,
  EERD,
  frameTo,
  MDIC,
  RAH,
  RAL,
  RCTL,
  Rig,
  station,
  VET,
} from "./rig.test-support.ts";
import { STATISTICS, Statistics } from "./statistics.ts";

/** The driver's end of the Microwire bus. */
class Bus {
  readonly r: Rig;
  constructor(r: Rig) {
    this.r = r;
    r.write(EECD, 0x40);
  }
  select(on: boolean): void {
    this.r.write(EECD, on ? 0x42 : 0x40);
  }
  /** Shifts bits out, highest first. */
  out(value: number, count: number): void {
    for (let i = count - 1; i >= 0; i--) {
      const data = ((value >>> i) & 1) << 2;
      this.r.write(EECD, 0x42 | data);
      this.r.write(EECD, 0x43 | data);
    }
    this.r.write(EECD, 0x42);
  }
  in(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.r.write(EECD, 0x43);
      value = (value << 1) | ((this.r.read(EECD) >>> 3) & 1);
      this.r.write(EECD, 0x42);
    }
    return value;
  }
  command(code: number, address: number): void {
    this.select(false);
    this.select(true);
    this.out(4 | code, 3);
    this.out(address, 6);
  }
  word(address: number): number {
    this.command(2, address);
    return this.in(16);
  }
}

for (const hops of [false, true]) {
  const test = suite(`e1000 EEPROM and PHY${hops ? ", saved and restored at every access" : ""}`);

  test("EERD: the words are there, and their sum is BABA [8254x 5.6.35, 13.4.4]", () => {
    const r = new Rig(hops);
    const words = Array.from({ length: 64 }, (_, address) => {
      r.write(EERD, (address << 8) | 1);
      const answer = r.read(EERD);
      assert.is(answer & 0xffff, (address << 8) | 0x10);
      return answer >>> 16;
    });
    assert.equal(words.slice(0, 3), [0x5452, 0x1200, 0x5634]);
    assert.is(
      words.reduce((sum, word) => (sum + word) & 0xffff),
      0xbaba,
    );
    assert.is(words[0x0a] >>> 14, 1);
    r.write(EERD, 0x300);
    assert.is(r.read(EERD), 0x300); // no START, no read
  });

  test("EECD: bit by bit, the same words, one after the other too [8254x 5.3.1]", () => {
    const r = new Rig(hops);
    assert.is(r.read(EECD) & 0x1c0, 0x100); // there is one of 64 words, not granted
    const bus = new Bus(r);
    assert.is(r.read(EECD) & 0x3c0, 0x1c0);
    assert.is(bus.word(2), 0x5634);
    bus.command(2, 63);
    assert.is(r.read(EECD) & 8, 0); // the zero before the data
    const last = bus.in(16);
    assert.is(bus.in(16), 0x5452); // goes on at 0
    r.write(EERD, (63 << 8) | 1);
    assert.is(r.read(EERD) >>> 16, last);
    bus.select(false);
    r.write(EECD, 0);
    r.write(EECD, 3);
    assert.is(r.read(EECD) & 0x80, 0);
  });

  test("EECD: words can be written while that is enabled; EE_RST takes the address over [93C46; 8254x 13.4.6]", () => {
    const r = new Rig(hops);
    const bus = new Bus(r);
    bus.command(1, 0);
    bus.out(0x1102, 16);
    assert.is(bus.word(0), 0x5452);
    bus.command(0, 0x30); // EWEN
    bus.command(1, 0);
    bus.out(0x1102, 16);
    bus.select(false);
    bus.select(true);
    assert.is(r.read(EECD) & 8, 8); // ready
    assert.is(bus.word(0), 0x1102);
    assert.is(r.read(RAL), 0x12005452);
    r.write(CTRL_EXT, 0x2000);
    assert.is(r.read(RAL), 0x12001102);
    assert.is(r.read(CTRL_EXT), 0);
    bus.command(3, 1); // ERASE
    assert.is(bus.word(1), 0xffff);
    bus.command(0, 0x10); // WRAL
    bus.out(0x0a0a, 16);
    assert.is(bus.word(5), 0x0a0a);
    bus.command(0, 0x20); // ERAL
    assert.is(bus.word(5), 0xffff);
    bus.command(0, 0x00); // EWDS
    bus.command(1, 3);
    bus.out(0, 16);
    assert.is(bus.word(3), 0xffff);
  });

  test("MDIC: the PHY is number 1, an M88E1000; others do not answer; MDAC tells the end [8254x 13.4.7]", () => {
    const r = new Rig(hops);
    assert.is(r.phy(2), 0x0141);
    assert.is(r.phy(3), 0x0c20);
    assert.is(r.read(MDIC) >>> 28, 1);
    r.write(MDIC, 0x0842_0000);
    assert.is(r.read(MDIC), 0x5842_ffff);
    assert.is(r.read(0xc0), 0);
    r.write(MDIC, 0x2822_0000);
    assert.is(r.read(0xc0), 0x200);
    r.setPhy(29, 0x1234);
    assert.is(r.phy(29), 0x34);
    r.setPhy(2, 0xffff);
    assert.is(r.phy(2), 0x0141);
  });

  test("negotiation takes its time, then 1000 Mb/s in full duplex; LSC and LU tell [802.3 28; 8254x 13.4.2]", () => {
    const r = new Rig(hops);
    r.write(0xd0, 4);
    r.after(ms(49));
    assert.is(r.phy(1), 0x7949);
    assert.is(r.read(8) & 3, 1);
    r.after(ms(1));
    assert.is(r.high, true);
    assert.is(r.read(0xc0), 4);
    assert.is(r.read(8), 0x283);
    assert.is(r.phy(1) & 4, 0); // it was down
    assert.is(r.phy(1), 0x796d);
    assert.is(r.phy(5), 0x41e1);
    assert.is(r.phy(10), 0x7c00);
    assert.is(r.phy(17), 0xac00);
    assert.is(r.phy(6), 0x0007);
    assert.is(r.phy(6), 0x0005); // the page was seen
    assert.is(r.phy(19), 0x7c00);
    assert.is(r.phy(19), 0);
  });

  test("the cable is pulled and plugged in again", () => {
    const r = new Rig(hops).up();
    r.mac.link(false);
    assert.is(r.read(0xc0), 4);
    assert.is(r.read(8) & 2, 0);
    r.after(ms(500));
    assert.is(r.phy(17), 0);
    r.mac.link(true);
    r.mac.link(true);
    r.after(ms(50));
    assert.is(r.read(8) & 2, 2);
    assert.is(r.phy(1) & 4, 0);
    assert.is(r.phy(1) & 4, 4);
  });

  test("BMCR: restart, forced speed, power down, reset [8254x 11.1.3]", () => {
    const r = new Rig(hops).up();
    r.setPhy(9, 0);
    r.setPhy(0, 0x1340);
    assert.is(r.read(8) & 2, 0);
    r.after(ms(50));
    assert.is(r.read(8), 0x143); // 100 Mb/s is what is left
    r.setPhy(0, 0x0000); // takes effect with the next start only
    assert.is(r.read(8), 0x143);
    r.setPhy(0, 0x8000);
    r.after(us(100));
    assert.is(r.read(8), 0x002); // 10 Mb/s, half duplex
    assert.is(r.phy(1) & 0x20, 0);
    r.setPhy(0, 0x0800);
    assert.is(r.read(8) & 2, 0);
    r.after(ms(100));
    assert.is(r.read(8) & 2, 0);
    r.setPhy(4, 1);
    r.setPhy(0, 0x1000); // nothing in common
    r.after(ms(100));
    assert.is(r.read(8) & 2, 0);
    r.write(0, 0x8000_0040);
    r.write(0, 0x0000_0040);
    r.after(ms(50));
    assert.is(r.read(8), 0x283);
    assert.is(r.phy(4), 0x0de1);
  });
  test.run();
}

const test = suite("e1000 parts");

test("statistics clear when read, and stick at all ones; 64 bits clear with the upper half [8254x 13.7]", () => {
  const s = new Statistics();
  s.regs.MPC = 0xffff_fffe;
  s.count("MPC");
  s.count("MPC");
  assert.is(s.read(0x10, 4), 0xffff_ffff);
  assert.is(s.read(0x10, 4), 0);
  s.regs.TOTL = 0xffff_ffff;
  s.sent(new Uint8Array(60), true);
  assert.is(s.read(0xc8, 4), 63);
  assert.is(s.read(0xc8, 4), 63);
  assert.is(s.read(0xcc, 4), 1);
  assert.is(s.read(0xc8, 4), 0);
  s.regs.GORCL = 0xffff_fff0;
  s.regs.GORCH = 0xffff_ffff;
  s.received(new Uint8Array(60));
  assert.is(s.read(0x88, 4), 0xffff_ffff);
  assert.is(s.read(0x8c, 4), 0xffff_ffff);
  s.write();
  trip(s, STATISTICS.state);
});

test("statistics: every size has its counter [8254x 13.7.21 to 13.7.26]", () => {
  const s = new Statistics();
  for (const length of [64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1522]) {
    s.sent(frameTo(broadcast, length - 4), true);
    s.received(frameTo([1, 0, 0, 0, 0, 0], length - 4));
  }
  const read = (offset: number) => s.read(offset, 4);
  assert.equal([0xd8, 0xdc, 0xe0, 0xe4, 0xe8, 0xec].map(read), [1, 2, 2, 2, 2, 2]);
  assert.equal([0x5c, 0x60, 0x64, 0x68, 0x6c, 0x70].map(read), [1, 2, 2, 2, 2, 2]);
  assert.equal([0xf4, 0xf0, 0x78, 0x7c].map(read), [11, 0, 0, 11]);
});

test("filter: own addresses, by source too, multicast hash, promiscuity, broadcast [8254x 3.2.1, 13.5]", () => {
  const r = new Rig();
  const { filter } = r.mac;
  const match = (to: number[]) => filter.match(frameTo(to));
  const group = [0x01, 0x00, 0x5e, 0x00, 0x9a, 0xbc];
  assert.is(match(station), "exact");
  assert.is(match([2, 0, 0, 0, 0, 9]), "none");
  assert.is(match(broadcast), "none");
  r.write(RAL + 8 * 15, 0x0000_0002);
  r.write(RAH + 8 * 15, 0x8000_0900);
  assert.is(match([2, 0, 0, 0, 0, 9]), "exact");
  r.write(RAH + 8 * 15, 0x8001_0100); // now the source
  assert.is(match([2, 0, 0, 0, 0, 9]), "exact");
  r.write(RAH + 8 * 15, 0x8002_0100);
  assert.is(match([2, 0, 0, 0, 0, 9]), "none");
  // The manual's example: bits 47:36, bit 9 of row 94.
  r.write(0x5200 + 4 * 94, 1 << 9);
  assert.is(match(group), "inexact");
  for (const [offset, bits] of [0xbc9, 0x793, 0xf26, 0xc9a].entries()) {
    for (let row = 0; row < 128; row++) r.write(0x5200 + 4 * row, 0);
    r.write(RCTL, offset << 12);
    assert.is(match(group), "none");
    r.write(0x5200 + 4 * (bits >>> 5), 2 ** (bits & 31));
    assert.is(match(group), "inexact", `MO ${offset}`);
  }
  for (let row = 0; row < 128; row++) r.write(0x5200 + 4 * row, 0);
  r.write(RCTL, 0x10);
  assert.is(match(group), "inexact");
  assert.is(match(broadcast), "inexact");
  r.write(RCTL, 0x8);
  assert.is(match(group), "none");
  assert.is(match([2, 0, 0, 0, 0, 7]), "inexact");
  r.write(RCTL, 0x8000);
  assert.is(match(broadcast), "exact");
});

test("filter: the VLAN table, and CFI [8254x 9.3]", () => {
  const r = new Rig();
  const { filter } = r.mac;
  assert.is(filter.passesVlan(5), true);
  r.write(RCTL, 1 << 18);
  assert.is(filter.passesVlan(5), false);
  r.write(0x5600 + 4 * 127, 0x8000_0000);
  assert.is(filter.passesVlan(0x7fff), true);
  r.write(RCTL, (1 << 18) | (1 << 19));
  assert.is(filter.passesVlan(0x7fff), false);
  r.write(RCTL, (1 << 18) | (1 << 19) | (1 << 20));
  assert.is(filter.passesVlan(0x7fff), true);
});

test("tables are of double words; parts of them can be read", () => {
  const r = new Rig();
  r.write(0x5200, 0x1122_3344);
  r.write(0x5200, 0xff, 1);
  r.write(0x5202, 0, 4);
  assert.is(r.read(0x5200), 0x1122_3344);
  assert.is(r.read(0x5201, 1), 0x33);
  assert.is(r.read(0x5202, 2), 0x1122);
  assert.is(r.read(0x53fe, 4), 0);
  r.write(RAH, 0xffff_ffff);
  assert.is(r.read(RAH), 0x8003_ffff);
  assert.is(r.read(VET), 0x8100);
});

test("EEPROM: noise on the bus does no harm", () => {
  const chip = new Eeprom(Uint8Array.from(station));
  for (let i = 0; i < 20_000; i++) chip.drive(Math.imul(i, 0x9e37_79b1) >>> 20);
  trip(chip, eepromState);
});
test.run();
