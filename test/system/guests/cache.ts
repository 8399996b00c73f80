/** What the guests are made of, outside git: Debian's packages unpacked, and disks that are built once. */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/bundle.mjs";

export const cache = join(root, ".cache", "guests");

/** Runs a command quietly. @throws Error with what it printed if it fails */
export function command(name: string, args: readonly string[], cwd: string = root): void {
  const { status, error, stdout, stderr } = spawnSync(name, args, { cwd, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${name} failed: ${error?.message ?? `${stdout}${stderr}`.slice(-2000)}`);
}

/** The files of a Debian package, fetched by apt; nothing is installed. @returns the folder that stands for / */
export function debianPackage(name: string): string {
  const files = join(cache, "packages", name);
  if (existsSync(files)) return files;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "fetch-"));
  try {
    try {
      command("apt-get", ["download", name], work);
    } catch {
      command("apt-get", ["update"]);
      command("apt-get", ["download", name], work);
    }
    const file = readdirSync(work).find((entry) => entry.endsWith(".deb"))!;
    command("dpkg-deb", ["-x", file, "files"], work);
    mkdirSync(join(cache, "packages"), { recursive: true });
    renameSync(join(work, "files"), files);
  } finally {
    rmSync(work, { recursive: true });
  }
  return files;
}

/** Where the demo disk's boot partition begins. */
const BOOT_PARTITION = 1 << 20;

/** A copy of a disk with a FAT partition at 1 MiB into which files were put; null as a file removes it. */
export function withFiles(disk: Uint8Array, files: Record<string, Uint8Array | string | null>): Uint8Array {
  const mtools = join(debianPackage("mtools"), "usr/bin/mtools");
  const work = mkdtempSync(join(cache, "disk-"));
  try {
    writeFileSync(join(work, "disk"), disk);
    const partition = ["-i", `disk@@${BOOT_PARTITION}`];
    for (const [name, content] of Object.entries(files)) {
      if (content === null) command(mtools, ["-c", "mdel", ...partition, `::${name}`], work);
      else {
        writeFileSync(join(work, "file"), content);
        command(mtools, ["-c", "mcopy", "-o", ...partition, "file", `::${name}`], work);
      }
    }
    return new Uint8Array(readFileSync(join(work, "disk")));
  } finally {
    rmSync(work, { recursive: true });
  }
}
