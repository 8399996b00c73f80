/**
 * The end of virtualization on one processor: the guest goes on where it was interrupted, outside of VMX operation, and
 * never comes back [vmm.md 12.3]. docs/devirtualization.md says how, what is exact and what is refused.
 */

import { Registers } from "../core/registers.ts";
import * as V from "../core/vmcs.ts";
import { GuestMemory } from "../emulate/memory.ts";
import { allocate, physicalOf } from "../memory.ts";
import {
  cpuid,
  in8,
  invept,
  invvpid,
  jump,
  out8,
  readCr0,
  readCr4,
  vmclear,
  vmEnter,
  vmread,
  vmwrite,
} from "../x86.ts";
import { Code } from "./code.ts";
import { IF, Interrupted, Refusal } from "./context.ts";
import {
  ALIAS,
  CS,
  DESCRIPTORS,
  DS,
  ES,
  GS,
  GUEST_GDT,
  GUEST_IDT,
  LANDING,
  LIDT,
  OWN_CODE16,
  OWN_CODE32,
  OWN_DATA32,
  OWN_GDT,
  OWN_POINTER,
  OWN_REAL,
  PAGE,
  RAX,
  RSP,
  SS,
  STACK_END,
  TARGET,
} from "./layout.ts";
import { WaysOut } from "./scrub.ts";
import { Segments } from "./segments.ts";
import { WayOutTables } from "./tables.ts";

const VMXE: u64 = 1 << 13;
const PGE: u64 = 1 << 7;
const PCIDE: u64 = 1 << 17;
const PCID: u64 = 0xfff;
const PG: u64 = 1 << 31;
const ALL_CONTEXTS: u32 = 2;
/** Activity state [SDM 3C 24.4.2]. */
const ACTIVE: u64 = 0;
const BLOCKED_BY_NMI: u64 = 8;
const MONITOR_TRAP: u32 = 1 << 27;
const EXTERNAL_EXITING: u32 = 1;
/** Instructions that are stepped over in search of one that can be left at. */
const STEPS: u32 = 64;
const ADDRESS_SIZES: u32 = 0x80000008;
const GENERAL: u32 = 16;
const GENERAL_32: u32 = 8;

/** Port 92: the gate of address line 20, and a reset. */
const FAST_A20: u32 = 0x92;
const A20_OPEN: u32 = 2;
const RESET: u32 = 1;

const PAT: u32 = 0x277;
const SYSENTER_CS: u32 = 0x174;
const DEBUGCTL: u32 = 0x1d9;
const EFER: u32 = 0xc0000080;
const FS_BASE: u32 = 0xc0000100;
const GS_BASE: u32 = 0xc0000101;

/** One processor's. To be made at boot. */
export class CastOff {
  /** How often there was each reason to refuse. */
  readonly refusals: StaticArray<u32> = new StaticArray<u32>(Refusal.INTERRUPTED + 1);
  private page: usize;
  private guest: Interrupted;
  private segments: Segments;
  private tables: WayOutTables;
  private tablesBelow: WayOutTables;
  private code: Code;
  private descriptor: usize = allocate(16, 16);
  private steps: u32 = 0;

  /**
   * @param memory the guest's, where its code is read
   * @param vmcs physical address of the processor's VMCS
   * @param lock a word of 32 bits that is set to 0 when the processor uses nothing any more that others share
   */
  constructor(
    private ways: WaysOut,
    memory: GuestMemory,
    private vmcs: u64,
    private lock: usize,
  ) {
    const page = ways.take(),
      sizes = allocate(16, 16);
    cpuid(ADDRESS_SIZES, 0, sizes);
    const guest = new Interrupted(page, load<u32>(sizes) & 0xff, memory);
    this.page = page;
    this.guest = guest;
    this.segments = guest.segments;
    this.tables = new WayOutTables(page, 0);
    this.tablesBelow = new WayOutTables(page, 1);
    this.code = new Code(page);
  }

  /**
   * After a VM exit, before anything is done about it, with the lock held: does not return if the guest can go on by itself.
   * @param last all other processors have left: nothing of the hypervisor is needed any more
   * @returns why not; then the exit that the VMCS tells of, which may be another one now, is to be handled
   */
  attempt(registers: Registers, last: bool): Refusal {
    const reason = <u32>vmread(V.EXIT_REASON);
    this.watch(false, false);
    let refusal = this.guest.load();
    if (refusal === Refusal.NONE && !this.reaches()) refusal = Refusal.SEGMENTS;
    if (refusal === Refusal.NONE) {
      if (this.blockNmis(registers)) this.leave(registers, last);
      refusal = Refusal.INTERRUPTED;
    } else this.waitFor(refusal, reason);
    this.refusals[refusal]++;
    return refusal;
  }
  /** Is the exit one that only attempts cause? There is nothing to be done about it. */
  static isOwnExit(): bool {
    const reason = <u32>vmread(V.EXIT_REASON);
    return reason === V.EXIT_EXTERNAL_INTERRUPT || reason === V.EXIT_MONITOR_TRAP;
  }

