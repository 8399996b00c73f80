import { ms, us, writeBig } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  CTRL,
  FCAH,
  FCAL,
  FCT,
  FCTTV,
  frameTo,
  ICR,
  ICS,
  IMC,
  IMS,
  ITR,
  payload,
  RADV,
  RAL,
  RCTL,
  RDTR,
  Rig,
  RSRPD,
  STATUS,
  station,
  TADV,
  TCTL,
  TDH,
  TDT,
  TIDV,
} from "./rig.test-support.ts";

const RXT0 = 0x80;
const flowAddress = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01];

/** A MAC control frame: opcode and time. */
function control(time: number, { to = flowAddress, opcode = 1 } = {}): Uint8Array {
  const frame = frameTo(to, 60, [0x88, 0x08]);
  writeBig(frame, 14, 2, opcode);
  writeBig(frame, 16, 2, time);
  return frame;
}

/** Flow control as a driver sets it up. */
function flow(r: Rig, ctrl: number): void {
  r.write(FCAL, 0x00c2_8001);
  r.write(FCAH, 0x0100);
  r.write(FCT, 0x8808);
  r.set(CTRL, ctrl);
}

for (const hops of [false, true]) {
  const test = suite(`e1000${hops ? ", saved and restored at every access" : ""}`);

  test("ethtool's interrupt test fails: ICS, IMS and IMC know bits 5 and 8, though they are reserved", () => {
    const r = new Rig(hops);
    for (let cause = 0; cause < 10; cause++) {
      r.write(ICS, 1 << cause);
      assert.is(r.high, false);
      r.write(IMS, 1 << cause);
      assert.is(r.high, true);
      assert.is(r.read(ICR), 1 << cause);
      r.write(IMC, 1 << cause);
    }
  });

  test("ICR clears when read, and where 1 is written; ICS sets, IMS and IMC mask [8254x 13.4.17 to 13.4.21]", () => {
    const r = new Rig(hops);
    r.write(ICS, 0xffff_ffff);
    assert.is(r.high, false);
    r.write(IMS, 0x84);
    assert.is(r.high, true);
    assert.is(r.read(IMS), 0x84);
    r.write(IMC, 0x80);
    assert.is(r.read(IMS), 0x04);
    assert.is(r.read(IMC), 0);
    r.write(ICR, 0x05);
    assert.is(r.high, false);
    r.write(IMS, 0x80);
    assert.is(r.high, true);
    assert.is(r.read(ICR), 0x1_fffa);
    assert.is(r.high, false);
    assert.is(r.read(ICR), 0);
    assert.is(r.read(ICS), 0);
  });

  test("ITR keeps interrupts apart; a cause that has gone meanwhile is none [8254x 13.4.18]", () => {
    const r = new Rig(hops);
    r.write(ITR, 500); // 128 us
    r.write(IMS, 0x04);
    r.write(ICS, 0x04);
    assert.is(r.edges, 1);
    r.read(ICR);
    r.after(us(10));
    r.write(ICS, 0x04);
    assert.is(r.high, false);
    r.after(us(118) - 1);
    assert.is(r.high, false);
    r.after(1);
    assert.is(r.edges, 2);
    r.read(ICR);
    r.write(ICS, 0x04);
    r.read(ICR);
    r.after(us(128));
    assert.is(r.edges, 2);
    r.write(ICS, 0x04);
    r.read(ICR);
    r.write(ICS, 0x04);
    assert.is(r.edges, 3);
    r.write(ITR, 0);
    assert.is(r.edges, 4);
  });

  test("RDTR waits for silence, RADV for no longer than that; FPD tells at once [8254x 3.2.7.1]", () => {
    const r = new Rig(hops).start();
    r.write(RDTR, 10);
    r.write(RADV, 25);
    r.arrive(frameTo(station));
    r.after(us(10));
    assert.is(r.read(ICR), 0);
    r.after(240);
    assert.is(r.read(ICR), RXT0); // 10.24 us
    for (let i = 0; i < 3; i++) {
      r.arrive(frameTo(station));
      r.after(us(8));
      assert.is(r.read(ICR), 0);
    }
    r.arrive(frameTo(station));
    r.after(us(1.6));
    assert.is(r.read(ICR), RXT0); // 25.6 us after the first
    r.after(us(100));
    assert.is(r.read(ICR), 0);
    r.arrive(frameTo(station));
    r.write(RDTR, 0x8000_000a);
    assert.is(r.read(ICR), RXT0);
    assert.is(r.read(RDTR), 10);
    r.after(us(100));
    assert.is(r.read(ICR), 0);
  });

  test("RSRPD: small packets are told at once [8254x 13.4.32]", () => {
    const r = new Rig(hops).start();
    r.write(RDTR, 100);
    r.write(RSRPD, 64);
    r.arrive(frameTo(station, 61));
    assert.is(r.read(ICR), 0);
    r.arrive(frameTo(station, 60));
    assert.is(r.read(ICR), 0x1_0000);
    r.after(us(200));
    assert.is(r.read(ICR), 0);
  });

  test("TIDV and TADV delay TXDW of descriptors with IDE; one without ends the delay [8254x 3.4.3.1]", () => {
    const r = new Rig(hops).start();
    r.write(TIDV, 20);
    r.write(TADV, 30);
    const later = () => {
      r.legacy(payload, 60, { command: 0x8b });
      r.send(); // takes 10 us
      return r.read(ICR) & 1;
    };
    assert.is(later(), 0);
    r.after(us(11.48) - 1);
    assert.is(r.read(ICR) & 1, 0);
    r.after(1);
    assert.is(r.read(ICR), 1);
    assert.equal([later(), later(), later()], [0, 0, 0]);
    r.after(us(1.72)); // 30.72 us after the first
    assert.is(r.read(ICR) & 1, 1);
    later();
    r.legacy(payload, 60);
    r.send();
    assert.is(r.read(ICR) & 1, 1);
    r.after(us(100));
    assert.is(r.read(ICR), 0);
  });

  test("PAUSE stops the transmitter for its time, XON at once; DPF and PMCF say what is stored [8254x 8.7]", () => {
    const r = new Rig(hops).start(0x0400_8010);
    r.arrive(control(100));
    assert.is(r.read(STATUS) & 0x10, 0); // RFCE is off: a frame as any
    assert.is(r.read(0x2810), 1);
    flow(r, 1 << 27);
    r.legacy(payload, 60);
    r.write(TDT, 1);
    r.arrive(control(100));
    assert.is(r.read(STATUS) & 0x10, 0x10);
    r.after(us(51.2) - 1);
    assert.is(r.read(TDH), 0);
    r.after(1);
    assert.is(r.read(STATUS) & 0x10, 0);
    r.after(us(1));
    assert.is(r.read(TDH), 1);
    r.arrive(control(0xffff, { to: station }));
    r.legacy(payload, 60);
    r.write(TDT, 2);
    r.after(us(100));
    assert.is(r.read(TDH), 1);
    r.arrive(control(0));
    r.after(us(1));
    assert.is(r.read(TDH), 2);
    assert.is(r.read(0x4048), 1); // XONRXC
    assert.is(r.read(0x4050), 2); // XOFFRXC
    assert.is(r.read(0x2810), 4);
    r.set(RCTL, 1 << 22);
    r.arrive(control(1));
    r.arrive(control(1, { opcode: 2 }));
    assert.is(r.read(0x2810), 4);
    assert.is(r.read(0x4058), 1); // FCRUC
    r.set(RCTL, 1 << 23);
    r.arrive(control(1, { opcode: 2 }));
    assert.is(r.read(0x2810), 5);
    r.arrive(control(0xffff));
    r.write(CTRL, 0x40);
    assert.is(r.read(STATUS) & 0x10, 0);
  });

  test("SWXOFF sends a PAUSE frame [8254x 13.4.33]", () => {
    const r = new Rig(hops).start();
    r.write(FCTTV, 0x680);
    flow(r, 0);
    r.set(TCTL, 1 << 22);
    assert.is(r.sent.length, 0);
    flow(r, 1 << 28);
    r.set(TCTL, 1 << 22);
    assert.is(r.read(TCTL), 0x0a);
    assert.equal([...r.sent[0].subarray(0, 20)], [...flowAddress, ...station, 0x88, 8, 0, 1, 6, 0x80, 0, 0]);
    assert.is(r.sent[0].length, 60);
    assert.is(r.read(0x4054), 1); // XOFFTXC
    assert.is(r.read(0x4080), 0); // GPTC
  });

  test("loopback in the MAC, and in the PHY [8254x 13.4.22]", () => {
    const r = new Rig(hops).start();
    const frame = frameTo(station, 80);
    r.ram.set(frame, payload);
    r.set(RCTL, 0x40);
    r.mac.link(false);
    r.legacy(payload, 80);
    r.send();
    assert.equal(r.received(0).data, frame);
    r.write(RCTL, 0x0400_8002);
    r.setPhy(0, 0x8140);
    r.setPhy(0, 0x4140);
    r.after(us(100));
    assert.is(r.read(STATUS) & 2, 2);
    r.legacy(payload, 80);
    r.send();
    assert.equal(r.received(1).data, frame);
    r.arrive(frame);
    assert.is(r.read(0x2810), 2);
    assert.is(r.sent.length, 0);
  });

  test("CTRL.RST resets all but PBA and the link; the address comes from the EEPROM again [8254x 13.4.1]", () => {
    const r = new Rig(hops).start();
    r.write(0x1000, 0x20);
    r.write(0x5200, 7);
    r.write(IMS, 0xff);
    r.arrive(frameTo(station));
    r.write(RAL, 1);
    r.write(ICS, 4);
    assert.is(r.high, true);
    r.set(CTRL, 1 << 26);
    assert.is(r.high, false);
    assert.is(r.read(CTRL), 0x0014_0241);
    assert.is(r.read(4), 0x0014_0241);
    assert.is(r.read(RCTL), 0);
    assert.is(r.read(RAL), 0x1200_5452);
    assert.is(r.read(RAL + 4), 0x8000_5634);
    assert.is(r.read(0x5200), 0);
    assert.is(r.read(0x40d0), 0);
    assert.is(r.read(0x1000), 0x20);
    assert.is(r.read(STATUS), 0x283);
    assert.is(r.read(ICR), 0);
  });

  test("CTRL: SLU off cuts the link, speed and duplex can be forced, CTRL_DUP is the same register", () => {
    const r = new Rig(hops).up();
    r.write(4, 0x01);
    assert.is(r.read(CTRL), 0x01);
    assert.is(r.read(STATUS), 0x01);
    assert.is(r.read(ICR), 4);
    r.write(CTRL, 0x0000_1940); // 100 Mb/s, half duplex
    assert.is(r.read(STATUS), 0x142);
    assert.is(r.read(4), 0x1940);
    assert.is(r.read(ICR), 4);
    r.write(CTRL, 0x8400_0040); // both resets
    assert.is(r.read(STATUS) & 2, 0);
    r.after(ms(50));
    assert.is(r.read(STATUS), 0x283);
  });

  test("reset is as power-on, with the cable still plugged in", () => {
    const r = new Rig(hops).start();
    r.setPhy(4, 0);
    r.legacy(payload, 60);
    r.write(TDT, 1);
    r.mac.reset();
    assert.is(r.read(STATUS), 1);
    assert.is(r.phy(4), 0x0de1);
    r.after(ms(50));
    assert.is(r.read(STATUS), 0x283);
    assert.is(r.read(TDH), 0);
    assert.is(r.sent.length, 0);
  });
  test.run();
}

const test = suite("e1000 probes");
test("tell what was sent, received and dropped, and change nothing", () => {
  const r = new Rig().start();
  const seen: string[] = [];
  const stop = [
    r.mac.sent.on(({ frame }) => seen.push(`sent ${frame.length}`)),
    r.mac.received.on(({ frame }) => seen.push(`received ${frame.length}`)),
    r.mac.dropped.on(({ direction, reason }) => seen.push(`${direction}: ${reason}`)),
  ];
  const work = () => {
    r.legacy(payload, 61);
    r.send();
    r.arrive(frameTo(station, 62));
    r.arrive(frameTo([2, 0, 0, 0, 0, 5]));
    r.mac.link(false);
    r.legacy(payload, 63);
    r.send();
  };
  work();
  assert.equal(seen, ["sent 61", "received 62", "received: not for us", "sent: no link"]);
  for (const end of stop) end();
  work();
  assert.is(seen.length, 4);
});
test.run();
