/**
 * The one EPT of all processors [SDM 3C 28.2]: guest-physical is physical, in pages of 2 MiB that are split where a single
 * page is to be something else (R4.1). What is not RAM is uncacheable: EPT does not look at MTRRs.
 *
 * A page that gets more rights needs no invalidation, since nothing is cached of one without (28.3.1). One that loses some
 * does, on every processor: that is done before guests run, or by the caller.
 */
import { allocate, physicalOf } from "../memory.ts";
import { panic } from "../panic.ts";
import { physFill, physRead64, physWrite64 } from "../x86.ts";

export const READ: u64 = 1;
export const WRITE: u64 = 2;
export const EXECUTE: u64 = 4;
export const ALL_RIGHTS: u64 = 7;
/** Memory types, in bits 5:3 of a leaf. */
export const UNCACHEABLE: u64 = 0 << 3;
export const WRITE_BACK: u64 = 6 << 3;
const LARGE: u64 = 0x80;
const ADDRESS: u64 = 0x000ffffffffff000;
const TYPE: u64 = 0x38;

const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 0x200000;
const GIB: u64 = 0x40000000;
/** Of an EPT pointer: tables are write-back memory, a walk has four steps. */
const POINTER: u64 = 6 | (3 << 3);
/** How many pages of 2 MiB can be split. */
const SPLITS: u32 = 24;

export class Ept {
  private pml4: u64;
  private pdpt: u64;
  /** Page directories of the first 4 GiB, one after the other. */
  private directories: u64;
  private spare: u64;
  private splitsLeft: u32 = SPLITS;

  /** Maps all below `top` (a multiple of 1 GiB, at most 512 GiB), uncacheable. */
  constructor(top: u64) {
    const tables = physicalOf(allocate((6 + SPLITS) * <u32>PAGE, <u32>PAGE));
    physFill(tables, 0, (6 + SPLITS) * <u32>PAGE);
    this.pml4 = tables;
    this.pdpt = tables + PAGE;
    this.directories = tables + 2 * PAGE;
    this.spare = tables + 6 * PAGE;
    physWrite64(this.pml4, this.pdpt | ALL_RIGHTS);
    for (let i: u64 = 0; i < 4; i++) {
      const directory = this.directories + i * PAGE;
      physWrite64(this.pdpt + 8 * i, directory | ALL_RIGHTS);
      for (let j: u64 = 0; j < 512; j++)
        physWrite64(directory + 8 * j, (i * GIB + j * LARGE_PAGE) | LARGE | ALL_RIGHTS);
    }
    for (let at: u64 = 4 * GIB; at < top; at += GIB) physWrite64(this.pdpt + 8 * (at / GIB), at | LARGE | ALL_RIGHTS);
  }

  get pointer(): u64 {
    return this.pml4 | POINTER;
  }

  /** RAM, as the memory map has it: write-back. What is not whole pages at its ends stays as it is. */
  setMemory(first: u64, end: u64): void {
    this.setType(first, end, <u32>(WRITE_BACK >> 3));
  }
  /** A memory type by its number. What is not whole pages at the ends stays as it is. */
  setType(first: u64, end: u64, type: u32): void {
    let at = (first + PAGE - 1) & ~(PAGE - 1);
    while (at + PAGE <= end) {
      const size = this.pageSize(at);
      if (at % size === 0 && at + size <= end) {
        const entry = this.entryOf(at);
        physWrite64(entry, (physRead64(entry) & ~TYPE) | ((<u64>type) << 3));
        at += size;
      } else if (size === PAGE || !this.isWorthSplitting(at)) at += PAGE;
      else this.split(at);
    }
  }
  /** Only the first 2 MiB are finely mixed; elsewhere the part of a large page that is RAM may be uncacheable. */
  private isWorthSplitting(at: u64): bool {
    return at < LARGE_PAGE;
  }

  /** Lets one page of 4 KiB be another one, with these rights; no rights make every access an exit. */
  setPage(at: u64, to: u64, rights: u64, type: u64): void {
    this.split(at);
    physWrite64(this.entryOf(at), to | rights | type);
  }
  /** Lets a range of whole large pages read as `blank`, and every write be an exit (R2.7, R4.3). */
  hide(first: u64, end: u64, blank: u64): void {
    if (this.splitsLeft === 0) panic("EPT: no more large pages can be split");
    const table = this.spare + PAGE * --this.splitsLeft;
    for (let i: u64 = 0; i < 512; i++) physWrite64(table + 8 * i, blank | READ | EXECUTE | WRITE_BACK);
    for (let at = first; at < end; at += LARGE_PAGE)
      physWrite64(this.directories + 8 * (at / LARGE_PAGE), table | ALL_RIGHTS);
  }

  /** Makes every access to the page an exit. */
  close(at: u64): void {
    this.setPage(at, 0, 0, 0);
  }
  /** The page is itself again. */
  open(at: u64, type: u64): void {
    this.setPage(at, at, ALL_RIGHTS, type);
  }

  /** Address of the entry that maps an address, at whatever level. */
  private entryOf(at: u64): u64 {
    if (at >= 4 * GIB) return this.pdpt + 8 * (at / GIB);
    const large = this.directories + 8 * (at / LARGE_PAGE),
      value = physRead64(large);
    return (value & LARGE) !== 0 ? large : (value & ADDRESS) + 8 * ((at / PAGE) % 512);
  }
  private pageSize(at: u64): u64 {
    if (at >= 4 * GIB) return GIB;
    return (physRead64(this.directories + 8 * (at / LARGE_PAGE)) & LARGE) !== 0 ? LARGE_PAGE : PAGE;
  }
  /** Makes small pages of the large one around an address below 4 GiB, if it is not split. */
  private split(at: u64): void {
    const large = this.directories + 8 * (at / LARGE_PAGE),
      value = physRead64(large);
    if ((value & LARGE) === 0) return;
    if (this.splitsLeft === 0) panic("EPT: no more large pages can be split");
    this.splitsLeft--;
    const table = this.spare + PAGE * this.splitsLeft;
    for (let i: u64 = 0; i < 512; i++) physWrite64(table + 8 * i, (value & ~LARGE) + i * PAGE);
    physWrite64(large, table | ALL_RIGHTS);
  }
}