  // ---- the next attempt ----

  /** Exits before the next instruction, and when an interrupt comes. */
  private watch(steps: bool, interrupts: bool): void {
    const primary = <u32>vmread(V.PRIMARY_CONTROLS) & ~MONITOR_TRAP,
      pin = <u32>vmread(V.PIN_CONTROLS) & ~EXTERNAL_EXITING;
    vmwrite(V.PRIMARY_CONTROLS, steps ? primary | MONITOR_TRAP : primary);
    vmwrite(V.PIN_CONTROLS, interrupts ? pin | EXTERNAL_EXITING : pin);
  }
  /**
   * A program, or a processor that is halted, goes on until an interrupt takes it to the kernel; there, and where the instruction
   * is the reason, it is tried again at the next instruction.
   */
  private waitFor(refusal: Refusal, reason: u32): void {
    const interrupted = reason === V.EXIT_EXTERNAL_INTERRUPT;
    if (reason !== V.EXIT_MONITOR_TRAP) this.steps = 0;
    if (refusal === Refusal.STARTING || refusal === Refusal.MODE) return;
    if ((refusal === Refusal.USER || refusal === Refusal.HALTED) && !interrupted) {
      this.watch(false, (this.guest.rflags & IF) !== 0);
      return;
    }
    if (this.steps++ < STEPS) this.watch(true, false);
  }

  /**
   * NMIs are blocked by an entry that ends before the guest's first instruction [SDM 3C 25.5.1, 26.6.1], and stay so until
   * the guest's next IRET: one that comes on the way waits for it [27.5.5]. False if another exit came in between.
   */
  private blockNmis(registers: Registers): bool {
    const before = vmread(V.GUEST_INTERRUPTIBILITY),
      timer = vmread(V.PREEMPTION_TIMER);
    vmwrite(V.GUEST_INTERRUPTIBILITY, before | BLOCKED_BY_NMI);
    vmwrite(V.PREEMPTION_TIMER, 0);
    if (vmEnter(changetype<usize>(registers), 1) !== 0) unreachable();
    vmwrite(V.PREEMPTION_TIMER, timer);
    if (<u32>vmread(V.EXIT_REASON) === V.EXIT_PREEMPTION_TIMER) return true;
    vmwrite(V.GUEST_INTERRUPTIBILITY, before);
    return false;
  }

  // ---- the way out ----

  private get alias(): u64 {
    return ALIAS + physicalOf(this.page);
  }
  private get identity(): u64 {
    return physicalOf(this.page);
  }
  /** Does the guest leave room for the way's code in its own code segment, and in its address space? */
  private reaches(): bool {
    const guest = this.guest;
    if (guest.isLong) return isFree64(guest.landing) && isFree64(guest.linear);
    if (!guest.isProtected) return true;
    const code = this.segments.of(CS),
      last = ((this.identity - code.base) & 0xffffffff) + PAGE - 1;
    if (last > code.limit) return false;
    return !guest.isPaged || (this.isFree(guest.landing) && this.isFree(guest.linear - 1));
  }
  private isFree(linear: u64): bool {
    return linear >> 12 !== this.identity >> 12;
  }

  private leave(registers: Registers, last: bool): void {
    const guest = this.guest;
    openA20();
    this.placeTable(GUEST_GDT, V.GUEST_GDTR_LIMIT, V.GUEST_GDTR_BASE);
    this.placeTable(GUEST_IDT, V.GUEST_IDTR_LIMIT, V.GUEST_IDTR_BASE);
    this.segments.place(guest.isLong ? this.alias : this.identity);
    if (guest.isPaged) this.placeLanding();
    this.tables.mapMemory(!guest.isLong);
    if (guest.isLong) this.tables.land(guest.linear, guest.landingBytes, 4, 8);
    this.begin(last);
    if (guest.isLong) this.leaveIn64Bit(registers);
    else this.leaveDownwards(registers);
    this.go();
  }
  /** Out of VMX operation, and off everything that others share. */
  private begin(last: bool): void {
    const code = this.code;
    code.runsAt = this.alias;
    code.move(RAX, this.alias + 12);
    code.bytes2(0xff, 0xe0); // JMP RAX
    code.bytes3(0x0f, 0x01, 0xc4); // VMXOFF
    code.control(4, readCr4() & ~VMXE);
    code.control(3, this.tables.root);
    if (last) this.ways.scrub(code);
    else this.release();
  }
  /** Nothing may be read from the VMCS any more. */
  private go(): void {
    if (this.code.length > DESCRIPTORS) unreachable();
    invept(ALL_CONTEXTS, this.descriptor);
    invvpid(ALL_CONTEXTS, this.descriptor);
    vmclear(this.vmcs);
    jump(this.page, 0);
  }

