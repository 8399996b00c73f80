/**
 * Who intercepts what. The hypervisor's own parts and extensions register here in the same way, at boot; what makes the
 * guest exit is set up from these lists just before it starts, and so from then on they are closed: a page that is taken
 * away while processors use it would have to be forgotten by each of them.
 */
import { panic } from "../panic.ts";
import { CopyChoice, CopyPolicy, DiskObserver } from "./disk.ts";
import { Course } from "./extension.ts";
import {
  CpuidAnswer,
  CpuidHandler,
  HypercallHandler,
  MmioMediator,
  MsrHandler,
  PciMediator,
  Periodic,
  PortMediator,
} from "./intercepts.ts";

/** How many of each kind there can be. */
const MOST: u32 = 16;
const PAGE: u64 = 4096;
/** Pages from here on are mapped by entries of 1 GiB, of which no part can be taken out. */
const MAPPED_IN_PAGES: u64 = 0x100000000;
const PORTS: u32 = 0x10000;

export class MmioRange {
  constructor(
    readonly first: u64,
    readonly end: u64,
    readonly mediator: MmioMediator,
  ) {}
}
export class PortRange {
  constructor(
    readonly first: u32,
    readonly end: u32,
    readonly mediator: PortMediator,
  ) {}
}
export class PciEntry {
  constructor(
    readonly at: u32,
    readonly mediator: PciMediator,
  ) {}
}
export class MsrEntry {
  constructor(
    readonly index: u32,
    readonly handler: MsrHandler,
  ) {}
}

export class Registry {
  readonly memory: StaticArray<MmioRange | null> = new StaticArray<MmioRange | null>(MOST);
  readonly ports: StaticArray<PortRange | null> = new StaticArray<PortRange | null>(MOST);
  readonly registers: StaticArray<MsrEntry | null> = new StaticArray<MsrEntry | null>(MOST);
  private readonly pci: StaticArray<PciEntry | null> = new StaticArray<PciEntry | null>(MOST);
  private readonly cpuid: StaticArray<CpuidHandler | null> = new StaticArray<CpuidHandler | null>(MOST);
  private readonly hypercalls: StaticArray<HypercallHandler | null> = new StaticArray<HypercallHandler | null>(MOST);
  private readonly periodic: StaticArray<Periodic | null> = new StaticArray<Periodic | null>(MOST);
  private works: u32 = 0;
  private readonly observers: StaticArray<DiskObserver | null> = new StaticArray<DiskObserver | null>(MOST);
  private watchers: u32 = 0;
  private readonly course: StaticArray<Course | null> = new StaticArray<Course | null>(MOST);
  private closed: bool = false;
  /** No intercepted memory is below, and none from `highest` on: most addresses that are asked for are RAM's. */
  private lowest: u64 = u64.MAX_VALUE;
  private highest: u64 = 0;
  /** What the guest sees of the disk that is deployed, in sectors of 512 bytes; known when extensions start. */
  diskSectors: u64 = 0;
  /** What is copied together, in sectors. */
  blockSectors: u32 = 0;
  /** The deployment's. */
  copyChoice: CopyChoice | null = null;

  // ---- to register ----

  /** Whole pages below 4 GiB, of which nobody else intercepts any. */
  interceptMemory(first: u64, bytes: u64, mediator: MmioMediator): void {
    this.checkOpen();
    const end = first + bytes;
    if (((first | bytes) & (PAGE - 1)) !== 0 || bytes === 0) panic("intercepted memory is not of whole pages");
    if (end > MAPPED_IN_PAGES || end < first) panic("intercepted memory is above 4 GiB");
    for (let i: u32 = 0; i < MOST; i++) {
      const other = this.memory[i];
      if (other !== null && first < other.end && end > other.first) panic("memory is intercepted twice");
    }
    addTo<MmioRange>(this.memory, new MmioRange(first, end, mediator));
    this.lowest = min(this.lowest, first);
    this.highest = max(this.highest, end);
  }
  /** Ports that nobody else intercepts. An access that begins at one of them is the mediator's. */
  interceptPorts(first: u32, count: u32, mediator: PortMediator): void {
    this.checkOpen();
    const end = first + count;
    if (end > PORTS || end <= first) panic("there are no such ports to intercept");
    for (let i: u32 = 0; i < MOST; i++) {
      const other = this.ports[i];
      if (other !== null && first < other.end && end > other.first) panic("a port is intercepted twice");
    }
    addTo<PortRange>(this.ports, new PortRange(first, end, mediator));
  }
  /** @param at bus, device and function as CONFIG_ADDRESS has them: `pciAddress(bus, device, fn)` */
  interceptPci(at: u32, mediator: PciMediator): void {
    this.checkOpen();
    if (this.pciAt(at) !== null) panic("a PCI function is intercepted twice");
    addTo<PciEntry>(this.pci, new PciEntry(at, mediator));
  }
  interceptMsr(index: u32, handler: MsrHandler): void {
    this.checkOpen();
    if (this.msr(index) !== null) panic("a model-specific register is intercepted twice");
    addTo<MsrEntry>(this.registers, new MsrEntry(index, handler));
  }
  /** CPUID exits always: all handlers are asked, in their order. */
  interceptCpuid(handler: CpuidHandler): void {
    addTo<CpuidHandler>(this.cpuid, handler);
  }
  /** The first that takes a hypercall has it. */
  interceptHypercalls(handler: HypercallHandler): void {
    addTo<HypercallHandler>(this.hypercalls, handler);
  }
  observeDisk(observer: DiskObserver): void {
    addTo<DiskObserver>(this.observers, observer);
    this.watchers++;
  }
  /** Who says which block is copied next, instead of whoever did so far. */
  setCopyPolicy(policy: CopyPolicy): void {
    this.copyChoice!.policy = policy;
  }
  doPeriodically(work: Periodic): void {
    addTo<Periodic>(this.periodic, work);
    this.works++;
  }
  /** Lets somebody know how things go on. Extensions are told without this. */
  tell(listener: Course): void {
    addTo<Course>(this.course, listener);
  }

