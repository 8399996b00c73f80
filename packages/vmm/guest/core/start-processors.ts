/**
 * The other processors: each is started by INIT and SIPI, enters VMX operation, and waits for the guest's own SIPI
 * (R2.15, R2.17). They are told apart by the firmware's table, since all of them begin in the same page.
 */
import { useInterrupts } from "../interrupts.ts";
import { log, logNumber, tells } from "../log.ts";
import { allocate, physicalOf } from "../memory.ts";
import {
  addr_apParameters,
  addr_apStart,
  addr_apStartEnd,
  lgdt,
  physRead32,
  physWrite32,
  rdtsc,
  readCr3,
  sgdt,
  vmwrite,
} from "../x86.ts";
import { findProcessors } from "./acpi.ts";
import { apicId, sendInit, sendStartUp, waitNanoseconds } from "./apic.ts";
import { Hypervisor } from "./hypervisor.ts";
import { VirtualProcessor } from "./processor.ts";
import * as V from "./vmcs.ts";

/** How many processors the hypervisor manages. */
export const MOST: u32 = 32;
/** Where they begin: linear is physical there (compiler/layout.ts). */
export const START_PAGE: usize = 0x9e000;
const PAGE: usize = 4096;
/** The worst case is a few KiB: `npm run build` prints it. */
const STACK_BYTES: usize = 16384;
/** Parameters of the start: CR3, the stack, what `apMain` is called with. */
const CR3: usize = 0;
const STACK: usize = 8;
const INDEX: usize = 16;
/** After INIT, and after a SIPI that brought nobody, in ns [SDM 3A 8.4.4.1]. */
const INIT_TIME: u64 = 10_000_000;
const START_TIME: u64 = 200_000_000;
const TRIES: u32 = 3;
/** Activity state [SDM 3C 24.4.2]. */
const WAIT_FOR_SIPI: u64 = 3;

export class Processors {
  readonly all: StaticArray<VirtualProcessor | null> = new StaticArray<VirtualProcessor | null>(MOST);
  readonly ids: StaticArray<u32> = new StaticArray<u32>(MOST);
  count: u32 = 1;
  private stacks: StaticArray<usize> = new StaticArray<usize>(MOST);
  /** Index of the last that has come: a physical address. */
  private readonly arrived: u64 = physicalOf(allocate(64, 64));
  private readonly tables: usize = allocate(16, 16);

  /** Memory for all that there are is allocated here, at boot, by the first processor. */
  constructor(hypervisor: Hypervisor, first: VirtualProcessor) {
    const found = new StaticArray<u32>(MOST),
      own = apicId(),
      count = findProcessors(found, MOST);
    this.all[0] = first;
    this.ids[0] = own;
    for (let i: u32 = 0; i < count; i++) {
      if (found[i] === own || this.count >= MOST) continue;
      const index = this.count++;
      this.ids[index] = found[i];
      this.all[index] = new VirtualProcessor(hypervisor, index);
      this.stacks[index] = allocate(STACK_BYTES, 64) + STACK_BYTES;
    }
  }

  /** On the processor itself, from the stub that it began in. Never comes back. */
  enter(index: u32): void {
    const processor = this.all[index]!;
    lgdt(this.tables);
    useInterrupts();
    processor.enterVmx();
    processor.makeGuest();
    vmwrite(V.GUEST_ACTIVITY, WAIT_FOR_SIPI);
    processor.parked = true;
    physWrite32(this.arrived, index);
    processor.run();
  }

  /** Starts the others, one after the other. */
  start(): void {
    sgdt(this.tables);
    const saved = allocate(PAGE, PAGE);
    memory.copy(saved, START_PAGE, PAGE);
    for (let i: u32 = 1; i < this.count; i++) this.startOne(i);
    memory.copy(START_PAGE, saved, PAGE);
    if (!tells(1)) return;
    logNumber(this.count);
    log(" processors\n");
  }
  private startOne(index: u32): void {
    memory.copy(START_PAGE, addr_apStart(), addr_apStartEnd() - addr_apStart());
    const parameters = START_PAGE + addr_apParameters() - addr_apStart(),
      id = this.ids[index];
    store<u64>(parameters, readCr3(), CR3);
    store<u64>(parameters, this.stacks[index], STACK);
    store<u32>(parameters, index, INDEX);
    sendInit(id);
    waitNanoseconds(INIT_TIME);
    for (let tries: u32 = 0; tries < TRIES; tries++) {
      sendStartUp(id, <u32>(START_PAGE >> 12));
      if (this.awaits(index)) return;
    }
    log("a processor does not start\n");
  }
  private awaits(index: u32): bool {
    const end = rdtsc() + START_TIME;
    while (rdtsc() < end) if (physRead32(this.arrived) >= index) return true;
    return false;
  }
}
