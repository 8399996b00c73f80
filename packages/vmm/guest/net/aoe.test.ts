/** The VMM's AoE client against the real server over a network that is fast, slow, lossy, or gone. */
import { ms, us } from "@castaway/kit";
import { parseMac } from "@castaway/net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { any, Bench, type BenchOptions, serverMac, TestDisk } from "./aoe.test-support.ts";

const disk = new TestDisk(4096);
const sparse = new TestDisk(4096, (s) => (s >= 40 && s < 600) || s % 97 === 5 || s >= 4000);
const small = { mtu: 1500, server: { mtu: 1500 } };
const plain = { server: { extended: 0 } };

const finding = suite("vmm aoe discovery");

finding("the target of a shelf and slot is found by broadcast, with its size and what it can (R11.1)", () => {
  const bench = new Bench({ disk, server: { bufferCount: 7, extended: 100 } }).up(1, 2);
  assert.is(bench.vmm.sectors(), 4096n);
  const { perFrame, extended, discoveries } = bench.statistics;
  assert.equal([perFrame, extended, discoveries], [17, 100, 1]);
});

finding("of several targets the one that was named is taken, else the lowest", () => {
  const place = (shelf: number, slot: number, sectors: number) => ({ shelf, slot, disk: new TestDisk(sectors) });
  const targets = [place(3, 1, 33), place(1, 9, 19), place(1, 4, 14), place(2, 0, 20)];
  const found = (shelf: number, slot: number) => {
    const { vmm } = new Bench({ server: { targets } }).up(shelf, slot);
    return [vmm.shelf(), vmm.slot(), Number(vmm.sectors())];
  };
  assert.equal(found(2, 0), [2, 0, 20]);
  assert.equal(found(...any), [1, 4, 14]);
  assert.equal(found(3, 0xff), [3, 1, 33]);
  assert.equal(found(0xffff, 9), [1, 9, 19]);
});

finding("another shelf's target is not taken; a server that comes later is found", () => {
  const bench = new Bench({ server: { targets: [{ shelf: 5, slot: 2, disk }] } });
  bench.vmm.start(1, 2, 9000);
  bench.poll = ms(1);
  bench.run(ms(3000));
  assert.is(bench.vmm.ready(), 0);
  assert.ok(bench.statistics.framesSent < 10, "questions come ever more seldom");
  bench.serve();
  bench.until(() => bench.vmm.ready() === 1, ms(1500));
});

finding("a read before the disk is known, or beyond its end, is refused", () => {
  const bench = new Bench({ disk });
  assert.not(bench.submit(0, 0, 1));
  bench.up();
  assert.not(bench.submit(0, 4096, 1));
  assert.not(bench.submit(0, 4095, 2));
  assert.not(bench.submit(0, 0, 0));
  assert.not(bench.submit(0, 2 ** 47, 1));
  bench.read(4095, 1);
});

finding.run();

const reading = suite("vmm aoe reads");

for (const [name, options] of Object.entries<BenchOptions>({
  "extended, jumbo": {},
  "extended, 1,500 bytes": small,
  "plain, jumbo (R11.4)": plain,
  "plain, 1,500 bytes": { mtu: 1500, server: { mtu: 1500, extended: 0 } },
  "a client of 1,500 bytes at a jumbo server": { mtu: 1500 },
})) {
  reading(`all places and lengths: ${name}`, () => {
    const bench = new Bench({ disk: sparse, ...options }).up();
    for (const [lba, sectors] of [
      [0, 1],
      [0, 2],
      [1, 2],
      [3, 17],
      [5, 18],
      [16, 16],
      [39, 2],
      [30, 600],
      [63, 65],
      [0, 2048],
    ]) {
      bench.read(lba, sectors);
    }
    bench.read(4095, 1);
    bench.read(2048, 2048);
    const { sectorsAgain, malformed, stale, duplicates } = bench.statistics;
    assert.equal([sectorsAgain, malformed, stale, duplicates], [0, 0, 0, 0]);
  });
}

reading("holes are told and not sent (R11.5)", () => {
  const bench = new Bench({ disk: sparse }).up();
  bench.read(0, 1024);
  assert.is(bench.vmm.isHole(0, 39), 0);
  assert.is(bench.vmm.isHole(0, 40), 1);
  assert.is(bench.vmm.isHole(0, 599), 1);
  assert.is(bench.vmm.isHole(0, 600), 0);
  const { sectors, holes } = bench.statistics;
  assert.equal([sectors, holes], [464, 560]);
});

reading("a server that does not know the extended read is read plainly", () => {
  const bench = new Bench({ disk, ...plain }).up();
  bench.read(0, 256);
  const { extended, requests } = bench.statistics;
  assert.equal([extended, requests], [0, 16]); // 15 of 17 sectors and one of 1
});

