/**
 * EPT violations: the guest accessed registers that somebody mediates, or the hypervisor's own memory, which reads as zeros
 * and takes no writes (R2.7, R4.3, R4.4). The instruction is emulated.
 */
import { MmioRange, Registry } from "../api/registry.ts";
import { Emulator, Outcome } from "../emulate/emulate.ts";
import { CS, EFER_LMA, FS, GS, GuestContext, GuestRegisters, SEGMENT_LONG, SS } from "../emulate/guest.ts";
import { describe, Refusal } from "../emulate/instruction.ts";
import { GuestMemory } from "../emulate/memory.ts";
import { Exception, NOTHING, PAGE_FAULT } from "../emulate/operand.ts";
import { Access } from "../emulate/walk.ts";
import { cpuid, vmread, vmwrite, writeCr2 } from "../x86.ts";
import { injectException, injectExceptionWithCode, isDelivering, isDoubleFault, VECTOR_DF } from "./events.ts";
import { refuse, resetMachine } from "./refusals.ts";
import { Registers } from "./registers.ts";
import * as V from "./vmcs.ts";

/** Of an EPT violation's qualification [SDM 3C table 27-7]: an instruction was fetched. */
const FETCH: u64 = 4;
const CR4_PAE: u64 = 0x20;
const TF: u64 = 0x100;
const SHADOWS: u64 = 3;
/** Pending debug exceptions: a single step is over [SDM 3C 24.4.2]. */
const SINGLE_STEP: u64 = 1 << 14;
const SEGMENTS: u32 = 6;
/** Exit qualification: kinds of access; a linear address is valid, and the access was to its translation [SDM 3C table 27-7]. */
const WRITES: u32 = 1 << 1;
const TRANSLATED: u32 = (1 << 7) | (1 << 8);
/** An instruction that still does not lead to where the processor said is not understood. */
const MOST_RETRIES: u32 = 1000;
const ADDRESS_SIZES: u32 = 0x80000008;
/** Exceptions that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC [SDM 3A 6.15]. */
const WITH_CODE: u32 = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);

/** Memory as the guest's instructions have it: mediators answer where there are any. */
export class MediatedMemory extends GuestMemory {
  private registry: Registry;
  private last: MmioRange | null = null;

  constructor(registry: Registry, hiddenFirst: u64, hiddenEnd: u64, reach: u64) {
    super(hiddenFirst, hiddenEnd, reach);
    this.registry = registry;
  }
  isMediated(address: u64): bool {
    const range = this.registry.mmioAt(address);
    this.last = range;
    return range !== null;
  }
  /** After `isMediated` said so. */
  readRegister(address: u64, bytes: u32): u64 {
    return this.last!.mediator.read(address, bytes);
  }
  writeRegister(address: u64, bytes: u32, value: u64): void {
    this.last!.mediator.write(address, bytes, value);
  }
}

export class MemoryExits {
  readonly memory: MediatedMemory;
  readonly context: GuestContext;
  readonly registers: GuestRegisters;
  private emulator: Emulator;
  /** How often the guest has been sent back in a row: its page tables had changed under the instruction. */
  private retries: u32 = 0;

  /** @param reach the first physical address that is not mapped here */
  constructor(registry: Registry, hiddenFirst: u64, hiddenEnd: u64, reach: u64) {
    const context = new GuestContext(),
      guest = new GuestRegisters(0),
      seen = new MediatedMemory(registry, hiddenFirst, hiddenEnd, reach);
    this.context = context;
    this.registers = guest;
    this.memory = seen;
    this.emulator = new Emulator(context, guest, seen);
    const sizes = heap.alloc(16);
    cpuid(ADDRESS_SIZES, 0, sizes);
    this.context.physicalBits = load<u32>(sizes) & 0xff;
  }