  /**
   * For a processor that only INIT wakes: halts outside of VMX operation, with the lock released. Never comes back. The guest's
   * state in the VMCS is lost.
   */
  park(registers: Registers, last: bool): void {
    this.watch(false, false);
    vmwrite(V.GUEST_ACTIVITY, ACTIVE);
    while (!this.blockNmis(registers)) {} // what comes before that is an INIT or a SIPI, and no more than what is to be
    this.tables.mapMemory(false);
    this.begin(last);
    this.code.bytes3(0xf4, 0xeb, 0xfd); // HLT, again
    this.go();
  }
  private release(): void {
    this.code.move(RAX, ALIAS + physicalOf(this.lock));
    this.code.bytes2(0xc7, 0x00); // MOV dword [RAX], 0
    this.code.word32(0);
  }
  private placeTable(at: u32, limit: u32, base: u32): void {
    store<u16>(this.page + at, <u32>vmread(limit));
    store<u64>(this.page + at + 2, vmread(base));
  }
  /** The last instructions: MOV of the carrier to CR3, before it STI if the guest's interrupts are enabled. */
  private placeLanding(): void {
    const guest = this.guest,
      carrier = guest.carrier;
    let at = guest.landing;
    if (guest.enablesInterrupts) this.placeByte(at++, 0xfb);
    if (carrier > 7) this.placeByte(at++, 0x41);
    this.placeByte(at, 0x0f);
    this.placeByte(at + 1, 0x22);
    this.placeByte(at + 2, 0xd8 | (carrier & 7));
    store<u64>(this.page + TARGET, guest.rip - guest.landingBytes);
  }

  /** The page lies at two addresses if the bytes do. */
  private placeByte(linear: u64, value: u32): void {
    store<u8>(this.page + LANDING + <usize>(linear & 0xfff), value);
  }

  /** Registers that are of no mode. */
  private writeRegisters(): void {
    const code = this.code;
    for (let n: u32 = 0; n < 3; n++) {
      const field = n === 0 ? V.GUEST_SYSENTER_CS : n === 1 ? V.GUEST_SYSENTER_ESP : V.GUEST_SYSENTER_EIP;
      code.register(SYSENTER_CS + n, vmread(field));
    }
    code.register(PAT, vmread(V.GUEST_PAT));
    code.register(EFER, this.guest.efer);
    const debug = vmread(V.GUEST_DEBUGCTL);
    if (debug !== 0) code.register(DEBUGCTL, debug);
  }
  private writeGeneral(registers: Registers, count: u32): void {
    const guest = this.guest;
    for (let n: u32 = 0; n < count; n++) {
      let value = n === RSP ? vmread(V.GUEST_RSP) : load<u64>(changetype<usize>(registers) + 8 * n);
      if (guest.isPaged && n === guest.carrier) value = guest.cr3;
      this.code.move(n, value);
    }
  }

  private leaveIn64Bit(registers: Registers): void {
    const code = this.code,
      guest = this.guest,
      segments = this.segments;
    code.move(RSP, this.alias + STACK_END);
    segments.find(code, CS);
    code.farReturn(segments.of(CS).selector, this.alias, 64);
    for (let n: u32 = ES; n <= GS; n++) if (n !== CS) segments.write(code, n);
    segments.writeTask(code);
    segments.writeLdt(code);
    code.register(FS_BASE, segments.of(4).base);
    code.register(GS_BASE, segments.of(GS).base);
    this.writeRegisters();
    code.control(0, guest.cr0);
    // nothing of what was cached so far stays: not even of other PCIDs [SDM 3A 4.10.4.1]
    code.control(4, guest.cr4 ^ PGE);
    if ((guest.cr4 & PCIDE) !== 0) code.control(3, this.tables.root | (guest.cr3 & PCID));
    code.control(4, guest.cr4);
    code.debugControl(vmread(V.GUEST_DR7));
    code.descriptors(GUEST_GDT);
    code.table(LIDT, GUEST_IDT);
    code.flags(guest.rflags & ~IF);
    this.writeGeneral(registers, GENERAL);
    code.indirectJump(TARGET);
  }

  // ---- out of 64-bit code ----