reading("many reads at once, each told once; one that is cancelled is not told", () => {
  const bench = new Bench({ disk }).up();
  for (let n = 0; n < 16; n++) assert.ok(bench.submit(n, n * 200, 50 + n));
  bench.run(us(200));
  bench.vmm.cancel(3);
  bench.run(ms(50));
  for (let n = 0; n < 16; n++) {
    assert.is(bench.vmm.arrived(n), n === 3 ? 0 : 1);
    if (n !== 3) bench.check(n, n * 200, 50 + n);
  }
  assert.is(bench.statistics.inFlight, 0);
  bench.read(600, 53, ms(100), 3);
});

reading("no more requests are out than the server queues (R11.3)", () => {
  const bench = new Bench({
    disk,
    server: { bufferCount: 3, extended: 0, cost: { perRequest: us(300), threads: 4 } },
  }).up();
  let most = 0;
  bench.server.requests.on(() => (most = Math.max(most, bench.server.load.waiting + bench.server.load.running)));
  bench.stream(0, 2048, 512);
  assert.ok(most <= 3 && bench.statistics.window === 3, `${most}`);
});

reading("a poll does a bounded amount of work", () => {
  const bench = new Bench({ disk, ...small }).up();
  for (let n = 0; n < 4; n++) bench.submit(n, n * 256, 256);
  for (let i = 0; i < 20; i++) {
    bench.machine.after(ms(5)); // the ring fills meanwhile
    const before = bench.statistics;
    bench.vmm.poll();
    const { framesReceived, framesSent } = bench.statistics;
    assert.ok(framesReceived - before.framesReceived <= 64);
    assert.ok(framesSent - before.framesSent <= 16);
  }
});

reading("stop forgets all and silences the card (R10.3)", () => {
  const bench = new Bench({ disk }).up();
  bench.submit(0, 0, 1024);
  bench.run(us(500));
  bench.vmm.stop();
  const { framesSent } = bench.statistics;
  bench.run(ms(100));
  assert.is(bench.vmm.arrived(0), 0);
  assert.is(bench.statistics.framesSent, framesSent);
  assert.is(bench.card.pci.config.read(4, 2) & 4, 0);
  assert.is(bench.card.mac.read(0x0100, 4), 0);
});

reading.run();

const speed = suite("vmm aoe throughput");

/** Payload in Mb/s over a gigabit. */
const rate = (options: BenchOptions, end = 4096) =>
  (end * 512 * 8 * 1000) / new Bench({ disk, ...options }).up().stream(0, end, 1024);

speed("a gigabit is used by over 90 % with jumbo frames, 20 us of latency and polls every 20 us", () => {
  assert.ok(rate({}) > 900);
  assert.ok(rate(plain) > 900);
});

speed("and with polls every 500 us; small frames want one every 20 us for plain reads", () => {
  assert.ok(rate({ poll: us(500) }) > 900);
  assert.ok(rate({ mtu: 1500, server: { mtu: 1500, extended: 0 } }) > 880);
});

speed("small frames by extended reads: polls every 200 us do", () => {
  assert.ok(rate({ ...small, poll: us(200) }) > 880);
});

speed.run();

const trouble = suite("vmm aoe in trouble");

for (const [name, options, end] of [
  ["2 % loss", { link: { loss: 0.02 } }, 2048],
  ["2 % loss, plain", { link: { loss: 0.02 }, ...plain }, 2048],
  ["20 % loss", { link: { loss: 0.2 } }, 512],
  ["20 % loss, plain", { link: { loss: 0.2 }, ...plain }, 512],
  ["reordering", { link: { reordering: 0.1 } }, 2048],
  ["reordering, plain", { link: { reordering: 0.1 }, ...plain }, 2048],
  ["duplication", { link: { duplication: 0.3 } }, 2048],
  ["corruption", { link: { corruption: 0.05 } }, 2048],
  ["jitter", { link: { jitter: ms(1) }, ...plain }, 2048],
  ["all of it", { link: { loss: 0.03, reordering: 0.1, duplication: 0.1, jitter: us(300), corruption: 0.01 } }, 1024],
] as [string, BenchOptions, number][]) {
  trouble(`every sector comes, once to the reader: ${name}`, () => {
    const bench = new Bench({ disk: sparse, ...options });
    bench.up();
    bench.stream(600, 600 + end, 256);
    bench.run(ms(20));
    const { inFlight, readsDone, malformed } = bench.statistics;
    assert.equal([inFlight, readsDone, malformed], [0, end / 256, 0]);
  });
}

for (const [name, cost, extended] of [
  ["8 ms to its first byte", { perRequest: us(50), latency: ms(8), bytesPerSecond: 100e6, threads: 1 }, 256],
  ["8 ms to its first byte, plain", { perRequest: us(50), latency: ms(8), bytesPerSecond: 100e6, threads: 1 }, 0],
  ["500 ms a request", { perRequest: ms(500), threads: 1 }, 256],
  ["500 ms a request, plain", { perRequest: ms(500), threads: 1 }, 0],
  ["four threads of 2 ms", { perRequest: ms(2), bytesPerSecond: 20e6, threads: 4 }, 0],
] as const) {
  trouble(`a slow server is not asked twice: ${name}`, () => {
    const bench = new Bench({ disk, server: { cost, extended, bufferCount: 32 }, poll: us(200) }).up();
    bench.stream(0, 512, 256);
    const { sectorsAgain, timeouts, overtaken, window } = bench.statistics;
    assert.equal([sectorsAgain, timeouts, overtaken], [0, 0, 0]);
    if (cost.perRequest === ms(500)) assert.is(window, 2, "more requests would only wait longer");
  });
}