  /** What is not emulated is refused: the guest gets an exception. */
  handle(registers: Registers): void {
    if (isDelivering()) {
      this.refuseDelivery();
      return;
    }
    if ((vmread(V.EXIT_QUALIFICATION) & FETCH) !== 0) {
      refuse("code in a device's registers");
      return;
    }
    this.take(registers);
    const outcome = this.emulator.emulate(
      vmread(V.GUEST_PHYSICAL_ADDRESS),
      vmread(V.GUEST_LINEAR_ADDRESS),
      accessOf(<u32>vmread(V.EXIT_QUALIFICATION)),
    );
    if (outcome === Outcome.REFUSED) {
      if (this.emulator.refusal === Refusal.ELSEWHERE && ++this.retries < MOST_RETRIES) return;
      this.retries = 0;
      refuse(describe(this.emulator.refusal));
      return;
    }
    this.retries = 0;
    if (outcome === Outcome.EXCEPTION) this.raise(this.emulator.exception);
    else this.giveBack();
  }

  /** A stack or a descriptor table is in registers, or in the hypervisor's memory: as if it were not writable there. */
  private refuseDelivery(): void {
    if (isDoubleFault()) resetMachine("a double fault cannot be delivered");
    else injectExceptionWithCode(VECTOR_DF, 0);
  }

  /** The guest as it was interrupted. General registers stay where they are: what is done is done to the processor's own. */
  take(registers: Registers): void {
    const context = this.context,
      guest = this.registers;
    guest.general = changetype<usize>(registers);
    guest.set(4, 8, vmread(V.GUEST_RSP));
    guest.rip = vmread(V.GUEST_RIP);
    guest.rflags = vmread(V.GUEST_RFLAGS);
    context.cr0 = vmread(V.GUEST_CR0);
    context.cr3 = vmread(V.GUEST_CR3);
    context.cr4 = vmread(V.GUEST_CR4);
    context.efer = vmread(V.GUEST_EFER);
    if ((context.cr4 & CR4_PAE) !== 0 && (context.efer & EFER_LMA) === 0)
      for (let i: u32 = 0; i < 4; i++) context.pdptes[i] = vmread(V.GUEST_PDPTE0 + 2 * i);
    guest.segment(CS).rights = <u32>vmread(V.GUEST_ES_ACCESS + 2 * CS);
    guest.segment(SS).rights = <u32>vmread(V.GUEST_ES_ACCESS + 2 * SS);
    if ((context.efer & EFER_LMA) !== 0 && (guest.segment(CS).rights & SEGMENT_LONG) !== 0) this.takeBases();
    else this.takeSegments();
  }
  /** In 64-bit mode nothing else of segments counts [SDM 1 3.4.2.1]. */
  private takeBases(): void {
    const guest = this.registers;
    guest.segment(FS).base = vmread(V.GUEST_ES_BASE + 2 * FS);
    guest.segment(GS).base = vmread(V.GUEST_ES_BASE + 2 * GS);
  }
  private takeSegments(): void {
    for (let n: u32 = 0; n < SEGMENTS; n++) {
      const segment = this.registers.segment(n);
      segment.base = vmread(V.GUEST_ES_BASE + 2 * n);
      segment.limit = <u32>vmread(V.GUEST_ES_LIMIT + 2 * n);
      segment.rights = <u32>vmread(V.GUEST_ES_ACCESS + 2 * n);
    }
  }

  /** What an instruction has changed of it. */
  giveBack(): void {
    const guest = this.registers;
    vmwrite(V.GUEST_RSP, guest.get(4));
    vmwrite(V.GUEST_RIP, guest.rip);
    vmwrite(V.GUEST_RFLAGS, guest.rflags);
    const blocking = vmread(V.GUEST_INTERRUPTIBILITY);
    if ((blocking & SHADOWS) !== 0) vmwrite(V.GUEST_INTERRUPTIBILITY, blocking & ~SHADOWS);
    if ((guest.rflags & TF) !== 0) vmwrite(V.GUEST_PENDING_DEBUG, vmread(V.GUEST_PENDING_DEBUG) | SINGLE_STEP);
  }

  raise(exception: Exception): void {
    if (exception.vector === PAGE_FAULT) writeCr2(exception.address);
    if (((WITH_CODE >> exception.vector) & 1) !== 0) injectExceptionWithCode(exception.vector, exception.errorCode);
    else injectException(exception.vector);
  }
}

function accessOf(qualification: u32): u32 {
  if ((qualification & TRANSLATED) !== TRANSLATED) return NOTHING;
  return (qualification & WRITES) !== 0 ? Access.WRITE : Access.READ;
}
