import { Clock, ms, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sameTime, trip } from "../hop.test-support.ts";
import { Uart16550, type UartOptions, uartState } from "./uart16550.ts";

const RBR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7; // biome-ignore format: a table
/** A character of 10 bits at divisor 1. */
const CHARACTER = 86_806;

/** A UART that an observer can swap for a restored copy at any moment. */
function rig(options: UartOptions = { gated: false }) {
  let clock = new Clock();
  const sent: number[] = [];
  const breaks: boolean[] = [];
  const line = { high: false, rises: 0 };
  const irq = {
    set(asserted: boolean) {
      if (asserted && !line.high) line.rises++;
      line.high = asserted;
    },
  };
  const make = () =>
    new Uart16550({ clock, irq, send: (byte) => sent.push(byte), sendBreak: (on) => breaks.push(on) }, options);
  let uart = make();
  return {
    sent,
    breaks,
    line,
    get uart() {
      return uart;
    },
    read: (offset: number) => uart.read(offset, 1),
    write: (offset: number, value: number) => uart.write(offset, 1, value),
    after: (time: number) => clock.advanceTo(clock.now + time),
    text: (text: string) => uart.receive(new TextEncoder().encode(text)),
    hop() {
      const state = trip(uart, uartState);
      const wasHigh = line.high;
      clock = sameTime(clock);
      const rises = line.rises;
      uart = make();
      uart.restore(state);
      assert.is(line.high, wasHigh, "a restored chip drives its line as before");
      line.rises = rises;
      assert.equal(trip(uart, uartState), state);
    },
  };
}
type Rig = ReturnType<typeof rig>;

