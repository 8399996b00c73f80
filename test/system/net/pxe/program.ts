/**
 * The network boot of a program of ours: SeaBIOS, iPXE, DHCP, TFTP, a script, a multiboot ELF with a module; and then the
 * operating system on the local disk, as if nothing had been in between.
 */
import assert from "node:assert/strict";
import { seconds } from "@castaway/kit";
import { playDemo } from "../../guests/demo.ts";
import { demoImage } from "../../guests/machine.ts";
import { multibootProgram } from "./build.ts";
import { BootLan, type BootLanOptions, CLIENT, SERVER } from "./lan.ts";

const SCRIPT = `#!ipxe
kernel program.elf one two=\${ip}
module module.bin its=words
boot
`;
/** Not a multiple of the block, and not of a page. */
const MODULE = Uint8Array.from({ length: 100_001 }, (_, n) => (n * n) >> 3);
const LAST_WORDS = "to the boot sector\n";

/** What the program prints of the module. */
function checksum(bytes: Uint8Array): string {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}

/** Boots, up to the program's end, and checks what it printed. */
export function bootProgram(options: Partial<BootLanOptions> = {}): BootLan {
  const files = { "boot.ipxe": SCRIPT, "program.elf": multibootProgram(), "module.bin": MODULE };
  const lan = new BootLan({ files, boot: { file: "boot.ipxe" }, disk: demoImage(), ...options });
  const { debugLog, com1 } = lan.guest.pc;
  lan.noteText("program", debugLog, "magic: ");
  lan.noteText("boot sector", debugLog, LAST_WORDS);
  lan.noteText("Linux", com1, "Linux version");
  lan.noteText("ready", com1, "DEMO-READY");
  lan.guest.debug(LAST_WORDS, seconds(60));
  const said = new Map<string, string[]>();
  for (const line of debugLog.text.split("\n")) {
    const [, label, value] = /^(.*?): (.*)$/.exec(line) ?? [];
    if (label !== undefined && value !== undefined) said.set(label, [...(said.get(label) ?? []), value]);
  }
  checkSaid(said);
  return lan;
}

/** What the program was given is what the server has and what the machine is. */
function checkSaid(said: ReadonlyMap<string, string[]>): void {
  const one = (label: string) => said.get(label)?.join(" and ") ?? "nothing";
  assert.equal(one("magic"), "2badb002");
  assert.equal(one("command line"), `tftp://${SERVER}/program.elf one two=${CLIENT}`);
  assert.match(one("loader"), /^iPXE \d/);
  const [, from, to, sum, words] = /^(\w{8}) (\w{8}) (\w{8}) (.*)$/.exec(one("module")) ?? [];
  assert.equal(Number(`0x${to}`) - Number(`0x${from}`), MODULE.length);
  assert.deepEqual([sum, words], [checksum(MODULE), `tftp://${SERVER}/module.bin its=words`]);
  // 64 MiB without the top of conventional memory, which is the BIOS's, and without the 8 KiB of ACPI tables at the end
  assert.equal(one("lower and upper KiB"), "0000027f 0000fbf8");
  assert.deepEqual(said.get("memory"), [
    "0000000000000000 000000000009fc00 00000001",
    "0000000000100000 0000000003efe000 00000001",
  ]);
}

export function networkBootedProgram(): string {
  const lan = bootProgram();
  playDemo(lan.guest);
  lan.note("off");
  const frames = lan.read("_ws.col.Protocol");
  if (frames !== null) assert.deepEqual([...new Set(frames)].sort(), ["ARP", "DHCP", "ICMPv6", "TFTP"]);
  const read = frames === null ? "tshark is not installed" : `tshark reads ${frames.length} frames`;
  return `${lan.times("DHCP discover", "TFTP boot.ipxe started", "program", "boot sector", "Linux", "ready", "off")}; ${read}`;
}