  // ---- for the hypervisor ----

  /** From now on nothing more can be intercepted. */
  close(): void {
    this.closed = true;
  }
  mmioAt(address: u64): MmioRange | null {
    if (address < this.lowest || address >= this.highest) return null;
    for (let i: u32 = 0; i < MOST; i++) {
      const range = unchecked(this.memory[i]);
      if (range !== null && address >= range.first && address < range.end) return range;
    }
    return null;
  }
  portAt(port: u32): PortMediator | null {
    for (let i: u32 = 0; i < MOST; i++) {
      const range = this.ports[i];
      if (range !== null && port >= range.first && port < range.end) return range.mediator;
    }
    return null;
  }
  pciAt(at: u32): PciMediator | null {
    for (let i: u32 = 0; i < MOST; i++) {
      const entry = this.pci[i];
      if (entry !== null && entry.at === at) return entry.mediator;
    }
    return null;
  }
  msr(index: u32): MsrHandler | null {
    for (let i: u32 = 0; i < MOST; i++) {
      const entry = this.registers[i];
      if (entry !== null && entry.index === index) return entry.handler;
    }
    return null;
  }
  answerCpuid(leaf: u32, subleaf: u32, answer: CpuidAnswer): void {
    for (let i: u32 = 0; i < MOST; i++) {
      const handler = this.cpuid[i];
      if (handler !== null) handler.answer(leaf, subleaf, answer);
    }
  }
  /** A hypercall: true if somebody took it. */
  call(number: u64, argument: u64): bool {
    for (let i: u32 = 0; i < MOST; i++) {
      const handler = this.hypercalls[i];
      if (handler !== null && handler.call(number, argument)) return true;
    }
    return false;
  }
  /** When the next work is due; u64.MAX_VALUE: none is. */
  get nextDue(): u64 {
    let next = u64.MAX_VALUE;
    for (let i: u32 = 0; i < this.works; i++) next = min<u64>(next, unchecked(this.periodic[i])!.due);
    return next;
  }
  /** Does what is due, and what that makes due: a second round does for those that give each other work. */
  poll(now: u64): void {
    for (let round = 0; round < 2 && this.nextDue <= now; round++) {
      for (let i: u32 = 0; i < this.works; i++) {
        const work = unchecked(this.periodic[i])!;
        if (work.due <= now) work.poll(now);
      }
    }
  }
  /** The guest has issued a read or write to the disk. */
  diskCommand(write: bool, lba: u64, sectors: u32): void {
    for (let i: u32 = 0; i < this.watchers; i++) unchecked(this.observers[i])!.onCommand(write, lba, sectors);
  }
  /** All of the image is on the disk. */
  complete(): void {
    for (let i: u32 = 0; i < MOST; i++) {
      const one = this.course[i];
      if (one !== null) one.complete();
    }
  }
  /** The hypervisor goes. Who came last goes first: what the others have is still there for it. */
  leave(): void {
    for (let i = <i32>MOST - 1; i >= 0; i--) {
      const one = this.course[i];
      if (one !== null) one.leaving();
    }
    this.works = 0;
  }

  private checkOpen(): void {
    if (this.closed) panic("the guest runs: nothing more can be intercepted");
  }
}

/** Puts an object into the first free place of a list. */
function addTo<T>(list: StaticArray<T | null>, object: T): void {
  for (let i: u32 = 0; i < MOST; i++) {
    if (list[i] === null) {
      list[i] = object;
      return;
    }
  }
  panic("more than 16 interceptors of a kind");
}
