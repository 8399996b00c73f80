/** The interrupted guest, as the VMCS tells of it when an exit has come: whether a processor without VMX could be it. */

import { isDelivering, isInjecting } from "../core/events.ts";
import * as V from "../core/vmcs.ts";
import { EFER_LMA, GuestContext } from "../emulate/guest.ts";
import { GuestMemory } from "../emulate/memory.ts";
import { Access, Translation, Walker } from "../emulate/walk.ts";
import { readDr0, readDr1, readDr2, readDr3, vmread } from "../x86.ts";
import { CARRIER_BYTES, carrierOf } from "./carrier.ts";
import { CS } from "./layout.ts";
import { Segments } from "./segments.ts";

const PE: u64 = 1;
const PG: u64 = 1 << 31;
const PAE: u64 = 1 << 5;
/** Bits of CR4 that the way out knows what to do about: not LA57, CET, FRED. */
const KNOWN_CR4: u64 = 0x776fff;
/** TF, RF, VIF, VIP: what cannot be loaded, or not without an effect on the way. */
const HELD_FLAGS: u64 = (1 << 8) | (1 << 16) | (1 << 19) | (1 << 20);
const VM: u64 = 1 << 17;
export const IF: u64 = 1 << 9;
const SHADOWS: u64 = 7;
const HALTED: u64 = 1;
const GUEST_PHYSICAL_32: u64 = 0xffffffff;

/** Why a guest goes on as a guest. */
export enum Refusal {
  NONE,
  /** An event is being delivered, is to be injected, or waits for the shadow of STI or MOV SS to end. */
  EVENT,
  /** It runs at another privilege level than 0. */
  USER,
  /** It is halted, and is to be woken by what it waits for. */
  HALTED,
  /** A single step, or another flag that cannot be loaded. */
  FLAGS,
  /** Its segment registers have what no descriptor gives them, as between a change of mode and the jump after it. */
  SEGMENTS,
  /** Its next instruction leaves no register free for the way. */
  INSTRUCTION,
  /** What no way leads to: five levels of tables, CET, 32-bit code at level 0 of a 64-bit system, tables that have changed. */
  MODE,
  /** INIT or SIPI, or the processor waits for one. */
  STARTING,
  /** Something else came in the last moment. */
  INTERRUPTED,
}

export class Interrupted {
  readonly segments: Segments;
  cr0: u64 = 0;
  cr3: u64 = 0;
  cr4: u64 = 0;
  efer: u64 = 0;
  rip: u64 = 0;
  rflags: u64 = 0;
  /** The register that takes CR3 along, where there is paging. */
  carrier: u32 = 0;
  private context: GuestContext;
  private walker: Walker;
  private code: usize = heap.alloc(CARRIER_BYTES);

  constructor(
    page: usize,
    physicalBits: u32,
    private memory: GuestMemory,
  ) {
    const context = new GuestContext();
    this.segments = new Segments(page);
    this.context = context;
    this.walker = new Walker(context, memory);
    context.physicalBits = physicalBits;
  }

  get isProtected(): bool {
    return (this.cr0 & PE) !== 0;
  }
  get isPaged(): bool {
    return (this.cr0 & PG) !== 0;
  }
  get isPae(): bool {
    return (this.cr4 & PAE) !== 0;
  }
  /** IA-32e mode. */
  get isLong(): bool {
    return (this.efer & EFER_LMA) !== 0;
  }
  /** Size of its code. */
  get bits(): u32 {
    const code = this.segments.of(CS);
    return this.isLong && code.isLong ? 64 : code.isBig ? 32 : 16;
  }
  /** Of its next instruction. */
  get linear(): u64 {
    return this.bits === 64 ? this.rip : (this.segments.of(CS).base + this.rip) & 0xffffffff;
  }

  /** Reads the VMCS; says what speaks against going on without it. */
  load(): Refusal {
    this.segments.load();
    const mask0 = vmread(V.CR0_MASK),
      mask4 = vmread(V.CR4_MASK);
    this.cr0 = (vmread(V.GUEST_CR0) & ~mask0) | (vmread(V.CR0_SHADOW) & mask0);
    this.cr4 = (vmread(V.GUEST_CR4) & ~mask4) | (vmread(V.CR4_SHADOW) & mask4);
    this.cr3 = vmread(V.GUEST_CR3);
    this.efer = vmread(V.GUEST_EFER);
    this.rip = vmread(V.GUEST_RIP);
    this.rflags = vmread(V.GUEST_RFLAGS);
    const refusal = this.refusesActivity();
    if (refusal !== Refusal.NONE) return refusal;
    return this.isProtected ? this.refusesProtected() : this.refusesReal();
  }

