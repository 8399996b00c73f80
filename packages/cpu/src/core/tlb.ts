/**
 * The translation look-aside buffer: three direct-mapped arrays (read, write, execute) in the WebAssembly memory, so
 * that emitted code looks up with one load and one compare. Its contents are architectural: a guest can see what stays
 * in it, so it is saved and digested, and every executor uses the same one at the same points.
 *
 * An entry's tag is the linear page address plus, in its low 12 bits, all that permission and address space depend on:
 * bits 11:4 the *group* (one per address space), bits 3:1 the *variant* (user, CR0.WP, SMAP in force), bit 0 `slow`. So a
 * change of privilege or address space needs no flush, and no fast comparison matches an entry marked slow
 * (MMIO, pages with decoded code, watchpoints) or an access that crosses its page.
 *
 * Every group belongs to a *realm*: the VPID and, for combined mappings, the EP4TA with which the manual tags translations
 * [SDM 3C 28.3.2]. Global pages are shared within a realm only. What invalidates a realm takes its groups away from it, so
 * that nobody has them any more, in a time that does not depend on how much is cached.
 */
import { LAYOUT, PAGE, type PhysicalMemory, TLB_ENTRIES, TLB_ENTRY_BYTES } from "./physical.ts";

export type Access = 0 | 1 | 2;
export const READ = 0,
  WRITE = 1,
  EXECUTE = 2;

/** Offsets within an entry. */
export const ENTRY = {
  tag: 0,
  /** Host address of the page, or 0: no memory there. */
  host: 8,
  flags: 12,
  /** Physical page number. */
  page: 16,
  /** Address of the page's map of code, if that code is all that makes the entry slow; else 0. */
  code: 20,
} as const;
/** Flags of an entry: of a global page; part of a large page; of a page of 1 GiB, besides LARGE; APIC-access page. */
export const GLOBAL = 1,
  LARGE = 2,
  HUGE = 4,
  APIC_ACCESS = 8;
export const SLOW = 1;
/** Sizes of the pages that LARGE (of 2 or 4 MiB, taken as 4) and HUGE mean. */
const LARGE_BYTES = 0x400000,
  HUGE_BYTES = 0x40000000;
/** A tag that no access has: bits 63:48 are not a sign extension. */
const EMPTY_LOW = 0,
  EMPTY_HIGH = 0x55550000;
const GROUPS = 256;
/** In place of an EP4TA: translations by the guest's page tables alone. In place of a VPID: nobody's. */
export const NO_EPT = -1;
const NOBODY = -1;

/** Variant bits of a data context. */
export const USER = 1,
  WRITE_PROTECT = 2,
  SMAP_CHECKED = 4;
/** Variant bit of an execute context, beside USER. */
export const SMEP_CHECKED = 2;
export const contextOf = (group: number, variant: number) => (group << 4) | (variant << 1);

export class Tlb {
  readonly base: number;
  readonly #memory: PhysicalMemory;
  /** The group in use, and the realm it is of: its VPID, and the page number of its PML4 of EPT, or NO_EPT. */
  group = 0;
  #vpid = 0;
  #ept = NO_EPT;
  /** Physical page of this processor's local APIC, or -1: no other processor sees it there. */
  localPage = -1;
  /** Linear pages that a debugger watches for this kind of access: their entries are slow. Null: none. */
  marked: ((access: number, linear: number) => boolean) | null = null;
  /** By group: the address space it stands for ("" = none any more), and its realm. */
  #spaces: string[] = [];
  readonly #vpids = new Int32Array(GROUPS);
  readonly #epts = new Int32Array(GROUPS);
  /** All groups below are nobody's: VM entries and exits without VPIDs need not look at them again. Derived. */
  #first = 0;

  constructor(memory: PhysicalMemory, cpu: number) {
    this.#memory = memory;
    this.base = LAYOUT.tlbs + cpu * LAYOUT.tlbBytes;
    this.reset();
  }

