/**
 * An ext4 image for the guests, built once: a file of seeded random content, a shorter one, and `ethtool` with what it needs,
 * for `chroot`.
 */
import { createCipheriv, createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cache, command, debianPackage } from "../guests/cache.ts";
import { install, isInstalled } from "../oracles.ts";

/** In the name of what is cached: to be raised when what follows changes. */
const VERSION = 1;
const SIZE = 48 << 20;
/** So that every build is the same. */
const DATE = 1_700_000_000;
const UUID = "ca57a3a4-0000-4000-8000-000000000001";

const noise = (key: number, bytes: number): Uint8Array =>
  createCipheriv("aes-128-ctr", Buffer.alloc(16, key), Buffer.alloc(16)).update(Buffer.alloc(bytes));

/** The files at the root, and what `sha256sum` says of them. */
const files = { random: noise(1, 20_000_000), short: noise(2, 4_000_000) };
export const sha256 = {
  random: createHash("sha256").update(files.random).digest("hex"),
  short: createHash("sha256").update(files.short).digest("hex"),
};
export const sizes = { random: files.random.length, short: files.short.length };

/** What `ethtool` is linked with, by the packages that have it. */
const ETHTOOL = {
  ethtool: ["sbin/ethtool"],
  libmnl0: ["usr/lib/x86_64-linux-gnu/libmnl.so.0"],
  libc6: ["lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libm.so.6", "lib64/ld-linux-x86-64.so.2"],
};

/** The image; whoever writes writes to an overlay. */
export function dataImage(): Uint8Array {
  const path = join(cache, "net", `data-${VERSION}.img`);
  if (!existsSync(path)) build(path);
  return new Uint8Array(readFileSync(path));
}

function build(path: string): void {
  if (!isInstalled("mke2fs")) install(["e2fsprogs"]);
  mkdirSync(join(cache, "net"), { recursive: true });
  const work = mkdtempSync(join(cache, "net", "make-"));
  try {
    const tree = join(work, "tree");
    for (const [name, paths] of Object.entries(ETHTOOL)) {
      const from = debianPackage(name);
      for (const file of paths) cpSync(join(from, file), join(tree, file), { dereference: true });
    }
    for (const [name, content] of Object.entries(files)) writeFileSync(join(tree, name), content);
    command("find", ["tree", "-exec", "touch", "-h", "-d", `@${DATE}`, "{}", "+"], work);
    command("truncate", ["-s", String(SIZE), "image"], work);
    const always = ["-U", UUID, "-E", `hash_seed=${UUID}`];
    const layout = ["-q", "-t", "ext4", "-b", "4096", "-m", "0", "-J", "size=4", ...always, "-d", tree, "image"];
    command("env", [`E2FSPROGS_FAKE_TIME=${DATE}`, "mke2fs", ...layout], work);
    renameSync(join(work, "image"), path);
  } finally {
    rmSync(work, { recursive: true });
  }
}
