import { test } from "uvu";
import * as assert from "uvu/assert";
import { date, duration, integer, unescaped } from "./units.ts";

test("durations", () => {
  assert.equal(["5ns", "1.5us", "20ms", "60s", "2min"].map(duration), [5, 1500, 20e6, 60e9, 120e9]);
  for (const wrong of ["60", "s", "-1s", "1 s", "1h", "1e3s", "99999999999s"])
    assert.throws(() => duration(wrong), /such as "60s"/);
});

test("whole numbers", () => {
  assert.is(integer(1, 16)("16"), 16);
  for (const wrong of ["0", "17", "1.5", "x", "", "0x1"])
    assert.throws(() => integer(1, 16)(wrong), /Allowed: 1 to 16/);
});

test("dates", () => {
  assert.is(date("2023-11-14T22:13:20Z"), 1_700_000_000);
  assert.is(date("2026-01-31"), Date.UTC(2026, 0, 31) / 1000);
  assert.is(date("1700000000"), 1_700_000_000);
  assert.ok(Math.abs(date("now") - Date.now() / 1000) < 5);
  for (const wrong of ["yesterday", "31.1.2026", "2026-13-01", ""]) assert.throws(() => date(wrong), /2026-01-31/);
});

test("escapes of C, and UTF-8 as its bytes", () => {
  assert.is(unescaped("root\\n"), "root\n");
  assert.is(unescaped("\\x1b[A\\033\\e\\\\n\\0\\t"), "\x1b[A\x1b\x1b\\n\0\t");
  assert.is(unescaped("é"), "\xc3\xa9");
  assert.throws(() => unescaped("C:\\windows"), /"\\w" is no escape/);
  assert.throws(() => unescaped("at the end\\"), /"\\" is no escape/);
});

test.run();
