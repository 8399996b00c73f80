/** The command as a process of its own, with the real firmware: from a disk's first sector to the exit code. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { folder } from "./echo.test-support.ts";

const test = suite("npx castaway");
const { path, remove } = folder();
test.after(remove);

/** A boot sector: writes sector 1 (CHS 0, 0, 2) with its own contents by INT 13h, prints "hi" on COM1, waits for ever. */
// biome-ignore format: assembly
const bootSector = [
  0x31, 0xc0, 0x8e, 0xc0, 0xbb, 0x00, 0x7c, 0xb9, 0x02, 0x00, 0xb6, 0x00, // xor ax, ax; mov es, ax; mov bx, 7c00; mov cx, 2; mov dh, 0
  0xb8, 0x01, 0x03, 0xcd, 0x13,                                           // mov ax, 301; int 13
  0xba, 0xfb, 0x03, 0xb0, 0x03, 0xee,                                      // mov dx, 3fb; out dx, 3: 8 bits
  0xba, 0xf8, 0x03, 0xb0, 0x68, 0xee, 0xb0, 0x69, 0xee, 0xeb, 0xfe,       // mov dx, 3f8; out dx, 'h'; out dx, 'i'; jmp $
];

function run(args: string[], signalAfter?: string): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [resolve("packages/cli/bin/castaway.mjs"), "boot", ...args], {
    cwd: path("."),
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (bytes: Buffer) => (said.out += bytes));
  child.stderr.on("data", (bytes: Buffer) => {
    said.err += bytes;
    if (signalAfter === undefined || !said.err.includes(signalAfter)) return;
    signalAfter = undefined; // a second signal would end it at once
    child.kill("SIGTERM");
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, ...said })));
}
const disk = (name: string) => {
  const bytes = new Uint8Array(1 << 20);
  bytes.set(bootSector);
  bytes.set([0x55, 0xaa], 510);
  writeFileSync(path(name), bytes);
  return path(name);
};

test("boots an image, sees what it expects, reports as the last line; the image stays as it was", async () => {
  const image = disk("disk.img");
  const before = readFileSync(image);
  const { code, out, err } = await run([image, "--plain", "--expect", "hi", "--at-most", "200ms", "--json", "-"]);
  assert.equal([code, err], [0, ""]);
  const [serial, report] = out.trimEnd().split("\n");
  assert.is(serial, "hi");
  assert.is(JSON.parse(report).devices.disks[0].bytesWritten, 512);
  assert.ok(readFileSync(image).equals(before));
});

test("--write: what the guest wrote is in the file", async () => {
  const image = disk("written.img");
  const { code } = await run([image, "--write", "--expect", "hi", "--at-most", "200ms"]);
  assert.is(code, 0);
  const bytes = readFileSync(image);
  assert.ok(bytes.subarray(512, 1024).equals(bytes.subarray(0, 512)));
});

test("the firmware's log goes to stderr; a signal ends the run in an orderly way", async () => {
  const { code, err } = await run([disk("signal.img"), "--log", "firmware", "--json", path("report")], "SeaBIOS");
  assert.is(code, 143);
  assert.match(err, /SeaBIOS \(version/);
  assert.is(JSON.parse(readFileSync(path("report"), "utf8")).exitCode, 143);
});

test.run();
