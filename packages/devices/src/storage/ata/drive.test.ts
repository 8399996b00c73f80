import { ConfigError, ms, Random, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ssdTiming } from "../timing.ts";
import { Bench } from "./bench.test-support.ts";

const ok = 0x50;
const aborted = 0x0451;
const notFound = 0x1051;
const sectorOf = (byte: number, count = 1) => new Uint8Array(512 * count).fill(byte);

for (const hops of [false, true]) {
  const test = suite(`ata drive${hops ? ", saved and restored at every step" : ""}`);

  test("reads and writes of 28 and 48 bits, PIO, MULTIPLE and DMA [ATA8-ACS 7]", () => {
    const b = new Bench({ hops });
    const ways = [
      { write: 0x30, read: 0x20, block: 1 },
      { write: 0x34, read: 0x24, block: 1 },
      { write: 0xc5, read: 0xc4, block: 16 },
      { write: 0x39, read: 0x29, block: 16 },
      { write: 0xce, read: 0xc4, block: 16 },
      { write: 0xca, read: 0xc8, block: 128 },
      { write: 0x35, read: 0x25, block: 128 },
      { write: 0x3d, read: 0x25, block: 128 },
    ];
    for (const [index, { write, read, block }] of ways.entries()) {
      const data = new Random(index).fill(new Uint8Array(20 * 512));
      const lba = 1000 + 50 * index;
      assert.is(b.status(write, { lba, count: 20 }, data), ok);
      assert.is(b.status(read, { lba, count: 20 }), ok);
      assert.equal(b.got, [...data]);
      const full = Math.floor(20 / block);
      const pieces = [...new Array(full).fill(512 * block), ...(20 % block ? [(20 % block) * 512] : [])];
      assert.equal(b.pieces, pieces);
    }
  });

  test("a count of 0 means 256 sectors, or 65,536 [ATA8-ACS 7]", () => {
    const b = new Bench({ hops });
    assert.is(b.status(0xc8), ok);
    assert.is(b.got.length, 256 * 512);
    assert.is(b.status(0x42), ok);
    assert.is(b.status(0x42, { lba: 1 }), notFound);
  });

  test("the high bits of an address are in the device register, or in the second bytes", () => {
    const b = new Bench({ hops, sectors: 0x200_0000 });
    b.medium.write(0x123_4567, sectorOf(9));
    assert.is(b.status(0xc8, { lba: 0xff23_4567, device: 0x41, count: 0xaa01 }), ok);
    assert.is(b.got[0], 9);
    assert.is(b.status(0x25, { lba: 0x123_4567, count: 1 }), ok);
    assert.is(b.got[0], 9);
    assert.is(b.status(0x25, { lba: 0xffff_ffff_ffff, count: 1 }), notFound);
    assert.is(b.status(0x25, { lba: 0, count: 1, device: 0 }), aborted);
  });

  test('cylinder, head and sector by the current geometry [ATA-5 "INITIALIZE DEVICE PARAMETERS"]', () => {
    const b = new Bench({ hops });
    b.medium.write((2 * 16 + 3) * 63 + 4, sectorOf(1));
    assert.is(b.status(0x20, { lba: 0x0205, device: 3, count: 1 }), ok);
    assert.is(b.got[0], 1);
    assert.is(b.status(0x91, { count: 10, device: 1 }), ok);
    b.medium.write((2 * 2 + 1) * 10 + 4, sectorOf(2));
    assert.is(b.status(0x20, { lba: 0x0205, device: 1, count: 1 }), ok);
    assert.is(b.got[0], 2);
    assert.is(b.status(0x20, { lba: 0x0200, device: 1, count: 1 }), notFound);
    assert.is(b.status(0x20, { lba: 0x0205, device: 2, count: 1 }), notFound);
  });

  test("beyond the end nothing is moved; unknown commands are aborted", () => {
    const b = new Bench({ hops, sectors: 100 });
    assert.is(b.status(0xca, { lba: 99, count: 2 }, sectorOf(1, 2)), notFound);
    assert.equal(b.pieces, []);
    assert.equal(b.sector(99), sectorOf(0));
    for (const command of [0x00, 0x08, 0x45, 0x92, 0xa0, 0xa1, 0xb0, 0xe4, 0xf1, 0xff, 0xc7]) {
      assert.is(b.status(command), aborted);
    }
  });

  test("an unreadable sector: what precedes it comes, then UNC with its address", () => {
    const b = new Bench({ hops, sectors: 0x200_0000 });
    b.faulty.unreadable.add(0x100_0003);
    const failures: unknown[] = [];
    b.drive.failures.on((failure) => failures.push(failure));
    const outcome = b.run(0xc8, { lba: 0, device: 0x41, count: 8 });
    assert.equal(outcome, { status: 0x51, error: 0x40, count: 8, lba: 3, device: 0x41 });
    assert.is(b.got.length, 3 * 512);
    if (!hops) assert.equal(failures, [{ operation: "read", lba: 0x100_0003, sectors: 1 }]);
    assert.is(b.run(0x42, { lba: 0x100_0000, count: 8 }).lba, 0x100_0003);
    assert.is(b.status(0x40, { lba: 4, device: 0x41, count: 8 }), ok);
  });

  test("a medium that cannot write: device fault; one that cannot flush likewise", () => {
    const b = new Bench({ hops });
    b.faulty.unwritable.add(11);
    const outcome = b.run(0x35, { lba: 10, count: 2 }, sectorOf(7, 2));
    assert.equal(outcome, { status: 0x71, error: 4, count: 2, lba: 11, device: 0x40 });
    assert.equal(b.sector(10), sectorOf(7));
    b.faulty.unflushable = true;
    assert.is(b.status(0xe7), 0x0471);
    assert.is(b.status(0x3d, { lba: 20, count: 1 }, sectorOf(1)), 0x0471);
    b.faulty.unflushable = false;
    assert.is(b.status(0xea), ok);
  });

  test("a host that is not ready stalls a command, and goes on with it", () => {
    const b = new Bench({ hops });
    b.medium.write(0, sectorOf(3, 4));
    b.patience = 1;
    b.run(0x20, { count: 4 });
    assert.is(b.ended.length, 0);
    assert.is(b.got.length, 512);
    b.patience = 2;
    b.drive.proceed(0);
    b.step();
    assert.is(b.got.length, 3 * 512);
    b.patience = 9;
    b.drive.proceed(0);
    b.drive.proceed(0);
    assert.equal(b.got, [...sectorOf(3, 4)]);
    assert.is(b.ended.length, 1);
    b.patience = 0;
    b.run(0x30, { lba: 8, count: 2 }, sectorOf(4, 2));
    b.patience = 9;
    b.drive.proceed(0);
    assert.equal(b.sector(9), sectorOf(4));
  });

  test("queued commands overtake each other, and end at the same times after a restore", () => {
    const times: number[][] = [];
    for (const again of [false, hops]) {
      const b = new Bench({ hops: again, timing: ssdTiming({ read: us(100), write: us(10), depth: 8 }) });
      const ends: number[] = [];
      for (let tag = 0; tag < 8; tag++) {
        b.issue(tag % 2 ? 0x61 : 0x60, { lba: 100 * tag, features: 1, count: tag << 3 }, 31);
      }
      while (b.ended.length < 8) {
        const before = b.ended.length;
        b.clock.advanceTo(b.clock.nextDue);
        b.step();
        for (const { tag } of b.ended.slice(before)) ends.push(tag, b.clock.now);
      }
      times.push(ends);
    }
    assert.equal(times[0], times[1]);
    assert.equal(
      times[0].filter((_, index) => index % 2 === 0),
      [1, 3, 5, 7, 0, 2, 4, 6],
    );
  });

  test("the same tag twice ends the queue [SATA 3.x 13.6]", () => {
    const b = new Bench({ hops, timing: ssdTiming() });
    for (const tag of [1, 2, 1]) b.issue(0x60, { features: 1, count: tag << 3 });
    b.settle();
    assert.equal(
      b.ended.map(({ tag, outcome }) => [tag, outcome.status, outcome.error]),
      [[1, 0x51, 4]],
    );
    assert.is(b.status(0xe7), aborted);
    b.drive.softReset();
    assert.is(b.status(0xe7), ok);
  });

  test('the cache: without it writes are durable; FUA and FLUSH make them so [ATA8-ACS 4 "write cache"]', () => {
    const b = new Bench({ hops });
    b.status(0x35, { lba: 1, count: 2 }, sectorOf(1, 2));
    assert.is(b.drive.unflushed, 2);
    b.status(0x3d, { lba: 2, count: 1 }, sectorOf(2));
    assert.is(b.drive.unflushed, 1);
    b.status(0x61, { lba: 1, features: 1, count: 0, device: 0xc0 }, sectorOf(3));
    assert.is(b.drive.unflushed, 0);
    b.status(0x35, { lba: 1, count: 1 }, sectorOf(4));
    assert.is(b.status(0xef, { features: 0x82 }), ok);
    assert.is(b.drive.unflushed, 0);
    b.status(0x35, { lba: 1, count: 1 }, sectorOf(5));
    assert.is(b.drive.unflushed, 0);
    b.run(0xec);
    assert.is(b.got[2 * 85] & 0x20, 0);
    assert.is(b.status(0xef, { features: 0x02 }), ok);
    b.status(0x35, { lba: 1, count: 1 }, sectorOf(6));
    assert.is(b.drive.unflushed, 1);
    assert.is(b.status(0xe0), ok);
    assert.is(b.drive.unflushed, 0);
  });

  test("a power cut loses unflushed sectors only, some or all or none, and always the same for one seed", () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const b = new Bench({ hops });
      b.status(0x35, { lba: 0, count: 8 }, sectorOf(1, 8));
      b.status(0xe7);
      b.status(0x35, { lba: 0, count: 4 }, sectorOf(2, 4));
      b.status(0x35, { lba: 2, count: 1 }, sectorOf(3));
      b.status(0x3d, { lba: 3, count: 1 }, sectorOf(4));
      const lost = b.drive.powerCut(new Random(seed));
      const now = [0, 1, 2, 3, 4].map((lba) => b.sector(lba)[0]);
      assert.ok([1, 2].includes(now[0]) && [1, 2].includes(now[1]) && [1, 3].includes(now[2]));
      assert.equal(now.slice(3), [4, 1]);
      assert.equal(
        lost,
        [0, 1, 2].filter((lba) => now[lba] === 1),
      );
      outcomes.add(now.join());
      assert.is(b.drive.unflushed, 0);
    }
    assert.ok(outcomes.size >= 5, `${outcomes.size}`);
  });

  test("a power cut tears a write that is under way", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const b = new Bench({ hops, timing: ssdTiming() });
      b.out = sectorOf(9, 2);
      b.issue(0x3d, { lba: 0, count: 2 });
      b.drive.powerCut(new Random(seed));
      seen.add([b.sector(0)[0], b.sector(1)[0]].join());
      b.settle();
      assert.is(b.ended.length, 0);
    }
    assert.equal([...seen].sort(), ["0,0", "0,9", "9,0", "9,9"]);
  });

  test("the cache forgets the oldest when it is full", () => {
    const b = new Bench({ hops, cache: 4 * 512 });
    b.status(0x35, { lba: 0, count: 10 }, sectorOf(1, 10));
    assert.is(b.drive.unflushed, 4);
    const lost = b.drive.powerCut(new Random(1));
    assert.ok(lost.every((lba) => lba >= 6));
  });

  test('TRIM: ranges read as zeros; a wrong one changes nothing [ATA8-ACS "DATA SET MANAGEMENT"]', () => {
    const medium = new Bench({ hops });
    assert.is(medium.status(0x06, { features: 1, count: 1 }, sectorOf(0)), aborted); // its medium cannot
    const b = new Bench({ hops });
    Object.assign(b.faulty, { discard: b.medium.discard.bind(b.medium) });
    b.status(0x35, { lba: 0, count: 200 }, sectorOf(5, 200));
    const list = sectorOf(0);
    list.set([10, 0, 0, 0, 0, 0, 2, 0, 100, 0, 0, 0, 0, 0, 50, 0]);
    assert.is(b.status(0x06, { features: 1, count: 1 }, list), ok);
    assert.equal(
      [9, 10, 11, 12, 99, 100, 149, 150].map((lba) => b.sector(lba)[0]),
      [5, 0, 0, 5, 5, 0, 0, 5],
    );
    list.set([0, 0, 1, 0, 0, 0, 1, 0], 16);
    list.set([150, 0, 0, 0, 0, 0, 1, 0], 8);
    assert.is(b.status(0x06, { features: 1, count: 1 }, list), notFound);
    assert.is(b.sector(150)[0], 5);
    assert.is(b.status(0x06, { features: 0, count: 1 }, list), aborted);
    assert.is(b.status(0x06, { features: 1, count: 9 }, list), aborted);
    assert.is(b.status(0x06, { features: 1, count: 0 }, list), aborted);
  });

  test('power modes; SLEEP ends with a reset only [ATA8-ACS 4 "power management"]', () => {
    const b = new Bench({ hops });
    assert.is(b.run(0xe5).count, 0xff);
    b.status(0xe3);
    assert.is(b.run(0xe5).count, 0x80);
    b.status(0xe0);
    assert.is(b.run(0xe5).count, 0);
    b.status(0xc8, { count: 1 });
    assert.is(b.run(0xe5).count, 0xff);
    assert.is(b.status(0xe6), ok);
    assert.is(b.status(0xe5), 0x80);
    b.drive.softReset();
    assert.is(b.run(0xe5).count, 0);
    b.drive.hardReset();
    assert.is(b.run(0xe5).count, 0xff);
  });

  test("SET FEATURES and SET MULTIPLE MODE take what the drive can, and COMRESET preserves it [SATA 3.x 13.5]", () => {
    const b = new Bench({ hops });
    const feature = (features: number, count = 0) => b.status(0xef, { features, count });
    const word = (index: number) => {
      b.run(0xec);
      return b.got[2 * index] | (b.got[2 * index + 1] << 8);
    };
    assert.is(feature(0x03, 0x42), ok);
    assert.is(word(88), 0x047f);
    assert.is(word(63), 0x0007);
    assert.is(feature(0x03, 0x0c), ok);
    assert.is(feature(0x03, 0x47), aborted);
    assert.is(feature(0x03, 0x60), aborted);
    assert.is(feature(0x99), aborted);
    assert.is(feature(0x55), ok);
    assert.is(word(85) & 0x40, 0);
    assert.is(feature(0xaa), ok);
    assert.is(b.status(0xc6, { count: 8 }), ok);
    assert.is(word(59), 0x0108);
    for (const count of [3, 32]) assert.is(b.status(0xc6, { count }), aborted);
    assert.is(b.status(0xc6, { count: 0 }), ok);
    assert.is(b.status(0xc4, { count: 1 }), aborted);
    b.drive.hardReset();
    assert.is(word(88), 0x047f);
    assert.is(feature(0x90, 6), ok);
    assert.is(word(79), 0);
    b.drive.hardReset();
    assert.is(word(88), 0x207f);
    assert.is(word(59), 0x0110);
    assert.is(word(79), 0x40);
    assert.is(feature(0x10, 2), aborted);
  });

  test('host-protected area: set, seen, persistent or not, and locked [ATA8-ACS 4 "HPA feature set"]', () => {
    const b = new Bench({ hops, sectors: 1000 });
    const sectors = () => {
      b.run(0xec);
      return [b.got[120] | (b.got[121] << 8), b.got[200] | (b.got[201] << 8)];
    };
    assert.is(b.status(0x37, { lba: 799 }), aborted); // not without READ NATIVE MAX before
    assert.is(b.run(0x27).lba, 999);
    assert.is(b.status(0xe5), ok);
    assert.is(b.status(0x37, { lba: 799 }), aborted); // nor with another command between
    b.run(0x27);
    assert.is(b.status(0x37, { lba: 1000 }), notFound);
    b.run(0x27);
    assert.is(b.status(0x37, { lba: 799 }), ok);
    assert.equal(sectors(), [800, 800]);
    assert.is(b.status(0x25, { lba: 799, count: 1 }), ok);
    assert.is(b.status(0x25, { lba: 799, count: 2 }), notFound);
    b.run(0xf8);
    assert.is(b.status(0xf9, { lba: 899 }), aborted); // the other kind of command set it
    b.drive.hardReset();
    assert.equal(sectors(), [800, 800]); // preserved
    b.drive.powerOn();
    assert.equal(sectors(), [1000, 1000]);
    assert.is(b.run(0xf8).lba, 999);
    assert.is(b.status(0xf9, { lba: 899, count: 1 }), ok);
    b.run(0xf8);
    assert.is(b.status(0xf9, { lba: 949, count: 1 }), notFound); // once between resets
    b.drive.powerOn();
    assert.equal(sectors(), [900, 900]);
    assert.is(b.drive.persistentSectors, 900);

    const password = sectorOf(0);
    password.set([0x61, 0x62], 2);
    assert.is(b.status(0xf9, { features: 2 }), aborted); // no password yet
    assert.is(b.status(0xf9, { features: 1 }, password), ok);
    assert.is(b.status(0xf9, { features: 2 }), ok);
    b.run(0xf8);
    assert.is(b.status(0xf9, { lba: 999 }), aborted);
    assert.is(b.status(0xf9, { features: 3 }, sectorOf(1)), aborted);
    assert.is(b.status(0xf9, { features: 3 }, password), ok);
    b.run(0xf8);
    assert.is(b.status(0xf9, { lba: 999, features: 4 }), ok); // after READ NATIVE MAX it is SET MAX ADDRESS
    assert.equal(sectors(), [1000, 1000]);
    assert.is(b.status(0xf9, { features: 4 }), ok);
    b.run(0xf8);
    assert.is(b.status(0xf9, { lba: 99 }), aborted); // frozen
    assert.is(b.status(0xf9, { features: 1 }, password), aborted);
  });

  test("five wrong passwords, and SET MAX UNLOCK is closed until power-on", () => {
    const b = new Bench({ hops });
    b.status(0xf9, { features: 1 }, sectorOf(7));
    b.status(0xf9, { features: 2 });
    for (let i = 0; i < 5; i++) assert.is(b.status(0xf9, { features: 3 }, sectorOf(8)), aborted);
    assert.is(b.status(0xf9, { features: 3 }, sectorOf(7)), aborted);
    b.drive.powerOn();
    b.run(0xf8);
    assert.is(b.status(0xf9, { lba: 99 }), ok);
  });

  test('READ LOG EXT: the directory, and nothing else than page 10h [ATA8-ACS "READ LOG EXT"]', () => {
    const b = new Bench({ hops });
    assert.is(b.status(0x2f, { count: 1 }), ok);
    assert.equal([b.got[0], b.got[0x20], b.got[0x26]], [1, 1, 0]);
    assert.is(b.status(0x2f, { count: 1, lba: 0x10 }), ok);
    for (const lba of [0x30, 0x110, 0x1_0000_0010]) assert.is(b.status(0x2f, { count: 1, lba }), aborted);
    assert.is(b.status(0x2f, { count: 2, lba: 0x10 }), aborted);
  });

  test("EXECUTE DEVICE DIAGNOSTIC leaves the signature", () => {
    const b = new Bench({ hops });
    assert.equal(b.run(0x90), { status: 0x50, error: 1, count: 1, lba: 1, device: 0 });
  });

  test("a drive in standby spins up before it reads", () => {
    const b = new Bench({ hops, timing: { ...ssdTiming(), spinUp: ms(3000) } });
    b.run(0xe0);
    const before = b.clock.now;
    b.run(0xc8, { count: 1 });
    assert.ok(b.clock.now - before >= ms(3000));
  });

  test.run();
}

