/**
 * What an extension intercepts, and the hypervisor's own parts too: registers in memory, ports, PCI configuration,
 * CPUID, model-specific registers, hypercalls; and work that is done now and then. Each is a class with one or two methods;
 * objects are made at boot and registered with the {@link Registry}, before the guest runs.
 *
 * All methods are called under the hypervisor's one lock, with the guest's processor stopped at the instruction.
 */

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
/** Configuration registers of one PCI function. An access of 1, 2 or 4 `bytes` lies within the four at `offset & ~3`. */
export abstract class PciMediator {
  abstract read(offset: u32, bytes: u32): u32;
  abstract write(offset: u32, bytes: u32, value: u32): void;
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
/** Work that is done when it is due, the first time immediately before the guest's first instruction. */
export abstract class Periodic {
  /**
   * Time at which it wants to be polled next, in ticks of the time-stamp counter; u64.MAX_VALUE: never. Whoever gives it
   * something to do sets it to 0, a mediator for instance: then it is polled before the guest goes on.
   */
  due: u64 = 0;
  /** Takes bounded time, and sets {@link due} anew. */
  abstract poll(now: u64): void;
}
