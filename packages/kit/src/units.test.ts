import { test } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "./errors.ts";
import { formatSize, gib, kib, mib, ms, ns, parseSize, seconds, us } from "./units.ts";

test("durations come out in whole nanoseconds", () => {
  assert.equal([ns(7), us(80), ms(1.5), seconds(60)], [7, 80_000, 1_500_000, 60_000_000_000]);
  assert.is(us(1 / 3), 333);
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e10]) assert.throws(() => seconds(wrong), /104 days/);
});

test("sizes", () => {
  assert.equal([kib(4), mib(1), gib(3.5)], [4096, 1048576, 3758096384]);
  assert.throws(() => kib(0.3), /whole bytes/);
});

test("parseSize", () => {
  assert.is(parseSize("512MiB"), mib(512));
  assert.is(parseSize("1.5GiB"), 1610612736);
  assert.is(parseSize("64 KiB"), 65536);
  assert.is(parseSize("2TiB"), 2199023255552);
  assert.is(parseSize("0B"), 0);
  assert.is(parseSize(512), 512);
});

test("parseSize refuses what is no size, and says what is", () => {
  for (const wrong of ["512MB", "512", "MiB", "-1MiB", "0.3KiB", "1e3B", "", "99999999TiB", -1, 0.5, Number.NaN]) {
    try {
      parseSize(wrong, "memory");
      assert.unreachable(String(wrong));
    } catch (error) {
      assert.instance(error, ConfigError);
      assert.match((error as Error).message, /^memory: .* allowed: a number of bytes, or a text such as "512MiB"/);
    }
  }
});

test("formatSize undoes parseSize", () => {
  for (const text of ["512MiB", "1537KiB", "10B", "0B", "3TiB"]) assert.is(formatSize(parseSize(text)), text);
});

test.run();
