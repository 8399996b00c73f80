/** What goes wrong in a network boot: nobody answers, a file is not there, the server is late, the wire loses frames. */
import assert from "node:assert/strict";
import { seconds, us } from "@castaway/kit";
import { demoImage } from "../../guests/machine.ts";
import { BootLan, type BootLanOptions, SLOW_BUS } from "./lan.ts";
import { bootProgram } from "./program.ts";

/** iPXE says why it gives up, and the BIOS boots the next device. */
function nextDevice(options: BootLanOptions, why: RegExp): BootLan {
  const lan = new BootLan({ disk: demoImage(), device: SLOW_BUS, ...options });
  const { guest } = lan;
  lan.noteText("Linux", guest.pc.com1, "Linux version");
  guest.screen(why, seconds(60));
  lan.note("iPXE's complaint");
  guest.screen("No more network devices", seconds(5));
  guest.screen("Booting from Hard Disk", seconds(5));
  guest.serial("Linux version", seconds(20));
  return lan;
}

export function noServer(): string {
  const options = { boot: {}, serverAt: Number.POSITIVE_INFINITY, device: us(50) }; // it waits for 16 s
  const lan = nextDevice(options, /No configuration methods\s+succeeded/);
  const discoveries = lan.read("_ws.col.Protocol")?.filter((protocol) => protocol === "DHCP").length;
  assert.ok(discoveries === undefined || discoveries >= 3, `${discoveries} DHCPDISCOVER`);
  return `${discoveries ?? "?"} times asked, ${lan.times("iPXE's complaint", "Linux")}`;
}

export function noFile(): string {
  const lan = nextDevice({ boot: { file: "absent.ipxe" } }, /tftp:.*absent\.ipxe\.* No such file or directory/);
  assert.equal(lan.server.tftp.statistics.errors, 1);
  return lan.times("TFTP absent.ipxe refused", "iPXE's complaint", "Linux");
}

/** iPXE asks again. */
export function lateServer(): string {
  const lan = bootProgram({ serverAt: seconds(3.5), device: SLOW_BUS });
  assert.ok(lan.at("first frame") < lan.at("server"), "the server was there in time");
  return lan.times("first frame", "server", "DHCP discover", "program");
}

/** What is lost is asked for, or sent, again. */
export function lossyWire(): string {
  const lan = bootProgram({ link: { loss: 0.02 }, device: SLOW_BUS });
  const { toA, toB } = lan.link;
  const [sent, received] = [toA.statistics.lost, toB.statistics.lost];
  assert.ok(sent > 0 && received > 0, `of what was sent ${sent}, of what was received ${received} frames were lost`);
  return `${sent} requests and ${received} answers lost, ${lan.times("DHCP discover", "TFTP module.bin done", "program")}`;
}
