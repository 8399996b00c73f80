/** Memtest86+ from a SYSLINUX entry: its tests over 64 MiB, read from its screen. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "@castaway/kit";
import { debianPackage, withFiles } from "./cache.ts";
import { Guest } from "./guest.ts";
import { demoImage, machine } from "./machine.ts";

const SETTINGS = `\
DEFAULT memtest
PROMPT 0
LABEL memtest
  LINUX /memtest
`;

/** The demo disk with Memtest86+ in place of Linux. */
function memtestDisk(): Uint8Array {
  const image = join(debianPackage("memtest86+"), "boot/memtest86+x64.bin");
  return withFiles(demoImage(), {
    vmlinuz: null,
    memtest: new Uint8Array(readFileSync(image)),
    "syslinux.cfg": SETTINGS,
  });
}

/** Tests 0 to 7, one after the other; some are over before the screen is looked at. What follows them shows little more. */
export function memtest(): Guest {
  const guest = new Guest(machine(memtestDisk(), { memory: "64MiB" }));
  guest.screen("<Enter> to start testing", seconds(10));
  guest.press("Enter");
  guest.screen("Test #6", seconds(60));
  guest.screen("Test #8", seconds(120));
  guest.screen(/Errors: 0\b/, 0);
  return guest;
}
