/**
 * Translation of linear addresses [SDM 3A chapter 4]: 32-bit paging, PAE, 4-level; the walk that fills the TLB. In a guest
 * with EPT what comes out, and where its paging structures are, is translated once more (vmx/ept.ts).
 *
 * Linear addresses are numbers: below 4 GiB outside of 64-bit mode, else canonical and signed (exact in 53 bits).
 */
import type { Fault } from "./exceptions.ts";
import { PAGE, type PhysicalMemory } from "./physical.ts";
import { S } from "./state.ts";
import { type Access, EXECUTE, GLOBAL, HUGE, highWord, LARGE, WRITE } from "./tlb.ts";

/** Bits of paging-structure entries. */
const P = 1,
  RW = 2,
  US = 4,
  A = 0x20,
  D = 0x40,
  PS = 0x80,
  G = 0x100;
/** Bits of a page fault's error code [SDM 3A 4.7]. */
export const PF_P = 1,
  PF_W = 2,
  PF_U = 4,
  PF_RSVD = 8,
  PF_I = 16;

export const CR0_PE = 1,
  CR0_MP = 2,
  CR0_EM = 4,
  CR0_TS = 8,
  CR0_NE = 0x20,
  CR0_WP = 0x10000,
  CR0_AM = 0x40000,
  CR0_PG = 0x80000000;
export const CR4_VME = 1,
  CR4_PVI = 2,
  CR4_TSD = 4,
  CR4_DE = 8,
  CR4_PSE = 0x10,
  CR4_PAE = 0x20,
  CR4_MCE = 0x40,
  CR4_PGE = 0x80,
  CR4_PCE = 0x100,
  CR4_OSFXSR = 0x200,
  CR4_OSXMMEXCPT = 0x400,
  CR4_UMIP = 0x800,
  CR4_VMXE = 0x2000,
  CR4_FSGSBASE = 0x10000,
  CR4_PCIDE = 0x20000,
  CR4_OSXSAVE = 0x40000,
  CR4_SMEP = 0x100000,
  CR4_SMAP = 0x200000;
export const EFER_SCE = 1,
  EFER_LME = 0x100,
  EFER_LMA = 0x400,
  EFER_NXE = 0x800;

/** Width of physical addresses; CPUID 80000008 says so too. */
export const PHYSICAL_BITS = 40;
/** The bits of an entry's upper word that are beyond it. */
export const RESERVED_HIGH = 0xfffff & ~((1 << (PHYSICAL_BITS - 32)) - 1);

/** What is asked of a translation. */
export interface Request {
  access: Access;
  user: boolean;
  /** CR0.WP; SMAP in force (CR4.SMAP, and not overridden by AC); SMEP in force. */
  writeProtect: boolean;
  smap: boolean;
  smep: boolean;
}

/** What a walk reads and marks; the control registers are in the window. */
export type Tables = Pick<PhysicalMemory, "u32" | "read32" | "write32" | "hostOf">;

/** The translation of guest-physical addresses. Where it says false, `leave` tells why. */
export interface Nested {
  /** Physical page of the last successful translation, and the entries that the last one read. */
  readonly page: number;
  readonly steps: number;
  /** The place of an entry of the guest's paging structures. */
  structure(guestPhysical: number): boolean;
  /** That entry is to be marked accessed or dirty. */
  markStructure(): boolean;
  /** The place of what a linear address leads to, or of PDPTEs. */
  final(guestPhysical: number, access: Access): boolean;
  /** Makes `fault` the VM exit of the last refusal. `linear`: the address that was being translated; null: none was. */
  leave(linear: number | null, fault: Fault): void;
  /** The same translation for a debugger: by other means, and whatever the rights. */
  observer(memory: Tables): Nested;
}

/** One walker per processor; results stay in its fields, so that a walk allocates nothing. */
export class Walker {
  readonly #memory: Tables;
  /** The second translation, while a guest runs that has one. */
  nested: Nested | null = null;
  /** The last walk failed since the second translation refused. */
  exits = false;
  /** Result of a successful walk. */
  page = 0;
  flags = 0;
  /** Error code of a failed walk, unless `exits`. */
  code = 0;
  /** Page-table reads and writes made by the last walk, for the cost model. */
  steps = 0;
  // Rights gathered on the way down.
  #writable = true;
  #userPage = true;
  #noExecute = false;
  #low = 0;
  #high = 0;
  #linear = 0;

