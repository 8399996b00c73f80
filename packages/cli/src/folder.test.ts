import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { folder } from "./echo.test-support.ts";
import { folderFiles } from "./folder.ts";

const test = suite("--tftp");
const { path, remove } = folder();
test.after(remove);

mkdirSync(path("served/sub"), { recursive: true });
writeFileSync(path("secret"), "secret");
writeFileSync(path("served/boot.ipxe"), "#!ipxe\n");
writeFileSync(path("served/sub/kernel"), "kernel");
symlinkSync(path("secret"), path("served/link"));
symlinkSync(path("served/boot.ipxe"), path("served/inside"));
symlinkSync(path("."), path("served/up"));
symlinkSync(path("served"), path("entry"));
const files = folderFiles(path("served"));

function text(file: ReturnType<typeof files>): string | null {
  if (file === null) return null;
  const bytes = new Uint8Array(file.size);
  return file.read(0, bytes) ? Buffer.from(bytes).toString() : "failed";
}

test("files of the folder and of folders in it", () => {
  assert.is(text(files("boot.ipxe")), "#!ipxe\n");
  assert.is(text(files("sub/kernel")), "kernel");
  const part = new Uint8Array(3);
  assert.ok(files("sub/kernel")!.read(2, part));
  assert.is(Buffer.from(part).toString(), "rne");
  assert.is(text(folderFiles(path("entry"))("boot.ipxe")), "#!ipxe\n"); // the user's own link to a folder
});

test("no name leads out of it", () => {
  const names = ["../secret", "sub/../../secret", "..", ".", "", "/", "sub", "sub/", "/etc/passwd", path("secret")];
  const links = ["link", "inside", "up/secret", "up/served/boot.ipxe"];
  const odd = ["boot.ipxe/", "./boot.ipxe", "sub//kernel", "sub\\kernel", "boot.ipxe\0.txt", "..\\secret", "none"];
  for (const name of [...names, ...links, ...odd]) assert.is(files(name), null, name);
});

test("a file that became another one, or a link, since its transfer began is an error of the transfer", () => {
  writeFileSync(path("served/changing"), "0123456789");
  const file = files("changing")!;
  truncateSync(path("served/changing"), 5);
  assert.is(text(file), "failed");
  rmSync(path("served/changing"));
  assert.is(text(file), "failed");
  writeFileSync(path("secret10"), "0123456789");
  symlinkSync(path("secret10"), path("served/changing"));
  assert.is(text(file), "failed");
});

test("what is no folder is refused", () => {
  assert.throws(() => folderFiles(path("secret")), /is a file; give the folder/);
  assert.throws(() => folderFiles(path("none")), /cannot read .*none: there is no such file or folder/);
});

test.run();
