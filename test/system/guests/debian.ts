/**
 * Debian 12 as it is installed: GRUB, the generic kernel, systemd, on AHCI. Its disk is built once by build-debian.sh.
 * To the root shell; arithmetic, memory and disk are checked there; `systemctl poweroff` ends it.
 */
import { createHash } from "node:crypto";
import { existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { StoreDisk } from "@castaway/devices";
import { type Nanoseconds, seconds } from "@castaway/kit";
import type { MachineOptions } from "castaway";
import { root } from "../../../scripts/bundle.mjs";
import { cache, command } from "./cache.ts";
import { Guest } from "./guest.ts";
import { machine } from "./machine.ts";

const PROMPT = "root@guest:~# ";

/** The image; it is built if it is not there, or older than its recipe. */
function image(): string {
  const folder = join(cache, "debian");
  const path = join(folder, "debian.img");
  const recipe = join(root, "test/system/guests/build-debian.sh");
  if (!existsSync(path) || statSync(path).mtimeMs < statSync(recipe).mtimeMs) {
    console.log("      building the Debian disk: about a minute, and what the packages take to download");
    command(recipe, [folder]);
  }
  return path;
}

/** A file as a disk that is only read. */
function fileDisk(path: string): StoreDisk {
  const file = openSync(path, "r");
  return new StoreDisk({
    size: fstatSync(file).size,
    readOnly: true,
    read: (position, into) => void readSync(file, into, 0, into.length, position),
    write: () => {},
    flush: () => {},
  });
}

/** The digest of what build-debian.sh writes to /root/numbers: the first 100,000,000 bytes of `seq`. */
function digestOfNumbers(): string {
  const hash = createHash("sha256");
  let left = 100_000_000;
  for (let n = 1; left > 0; n++) {
    const line = `${n}\n`.slice(0, left);
    hash.update(line);
    left -= line.length;
  }
  return hash.digest("hex");
}

/** Runs a command in the guest's shell. @returns what it printed @throws Error if its status is not 0 */
function shell(guest: Guest, line: string, atMost: Nanoseconds): string {
  const output = guest.serial(PROMPT, atMost, `${line}; echo "<$?>"\n`);
  const status = /<(\d+)>/.exec(output)?.[1];
  if (status !== "0") throw new Error(`"${line}" ended with ${status}:\n${output}`);
  return output;
}

/** Three stressors, that check their results; together some four thousand million instructions. */
const STRESS = "stress-ng --verify --cpu 1 --cpu-ops 400 --matrix 1 --matrix-ops 1000 --str 1 --str-ops 500";

export function debian(options: Partial<MachineOptions>): Guest {
  const guest = new Guest(machine(fileDisk(image()), { memory: "512MiB", ...options }));
  guest.serial("Linux version", seconds(60));
  guest.serial(PROMPT, seconds(300));
  const kernel = shell(guest, "uname -a", seconds(5));
  if (!/Linux guest 6\.1\.\S+ .* x86_64 GNU\/Linux/.test(kernel)) throw new Error(`not this kernel: ${kernel}`);
  const processors = shell(guest, "nproc", seconds(5));
  if (!new RegExp(`^${options.cpus ?? 1}\\s`, "m").test(processors)) throw new Error(`nproc: ${processors}`);
  const digest = shell(guest, "sha256sum numbers", seconds(60));
  if (!digest.includes(digestOfNumbers())) throw new Error(`a wrong digest: ${digest}`);
  const stress = shell(guest, STRESS, seconds(120));
  if (!stress.includes("successful run completed")) throw new Error(stress);
  const failed = shell(guest, "systemctl --failed", seconds(10));
  if (!failed.includes("0 loaded units listed")) throw new Error(`units failed: ${failed}`);
  guest.pc.com1.type("systemctl poweroff\n");
  guest.poweredOff(seconds(60));
  return guest;
}
