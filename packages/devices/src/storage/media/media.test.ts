import { gzipSync } from "node:zlib";
import { ConfigError, Random, StateError } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inflateImage } from "./gzip.ts";
import { ImageDisk, ZeroDisk } from "./image.ts";
import { blankDisk, OverlayDisk } from "./overlay.ts";
import { nextData } from "./sparse.ts";
import { type ByteStore, StoreDisk, type StoreFailure } from "./store.ts";

const isConfigError = (pattern: RegExp) => (error: unknown) =>
  error instanceof ConfigError && pattern.test((error as ConfigError).message);

test("an image that ends within a sector is filled up with zeros, and never written", () => {
  const disk = new ImageDisk(Uint8Array.from({ length: 700 }, () => 7));
  assert.is(disk.sectors, 2);
  const into = new Uint8Array(1024).fill(1);
  assert.is(disk.read(0, into), true);
  assert.equal([into[699], into[700], into[1023]], [7, 0, 0]);
  assert.is(disk.write(), false);
  assert.throws(() => new ImageDisk(new Uint8Array(0)), isConfigError(/at least one sector/));
});

test("where there is nothing but zeros is known: not written, on a blank disk", () => {
  const disk = blankDisk("16GiB");
  assert.is(disk.nextData(5), disk.sectors);
  for (const lba of [0x100_0005, 0x100_0085]) disk.write(lba, new Uint8Array(512));
  assert.equal(
    [0, 0x100_0005, 0x100_0006].map((lba) => disk.nextData(lba)),
    [0x100_0005, 0x100_0005, 0x100_0085],
  );
  assert.equal(
    [0x100_0005, 0x100_0006].map((lba) => disk.isWritten(lba)),
    [true, false],
  );
  assert.equal(
    Array.from(disk.changes(0x100_0006), ({ lba }) => lba),
    [0x100_0085],
  );
  const image = new OverlayDisk(new ImageDisk(new Uint8Array(4096)));
  assert.equal([nextData(image, 3), nextData(new ImageDisk(new Uint8Array(512)), 0)], [3, 0]);
});

test("sizes: whole sectors, or a clear word", () => {
  assert.is(blankDisk("8GiB").sectors, 0x100_0000);
  assert.is(blankDisk("1MiB", { sectorSize: 4096 }).sectors, 256);
  assert.throws(() => blankDisk(1000), isConfigError(/multiple of 512/));
  assert.throws(() => blankDisk("lots"), isConfigError(/disk size/));
  assert.throws(() => new ZeroDisk(4096, { sectorSize: 1024 }), isConfigError(/512 or 4096/));
});

for (const discards of [false, true]) {
  test(`an overlay behaves like a plain copy of its base${discards ? ", with discards" : ""}`, () => {
    const random = new Random(discards ? 1 : 2);
    const sectors = 1000;
    const image = random.fill(new Uint8Array(sectors * 512));
    const plain = image.slice();
    let disk = new OverlayDisk(new ImageDisk(image));
    for (let i = 0; i < 600; i++) {
      const count = 1 + random.below(random.chance(0.1) ? 300 : 9);
      const lba = random.below(sectors - count);
      const what = random.below(discards ? 3 : 2);
      if (what === 0) {
        const into = new Uint8Array(count * 512);
        disk.read(lba, into);
        assert.equal(into, plain.slice(lba * 512, (lba + count) * 512));
      } else if (what === 1) {
        const from = random.fill(new Uint8Array(count * 512));
        disk.write(lba, from);
        plain.set(from, lba * 512);
      } else {
        disk.discard(lba, count);
        plain.fill(0, lba * 512, (lba + count) * 512);
      }
      if (i % 100 === 50) {
        const state = disk.save();
        disk = new OverlayDisk(new ImageDisk(image));
        disk.restore(state);
      }
    }
    const whole = new Uint8Array(plain.length);
    disk.read(0, whole);
    assert.equal(whole, plain);
    const replayed = image.slice();
    for (const { lba, bytes } of disk.changes()) replayed.set(bytes, lba * 512);
    assert.equal(replayed, plain);
    disk.clear();
    disk.read(0, whole);
    assert.equal(whole, image);
  });
}

test("changes are exactly the sectors that were written", () => {
  const disk = blankDisk("1MiB");
  disk.write(126, new Uint8Array(4 * 512).fill(1));
  disk.write(500, new Uint8Array(512));
  assert.equal(
    [...disk.changes()].map(({ lba, bytes }) => [lba, bytes.length / 512]),
    [
      [126, 2],
      [128, 2],
      [500, 1],
    ],
  );
  assert.equal(
    [disk.writtenIn(0, 2048), disk.writtenIn(127, 2), disk.writtenIn(130, 370), disk.writtenIn(500, 1)],
    [...[5, 2, 0, 1]],
  );
});