  private leaveDownwards(registers: Registers): void {
    const code = this.code;
    for (let n: u32 = GENERAL_32; n < GENERAL; n++) code.move(n, load<u64>(changetype<usize>(registers) + 8 * n));
    code.move(RSP, this.identity + STACK_END);
    this.placeOwnDescriptors();
    code.descriptors(OWN_POINTER);
    code.farReturn(OWN_CODE32, this.identity, 32);
    code.segment(DS, OWN_DATA32);
    code.segment(ES, OWN_DATA32);
    code.segment(SS, OWN_DATA32);
    code.control(0, readCr0() & ~PG); // leaves IA-32e mode
    this.writeRegisters();
    if (this.guest.isProtected) this.leaveInProtectedMode(registers);
    else this.leaveInRealMode(registers);
  }
  private placeOwnDescriptors(): void {
    const gdt = this.page + OWN_GDT,
      base = <u32>this.identity,
      code = this.segments.of(CS);
    store<u64>(gdt + OWN_CODE32, 0x00cf9b000000ffff);
    store<u64>(gdt + OWN_DATA32, 0x00cf93000000ffff);
    store<u64>(gdt + OWN_CODE16, code.descriptor(0x9b, base));
    for (let n: u32 = ES; n <= GS; n++) {
      const segment = this.segments.of(n);
      // the stack is the way's own until the flags are loaded
      store<u64>(gdt + OWN_REAL + 8 * n, segment.descriptor(segment.rights, n === SS ? base : <u32>segment.base));
    }
    store<u16>(this.page + OWN_POINTER, OWN_POINTER - OWN_GDT - 1);
    store<u64>(this.page + OWN_POINTER + 2, this.identity + OWN_GDT);
  }

  private leaveInProtectedMode(registers: Registers): void {
    const code = this.code,
      guest = this.guest,
      segments = this.segments;
    let root = guest.cr3;
    if (guest.isPaged) root = this.mapBelow();
    code.control(3, root);
    code.control(4, guest.cr4 ^ PGE);
    code.control(0, guest.cr0);
    code.control(4, guest.cr4);
    code.debugControl(vmread(V.GUEST_DR7));
    segments.writeTask(code);
    segments.find(code, CS);
    code.farJump(segments.of(CS).selector, segments.of(CS).base, guest.bits);
    code.flags(guest.rflags & ~IF);
    for (let n: u32 = ES; n <= GS; n++) if (n !== CS) segments.write(code, n);
    segments.writeLdt(code);
    code.descriptors(GUEST_GDT);
    code.table(LIDT, GUEST_IDT);
    this.writeGeneral(registers, GENERAL_32);
    if (guest.isPaged) code.nearJump(<u32>(guest.rip - guest.landingBytes));
    else {
      if (guest.enablesInterrupts) code.bytes1(0xfb); // STI
      code.nearJump(<u32>guest.rip);
    }
  }

  /** Tables for a guest with PAE or 32-bit paging. */
  private mapBelow(): u64 {
    const guest = this.guest,
      levels: u32 = guest.isPae ? 3 : 2,
      entryBytes: u32 = guest.isPae ? 8 : 4;
    this.tablesBelow.mapCode(levels, entryBytes);
    this.tablesBelow.land(guest.linear, guest.landingBytes, levels, entryBytes);
    return this.tablesBelow.root;
  }

  private leaveInRealMode(registers: Registers): void {
    const code = this.code,
      guest = this.guest,
      segments = this.segments;
    segments.writeTask(code);
    segments.writeLdt(code);
    code.descriptors(OWN_POINTER);
    code.control(3, guest.cr3);
    code.control(4, guest.cr4);
    code.debugControl(vmread(V.GUEST_DR7));
    code.farJump(OWN_CODE16, this.identity, 16);
    for (let n: u32 = ES; n <= GS; n++) if (n !== CS) code.segment(n, OWN_REAL + 8 * n); // limits that real mode keeps
    code.move(RSP, STACK_END);
    code.control(0, guest.cr0);
    code.descriptors(GUEST_GDT);
    code.table(LIDT, GUEST_IDT);
    code.flags(guest.rflags & ~IF);
    for (let n: u32 = ES; n <= GS; n++) if (n !== CS) code.segment(n, segments.of(n).selector);
    this.writeGeneral(registers, GENERAL_32);
    if (guest.enablesInterrupts) code.bytes1(0xfb); // STI
    code.realJump(segments.of(CS).selector, <u32>guest.rip);
  }
}

/** VMX operation ignores the gate, the way out must not meet it [SDM 3C 23.8]. */
function openA20(): void {
  const value = in8(FAST_A20);
  if ((value & A20_OPEN) === 0) out8(FAST_A20, (value | A20_OPEN) & ~RESET);
}
/** The hypervisor's map of physical memory has an entry of the PML4 to itself. */
function isFree64(linear: u64): bool {
  return ((linear >> 39) & 511) !== ALIAS >> 39;
}
