/**
 * The VMM's image through the real chain: SeaBIOS, iPXE, DHCP, TFTP, our boot stub, long mode, `main` in TypeScript; and on
 * with the local disk by the way back to real mode.
 */
import assert from "node:assert/strict";
import { modelNamed, withFeatures } from "@castaway/cpu";
import { mib, seconds } from "@castaway/kit";
import { blankDisk, type MachineOptions } from "castaway";
import { vmmImage } from "../../../scripts/vmm.ts";
import { playDemo } from "../guests/demo.ts";
import { demoImage } from "../guests/machine.ts";
import { BootLan, CLIENT, SERVER } from "../net/pxe/lan.ts";

const SCRIPT = `#!ipxe
kernel vmm.elf aoe=e0.0 log=2 ip=\${ip}
module module.bin its=words
boot
`;
const LAST_WORDS = "booting the disk\n";

async function start(model?: MachineOptions["model"]): Promise<BootLan> {
  const { bytes } = await vmmImage();
  const files = { "boot.ipxe": SCRIPT, "vmm.elf": bytes, "module.bin": new Uint8Array(10_000) };
  return new BootLan({
    files,
    boot: { file: "boot.ipxe" },
    disk: demoImage(),
    aoe: blankDisk(mib(64)),
    ...(model && { model }),
  });
}

/** A processor without VT-x: the disk is booted all the same. */
export async function bootWithoutVtx(): Promise<string> {
  const lan = await start(withFeatures(modelNamed("westmere"), [], ["vmx"]));
  const { debugLog, com1 } = lan.guest.pc;
  lan.guest.debug("missing: VT-x\nbooting the disk\n", seconds(60));
  lan.noteText("boot sector", debugLog, LAST_WORDS);
  lan.guest.serial("Linux version", seconds(60));
  return `${com1.text.length} characters on the serial line`;
}

/** An image that does not fit: the hypervisor says so, and the disk is booted without it. */
export async function bootVmm(): Promise<string> {
  const lan = await start();
  const { debugLog, com1 } = lan.guest.pc;
  lan.noteText("main", debugLog, "castaway\n");
  lan.noteText("boot sector", debugLog, LAST_WORDS);
  lan.noteText("ready", com1, "DEMO-READY");
  lan.guest.debug(LAST_WORDS, seconds(60));
  const said = debugLog.text.slice(debugLog.text.indexOf("castaway\n"));
  assert.match(said, /^base: 2e00000$/m); // of 64 MiB, less ACPI tables at the end
  assert.match(said, new RegExp(`^command line: tftp://${SERVER}/vmm\\.elf aoe=e0\\.0 log=2 ip=${CLIENT}$`, "m"));
  assert.match(said, /^module: \w+000 \w+ .*module\.bin its=words$/m);
  assert.match(said, /^memory: 0 9fc00 1\nmemory: 100000 3efe000 1$/m);
  assert.match(said, /^not understood: ip=10/m);
  assert.match(said, /^no deployment: the image is longer than the disk$/m);
  playDemo(lan.guest);
  return lan.times("main", "boot sector", "ready");
}