  private refusesActivity(): Refusal {
    const reason = <u32>vmread(V.EXIT_REASON),
      activity = vmread(V.GUEST_ACTIVITY);
    if (activity > HALTED || reason === V.EXIT_INIT || reason === V.EXIT_SIPI) return Refusal.STARTING;
    if (reason === V.EXIT_TRIPLE_FAULT || (reason & V.ENTRY_FAILED) !== 0) return Refusal.STARTING;
    if (isInjecting() || isDelivering() || (vmread(V.GUEST_INTERRUPTIBILITY) & SHADOWS) !== 0) return Refusal.EVENT;
    if (vmread(V.GUEST_PENDING_DEBUG) !== 0) return Refusal.EVENT;
    if (activity === HALTED) return Refusal.HALTED;
    if ((this.rflags & VM) !== 0 || (this.isProtected && this.segments.cpl !== 0)) return Refusal.USER;
    return (this.rflags & HELD_FLAGS) !== 0 ? Refusal.FLAGS : Refusal.NONE;
  }
  private refusesReal(): Refusal {
    if (this.cr3 > GUEST_PHYSICAL_32) return Refusal.MODE;
    return this.segments.areReal() && this.segments.areSystemLoadable() ? Refusal.NONE : Refusal.SEGMENTS;
  }
  private refusesProtected(): Refusal {
    if (!this.segments.areLoadable()) return Refusal.SEGMENTS;
    if ((this.cr4 & ~KNOWN_CR4) !== 0 || (this.isLong && this.bits !== 64)) return Refusal.MODE;
    if (!this.isLong && this.cr3 > GUEST_PHYSICAL_32) return Refusal.MODE;
    if (!this.isPaged) return Refusal.NONE;
    if (!this.isLong && this.isPae && !this.tablesAreLoaded()) return Refusal.MODE;
    return this.findsCarrier() ? Refusal.NONE : Refusal.INSTRUCTION;
  }
  /** The four entries that PAE paging holds in registers are those in memory: CR3 will be loaded again. */
  private tablesAreLoaded(): bool {
    const table = this.cr3 & 0xffffffe0;
    for (let i: u32 = 0; i < 4; i++)
      if (this.memory.entry64(table + 8 * i) !== vmread(V.GUEST_PDPTE0 + 2 * i)) return false;
    return true;
  }

  private findsCarrier(): bool {
    const context = this.context;
    context.cr0 = this.cr0;
    context.cr3 = this.cr3;
    context.cr4 = this.cr4;
    context.efer = this.efer;
    if (this.isPae && !this.isLong) for (let i: u32 = 0; i < 4; i++) context.pdptes[i] = vmread(V.GUEST_PDPTE0 + 2 * i);
    this.fetch();
    const carrier = carrierOf(this.code, this.bits);
    this.carrier = carrier;
    return carrier >= 0 && !this.isWatched();
  }
  /** The next instruction's first bytes, as far as they can be fetched; zeros follow, of which no carrier is made. */
  private fetch(): void {
    for (let i: u32 = 0; i < CARRIER_BYTES; i++) store<u8>(this.code + i, 0);
    for (let i: u32 = 0; i < CARRIER_BYTES; i++) {
      if (this.walker.translate(this.linear + i, Access.EXECUTE, false, false) !== Translation.OK) return;
      store<u8>(this.code + i, this.memory.codeByte(this.walker.physical));
    }
  }
  /** Length of what lies before the next instruction in the landing page: STI, and MOV to CR3. */
  get landingBytes(): u32 {
    return 3 + (this.carrier > 7 ? 1 : 0) + (this.enablesInterrupts ? 1 : 0);
  }
  /** Where that begins. */
  get landing(): u64 {
    return this.linear - this.landingBytes;
  }
  get enablesInterrupts(): bool {
    return (this.rflags & IF) !== 0;
  }
  /** A breakpoint that the guest has there would be met on the way. */
  private isWatched(): bool {
    const dr7 = vmread(V.GUEST_DR7),
      first = this.landing;
    for (let n: u64 = 0; n < 4; n++) {
      const distance = breakpoint(<u32>n) - first;
      if (((dr7 >> (2 * n)) & 3) !== 0 && distance < <u64>this.landingBytes) return true;
    }
    return false;
  }
}
function breakpoint(n: u32): u64 {
  return n === 0 ? readDr0() : n === 1 ? readDr1() : n === 2 ? readDr2() : readDr3();
}