  /** Address of the entry that a linear page maps to. */
  entry(access: Access, linear: number): number {
    return this.base + (access * TLB_ENTRIES + ((linear >>> 12) & (TLB_ENTRIES - 1))) * TLB_ENTRY_BYTES;
  }
  /** Does the entry hold this page in this context (slow or not)? */
  hit(entry: number, linear: number, context: number): boolean {
    const { i32 } = this.#memory;
    return (i32[entry >> 2]! & ~SLOW) === ((linear & ~0xfff) | context) && i32[(entry >> 2) + 1] === highWord(linear);
  }
  /** True if the entry holds a global page that another address space of this realm brought in. */
  adopt(entry: number, linear: number, context: number): boolean {
    const { i32 } = this.#memory,
      at = entry >> 2;
    const differs = (i32[at]! & ~SLOW) ^ ((linear & ~0xfff) | context);
    if ((differs & ~0xff0) !== 0 || i32[at + 1] !== highWord(linear) || !(i32[at + 3]! & GLOBAL)) return false;
    if (!this.#inRealm((i32[at]! >>> 4) & 0xff)) return false;
    i32[at] = (i32[at]! & SLOW) | (linear & ~0xfff) | context;
    return true;
  }
  fill(access: Access, linear: number, context: number, page: number, flags: number): number {
    const { i32, u32 } = this.#memory,
      entry = this.entry(access, linear),
      at = entry >> 2;
    i32[at] = (linear & ~0xfff) | context;
    i32[at + 1] = highWord(linear);
    i32[at + 3] = flags;
    u32[at + 4] = page;
    this.#place(at, access);
    if (flags & LARGE) this.#noteLarge(linear, flags);
    return entry;
  }

  /** Regions in which parts of large pages may be cached: INVLPG elsewhere need not look for them. Derived. */
  readonly #largeRegions = new Set<number>();
  readonly #hugeRegions = new Set<number>();
  #noteLarge(linear: number, flags: number): void {
    if (flags & HUGE) this.#hugeRegions.add(Math.floor(linear / HUGE_BYTES));
    else this.#largeRegions.add(Math.floor(linear / LARGE_BYTES));
  }
  /** Where accesses to a physical page go: an address, or 0 for a device, such as the processor's own local APIC. */
  #host(access: number, page: number): number {
    if (page >= 1 << 20 || page === this.localPage) return 0;
    return access === WRITE ? this.#memory.writeHost[page]! : this.#memory.readHost[page]!;
  }
  /** Sets what follows from where an entry's page is: its host address, and whether accesses are slow and why. */
  #place(at: number, access: Access): void {
    const { i32, u32, readHost, codePages, codeMaps } = this.#memory,
      page = u32[at + 4]!,
      host = this.#host(access, page);
    // A read-modify-write reads through the write entry, so reads must not go elsewhere.
    const elsewhere = host === 0 || (access === WRITE && readHost[page] !== host);
    const code = access === WRITE && !elsewhere && codePages[page] !== 0,
      marked = (i32[at + 3]! & APIC_ACCESS) !== 0 || (this.marked?.(access, this.#linearAt(at)) ?? false);
    i32[at] = (i32[at]! & ~SLOW) | (elsewhere || code || marked ? SLOW : 0);
    u32[at + 2] = host;
    u32[at + 5] = code && !marked ? (codeMaps.get(page) ?? 0) : 0;
  }
  #linearAt(at: number): number {
    const { i32 } = this.#memory;
    return i32[at + 1]! * 2 ** 32 + ((i32[at]! & -PAGE) >>> 0);
  }

  /** As after a power-on: nothing is cached, and VPID 0 without EPT is in use. */
  reset(): void {
    this.#vpid = 0;
    this.#ept = NO_EPT;
    this.#clearAll();
    this.group = this.#group("");
  }
  #clearAll(): void {
    const { i32 } = this.#memory,
      first = this.base >> 2,
      end = (this.base + LAYOUT.tlbBytes) >> 2;
    i32.fill(0, first, end);
    for (let at = first; at < end; at += TLB_ENTRY_BYTES >> 2) i32[at + 1] = EMPTY_HIGH;
    this.#spaces = [];
    this.#first = 0;
    this.#largeRegions.clear();
    this.#hugeRegions.clear();
  }

  // ---- address spaces, within the VPID in use ----

  /** Switches to an address space; `fresh` forgets what was cached of it. Spaces are named by the caller. */
  enterSpace(space: string, fresh: boolean): void {
    if (fresh) this.dropSpace(space);
    else {
      for (let group = this.#spaces.length; --group >= this.#first; ) {
        if (!this.#inRealm(group) || this.#spaces[group] !== space) continue;
        this.group = group;
        return;
      }
    }
    this.group = this.#group(space);
  }
  /** Forgets an address space, whatever the EP4TA; its global pages stay. */
  dropSpace(space: string): void {
    const vpid = this.#vpid;
    for (let group = this.#spaces.length; --group >= this.#first; )
      if (this.#vpids[group] === vpid && this.#spaces[group] === space) this.#spaces[group] = "";
  }
  /** Forgets every translation of the VPID in use, global ones too. Then the address space must be entered again. */
  flushAll(): void {
    if (this.#isAlone()) this.#clearAll();
    else this.#disown((group) => this.#vpids[group] === this.#vpid);
    this.group = this.#group("");
  }
  flushNonGlobal(): void {
    const { i32 } = this.#memory;
    this.#each((at) => {
      if (!(i32[at + 3]! & GLOBAL) && this.#isOf(at, this.#vpid)) this.#clear(at);
    });
  }
  /**
   * Removes a page from every space of a VPID, whatever the EP4TA (INVLPG removes global pages too), and every part of a
   * large page around it.
   */
  invalidate(linear: number, vpid = this.#vpid): void {
    if (
      this.#largeRegions.has(Math.floor(linear / LARGE_BYTES)) ||
      this.#hugeRegions.has(Math.floor(linear / HUGE_BYTES))
    ) {
      const { i32 } = this.#memory;
      const high = highWord(linear);
      const end = (this.base + 3 * TLB_ENTRIES * TLB_ENTRY_BYTES) >> 2;
      for (let at = this.base >> 2; at < end; at += TLB_ENTRY_BYTES >> 2) {
        if (i32[at + 1] === high) this.#clearIfMeant(at, linear, vpid);
      }
      return;
    }
    // Small pages have one place in each array.
    for (const access of [READ, WRITE, EXECUTE] as const)
      this.#clearIfMeant(this.entry(access, linear) >> 2, linear, vpid);
  }
  /** A page fault at this address: forgets what the address space in use has of its page [SDM 3A 4.10.4.1]. */
  forgetFaulted(linear: number): void {
    const { i32 } = this.#memory,
      high = highWord(linear);
    for (const access of [READ, WRITE, EXECUTE] as const) {
      const at = this.entry(access, linear) >> 2,
        group = (i32[at]! >>> 4) & 0xff;
      const isPage = i32[at + 1] === high && ((i32[at]! ^ linear) & -PAGE) === 0;
      if (isPage && (group === this.group || (i32[at + 3]! & GLOBAL && this.#inRealm(group)))) this.#clear(at);
    }
  }
  #clearIfMeant(at: number, linear: number, vpid: number): void {
    const { i32 } = this.#memory;
    const flags = i32[at + 3]!;
    if (i32[at + 1] !== highWord(linear) || !this.#isOf(at, vpid)) return;
    const mask = -(flags & HUGE ? HUGE_BYTES : flags & LARGE ? LARGE_BYTES : PAGE);
    if (((i32[at]! ^ linear) & mask) === 0) this.#clear(at);
  }

  // ---- realms [SDM 3C 28.3.3.1] ----

  /**
   * Switches to a realm and an address space in it. `fresh`: a VM entry or VM exit without VPIDs, which invalidates all
   * that VPID 0 has, whatever the EP4TA.
   */
  enterRealm(vpid: number, ept: number, space: string, fresh: boolean): void {
    if (fresh) this.#disown((group) => this.#vpids[group] === 0);
    this.#vpid = vpid;
    this.#ept = ept;
    this.enterSpace(space, false);
  }
  /** Single-context INVVPID. Like the rest below, for VPIDs and EP4TAs that are not in use. */
  dropVpid(vpid: number): void {
    this.#disown((group) => this.#vpids[group] === vpid);
  }
  /** Single-context INVVPID that retains global translations. */
  dropVpidSpaces(vpid: number): void {
    for (let group = this.#spaces.length; --group >= this.#first; )
      if (this.#vpids[group] === vpid) this.#spaces[group] = "";
  }
  /** All-context INVVPID: every VPID but 0. */
  dropVpids(): void {
    this.#disown((group) => this.#vpids[group] !== 0);
  }
  /** Single-context INVEPT, by the page number of the PML4. */
  dropEpt(ept: number): void {
    this.#disown((group) => this.#epts[group] === ept);
  }
  /** All-context INVEPT. */
  dropEpts(): void {
    this.#disown((group) => this.#epts[group] !== NO_EPT);
  }

  #inRealm(group: number): boolean {
    return this.#vpids[group] === this.#vpid && this.#epts[group] === this.#ept;
  }
  #isOf(at: number, vpid: number): boolean {
    return this.#vpids[(this.#memory.i32[at]! >>> 4) & 0xff] === vpid;
  }
  /** No other VPID has anything here. */
  #isAlone(): boolean {
    for (let group = this.#spaces.length; --group >= this.#first; )
      if (this.#vpids[group] !== this.#vpid && this.#vpids[group] !== NOBODY) return false;
    return true;
  }
  #disown(isMeant: (group: number) => boolean): void {
    let first = this.#spaces.length;
    for (let group = first; --group >= this.#first; ) {
      if (isMeant(group)) this.#vpids[group] = NOBODY;
      else if (this.#vpids[group] !== NOBODY) first = group;
    }
    this.#first = first;
  }
  /** A new group of the realm in use. When all are given out everything is forgotten. */
  #group(space: string): number {
    if (this.#spaces.length === GROUPS) this.#clearAll();
    const group = this.#spaces.push(space) - 1;
    this.#vpids[group] = this.#vpid;
    this.#epts[group] = this.#ept;
    return group;
  }

  /** After the physical map changed, or `marked`: host addresses and slow bits are stale. Translations stay. */
  refreshHosts(): void {
    const { i32 } = this.#memory;
    this.#each((at, access) => {
      if (i32[at + 1] !== EMPTY_HIGH) this.#place(at, access);
    });
  }
  /** Code was decoded from this physical page (or dropped): writes through the TLB must (or need no longer) be slow. */
  markCode(page: number): void {
    const { i32, u32 } = this.#memory;
    for (let i = 0; i < TLB_ENTRIES; i++) {
      const at = (this.base + (WRITE * TLB_ENTRIES + i) * TLB_ENTRY_BYTES) >> 2;
      if (u32[at + 4] === page && i32[at + 1] !== EMPTY_HIGH) this.#place(at, WRITE);
    }
  }

  /** What a guest can observe: tags without `slow`, flags and pages. Host addresses are not part of it. */
  save(): {
    entries: [access: number, index: number, low: number, high: number, flags: number, page: number][];
    spaces: string[];
    realms: [vpid: number, ept: number][];
    group: number;
  } {
    const { i32, u32 } = this.#memory;
    const entries: [number, number, number, number, number, number][] = [];
    this.#each((at, access, index) => {
      if (i32[at + 1] !== EMPTY_HIGH)
        entries.push([access, index, i32[at]! & ~SLOW, i32[at + 1]!, i32[at + 3]!, u32[at + 4]!]);
    });
    const realms = this.#spaces.map((_, group): [number, number] => [this.#vpids[group]!, this.#epts[group]!]);
    return { entries, spaces: [...this.#spaces], realms, group: this.group };
  }
  restore(saved: ReturnType<Tlb["save"]>): void {
    const { i32, u32 } = this.#memory;
    this.#clearAll();
    this.#spaces = [...saved.spaces];
    saved.realms.forEach(([vpid, ept], group) => {
      this.#vpids[group] = vpid;
      this.#epts[group] = ept;
    });
    this.group = saved.group;
    this.#vpid = this.#vpids[this.group]!;
    this.#ept = this.#epts[this.group]!;
    for (const [access, index, low, high, flags, page] of saved.entries) {
      const at = (this.base + (access * TLB_ENTRIES + index) * TLB_ENTRY_BYTES) >> 2;
      i32[at] = low;
      i32[at + 1] = high;
      i32[at + 3] = flags;
      u32[at + 4] = page;
      if (flags & LARGE) this.#noteLarge(this.#linearAt(at), flags);
    }
    this.refreshHosts();
  }

  #clear(at: number): void {
    const { i32 } = this.#memory;
    i32[at] = EMPTY_LOW;
    i32[at + 1] = EMPTY_HIGH;
    i32[at + 2] = 0;
    i32[at + 3] = 0;
    i32[at + 4] = 0;
    i32[at + 5] = 0;
  }
  #each(visit: (at: number, access: Access, index: number) => void): void {
    for (const access of [READ, WRITE, EXECUTE] as const) {
      for (let i = 0; i < TLB_ENTRIES; i++)
        visit((this.base + (access * TLB_ENTRIES + i) * TLB_ENTRY_BYTES) >> 2, access, i);
    }
  }
}

/** Upper word of a linear address, which is a number: unsigned below 4 GiB, or canonical and signed. */
export const highWord = (linear: number) => Math.floor(linear / 0x100000000) | 0;
export { PAGE };