trouble("answers that come too late tell how long to wait", () => {
  const cost = { latency: ms(2000), threads: 1 }; // questions need no disk, and are answered at once
  const bench = new Bench({ disk, server: { extended: 0, cost }, poll: us(200) }).up();
  bench.stream(0, 340, 340);
  const { requests, timeouts } = bench.statistics;
  assert.ok(requests <= 26 && timeouts <= 6, `${requests} requests where 20 do, ${timeouts} timeouts`);
});

trouble("a server that drops what it cannot queue is asked more slowly, not more often", () => {
  const cost = { perRequest: ms(20), queue: 4, threads: 1 };
  const bench = new Bench({ disk, server: { extended: 0, bufferCount: 32, cost }, poll: us(200) }).up();
  bench.stream(0, 2048, 1024);
  const { requests, window } = bench.statistics;
  assert.ok(requests < 121 * 1.4, `${requests} requests where 121 do`);
  assert.ok(window <= 8, `window ${window}`);
});

trouble("a pause of the server costs few frames and little time afterwards", () => {
  const bench = new Bench({ disk }).up();
  bench.read(0, 1024);
  bench.serverCable.up = false;
  bench.submit(0, 1024, 1024);
  const before = bench.statistics.framesSent;
  bench.poll = us(200);
  bench.run(ms(10_000));
  assert.ok(bench.statistics.framesSent - before < 60, `${bench.statistics.framesSent - before} frames`);
  bench.serverCable.up = true;
  const time = bench.until(() => bench.vmm.arrived(0) === 2, ms(1500));
  bench.check(0, 1024, 1024);
  assert.ok(time < ms(1200));
});

trouble("a server that comes back with fewer buffers, smaller frames and no extended reads", () => {
  const bench = new Bench({ disk }).up();
  bench.submit(0, 0, 2048);
  bench.run(ms(1));
  bench.serve({ bufferCount: 2, mtu: 1500, extended: 0 }).announce();
  bench.until(() => bench.vmm.arrived(0) === 1, ms(2000));
  bench.check(0, 0, 2048);
  bench.read(2048, 2048);
  const { window, perFrame, extended } = bench.statistics;
  assert.equal([window, perFrame, extended], [2, 2, 0]);
});

trouble("a server that comes back unannounced at another address", () => {
  const bench = new Bench({ disk }).up();
  bench.serve({ mac: parseMac("52:54:00:00:00:77"), bufferCount: 5 });
  bench.read(0, 1024, ms(5000));
  assert.is(bench.statistics.discoveries, 2);
});

trouble("another disk at the target's place is not read", () => {
  const bench = new Bench({ disk }).up();
  bench.serve({ mac: parseMac("52:54:00:00:00:77"), targets: [{ shelf: 1, slot: 2, disk: new TestDisk(4095) }] });
  bench.submit(0, 0, 64);
  bench.poll = us(500);
  bench.run(ms(5000));
  assert.is(bench.vmm.arrived(0), 0);
});

trouble("a network that loses jumbo frames silently gets small ones", () => {
  const bench = new Bench({ disk, link: { mtu: 1500 }, poll: us(200) });
  bench.up();
  bench.read(0, 300, ms(20_000));
  assert.is(bench.statistics.perFrame, 2);
});

trouble("a disk of the server's that fails is asked again, ever more seldom, until it works", () => {
  const own = new TestDisk(256);
  const bench = new Bench({ disk: own, poll: us(500) }).up();
  own.broken = true;
  bench.submit(0, 0, 256);
  bench.run(ms(5000));
  assert.is(bench.vmm.arrived(0), 0);
  assert.ok(bench.statistics.requests < 60, `${bench.statistics.requests}`);
  own.broken = false;
  bench.until(() => bench.vmm.arrived(0) === 1, ms(3300));
  bench.check(0, 0, 256);
});

trouble("a cable that was pulled and put back", () => {
  const bench = new Bench({ disk, poll: us(100) }).up();
  bench.submit(0, 0, 2048);
  bench.run(ms(2));
  bench.cable.up = false;
  bench.run(ms(3000));
  bench.cable.up = true;
  bench.until(() => bench.vmm.arrived(0) === 1, ms(1000));
  bench.check(0, 0, 2048);
});

trouble("the server's address and the counters are what the host can read", () => {
  const bench = new Bench({ disk }).up();
  bench.read(0, 256);
  const { framesSent, framesReceived, requests, sectors, readsDone, rtt, timeout } = bench.statistics;
  assert.equal([framesSent, framesReceived, requests, sectors, readsDone], [4, 19, 1, 256, 1]);
  assert.ok(rtt > us(80) && rtt < us(400), `${rtt}`);
  assert.is(timeout, ms(10));
  assert.ok(parseMac(serverMac) > 0);
});

trouble.run();
