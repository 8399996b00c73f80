/** Many clients, in time. */
import { ms, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ata, big, config, RamDisk, Rig } from "./rig.test-support.ts";
import type { AoeRequest } from "./server.ts";

const cost = { perRequest: us(10), latency: us(90), bytesPerSecond: 10_240_000, threads: 2, queue: 8 };

for (const hops of [false, true]) {
  const test = suite(hops ? "aoe load, saved and restored at every step" : "aoe load");
  const disk = RamDisk.patterned(100);
  const rig = (more = {}) => new Rig({ targets: [{ shelf: 1, slot: 2, disk }], cost: { ...cost, ...more } }, hops);

  test("a read takes its latency and its bytes, a query only the time of a request", () => {
    const r = rig();
    r.ask(ata(0x24, 0, 1)); // 512 bytes at 10,240,000 bytes a second: 50 us
    r.ask(config(0));
    assert.is(r.after(us(10)).length, 1);
    assert.is(r.after(us(139)).length, 0);
    assert.is(r.after(us(1)).length, 1);
  });

  test("an asynchronous write does not wait for the disk, a flush waits for its latency", () => {
    const r = rig({ threads: 1 });
    r.ask(ata(0x34, 0, 1, { flags: 0x43, data: disk.bytes.slice(0, 512) }));
    assert.is(r.after(us(10)).length, 1);
    r.ask(ata(0xe7));
    assert.is(r.after(us(10)).length, 0);
    r.ask(ata(0x34, 0, 1, { flags: 0x41, data: disk.bytes.slice(0, 512) }));
    assert.is(r.after(us(139)).length, 1);
    assert.is(r.after(us(101)).length, 1);
  });

  test("requests of more clients than the queue holds are lost, the others are answered in order", () => {
    const r = rig();
    for (let i = 0; i < 16; i++) r.ask(ata(0x24, i, 1, { from: 0x100 + i * 0x100, tag: i }));
    assert.equal(r.server.load, { waiting: 8, running: 2, mostWaiting: 8 });
    const answers = r.after(ms(10));
    assert.equal(
      answers.map((frame) => big(frame, 20, 4)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.is(r.server.statistics.drops.queueFull, 6);
    for (const frame of answers) {
      const lba = frame[28];
      assert.is(big(frame, 0, 6), 0x100 + lba * 0x100);
      assert.equal(frame.slice(36), disk.bytes.slice(lba * 512, lba * 512 + 512));
    }
  });

  test("throughput: threads times what one does, whatever comes in", () => {
    const answered = [1, 2, 4].map((threads) => {
      const r = rig({ threads });
      let count = 0;
      for (let i = 0; i < 300; i++) {
        r.ask(ata(0x24, i % 100, 1, { tag: i }));
        count += r.after(us(10)).length;
      }
      return count;
    });
    assert.equal(answered, [20, 39, 77]); // 3 ms at 150 us a read; each thread starts 10 us after the one before
  });

  test.run();
}

const probes = suite("aoe probes");

probes("a request tells client, target, place, and when it came and was answered", () => {
  const r = new Rig({ targets: [{ shelf: 1, slot: 2, disk: RamDisk.patterned(100) }], cost });
  const seen: AoeRequest[] = [];
  r.server.requests.on((event) => seen.push(event));
  r.after(us(5));
  r.ask(ata(0x24, 7, 2, { from: 0xc2 }));
  r.after(ms(1));
  const place = { client: 0xc2, shelf: 1, slot: 2, kind: "read", lba: 7, sectors: 2 };
  assert.equal(seen, [{ ...place, arrived: us(5), answered: us(205) }]);
});

probes.run();
