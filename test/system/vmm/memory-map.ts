/** The hook of INT 15h on a whole machine, without VMX: Linux gets the map that SeaBIOS has, less what is hidden. */
import assert from "node:assert/strict";
import { seconds } from "@castaway/kit";
import { buildVmm } from "@castaway/vmm/host";
import { vmmSources } from "../../../scripts/vmm.ts";
import { playDemo } from "../guests/demo.ts";
import { demoImage } from "../guests/machine.ts";
import { BootLan } from "../net/pxe/lan.ts";

const MAIN = `
import { MemoryMap } from "./core/memory-map.ts";
import { bootDisk } from "./boot-disk.ts";
import { loadInterrupts, onInterrupt } from "./interrupts.ts";
import { log, logHex } from "./log.ts";
import { placeMemory } from "./memory.ts";
import { physRead32 } from "./x86.ts";
export { onInterrupt };
export function main(information: u32, base: u32): void {
  placeMemory(base);
  loadInterrupts();
  for (let n: u64 = 0x10; n < 0x1b; n++) { logHex(physRead32(4 * n) >> 16); log(" "); }
  const map = new MemoryMap(base);
  log(map.problem);
  map.placeHook();
  log("\\nhook placed\\n");
  bootDisk();
}`;

export async function hideMemory(): Promise<string> {
  const { bytes } = await buildVmm({ sources: { ...vmmSources(), "main.ts": MAIN } });
  const files = { "boot.ipxe": "#!ipxe\nkernel vmm.elf\nboot\n", "vmm.elf": bytes };
  const { guest } = new BootLan({ files, boot: { file: "boot.ipxe" }, disk: demoImage() });
  const { debugLog, com1 } = guest.pc;
  guest.debug("hook placed\n", seconds(60));
  assert.match(debugLog.text, /^[cf]000( [cf]000){10} \nhook placed$/m); // the vectors are the firmware's: iPXE is gone
  playDemo(guest);
  const map = [...com1.text.matchAll(/BIOS-e820: \[mem (0x\w+)-(0x\w+)\] (\w+)/g)];
  assert.deepEqual(
    map.map(([, first, last, type]) => `${Number(first).toString(16)} ${Number(last).toString(16)} ${type}`),
    [
      "0 9bfff usable",
      "9c000 9ffff reserved",
      "f0000 fffff reserved",
      "100000 2dfffff usable",
      "2e00000 3dfffff reserved",
      "3e00000 3ffdfff usable",
      "3ffe000 3ffffff reserved",
      "fffc0000 ffffffff reserved",
    ],
  );
  return `${map.length} ranges`;
}
