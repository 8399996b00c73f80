/**
 * Memory as one processor sees it through its TLB: the path that every access takes in the evaluator and in helpers,
 * and that emitted code takes when its fast path misses (TLB miss, page crossing, device, decoded code, watchpoint).
 *
 * Faults are values here: `false` means that `fault` holds a page fault, or a guest's VM exit, and nothing was accessed.
 */
import { type Fault, VECTORS } from "./exceptions.ts";
import { AC } from "./flags.ts";
import { CR0_WP, CR4_SMAP, CR4_SMEP, type Nested, type Request, Walker } from "./paging.ts";
import { type MmioHandler, PAGE, type PhysicalMemory } from "./physical.ts";
import { S } from "./state.ts";
import {
  type Access,
  APIC_ACCESS,
  contextOf,
  ENTRY,
  EXECUTE,
  READ,
  SMAP_CHECKED,
  SMEP_CHECKED,
  Tlb,
  USER,
  WRITE,
  WRITE_PROTECT,
} from "./tlb.ts";

/** With whose rights an access is made: the current privilege level's, or the supervisor's (descriptor tables, TSS). */
export type Rights = "current" | "supervisor";

/** What a guest finds at the APIC-access page, see vmx/apic-access.ts. */
export interface VirtualApic {
  /** Number of that page. */
  readonly page: number;
  /** May data be accessed there? If not, the VM exit is in the fault. */
  admits(offset: number, bytes: number, write: boolean): boolean;
  /** An access that is admitted. */
  read(bytes: number, into: number): void;
  write(from: number): void;
  /** An instruction is fetched there: makes the fault the VM exit of that. */
  fetch(offset: number): void;
}

export class MemoryAccess {
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb;
  readonly walker: Walker;
  readonly fault: Fault;
  /** What answers at `tlb.localPage`. */
  #local: MmioHandler | null = null;
  /** While a guest runs whose accesses to an APIC are virtualized. */
  virtualApic: VirtualApic | null = null;
  /** Called for data accesses while data breakpoints are armed; see debug.ts. */
  watch: ((linear: number, bytes: number, write: boolean) => void) | null = null;
  /** Called for every data access while a debugger's watchpoints are armed; see host-debug.ts. */
  touched: ((linear: number, bytes: number, write: boolean) => void) | null = null;
  /** True while CR0.AM, AC and CPL 3 ask for alignment checks. */
  checkAlignment = false;
  /** Charged by the cost model: called with the number of page-table accesses of a walk, and for each device access. */
  onWalk: (steps: number) => void = () => {};
  onDevice: () => void = () => {};
  /** Called after each device access: the device may have armed a timer. */
  afterDevice: () => void = () => {};
  readonly #request: Request = { access: READ, user: false, writeProtect: false, smap: false, smep: false };

  constructor(memory: PhysicalMemory, cpu: number, fault: Fault) {
    this.memory = memory;
    this.tlb = new Tlb(memory, cpu);
    this.walker = new Walker(memory);
    this.fault = fault;
  }

  /** The translation of guest-physical addresses, while a guest runs that has one. */
  get nested(): Nested | null {
    return this.walker.nested;
  }
  set nested(nested: Nested | null) {
    this.walker.nested = nested;
  }

  /** This processor's local APIC is at this physical page; -1: nowhere. */
  setLocalPage(page: number, handler: MmioHandler): void {
    this.#local = handler;
    if (page === this.tlb.localPage) return;
    this.tlb.localPage = page;
    this.tlb.refreshHosts();
  }

  /** Context of accesses with these rights, see tlb.ts. */
  context(access: Access, rights: Rights): number {
    const { u32 } = this.memory,
      user = rights === "current" && u32[S.CPL >> 2] === 3 ? USER : 0,
      cr4 = u32[S.CR4 >> 2]!;
    if (access === EXECUTE) return contextOf(this.tlb.group, user | (cr4 & CR4_SMEP ? SMEP_CHECKED : 0));
    const wp = u32[S.CR0 >> 2]! & CR0_WP ? WRITE_PROTECT : 0;
    const override = rights === "current" && (u32[S.FLAGS >> 2]! & AC) !== 0;
    return contextOf(this.tlb.group, user | wp | (cr4 & CR4_SMAP && !user && !override ? SMAP_CHECKED : 0));
  }

