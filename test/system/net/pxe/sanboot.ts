/** The demo disk is on a server only: SYSLINUX reads it by INT 13h out of iPXE, Linux by its own AoE driver. */
import assert from "node:assert/strict";
import { seconds } from "@castaway/kit";
import { ImageDisk } from "castaway";
import { withFiles } from "../../guests/cache.ts";
import { playDemo } from "../../guests/demo.ts";
import { demoImage } from "../../guests/machine.ts";
import { BootLan, type BootLanOptions, SLOW_BUS } from "./lan.ts";

const SCRIPT = `#!ipxe
sanboot aoe:e0.0
`;
/** The driver asks for servers as it starts, when no card is up yet, and every minute; `ip=dhcp` brings the card up. */
const SETTINGS = `\
DEFAULT linux
LABEL linux
  KERNEL /vmlinuz
  APPEND root=/dev/etherd/e0.0p2 rw rootwait ip=dhcp console=tty0 console=ttyS0,115200
`;

/** A machine without a disk, from power-on to power off. */
function boot(options: Partial<BootLanOptions>): BootLan {
  const aoe = new ImageDisk(withFiles(demoImage(), { "syslinux.cfg": SETTINGS }));
  const lan = new BootLan({ files: { "boot.ipxe": SCRIPT }, boot: { file: "boot.ipxe" }, aoe, ...options });
  const { guest } = lan;
  const { com1 } = guest.pc;
  lan.noteText("Linux", com1, "Linux version");
  lan.noteText("root", com1, "VFS: Mounted root");
  lan.noteText("ready", com1, "DEMO-READY");
  guest.serial("VFS: Mounted root", seconds(200));
  playDemo(guest);
  lan.note("off");
  const { requests, bytesWritten, aoeErrors, ataErrors } = lan.server.aoe!.statistics;
  assert.ok(requests.read > 10_000 && bytesWritten > 0 && aoeErrors === 0 && ataErrors === 0);
  return lan;
}

export function diskOnAServer(): string {
  const lan = boot({});
  const { requests, bytesRead } = lan.server.aoe!.statistics;
  const read = `${requests.read} requests read ${(bytesRead / 1e6).toFixed(1)} MB`;
  return `${read}, ${lan.times("DHCP discover", "TFTP boot.ipxe started", "Linux", "root", "ready", "off")}`;
}

/** DHCP's root path names the disk this time. What iPXE and Linux miss they ask for again. */
export function diskOverALossyWire(): string {
  const lan = boot({ boot: { rootPath: "aoe:e0.0" }, link: { loss: 0.02 }, device: SLOW_BUS });
  const { toA, toB } = lan.link;
  const frames = lan.read("_ws.col.Protocol");
  assert.ok(frames === null || frames.includes("AoE"), [...new Set(frames)].join());
  return `${toA.statistics.lost + toB.statistics.lost} frames lost, ${lan.times("Linux", "root", "ready", "off")}`;
}
