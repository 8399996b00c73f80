/** Where the boot stub goes, on the first processor, in long mode. */
import { bootDisk } from "./boot-disk.ts";
import { missingFeature } from "./core/controls.ts";
import { loadInterrupts, onInterrupt } from "./interrupts.ts";
import { log, logHex } from "./log.ts";
import { allocate, placeMemory } from "./memory.ts";
import { reportMultiboot } from "./multiboot.ts";
import { cpuid, endAllocation } from "./x86.ts";

export { onInterrupt };

/**
 * @param information the boot loader's, a physical address
 * @param base what is added to a linear address to have the physical one
 */
export function main(information: u32, base: u32): void {
  placeMemory(base);
  loadInterrupts();
  log("castaway\nbase: ");
  logHex(base);
  log("\n");
  reportMultiboot(information);
  const registers = allocate(16, 16);
  cpuid(1, 0, registers);
  const missing = missingFeature(load<u32>(registers, 8));
  endAllocation();
  if (missing.length > 0) {
    log("missing: ");
    log(missing);
  } else log("VT-x, EPT and unrestricted guest are there");
  log("\nbooting the disk\n");
  bootDisk();
}
