import { ms, ns, seconds, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { civilTime, parseTime, secondsOf, weekday } from "./calendar.ts";
import { Rtc, rtcState } from "./rtc.ts";

twice("MC146818", (test, hops) => {
  function rig(start = "2024-02-28T23:59:58Z") {
    const w = new Wires();
    const make = (clock: ConstructorParameters<typeof Rtc>[0]["clock"]) =>
      new Rtc({ clock, irq: w.line("IRQ8") }, { start: parseTime(start), nvram: { 61: 2, 95: 3 } });
    const r = new TestRig(rtcState, make, hops);
    const read = (at: number) => {
      r.step().ports.write(0, 1, at);
      return r.step().ports.read(1, 1);
    };
    const write = (at: number, value: number) => {
      r.step().ports.write(0, 1, at);
      r.step().ports.write(1, 1, value);
    };
    /** Century, year, month, day, weekday, hour, minute, second as hexadecimal bytes. */
    const shown = () => [0x32, 9, 8, 7, 6, 4, 2, 0].map((at) => read(at).toString(16).padStart(2, "0")).join(" ");
    return { w, r, read, write, shown, irq: () => w.high("IRQ8") };
  }

  test("shows virtual time from its start, in BCD and 24 hours", () => {
    const { r, shown } = rig();
    assert.is(shown(), "20 24 02 28 04 23 59 58");
    r.after(seconds(1));
    assert.is(shown(), "20 24 02 28 04 23 59 59");
    r.after(seconds(1));
    assert.is(shown(), "20 24 02 29 05 00 00 00");
    r.after(seconds(86400 * 3));
    assert.is(shown(), "20 24 03 03 01 00 00 00");
  });

  test("binary and 12 hours [MC146818 register B]", () => {
    const { r, read, write, shown } = rig("2024-12-31T11:59:59Z");
    write(0x0b, 0x84);
    for (const [at, value] of [
      [0, 59],
      [2, 59],
      [4, 11],
      [7, 31],
      [8, 12],
      [9, 99],
      [0x32, 19],
    ])
      write(at, value);
    write(0x0b, 0x04);
    assert.is(read(4), 11);
    r.after(seconds(1));
    assert.is(read(4), 0x80 | 12);
    r.after(seconds(3600 * 12));
    assert.is(read(4), 12);
    assert.is(shown(), "14 00 01 01 04 0c 00 00");
  });

  test("SET holds the registers still, and ends UIE", () => {
    const { r, read, write } = rig();
    write(0x0b, 0x92);
    assert.is(read(0x0b), 0x82);
    write(0, 0x30);
    r.after(seconds(5));
    assert.is(read(0), 0x30);
    write(0x0b, 0x02);
    r.after(seconds(1));
    assert.is(read(0), 0x31);
  });

  test("the divider chain held in reset starts half a second after it was let go", () => {
    const { r, read, write } = rig();
    write(0x0a, 0x76);
    r.after(seconds(7));
    assert.is(read(0), 0x58);
    write(0x0a, 0x26);
    r.after(ms(500) - 1);
    assert.is(read(0), 0x58);
    r.after(ns(1));
    assert.is(read(0), 0x59);
  });

  test("UIP announces an update 244 us ahead [MC146818 update cycle]", () => {
    const { r, read } = rig();
    r.after(seconds(1) - us(245));
    assert.is(read(0x0a), 0x26);
    r.after(us(1));
    assert.is(read(0x0a), 0xa6);
    r.after(us(244));
    assert.is(read(0x0a), 0x26);
  });

  test("update-ended interrupt; reading register C ends it", () => {
    const { r, read, write, irq } = rig();
    write(0x0b, 0x12);
    r.after(seconds(1) - 1);
    assert.is(irq(), false);
    r.after(ns(1));
    assert.is(irq(), true);
    assert.is(read(0x0c) & 0xb0, 0x90);
    assert.is(irq(), false);
    assert.is(read(0x0c), 0);
    r.after(seconds(1));
    assert.is(irq(), true);
  });

  test("periodic interrupt at 1024 Hz", () => {
    const { r, read, write, w } = rig();
    write(0x0b, 0x42);
    let count = 0;
    for (let i = 0; i < 10240; i++) {
      r.after(ns(97657)); // a little more than a tenth of a period
      if (!w.high("IRQ8")) continue;
      count++;
      assert.is(read(0x0c) & 0xc0, 0xc0);
    }
    assert.is(count, 1024);
  });

  test("flags are set without interrupts too", () => {
    const { r, read, irq } = rig();
    r.after(seconds(2));
    assert.is(irq(), false);
    assert.is(read(0x0c), 0x70); // and at midnight the alarm of 00:00:00
  });

  test("alarm: a time of the day, or any hour, minute or second [MC146818 alarm]", () => {
    for (const [hour, minute, second, after] of [
      [0x00, 0x00, 0x01, 3],
      [0xff, 0xff, 0xff, 1],
      [0xff, 0xc0, 0x05, 7],
      [0x23, 0x59, 0x58, 86400],
      [0x01, 0xff, 0x00, 3602],
    ]) {
      const { r, read, write, irq } = rig();
      write(1, second);
      write(3, minute);
      write(5, hour);
      read(0x0c);
      write(0x0b, 0x22);
      r.after(seconds(after) - 1);
      assert.is(irq(), false, `${hour} ${minute} ${second}`);
      r.after(ns(1));
      assert.is(irq(), true, `${hour} ${minute} ${second}`);
      assert.is(read(0x0c) & 0xa0, 0xa0);
    }
  });

  test("an alarm that no clock shows never comes", () => {
    const { r, write, irq } = rig();
    write(1, 0x77);
    write(0x0b, 0x22);
    r.after(seconds(200000));
    assert.is(irq(), false);
    assert.is(r.clock.nextDue, Number.POSITIVE_INFINITY);
  });

  test("no timer runs while nothing is enabled or the interrupt is asserted", () => {
    const { r, write } = rig();
    assert.is(r.clock.nextDue, Number.POSITIVE_INFINITY);
    write(0x0b, 0x52);
    assert.ok(r.clock.nextDue < seconds(1));
    r.after(seconds(1));
    assert.is(r.clock.nextDue, Number.POSITIVE_INFINITY);
  });

  test("memory keeps its bytes; reset ends interrupts only", () => {
    const { r, read, write } = rig();
    assert.is(read(0x3d), 2);
    write(0x50, 0xaa);
    write(0x0b, 0x72);
    r.after(seconds(2));
    r.step().reset();
    assert.is(read(0x50), 0xaa);
    assert.is(read(0x0b), 0x02);
    assert.is(read(0x0d), 0x80);
    assert.is(read(0), 0);
    r.step().ports.write(0, 1, 0x8f);
    assert.is(r.step().ports.read(0, 1), 0x8f);
  });
});

const test = suite("calendar");
test("dates and back, over the leap years of four centuries", () => {
  let day = secondsOf({ year: 1899, month: 12, day: 31, hour: 0, minute: 0, second: 0 });
  let before = civilTime(day);
  const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  for (let i = 0; i < 146100; i++) {
    day += 86400;
    const now = civilTime(day);
    const leap = before.year % 4 === 0 && (before.year % 100 !== 0 || before.year % 400 === 0);
    const length = before.month === 2 && leap ? 29 : lengths[before.month - 1];
    const ends = before.day === length;
    const expected = ends
      ? before.month === 12
        ? { ...before, year: before.year + 1, month: 1, day: 1 }
        : { ...before, month: before.month + 1, day: 1 }
      : { ...before, day: before.day + 1 };
    if (JSON.stringify(now) !== JSON.stringify(expected)) assert.equal(now, expected);
    if (secondsOf(now) !== day) assert.is(secondsOf(now), day);
    before = now;
  }
});
test("1970 began on a Thursday", () => {
  assert.is(secondsOf({ year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 }), 0);
  assert.is(weekday(0), 4);
  assert.is(weekday(-1), 3);
});
test("a user's time", () => {
  assert.is(parseTime("1970-01-02"), 86400);
  assert.is(parseTime("2024-02-29T12:00:00Z"), 1709208000);
  assert.is(parseTime("2024-02-29 12:00"), 1709208000);
  for (const text of ["2023-02-29", "2024-13-01", "2024-01-01T25:00", "yesterday", ""]) {
    assert.throws(() => parseTime(text), /start/);
  }
});
test.run();
