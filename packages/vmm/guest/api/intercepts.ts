/**
 * What an extension intercepts, and the hypervisor's own parts too: registers in memory, ports, PCI configuration,
 * CPUID, model-specific registers, hypercalls; and work that is done now and then. Each is a class with one or two methods;
 * objects are made and registered at boot, before the guest runs.
 *
 * All methods are called under the hypervisor's one lock, with the guest's processor stopped at the instruction.
 */
import { panic } from "../panic.ts";

/** Registers in memory, a whole number of pages. `bytes` is 1, 2, 4 or 8; values are zero-extended. */
export abstract class MmioMediator {
  abstract read(address: u64, bytes: u32): u64;
  abstract write(address: u64, bytes: u32, value: u64): void;
}
/** Ports. `bytes` is 1, 2 or 4. */
export abstract class PortMediator {
  abstract read(port: u32, bytes: u32): u32;
  abstract write(port: u32, bytes: u32, value: u32): void;
}
/** Answers of CPUID. */
@unmanaged
export class CpuidAnswer {
  eax: u32;
  ebx: u32;
  ecx: u32;
  edx: u32;
}
export abstract class CpuidHandler {
  /** May change what the processor answers for a leaf. */
  abstract answer(leaf: u32, subleaf: u32, answer: CpuidAnswer): void;
}
/** One register. False: the guest gets #GP(0). */
export abstract class MsrHandler {
  /** The value read; valid if `read` returned true. */
  value: u64 = 0;
  abstract read(index: u32): bool;
  abstract write(index: u32, value: u64): bool;
}
/** VMCALL by the guest: RAX is the number. False: not mine. */
export abstract class HypercallHandler {
  abstract call(number: u64, argument: u64): bool;
}
/** Work that is done whenever the hypervisor has a processor, and at least when {@link Periodic.due} says. */
export abstract class Periodic {
  /** Time at which it wants to be polled next, in ticks of the time-stamp counter; u64.MAX_VALUE: when it happens. */
  due: u64 = 0;
  /** Takes bounded time. */
  abstract poll(now: u64): void;
}

/** How many of each kind there can be. */
const MOST: u32 = 16;

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
export class MsrEntry {
  constructor(
    readonly index: u32,
    readonly handler: MsrHandler,
  ) {}
}

/** What is registered. */
export class Registry {
  readonly memory: StaticArray<MmioRange | null> = new StaticArray<MmioRange | null>(MOST);
  readonly ports: StaticArray<PortRange | null> = new StaticArray<PortRange | null>(MOST);
  readonly registers: StaticArray<MsrEntry | null> = new StaticArray<MsrEntry | null>(MOST);
  readonly cpuid: StaticArray<CpuidHandler | null> = new StaticArray<CpuidHandler | null>(MOST);
  readonly hypercalls: StaticArray<HypercallHandler | null> = new StaticArray<HypercallHandler | null>(MOST);
  readonly periodic: StaticArray<Periodic | null> = new StaticArray<Periodic | null>(MOST);

  mmioAt(address: u64): MmioRange | null {
    for (let i: u32 = 0; i < MOST; i++) {
      const range = this.memory[i];
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
    for (let i: u32 = 0; i < MOST; i++) {
      const work = this.periodic[i];
      if (work !== null && work.due < next) next = work.due;
    }
    return next;
  }
  poll(now: u64): void {
    for (let i: u32 = 0; i < MOST; i++) {
      const work = this.periodic[i];
      if (work !== null) work.poll(now);
    }
  }
}
/** Puts an object into the first free place of a list. */
export function addTo<T>(list: StaticArray<T | null>, object: T): void {
  for (let i: u32 = 0; i < MOST; i++) {
    if (list[i] === null) {
      list[i] = object;
      return;
    }
  }
  panic("more than 16 interceptors of a kind");
}