  /** Address of the TLB entry for a page, filled if need be; 0 after a fault or VM exit. */
  look(access: Access, linear: number, rights: Rights): number {
    const { tlb } = this,
      context = this.context(access, rights),
      entry = tlb.entry(access, linear);
    if (tlb.hit(entry, linear, context) || tlb.adopt(entry, linear, context)) return entry;
    const r = this.#request;
    r.access = access;
    r.user = ((context >> 1) & USER) !== 0;
    r.writeProtect = ((context >> 1) & WRITE_PROTECT) !== 0;
    r.smap = access !== EXECUTE && ((context >> 1) & SMAP_CHECKED) !== 0;
    r.smep = access === EXECUTE && ((context >> 1) & SMEP_CHECKED) !== 0;
    const found = this.walker.walk(linear, r);
    this.onWalk(this.walker.steps);
    if (!found) return this.walker.exits ? this.#leave(linear) : this.#pageFault(linear, this.walker.code);
    const { page, flags } = this.walker,
      apic = page === this.virtualApic?.page;
    if (apic && access === EXECUTE) {
      this.virtualApic!.fetch(linear & (PAGE - 1));
      return 0;
    }
    return tlb.fill(access, linear, context, page, apic ? flags | APIC_ACCESS : flags);
  }
  /** The second translation refused: as after a page fault, what is cached of the address goes [SDM 3C 28.3.3.1]. */
  #leave(linear: number): 0 {
    this.tlb.forgetFaulted(linear);
    this.nested!.leave(linear, this.fault);
    return 0;
  }
  /** Physical address of PDPTEs that are to be loaded into their registers; -1 after a VM exit. */
  placePdptes(address: number): number {
    const { nested, fault } = this;
    if (nested === null) return address;
    const found = nested.final(address, READ);
    this.onWalk(nested.steps);
    if (found) return nested.page * PAGE + (address & (PAGE - 1));
    nested.leave(null, fault);
    return -1;
  }
  /** What is cached of the address is invalidated: it may allow other accesses than this one [SDM 3A 4.10.4.1]. */
  #pageFault(linear: number, code: number): 0 {
    this.tlb.forgetFaulted(linear);
    this.fault.vector = VECTORS.PF;
    this.fault.code = code;
    this.fault.addressLow = linear >>> 0;
    this.fault.addressHigh = Math.floor(linear / 2 ** 32) >>> 0;
    return 0;
  }
  #misaligned(linear: number, bytes: number): boolean {
    const unit = bytes === 16 ? 16 : Math.min(bytes, 8); // 80-bit numbers by 8 [SDM 3A table 6-7]
    if (!this.checkAlignment || bytes === 1 || linear % unit === 0) return false;
    this.fault.vector = VECTORS.AC;
    this.fault.code = 0;
    return true;
  }

  /** Reads 1 to 16 bytes to address `into` of the WebAssembly memory (zero-extended to 8, or to 16 if more than 8). */
  load(linear: number, bytes: number, into: number, rights: Rights = "current"): boolean {
    if (rights === "current" && this.#misaligned(linear, bytes)) return false;
    const inPage = PAGE - (linear & (PAGE - 1)),
      first = this.look(READ, linear, rights);
    if (first === 0) return false;
    let second = 0;
    if (bytes > inPage && (second = this.look(READ, this.#nextPage(linear), rights)) === 0) return false;
    const virtual = this.virtualApic !== null && this.#isVirtual(first, second);
    if (virtual && !this.#admits(first, linear, bytes, false)) return false;
    const { u8, i32 } = this.memory;
    i32[into >> 2] = 0;
    i32[(into >> 2) + 1] = 0;
    if (bytes > 8) {
      i32[(into >> 2) + 2] = 0;
      i32[(into >> 2) + 3] = 0;
    }
    const n = Math.min(bytes, inPage),
      offset = linear & (PAGE - 1);
    if (virtual) this.virtualApic!.read(n, into);
    else this.#loadPage(first, offset, n, into, u8);
    if (second !== 0) this.#loadPage(second, 0, bytes - n, into + n, u8);
    if (this.watch !== null && rights === "current") this.watch(linear, bytes, false);
    if (this.touched !== null) this.touched(linear, bytes, false);
    return true;
  }
  /** The read of a read-modify-write: faults as the write will, and fills only write entries. */
  loadForWrite(linear: number, bytes: number, into: number): boolean {
    if (!this.probeWrite(linear, bytes)) return false;
    const { memory, tlb } = this,
      inPage = PAGE - (linear & (PAGE - 1)),
      n = Math.min(bytes, inPage);
    memory.i32[into >> 2] = 0;
    memory.i32[(into >> 2) + 1] = 0;
    if (bytes > 8) {
      memory.i32[(into >> 2) + 2] = 0;
      memory.i32[(into >> 2) + 3] = 0;
    }
    const first = tlb.entry(WRITE, linear);
    if (this.virtualApic !== null && this.#isVirtual(first, 0)) this.virtualApic.read(n, into);
    else this.#loadPhysical(first, linear & (PAGE - 1), n, into);
    if (n < bytes) this.#loadPhysical(tlb.entry(WRITE, this.#nextPage(linear)), 0, bytes - n, into + n);
    if (this.touched !== null) this.touched(linear, bytes, false);
    return true;
  }
  /** Through a write entry, but from where reads of that page go. */
  #loadPhysical(entry: number, offset: number, bytes: number, into: number): void {
    const page = this.memory.u32[(entry + ENTRY.page) >> 2]!,
      host = page < 1 << 20 && page !== this.tlb.localPage ? this.memory.readHost[page]! : 0;
    if (host === 0) this.#loadDevice(entry, offset, bytes, into);
    else this.memory.u8.copyWithin(into, host + offset, host + offset + bytes);
  }
  #nextPage(linear: number): number {
    const next = linear - (linear & (PAGE - 1)) + PAGE;
    return this.memory.u32[S.LINEAR_MASK >> 2] === 0xffffffff && this.memory.u32[(S.LINEAR_MASK >> 2) + 1] === 0
      ? next % 2 ** 32
      : next;
  }
  #loadPage(entry: number, offset: number, bytes: number, into: number, u8: Uint8Array): void {
    const host = this.memory.u32[(entry + ENTRY.host) >> 2]!;
    if (host !== 0) for (let i = 0; i < bytes; i++) u8[into + i] = u8[host + offset + i]!;
    else this.#loadDevice(entry, offset, bytes, into);
  }
  #loadDevice(entry: number, offset: number, bytes: number, into: number): void {
    const { u8 } = this.memory;
    this.#device(entry, offset, bytes, (handler, address, n, done) => {
      const value = handler.read(address, n);
      for (let i = 0; i < n; i++) u8[into + done + i] = value >>> (8 * i);
    });
  }

  /** Writes 1 to 16 bytes from address `from` of the WebAssembly memory. */
  store(linear: number, bytes: number, from: number, rights: Rights = "current"): boolean {
    if (rights === "current" && this.#misaligned(linear, bytes)) return false;
    const inPage = PAGE - (linear & (PAGE - 1)),
      first = this.look(WRITE, linear, rights);
    if (first === 0) return false;
    let second = 0;
    if (bytes > inPage && (second = this.look(WRITE, this.#nextPage(linear), rights)) === 0) return false;
    const virtual = this.virtualApic !== null && this.#isVirtual(first, second);
    if (virtual && !this.#admits(first, linear, bytes, true)) return false;
    const n = Math.min(bytes, inPage),
      offset = linear & (PAGE - 1);
    if (virtual) this.virtualApic!.write(from);
    else this.#storePage(first, offset, n, from);
    if (second !== 0) this.#storePage(second, 0, bytes - n, from + n);
    if (this.watch !== null && rights === "current") this.watch(linear, bytes, true);
    if (this.touched !== null) this.touched(linear, bytes, true);
    return true;
  }
  #storePage(entry: number, offset: number, bytes: number, from: number): void {
    const { u8, u32, codePages } = this.memory,
      host = u32[(entry + ENTRY.host) >> 2]!,
      page = u32[(entry + ENTRY.page) >> 2]!;
    if (host !== 0) {
      u8.copyWithin(host + offset, from, from + bytes);
      if (codePages[page]) this.memory.onCodeWrite(page * PAGE + offset, bytes);
    } else
      this.#device(entry, offset, bytes, (handler, address, n, done) => {
        let value = 0;
        for (let i = 0; i < n; i++) value |= u8[from + done + i]! << (8 * i);
        handler.write(address, n, value >>> 0);
      });
  }
  /** Cuts a device access into aligned pieces of 4, 2 and 1 bytes. */
  #device(
    entry: number,
    offset: number,
    bytes: number,
    piece: (handler: ReturnType<PhysicalMemory["handler"]>, address: number, n: number, done: number) => void,
  ): void {
    const page = this.memory.u32[(entry + ENTRY.page) >> 2]!,
      handler = page === this.tlb.localPage ? this.#local! : this.memory.handler(page);
    for (let done = 0; done < bytes; ) {
      const at = offset + done,
        left = bytes - done;
      const n = at % 4 === 0 && left >= 4 ? 4 : at % 2 === 0 && left >= 2 ? 2 : 1;
      this.onDevice();
      piece(handler, page * PAGE + at, n, done);
      this.afterDevice();
      done += n;
    }
  }

  /** True if `bytes` bytes could be written; TLB entries are filled as a write would. */
  probeWrite(linear: number, bytes: number, rights: Rights = "current"): boolean {
    if (rights === "current" && this.#misaligned(linear, bytes > 16 ? 8 : bytes)) return false;
    const first = this.look(WRITE, linear, rights);
    if (first === 0) return false;
    const last = PAGE - (linear & (PAGE - 1));
    const second = bytes <= last ? 0 : this.look(WRITE, this.#nextPage(linear), rights);
    if (bytes > last && second === 0) return false;
    return this.virtualApic === null || !this.#isVirtual(first, second) || this.#admits(first, linear, bytes, true);
  }

  /** Is one of the pages the APIC-access page? An entry made while it was another one is not [SDM 3C 28.3.3.4]. */
  #isVirtual(first: number, second: number): boolean {
    return this.#isApicAccess(first) || (second !== 0 && this.#isApicAccess(second));
  }
  #isApicAccess(entry: number): boolean {
    const { u32 } = this.memory,
      isFlagged = (u32[(entry + ENTRY.flags) >> 2]! & APIC_ACCESS) !== 0;
    return isFlagged && u32[(entry + ENTRY.page) >> 2] === this.virtualApic!.page;
  }
  /** An access that only touches the APIC-access page with its second part does so at offset 0. */
  #admits(first: number, linear: number, bytes: number, write: boolean): boolean {
    return this.virtualApic!.admits(this.#isApicAccess(first) ? linear & (PAGE - 1) : 0, bytes, write);
  }
}
