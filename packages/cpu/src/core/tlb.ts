/**
 * The translation look-aside buffer: three direct-mapped arrays (read, write, execute) in the WebAssembly memory, so
 * that emitted code looks up with one load and one compare. Its contents are architectural: a guest can see what stays
 * in it, so it is saved and digested, and every executor uses the same one at the same points.
 *
 * An entry's tag is the linear page address plus, in its low 12 bits, all that permission and address space depend on:
 * bits 11:4 the *group* (one per address space), bits 3:1 the *variant* (user, CR0.WP, SMAP in force), bit 0 `slow`. So a
 * change of privilege or address space needs no flush, and no fast comparison matches an entry marked slow
 * (MMIO, pages with decoded code, watchpoints) or an access that crosses its page.
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
/** Flags of an entry: of a global page; part of a large page; of a page of 1 GiB, besides LARGE. */
export const GLOBAL = 1,
  LARGE = 2,
  HUGE = 4;
export const SLOW = 1;
/** Sizes of the pages that LARGE (of 2 or 4 MiB, taken as 4) and HUGE mean. */
const LARGE_BYTES = 0x400000,
  HUGE_BYTES = 0x40000000;
/** A tag that no access has: bits 63:48 are not a sign extension. */
const EMPTY_LOW = 0,
  EMPTY_HIGH = 0x55550000;
const GROUPS = 256;

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
  /** The group in use, the address space each group stands for ("" = none any more), and the next group to give out. */
  group = 0;
  /** Physical page of this processor's local APIC, or -1: no other processor sees it there. */
  localPage = -1;
  /** Linear pages that a debugger watches for this kind of access: their entries are slow. Null: none. */
  marked: ((access: number, linear: number) => boolean) | null = null;
  #spaces: string[] = [];

  constructor(memory: PhysicalMemory, cpu: number) {
    this.#memory = memory;
    this.base = LAYOUT.tlbs + cpu * LAYOUT.tlbBytes;
    this.flushAll();
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
  /** True if the entry holds a global page that another address space of this processor brought in. */
  adopt(entry: number, linear: number, context: number): boolean {
    const { i32 } = this.#memory,
      at = entry >> 2;
    const differs = (i32[at]! & ~SLOW) ^ ((linear & ~0xfff) | context);
    if ((differs & ~0xff0) !== 0 || i32[at + 1] !== highWord(linear) || !(i32[at + 3]! & GLOBAL)) return false;
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
      marked = this.marked?.(access, this.#linearAt(at)) ?? false;
    i32[at] = (i32[at]! & ~SLOW) | (elsewhere || code || marked ? SLOW : 0);
    u32[at + 2] = host;
    u32[at + 5] = code && !marked ? (codeMaps.get(page) ?? 0) : 0;
  }
  #linearAt(at: number): number {
    const { i32 } = this.#memory;
    return i32[at + 1]! * 2 ** 32 + ((i32[at]! & -PAGE) >>> 0);
  }

  flushAll(): void {
    this.#clearAll();
    this.group = this.#group("");
  }
  #clearAll(): void {
    this.#each((at) => this.#clear(at));
    this.#spaces = [];
    this.#largeRegions.clear();
    this.#hugeRegions.clear();
  }
  /** Switches to an address space; `fresh` forgets what was cached of it. Spaces are named by the caller. */
  enterSpace(space: string, fresh: boolean): void {
    if (fresh) this.dropSpace(space);
    const known = this.#spaces.indexOf(space);
    this.group = known >= 0 ? known : this.#group(space);
  }
  dropSpace(space: string): void {
    const known = this.#spaces.indexOf(space);
    if (known >= 0) this.#spaces[known] = "";
  }
  #group(space: string): number {
    if (this.#spaces.length === GROUPS) {
      this.#clearAll();
    }
    return this.#spaces.push(space) - 1;
  }
  /** Removes a page from every space (INVLPG removes global pages too), and every part of a large page around it. */
  invalidate(linear: number): void {
    if (
      this.#largeRegions.has(Math.floor(linear / LARGE_BYTES)) ||
      this.#hugeRegions.has(Math.floor(linear / HUGE_BYTES))
    ) {
      const { i32 } = this.#memory;
      const high = highWord(linear);
      const end = (this.base + 3 * TLB_ENTRIES * TLB_ENTRY_BYTES) >> 2;
      for (let at = this.base >> 2; at < end; at += TLB_ENTRY_BYTES >> 2) {
        if (i32[at + 1] === high) this.#clearIfMeant(at, linear);
      }
      return;
    }
    // Small pages have one place in each array.
    for (const access of [READ, WRITE, EXECUTE] as const) this.#clearIfMeant(this.entry(access, linear) >> 2, linear);
  }
  #clearIfMeant(at: number, linear: number): void {
    const { i32 } = this.#memory;
    const flags = i32[at + 3]!;
    if (i32[at + 1] !== highWord(linear)) return;
    const mask = -(flags & HUGE ? HUGE_BYTES : flags & LARGE ? LARGE_BYTES : PAGE);
    if (((i32[at]! ^ linear) & mask) === 0) this.#clear(at);
  }
  flushNonGlobal(): void {
    const { i32 } = this.#memory;
    this.#each((at) => {
      if (!(i32[at + 3]! & GLOBAL)) this.#clear(at);
    });
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
    group: number;
  } {
    const { i32, u32 } = this.#memory;
    const entries: [number, number, number, number, number, number][] = [];
    this.#each((at, access, index) => {
      if (i32[at + 1] !== EMPTY_HIGH)
        entries.push([access, index, i32[at]! & ~SLOW, i32[at + 1]!, i32[at + 3]!, u32[at + 4]!]);
    });
    return { entries, spaces: [...this.#spaces], group: this.group };
  }
  restore(saved: ReturnType<Tlb["save"]>): void {
    const { i32, u32 } = this.#memory;
    this.flushAll();
    this.#spaces = [...saved.spaces];
    this.group = saved.group;
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