const test = suite("ata drive, from outside");

test('IDENTIFY DEVICE says what the drive is [ATA8-ACS "IDENTIFY DEVICE"]', () => {
  const b = new Bench({ sectors: 0x2000_0000, model: "MODEL", serial: "S1", firmware: "F", timing: ssdTiming() });
  b.run(0xec);
  const word = (index: number) => b.got[2 * index] | (b.got[2 * index + 1] << 8);
  const text = (index: number, count: number) =>
    Array.from({ length: count }, (_, i) => String.fromCharCode(word(index + i) >> 8, word(index + i) & 0xff)).join("");
  assert.is(word(0) & 0x8000, 0);
  assert.is(text(27, 20), "MODEL".padEnd(40));
  assert.is(text(10, 10), "S1".padEnd(20));
  assert.is(text(23, 4), "F".padEnd(8));
  assert.is(word(60) + 0x1_0000 * word(61), 0x0fff_ffff);
  assert.is(word(100) + 0x1_0000 * word(101), 0x2000_0000);
  assert.is(word(75), 31);
  assert.is(word(76) & 0x100, 0x100);
  assert.is(word(83) & 0xc000, 0x4000);
  assert.is(word(83) & 0x3400, 0x3400);
  assert.is(word(84) & 0x40, 0x40);
  assert.is(word(217), 1);
  assert.is(b.got.reduce((sum, byte) => sum + byte, 0) % 256, 0);
  assert.is(word(169), 0);
});

