import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bootOrder, link } from "./network-options.ts";

const test = suite("network options");

test("--link: units and names as people write them", () => {
  assert.equal(link("bandwidth=100M,latency=5ms,jitter=1.5us,loss=1%,mtu=9000"), {
    ...{ bandwidth: 1e8, latency: 5e6, jitter: 1500, loss: 0.01, mtu: 9000 },
  });
  assert.equal(link("bandwidth=2.5Gbit/s,reordering=0.1,reorder-delay=1s,corruption=100%,duplication=0,queue=64KiB"), {
    ...{ bandwidth: 2.5e9, reordering: 0.1, reorderDelay: 1e9, corruption: 1, duplication: 0, queue: 65536 },
  });
});

test("--link: what is wrong, and what to write", () => {
  const cases: [text: string, message: RegExp][] = [
    ["", /^"" is none; write NAME=VALUE of bandwidth, latency, /],
    ["delay=5ms", /^"delay=5ms" is none/],
    ["constructor=1", /^"constructor=1" is none/],
    ["loss", /^"loss" is none/],
    ["loss=1=2", /^"loss=1=2" is none/],
    ["latency=5", /^latency: Write a number and a unit/],
    ["loss=101%", /^loss: Write "1%" or "0.01"/],
    ["loss=-1%", /^loss: /],
    ["bandwidth=fast", /^bandwidth: Write bits a second/],
    ["latency=1ms,mtu=big", /^mtu: Write bytes/],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => link(text),
      (error: Error) => message.test(error.message),
      text,
    );
});

test("--boot: devices, each once", () => {
  assert.equal(bootOrder("network,disk"), ["network", "disk"]);
  assert.equal(bootOrder("disk"), ["disk"]);
  for (const text of ["", "floppy", "disk,disk", "disk, network"]) assert.throws(() => bootOrder(text), /Write "disk"/);
});

test.run();