test("zeros that are written need hardly any memory, and are there all the same", () => {
  const disk = new OverlayDisk(new ImageDisk(new Uint8Array(1 << 20).fill(7)));
  disk.write(100, new Uint8Array(200 * 512));
  assert.ok(disk.save().pieces.every(({ data }) => data === null));
  const into = new Uint8Array(3 * 512);
  disk.read(99, into);
  assert.equal([into[0], into[512], into[1535], disk.writtenIn(0, 2048)], [7, 0, 0, 200]);
  disk.write(101, new Uint8Array(512).fill(9));
  disk.read(100, into);
  assert.equal([into[0], into[512], into[1024]], [0, 9, 0]);
});

test("discarding a huge blank disk costs nothing, and a state of another disk is refused", () => {
  const disk = blankDisk("1TiB");
  disk.write(5, new Uint8Array(512).fill(1));
  disk.discard(0, 65_535);
  assert.is(disk.save().pieces.length, 1); // the last, incomplete piece
  const into = new Uint8Array(512).fill(1);
  disk.read(5, into);
  assert.equal(into, new Uint8Array(512));
  assert.throws(
    () => blankDisk("1MiB").restore(disk.save()),
    (error: unknown) => error instanceof StateError,
  );
});

function store(size: number, readOnly = false): ByteStore & { bytes: Uint8Array; broken: boolean } {
  const bytes = new Uint8Array(size);
  const made = {
    bytes,
    size,
    readOnly,
    broken: false,
    check() {
      if (made.broken) throw new Error("no space left");
    },
    read: (position: number, into: Uint8Array) => {
      made.check();
      into.set(bytes.subarray(position, position + into.length));
    },
    write: (position: number, from: Uint8Array) => {
      made.check();
      bytes.set(from, position);
    },
    flush: () => made.check(),
  };
  return made;
}

test("a store's errors are the drive's, and the user is told", () => {
  const bytes = store(2048);
  const disk = new StoreDisk(bytes);
  const failures: StoreFailure[] = [];
  disk.failures.on((failure) => failures.push(failure));
  assert.is(disk.write(1, new Uint8Array(512).fill(3)), true);
  assert.is(bytes.bytes[512], 3);
  bytes.broken = true;
  assert.is(disk.write(1, new Uint8Array(512)), false);
  assert.is(disk.read(0, new Uint8Array(512)), false);
  assert.is(disk.flush(), false);
  assert.equal(
    failures.map(({ operation, lba, error }) => [operation, lba, (error as Error).message]),
    [
      ["write", 1, "no space left"],
      ["read", 0, "no space left"],
      ["flush", 0, "no space left"],
    ],
  );
});

test("a store that ends within a sector can be read, not written", () => {
  assert.throws(() => new StoreDisk(store(700)), isConfigError(/multiple of 512/));
  const disk = new StoreDisk(store(700, true));
  assert.is(disk.sectors, 2);
  const into = new Uint8Array(512).fill(1);
  assert.is(disk.read(1, into), true);
  assert.equal(into, new Uint8Array(512));
  assert.is(disk.write(0, into), false);
  assert.is(disk.flush(), true);
});

test("gzip images: whole, cut short, damaged, too large, and none at all", async () => {
  const image = new Random(3).fill(new Uint8Array(300_000));
  const packed = new Uint8Array(gzipSync(image));
  assert.equal(await inflateImage(packed), image);
  assert.is(await inflateImage(image.fill(1)), image);
  const fails = async (bytes: Uint8Array, pattern: RegExp, atMost?: number) => {
    try {
      await inflateImage(bytes, { name: "disk.img.gz", atMost });
    } catch (error) {
      return assert.ok(isConfigError(pattern)(error), String(error));
    }
    assert.unreachable();
  };
  await fails(packed.subarray(0, packed.length - 9), /disk\.img\.gz: "a gzip file that is cut short"/);
  await fails(packed.subarray(0, 1000), /cut short/);
  await fails(packed.subarray(0, 5), /cut short/);
  const damaged = packed.slice();
  damaged[1000] ^= 0x55;
  damaged[3] = 0xff;
  await fails(damaged, /damaged/);
  const wrongSum = packed.slice();
  wrongSum[packed.length - 6] ^= 1;
  await fails(wrongSum, /damaged|cut short/);
  await fails(packed, /up to 1KiB unpacked/, 1024);
});

test.run();
