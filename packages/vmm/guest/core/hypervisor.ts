/** What all processors share: who intercepts what, the tables that make the guest exit, the handlers of its exits, the lock. */
import { MmioRange, Registry } from "../api/registry.ts";
import { WaysOut } from "../cast-off/scrub.ts";
import { allocate, physicalOf } from "../memory.ts";
import { addr_vmExit, physFill } from "../x86.ts";
import { MsrBitmap, PortBitmap } from "./bitmaps.ts";
import { Departure } from "./departure.ts";
import { Ept, UNCACHEABLE } from "./ept.ts";
import { Exits } from "./exits.ts";
import { Lock } from "./lock.ts";
import { MemoryExits } from "./memory-exits.ts";
import { MemoryTypes, setTypes } from "./mtrr.ts";
import { PortExits } from "./port-exits.ts";
import { Shared } from "./setup.ts";
import { MOST } from "./start-processors.ts";

const PAGE: u64 = 4096;
/** The hypervisor's memory: compiler/layout.ts. */
export const HIDDEN_BYTES: u64 = 0x1000000;
const FEATURE_CONTROL: u32 = 0x3a;

export class Hypervisor {
  readonly lock: Lock = new Lock();
  readonly ept!: Ept;
  readonly ports: PortBitmap = new PortBitmap();
  readonly msrs: MsrBitmap = new MsrBitmap();
  readonly exits!: Exits;
  readonly shared: Shared = changetype<Shared>(allocate(offsetof<Shared>(), 16));
  readonly departure!: Departure;
  /** Where processors leave. */
  readonly ways: WaysOut = new WaysOut(MOST);
  /** The processor that does what is due, by its index. */
  poller: u32 = 0;

  /** Boot. @param reach the first physical address that is not mapped */
  constructor(
    readonly registry: Registry,
    reach: u64,
  ) {
    const hidden = physicalOf(0),
      blank = physicalOf(allocate(<u32>PAGE, <u32>PAGE)),
      shared = this.shared;
    physFill(blank, 0, <u32>PAGE);
    this.ept = new Ept(reach);
    setTypes(this.ept, new MemoryTypes(), reach);
    this.ept.hide(hidden, hidden + HIDDEN_BYTES, blank);
    const memory = new MemoryExits(registry, hidden, hidden + HIDDEN_BYTES, reach);
    this.exits = new Exits(registry, memory, new PortExits(registry, memory));
    this.departure = new Departure(this);
    shared.eptPointer = this.ept.pointer;
    shared.ioBitmapA = this.ports.a;
    shared.ioBitmapB = this.ports.b;
    shared.msrBitmaps = this.msrs.at;
    shared.exitStub = addr_vmExit();
  }

  /** Makes the guest exit wherever somebody intercepts it: before the guest runs. */
  intercept(): void {
    const registry = this.registry;
    this.msrs.set(FEATURE_CONTROL, true, true);
    for (let i = 0; i < registry.memory.length; i++) {
      const range = registry.memory[i];
      if (range !== null) this.closeMemory(range);
    }
    for (let i = 0; i < registry.ports.length; i++) {
      const range = registry.ports[i];
      if (range !== null) this.ports.set(range.first, range.end - range.first, true);
    }
    for (let i = 0; i < registry.registers.length; i++) {
      const entry = registry.registers[i];
      if (entry !== null) this.msrs.set(entry.index, true, true);
    }
    registry.close();
  }
  /** Lets the guest have everything itself: R5.2, section 12.1. More rights need no invalidation. */
  release(): void {
    const registry = this.registry;
    registry.leave();
    for (let i = 0; i < registry.memory.length; i++) {
      const range = registry.memory[i];
      if (range === null) continue;
      for (let at = range.first; at < range.end; at += PAGE) this.ept.open(at, UNCACHEABLE);
      registry.memory[i] = null;
    }
    for (let i = 0; i < registry.ports.length; i++) {
      const range = registry.ports[i];
      if (range !== null) this.ports.set(range.first, range.end - range.first, false);
      registry.ports[i] = null;
    }
  }

  closeMemory(range: MmioRange): void {
    for (let at = range.first; at < range.end; at += PAGE) this.ept.close(at);
  }
}
