/** SYSLINUX's menu on the screen, worked by keyboard: the demo disk with a menu in front. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "@castaway/kit";
import { debianPackage, withFiles } from "./cache.ts";
import { PROMPT } from "./demo.ts";
import { Guest } from "./guest.ts";
import { demoImage, machine } from "./machine.ts";

const LINUX = "root=/dev/sda2 rw console=tty0 console=ttyS0,115200";
const SETTINGS = `\
UI menu.c32
MENU TITLE What shall it be
LABEL first
  MENU LABEL Linux, first entry
  KERNEL /vmlinuz
  APPEND ${LINUX} entry=first
LABEL second
  MENU LABEL Linux, second entry
  KERNEL /vmlinuz
  APPEND ${LINUX} entry=second
LABEL third
  MENU LABEL Linux, third entry
  KERNEL /vmlinuz
  APPEND ${LINUX} entry=third
`;

/** The demo disk with the menu; its loader is the same build as the package's modules. */
function menuDisk(): Uint8Array {
  const modules = join(debianPackage("syslinux-common"), "usr/lib/syslinux/modules/bios");
  const module = (name: string) => new Uint8Array(readFileSync(join(modules, name)));
  return withFiles(demoImage(), {
    "menu.c32": module("menu.c32"),
    "libutil.c32": module("libutil.c32"),
    "syslinux.cfg": SETTINGS,
  });
}

/** Down, down, up; then Tab, which shows the entry's command line, and a word more. */
export function menu(): Guest {
  const guest = new Guest(machine(menuDisk()));
  guest.screen("What shall it be", seconds(5));
  guest.screen("Linux, third entry", seconds(1));
  guest.press("ArrowDown", "ArrowDown", "ArrowUp", "Tab");
  guest.screen(/> .*vmlinuz .*entry=second/, seconds(2));
  guest.type(" typed\n");
  guest.serial(PROMPT, seconds(30));
  const commandLine = guest.serial(PROMPT, seconds(5), "cat /proc/cmdline\n");
  if (!commandLine.includes("entry=second typed")) throw new Error(`another entry was booted:\n${commandLine}`);
  guest.pc.com1.type("poweroff -f\n");
  guest.poweredOff(seconds(30));
  return guest;
}
