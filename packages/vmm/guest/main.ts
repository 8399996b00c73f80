/** Where the boot stub goes, on the first processor, in long mode. */
import { startExtensions } from "./api/extension.ts";
import { Registry } from "./api/registry.ts";
import { bootDisk, placeStart, START_SEGMENT } from "./boot-disk.ts";
import { CommandLine } from "./command-line.ts";
import { keepApic } from "./core/apic-base.ts";
import { conceal } from "./core/concealment.ts";
import { missingFeature } from "./core/controls.ts";
import { guardFwCfg } from "./core/fw-cfg.ts";
import { HIDDEN_BYTES, Hypervisor } from "./core/hypervisor.ts";
import { MemoryMap } from "./core/memory-map.ts";
import { PciConfiguration } from "./core/pci-configuration.ts";
import { mapPhysicalMemory } from "./core/physical-map.ts";
import { VirtualProcessor } from "./core/processor.ts";
import { setRealModeStart } from "./core/setup.ts";
import { Processors } from "./core/start-processors.ts";
import { Streaming } from "./deploy/streaming.ts";
import { loadInterrupts, onInterrupt } from "./interrupts.ts";
import { log, logHex, setLogLevel, tells } from "./log.ts";
import { allocate, physicalOf, placeMemory } from "./memory.ts";
import { commandLineOf, reportMultiboot } from "./multiboot.ts";
import { hideMemory } from "./storage/guard.ts";
import { cpuid, endAllocation } from "./x86.ts";

export { onInterrupt };

let processors: Processors | null = null;

/** Where the stub goes that other processors begin in. */
export function apMain(index: u32): void {
  processors!.enter(index);
}

/**
 * @param information the boot loader's, a physical address
 * @param base what is added to a linear address to have the physical one
 */
export function main(information: u32, base: u32): void {
  placeMemory(base);
  loadInterrupts();
  log("castaway\n");
  const options = new CommandLine();
  options.parse(commandLineOf(information));
  setLogLevel(options.level);
  if (tells(2)) {
    log("base: ");
    logHex(base);
    log("\n");
    reportMultiboot(information);
  }
  const registers = allocate(16, 16);
  cpuid(1, 0, registers);
  const missing = missingFeature(load<u32>(registers, 8));
  if (missing.length > 0) {
    log("missing: ");
    log(missing);
    log("\n");
  } else stream(options, mapPhysicalMemory(registers));
  log("booting the disk\n");
  bootDisk();
}

/** Comes back if there is nothing to stream. */
function stream(options: CommandLine, reach: u64): void {
  hideMemory(physicalOf(0), HIDDEN_BYTES, reach);
  const map = new MemoryMap(physicalOf(0));
  if (map.problem.length > 0) {
    log("no deployment: ");
    log(map.problem);
    log("\n");
    return;
  }
  const registry = new Registry(),
    hypervisor = new Hypervisor(registry, reach),
    first = new VirtualProcessor(hypervisor, 0),
    streaming = new Streaming(options, hypervisor.departure);
  first.enterVmx();
  if (!streaming.prepare()) {
    first.leaveVmx();
    return;
  }
  new PciConfiguration(registry).attach();
  keepApic(registry);
  streaming.register(registry);
  conceal(registry, streaming.cardAt);
  guardFwCfg(registry);
  startExtensions(registry);
  hypervisor.intercept();
  map.placeHook();
  const all = new Processors(hypervisor, first);
  processors = all;
  hypervisor.departure.prepare(all, streaming);
  all.start();
  endAllocation();
  first.makeGuest();
  placeStart();
  setRealModeStart(START_SEGMENT, 0);
  log("the guest starts\n");
  first.run();
}