for (const snapshot of [false, true]) {
  const test = suite(`16550A${snapshot ? ", saved and restored at every step" : ""}`);
  const step = (r: Rig) => snapshot && r.hop();
  /** Divisor 1, 8 data bits: 115,200 baud. */
  const fast = (r: Rig) => {
    r.write(LCR, 0x83);
    r.write(0, 1);
    r.write(1, 0);
    r.write(LCR, 0x03);
    step(r);
  };

  test("after reset nothing is pending and the transmitter is empty (table I)", () => {
    const r = rig();
    assert.equal([1, 2, 3, 4, 5, 6, 7].map(r.read), [0, 1, 0, 0, 0x60, 0xb0, 0]);
    step(r);
    assert.equal([1, 2, 3, 4, 5, 6, 7].map(r.read), [0, 1, 0, 0, 0x60, 0xb0, 0]);
    assert.is(r.line.high, false);
  });

  test("the divisor latches stand in the place of data and IER while DLAB is set (8.2)", () => {
    const r = rig();
    r.write(LCR, 0x80);
    r.uart.write(0, 2, 0x1234);
    step(r);
    assert.is(r.uart.read(0, 2), 0x1234);
    r.write(LCR, 0);
    assert.is(r.read(IER), 0);
    r.write(IER, 0xff);
    r.write(SCR, 0xa5);
    step(r);
    assert.is(r.read(IER), 0x0f);
    assert.is(r.read(SCR), 0xa5);
    assert.is(r.sent.length, 0);
  });

  test("IIR shows whether the FIFOs are on; upper bits of IER and MCR stay 0: a 16550A to Linux (8.5)", () => {
    const r = rig();
    r.write(FCR, 1);
    step(r);
    assert.is(r.read(IIR), 0xc1);
    r.write(FCR, 0xe0);
    step(r);
    assert.is(r.read(IIR), 0x01);
    r.write(MCR, 0xff);
    assert.is(r.read(MCR), 0x1f);
  });

  test("loop-back: MCR's outputs are MSR's inputs, changes are remembered until read (8.6, 8.7)", () => {
    const r = rig();
    r.write(MCR, 0x1a);
    step(r);
    assert.is(r.read(MSR) & 0xf0, 0x90, "Linux looks for exactly this");
    r.write(MCR, 0x10);
    step(r);
    assert.is(r.read(MSR), 0x09);
    assert.is(r.read(MSR), 0x00);
    r.write(MCR, 0x14);
    step(r);
    assert.is(r.read(MSR), 0x40, "RI that begins is no change");
    r.write(MCR, 0x10);
    step(r);
    assert.is(r.read(MSR), 0x04, "RI that ends is");
    r.write(MCR, 0);
    step(r);
    assert.is(r.read(MSR), 0xbb);
  });

  test("loop-back: characters come back and do not leave; the wire waits (8.6)", () => {
    const r = rig();
    r.write(LCR, 3);
    r.write(MCR, 0x10);
    step(r);
    r.text("x");
    r.after(ms(1));
    step(r);
    assert.is(r.read(LSR), 0x60);
    r.write(RBR, 0x55);
    step(r);
    assert.is(r.read(LSR), 0x61);
    assert.is(r.read(RBR), 0x55);
    r.write(MCR, 0);
    step(r);
    r.after(0);
    assert.is(r.read(RBR), 0x78);
    assert.equal(r.sent, []);
  });

  test("an immediate transmitter is always empty, and asks for an interrupt after each character", () => {
    const r = rig();
    r.write(LCR, 3);
    r.write(IER, 2);
    step(r);
    assert.is(r.line.high, true);
    assert.is(r.read(IIR), 0x02);
    step(r);
    assert.is(r.line.high, false, "reading IIR took it back (table IV)");
    assert.is(r.read(IIR), 0x01);
    r.write(RBR, 0x41);
    step(r);
    assert.is(r.read(LSR), 0x60);
    assert.is(r.line.high, true);
    assert.equal(r.sent, [0x41]);
  });

  test("THRE: turning the interrupt off and on again raises it anew, writing IER unchanged does not", () => {
    const r = rig();
    r.write(IER, 2);
    r.read(IIR);
    step(r);
    r.write(IER, 2);
    step(r);
    assert.is(r.read(IIR), 1);
    r.write(IER, 0);
    step(r);
    r.write(IER, 2);
    step(r);
    assert.is(r.read(IIR), 2);
  });

  test("transmitting takes the time of the divisor and the format (8.1, 8.2)", () => {
    const r = rig({ timing: "baud", gated: false });
    fast(r);
    r.write(IER, 2);
    r.read(IIR);
    r.write(0, 0x61);
    step(r);
    assert.is(r.read(LSR), 0x20, "in the shift register: THR has room, the transmitter is not empty");
    assert.is(r.read(IIR), 2);
    r.write(0, 0x62);
    step(r);
    assert.is(r.read(LSR), 0x00);
    assert.is(r.line.high, false);
    r.after(CHARACTER - 1);
    step(r);
    assert.equal(r.sent, []);
    r.after(1);
    step(r);
    assert.equal(r.sent, [0x61]);
    assert.is(r.line.high, true);
    assert.is(r.read(LSR), 0x20);
    r.write(LCR, 0x00); // five bits: 7 bits in all, from the next character on
    r.after(CHARACTER);
    step(r);
    assert.equal(r.sent, [0x61, 0x02]);
    assert.is(r.read(LSR), 0x60);
  });

  test("the transmitter's FIFO holds 16; the 17th behind them is lost, clearing empties it (8.5)", () => {
    const r = rig({ timing: "baud", gated: false });
    fast(r);
    r.write(FCR, 1);
    r.write(IER, 2);
    for (let i = 0; i < 18; i++) r.write(0, i);
    step(r);
    assert.is(r.line.high, false);
    r.after(15 * CHARACTER);
    step(r);
    assert.is(r.line.high, false);
    r.after(CHARACTER);
    step(r);
    assert.is(r.line.high, true, "empty: the last one is leaving");
    r.after(5 * CHARACTER);
    step(r);
    assert.equal(
      r.sent,
      [...Array(17).keys()].map((i) => i),
    );
    r.write(0, 1);
    r.write(0, 2);
    r.write(FCR, 5);
    step(r);
    r.after(5 * CHARACTER);
    assert.is(r.sent.length, 18);
  });

  test("receiving: the FIFO's trigger raises the interrupt, reading below it ends it (8.5)", () => {
    const r = rig();
    r.write(FCR, 0x41);
    r.write(IER, 1);
    r.text("abc");
    r.after(0);
    step(r);
    assert.is(r.line.high, false);
    assert.is(r.read(LSR), 0x61);
    r.text("d");
    r.after(0);
    step(r);
    assert.is(r.read(IIR), 0xc4);
    assert.is(r.read(RBR), 0x61);
    step(r);
    assert.is(r.line.high, false);
    assert.is(r.read(IIR), 0xc1);
  });

  test("receiving: characters below the trigger time out after four character times (8.5)", () => {
    const r = rig();
    fast(r);
    r.write(FCR, 0xc1);
    r.write(IER, 1);
    r.text("ab");
    r.after(0);
    step(r);
    r.after(4 * CHARACTER - 1);
    step(r);
    assert.is(r.line.high, false);
    r.after(1);
    step(r);
    assert.is(r.read(IIR), 0xcc);
    assert.is(r.read(IIR), 0xcc);
    assert.is(r.read(RBR), 0x61);
    step(r);
    assert.is(r.line.high, false);
    r.after(4 * CHARACTER);
    step(r);
    assert.is(r.read(IIR), 0xcc);
    r.read(RBR);
    r.after(us(1000));
    step(r);
    assert.is(r.line.high, false);
  });

  test("receiving honours the room: 40 characters arrive through 16 places, or one, and none is lost", () => {
    for (const [fcr, timing] of [
      [1, "immediate"],
      [0, "immediate"],
      [1, "baud"],
      [0, "baud"],
    ] as const) {
      const r = rig({ timing });
      fast(r);
      r.write(FCR, fcr);
      const message = "0123456789abcdefghijABCDEFGHIJ0123456789";
      assert.is(r.text(message), 40);
      let got = "";
      for (let i = 0; i < 200 && got.length < 40; i++) {
        r.after(CHARACTER);
        if (i % 8 === 0) step(r);
        if (i % 3 === 0) while (r.read(LSR) & 1) got += String.fromCharCode(r.read(RBR));
      }
      assert.is(got, message);
      assert.is(r.read(LSR), 0x60);
      assert.is(r.uart.pending, 0);
    }
  });

  test("a character takes its time on the wire", () => {
    const r = rig({ timing: "baud" });
    fast(r);
    r.text("ab");
    step(r);
    r.after(CHARACTER - 1);
    step(r);
    assert.is(r.read(LSR), 0x60);
    r.after(1);
    step(r);
    assert.is(r.read(LSR), 0x61);
  });

  test("overrun: OE, the FIFO keeps what it had, a lone register does not (8.3)", () => {
    const r = rig();
    r.write(IER, 5);
    r.uart.receiveNow(1);
    r.uart.receiveNow(2);
    step(r);
    assert.is(r.read(IIR), 6, "above the data's");
    assert.is(r.read(LSR), 0x63);
    step(r);
    assert.is(r.read(IIR), 4);
    assert.is(r.read(RBR), 2);
    r.write(FCR, 1);
    for (let i = 0; i < 17; i++) r.uart.receiveNow(i);
    step(r);
    assert.is(r.read(LSR), 0x63);
    assert.is(r.read(LSR), 0x61);
    for (let i = 0; i < 16; i++) assert.is(r.read(RBR), i);
    assert.is(r.read(LSR), 0x60);
  });

  test("errors show when their character is the oldest; LSR bit 7 tells of any (8.3)", () => {
    const r = rig();
    r.write(FCR, 1);
    r.write(IER, 4);
    r.uart.receiveNow(1);
    r.uart.receiveNow(2, { parity: true });
    r.uart.receiveNow(0, { break: true, framing: true });
    step(r);
    assert.is(r.read(LSR), 0xe1);
    assert.is(r.line.high, false);
    r.read(RBR);
    step(r);
    assert.is(r.line.high, true);
    assert.is(r.read(LSR), 0xe5);
    step(r);
    assert.is(r.line.high, false);
    assert.is(r.read(LSR), 0xe1);
    r.read(RBR);
    step(r);
    assert.is(r.read(LSR), 0xf9);
    assert.is(r.read(LSR), 0x61);
  });

  test("break: on the wire while LCR bit 6 is set, and not in loop-back, where it is received (8.1, 8.6)", () => {
    const r = rig();
    r.write(LCR, 0x43);
    step(r);
    r.write(MCR, 0x10);
    step(r);
    r.write(LCR, 0x03);
    step(r);
    assert.equal(r.breaks, [true, false]);
    r.write(LCR, 0x43);
    step(r);
    assert.is(r.read(LSR), 0x79);
    assert.is(r.read(RBR), 0);
    assert.equal(r.breaks, [true, false]);
  });

  test("modem lines: a change interrupts until MSR is read (8.7)", () => {
    const r = rig();
    r.write(IER, 8);
    step(r);
    r.uart.setModem({ cts: false, dsr: true, ri: false, dcd: true });
    step(r);
    assert.is(r.read(IIR), 0);
    assert.is(r.read(MSR), 0xa1);
    step(r);
    assert.is(r.line.high, false);
  });

  test("on a PC OUT2 lets the interrupt through, and rests in loop-back (8.6)", () => {
    const r = rig({});
    r.write(IER, 2);
    step(r);
    assert.is(r.line.high, false);
    r.write(MCR, 8);
    step(r);
    assert.is(r.line.high, true);
    r.write(MCR, 0x18);
    step(r);
    assert.is(r.line.high, false);
  });

  test("reset empties it and keeps what is still on the wire", () => {
    const r = rig();
    r.uart.receive(new Uint8Array(70_000));
    assert.is(r.uart.pending, 65536);
    r.write(IER, 0x0f);
    r.write(LCR, 0x43);
    r.uart.reset();
    step(r);
    assert.is(r.line.high, false);
    assert.equal(r.breaks, [true, false]);
    assert.is(r.uart.pending, 65536);
  });

  test.run();
}