test("sectors of 4096 bytes", () => {
  const b = new Bench({ sectorSize: 4096, sectors: 100 });
  const data = new Random(1).fill(new Uint8Array(3 * 4096));
  assert.is(b.status(0x35, { lba: 97, count: 3 }, data), ok);
  assert.is(b.status(0x24, { lba: 97, count: 3 }), ok);
  assert.equal(b.pieces, [4096, 4096, 4096]);
  assert.equal(b.got, [...data]);
  b.run(0xec);
  assert.is(b.got.length, 512);
  assert.equal([b.got[212], b.got[213], b.got[234], b.got[235]], [0, 0x50, 0, 8]);
});

test("without NCQ its commands are unknown", () => {
  const b = new Bench({ ncq: false });
  assert.is(b.status(0x60, { features: 1 }), aborted);
  b.run(0xec);
  assert.is(b.got[153] & 1, 0);
});

test("commands are told when they end", () => {
  const b = new Bench({ timing: ssdTiming({ read: us(80) }) });
  const events: unknown[] = [];
  b.drive.commands.on(({ name, lba, sectors, moved, issued, status }) => {
    events.push([name, lba, sectors, moved, issued, status]);
  });
  b.run(0x25, { lba: 5, count: 2 });
  assert.equal(events, [["READ DMA EXT", 5, 2, 2, 0, 0x50]]);
});

test("a drive that cannot be says so", () => {
  const refuses = (options: object) =>
    assert.throws(
      () => new Bench(options),
      (error: unknown) => error instanceof ConfigError,
    );
  refuses({ model: "x".repeat(41) });
  refuses({ serial: "é" });
  refuses({ visible: 0 });
  refuses({ visible: 1e9 });
});

test.run();
