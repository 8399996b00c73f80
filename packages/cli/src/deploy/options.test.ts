import { suite } from "uvu";
import * as assert from "uvu/assert";
import { server, until } from "./options.ts";
import { amount, count, time } from "./words.ts";

const test = suite("options of castaway deploy");

test("--until: an event, a time, or a text", () => {
  assert.equal(until("devirtualized"), { kind: "devirtualized" });
  assert.equal(until("power-off"), { kind: "power-off" });
  assert.equal(until("1.5s"), { kind: "time", time: 1.5e9 });
  assert.equal(until("login: \\n"), { kind: "text", text: "login: \n" });
  assert.equal(until("30"), { kind: "text", text: "30" });
  assert.throws(() => until(""), /never printed/);
});

test("--server: costs under the network's names", () => {
  assert.equal(server("request=5us,latency=100us,bandwidth=500MiB,threads=8,queue=64"), {
    ...{ perRequest: 5000, latency: 100_000, bytesPerSecond: 500 * 1024 * 1024, threads: 8, queue: 64 },
  });
  for (const [text, message] of [
    ["speed=1", /^"speed=1" is none; write NAME=VALUE of request, latency, bandwidth, threads, queue/],
    ["threads=0", /^threads: Allowed: 1 to 1024/],
    ["latency=5", /^latency: Write a number and a unit/],
  ] as const)
    assert.throws(
      () => server(text),
      (error: Error) => message.test(error.message),
    );
});

test("numbers for people", () => {
  assert.equal([0, 999, 12_345, 19_922_944, 5e9].map(amount), ["0 B", "999 B", "12.3 kB", "19.9 MB", "5 GB"]);
  assert.equal([7, 1234, 12_345_678].map(count), ["7", "1,234", "12,345,678"]);
  assert.equal([0, 2.148e9, 31.25e9, 1234.5e9].map(time), ["0 s", "2.15 s", "31.3 s", "1235 s"]);
});

test.run();
