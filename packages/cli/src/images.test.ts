import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { ConfigError } from "@castaway/kit";
import { type Disk, OverlayDisk, StoreDisk } from "castaway";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { folder } from "./echo.test-support.ts";
import { UserError } from "./exit.ts";
import { checkDistinct, openImage } from "./images.ts";

const test = suite("images");
const { path, remove } = folder();
test.after(remove);

const image = (name: string, bytes: Uint8Array | string) => {
  writeFileSync(path(name), bytes);
  return path(name);
};
const device = ({ medium }: Disk) => medium as OverlayDisk | StoreDisk;
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => assert.unreachable("nothing was refused"),
    (error) => error,
  );
  assert.ok(error instanceof UserError || error instanceof ConfigError, String(error));
  return (error as Error).message;
}

test("a raw image is read where the guest reads, and never written", async () => {
  const file = image("raw.img", new Uint8Array(2048).fill(7));
  const disk = device(await openImage(file, { write: false }));
  assert.instance(disk, OverlayDisk);
  assert.ok(disk.write(1, new Uint8Array(512).fill(9)));
  const sectors = new Uint8Array(1024);
  assert.ok(disk.read(1, sectors));
  assert.equal([sectors[0], sectors[511], sectors[512]], [9, 9, 7]);
  assert.ok(readFileSync(file).every((byte) => byte === 7));
});

test("--write: what the guest writes is in the file", async () => {
  const file = image("written.img", new Uint8Array(2048).fill(7));
  const disk = device(await openImage(file, { write: true }));
  assert.instance(disk, StoreDisk);
  assert.ok(disk.write(3, new Uint8Array(512).fill(9)) && disk.flush());
  assert.equal([...readFileSync(file).subarray(1535, 1537)], [7, 9]);
});

test("a sparse image of 64 GiB opens at once", async () => {
  const file = image("sparse.img", "");
  truncateSync(file, 64 * 2 ** 30);
  const disk = device(await openImage(file, { write: false }));
  assert.is(disk.sectors, 2 ** 27);
  const sector = new Uint8Array(512).fill(1);
  assert.ok(disk.read(2 ** 27 - 1, sector));
  assert.equal(sector, new Uint8Array(512));
});

test("an image that becomes shorter is a failing drive for the guest, and a line for the user", async () => {
  const file = image("shrinks.img", new Uint8Array(2048));
  const lines: string[] = [];
  const disk = device(await openImage(file, { write: false, onFailure: (line) => lines.push(line) }));
  truncateSync(file, 512);
  assert.not.ok(disk.read(2, new Uint8Array(512)));
  assert.equal(lines, [`${file}: read at sector 2 failed: the file has become shorter; the guest sees a drive error`]);
});

test("gzip is unpacked; damaged or written to, it is refused", async () => {
  const packed = gzipSync(new Uint8Array(1 << 16).map((_, n) => (n * 7919) >> 5));
  const file = image("disk.img.gz", packed);
  const { medium } = await openImage(file, { write: false });
  assert.is((medium as Uint8Array).length, 1 << 16);
  const advice = `--write needs a raw image, and ${file} is compressed; unpack it first: gzip -dk ${file}`;
  assert.is(await refusal(openImage(file, { write: true })), advice);
  const short = image("short.img.gz", packed.subarray(0, packed.length - 20));
  assert.match(await refusal(openImage(short, { write: false })), /short\.img\.gz: "a gzip file that is cut short"/);
});

test("what is no raw image is named, with what to do", async () => {
  const cases: [contents: string | Uint8Array, message: (path: string) => string][] = [
    [
      "QFI\xfb",
      (p) => `${p} is a qcow2 image, not a raw disk image; make a raw one first: qemu-img convert -O raw ${p} `,
    ],
    ["KDMV", (p) => `${p} is a VMDK image`],
    ["BZh91", (p) => `${p} is compressed by bzip2, not a raw disk image; unpack it first: bzip2 -dk ${p}`],
    ["castaway snapshot {", (p) => `${p} is a snapshot, not a raw disk image; give it to --load`],
    ["", (p) => `${p} is empty`],
  ];
  for (const [contents, message] of cases) {
    const file = image("what", typeof contents === "string" ? Buffer.from(contents, "latin1") : contents);
    assert.ok((await refusal(openImage(file, { write: false }))).startsWith(message(file)));
  }
  const odd = image("odd.img", new Uint8Array(700));
  assert.match(await refusal(openImage(odd, { write: true })), /whole sectors of 512 bytes, and .* has 700 bytes/);
  assert.match(await refusal(openImage(path("."), { write: false })), /^cannot read .*: it is a folder$/);
});

test("two writable disks need two files", () => {
  const file = image("one.img", new Uint8Array(512));
  assert.throws(() => checkDistinct([file, path("./one.img")]), /are one file; a disk each needs its own/);
});

test.run();