  constructor(memory: Tables) {
    this.#memory = memory;
  }

  /** Walks for one page. True: `page` and `flags` hold the translation. False: a #PF with error code `code`, or `exits`. */
  walk(linear: number, request: Request): boolean {
    const { u32 } = this.#memory;
    this.steps = 0;
    this.#writable = this.#userPage = true;
    this.#noExecute = this.exits = false;
    this.#linear = linear;
    if (!(u32[S.CR0 >> 2]! & CR0_PG)) return this.#accept((linear >>> 12) & 0xfffff, 0, request);
    const pae = (u32[S.CR4 >> 2]! & CR4_PAE) !== 0;
    return pae ? this.#walk64(linear, request) : this.#walk32(linear, request);
  }

  #walk32(linear: number, r: Request): boolean {
    const { u32 } = this.#memory,
      cr4 = u32[S.CR4 >> 2]!;
    const pdeAt = this.#place(((u32[S.CR3 >> 2]! & ~0xfff) + ((linear >>> 22) << 2)) >>> 0);
    if (pdeAt < 0) return false;
    const pde = this.#memory.read32(pdeAt);
    if (!(pde & P)) return this.#refuse(r, 0);
    this.#gather(pde, 0);
    if (pde & PS && cr4 & CR4_PSE) {
      const highBits = (pde >>> 13) & 0xff; // PSE-36 with 40-bit physical addresses: bits 20:13 are address bits 39:32; bit 21 is reserved
      if (pde & 0x200000) return this.#refuse(r, PF_P | PF_RSVD);
      const page = highBits * 2 ** 20 + ((pde >>> 22) << 10) + ((linear >>> 12) & 0x3ff);
      return this.#finish32(pdeAt, pde, page, LARGE, r);
    }
    if (!this.#mark(pdeAt, pde, pde | A)) return false;
    const pteAt = this.#place(((pde & ~0xfff) + ((linear >>> 10) & 0xffc)) >>> 0);
    if (pteAt < 0) return false;
    const pte = this.#memory.read32(pteAt);
    if (!(pte & P)) return this.#refuse(r, 0);
    this.#gather(pte, 0);
    return this.#finish32(pteAt, pte, pte >>> 12, 0, r);
  }
  #finish32(at: number, entry: number, page: number, flags: number, r: Request): boolean {
    if (!this.#permitted(r)) return this.#refuse(r, PF_P);
    if (!this.#mark(at, entry, entry | A | (r.access === WRITE ? D : 0))) return false;
    return this.#accept(page, flags | this.#globalBit(entry), r);
  }

  #walk64(linear: number, r: Request): boolean {
    const { u32 } = this.#memory,
      long = (u32[S.EFER >> 2]! & EFER_LMA) !== 0;
    const high = highWord(linear),
      low = linear >>> 0;
    let table: number;
    if (long) {
      table = (u32[S.CR3 >> 2]! & ~0xfff) >>> 0;
      table += (u32[(S.CR3 >> 2) + 1]! & 0xff) * 2 ** 32;
      if (!this.#step(table + ((high >>> 7) & 511) * 8, r, 4)) return false;
      table = this.#next();
      if (!this.#step(table + (((high & 0x7f) << 2) | (low >>> 30)) * 8, r, 3)) return false;
      if (this.#low & PS)
        return this.#finish64(((this.#low & 0xc0000000) >>> 12) | ((low >>> 12) & 0x3ffff), LARGE | HUGE, r);
    } else {
      const pdpte = (S.PDPTE >> 2) + (low >>> 30) * 2;
      this.#low = u32[pdpte]!;
      this.#high = u32[pdpte + 1]!;
      if (!(this.#low & P)) return this.#refuse(r, 0);
    }
    table = this.#next();
    if (!this.#step(table + ((low >>> 21) & 511) * 8, r, 2)) return false;
    if (this.#low & PS) return this.#finish64(((this.#low & 0xffe00000) >>> 12) | ((low >>> 12) & 0x1ff), LARGE, r);
    if (!this.#step(this.#next() + ((low >>> 12) & 511) * 8, r, 1)) return false;
    return this.#finish64(this.#low >>> 12, 0, r);
  }
  #next(): number {
    return ((this.#low & ~0xfff) >>> 0) + (this.#high & 0xfffff) * 2 ** 32;
  }
  #at = 0;
  /** Reads one entry; levels 4 to 1. Upper entries are marked accessed as they are used. */
  #step(address: number, r: Request, level: number): boolean {
    const at = this.#place(address);
    if (at < 0) return false;
    const low = this.#memory.read32(at),
      high = this.#memory.read32(at + 4);
    this.#at = at;
    if (!(low & P)) return this.#refuse(r, 0);
    const nxe = (this.#memory.u32[S.EFER >> 2]! & EFER_NXE) !== 0;
    const leaf = level === 1 || (low & PS) !== 0;
    let reserved = (high & RESERVED_HIGH) !== 0 || (!nxe && (high & 0x80000000) !== 0);
    const long = (this.#memory.u32[S.EFER >> 2]! & EFER_LMA) !== 0;
    if (!long && (high & 0x7ff00000) !== 0) reserved = true; // PAE: bits 62:52 are reserved
    if (level === 4 && low & PS) reserved = true;
    if (leaf && level === 2 && low & 0x1fe000) reserved = true;
    if (leaf && level === 3 && low & 0x3fffe000) reserved = true;
    if (reserved) return this.#refuse(r, PF_P | PF_RSVD);
    this.#low = low;
    this.#high = high;
    this.#gather(low, high);
    return leaf || this.#mark(at, low, low | A);
  }
  #finish64(pageLow: number, flags: number, r: Request): boolean {
    if (!this.#permitted(r)) return this.#refuse(r, PF_P);
    if (!this.#mark(this.#at, this.#low, this.#low | A | (r.access === WRITE ? D : 0))) return false;
    const page = (pageLow >>> 0) + (this.#high & 0xfffff) * 2 ** 20;
    return this.#accept(page, flags | this.#globalBit(this.#low), r);
  }

  /** Where an entry is that is about to be read; -1 if the second translation refuses. */
  #place(address: number): number {
    const { nested } = this;
    this.steps++;
    if (nested === null) return address;
    const found = nested.structure(address);
    this.steps += nested.steps;
    this.exits = !found;
    return found ? nested.page * PAGE + (address & (PAGE - 1)) : -1;
  }
  /** Sets flags in the entry that was read last, unless they are set. False if the second translation refuses. */
  #mark(at: number, entry: number, marked: number): boolean {
    if (!(marked & ~entry)) return true;
    if (this.nested !== null && !this.nested.markStructure()) {
      this.exits = true;
      return false;
    }
    this.#memory.write32(at, marked);
    return true;
  }

  #gather(low: number, high: number): void {
    if (!(low & RW)) this.#writable = false;
    if (!(low & US)) this.#userPage = false;
    if (high & 0x80000000) this.#noExecute = true;
  }
  /** Access rights [SDM 3A 4.6.1]. */
  #permitted(r: Request): boolean {
    if (r.user) {
      if (!this.#userPage) return false;
      return r.access === WRITE ? this.#writable : r.access === EXECUTE ? !this.#noExecute : true;
    }
    if (r.access === EXECUTE) return !this.#noExecute && !(r.smep && this.#userPage);
    if (r.smap && this.#userPage) return false;
    return r.access === WRITE ? this.#writable || !r.writeProtect : true;
  }
  #globalBit(leaf: number): number {
    return leaf & G && this.#memory.u32[S.CR4 >> 2]! & CR4_PGE ? GLOBAL : 0;
  }
  /** The guest's own translation, or the only one, has led to this page. */
  #accept(page: number, flags: number, r: Request): boolean {
    const { nested } = this;
    this.page = page;
    this.flags = flags;
    if (nested === null) return true;
    this.exits = !nested.final(page * PAGE + (this.#linear & (PAGE - 1)), r.access);
    this.steps += nested.steps;
    this.page = nested.page;
    return !this.exits;
  }
  #refuse(r: Request, code: number): boolean {
    const { u32 } = this.#memory;
    const nx = (u32[S.CR4 >> 2]! & CR4_PAE) !== 0 && (u32[S.EFER >> 2]! & EFER_NXE) !== 0;
    const fetch = r.access === EXECUTE && (nx || (u32[S.CR4 >> 2]! & CR4_SMEP) !== 0) ? PF_I : 0;
    this.code = code | (r.access === WRITE ? PF_W : 0) | (r.user ? PF_U : 0) | fetch;
    return false;
  }
}
