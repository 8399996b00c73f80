/**
 * Page tables of a processor's way out: they map its pages where its code runs, and one page more, at the guest's next
 * instruction: there the landing page lies over the guest's code, and its last instruction loads the guest's CR3.
 */
import { physicalOf } from "../memory.ts";
import { physRead64, readCr3 } from "../x86.ts";
import { ALIAS_ENTRY, LANDING, PAGE, TABLES } from "./layout.ts";

const PRESENT: u64 = 1;
const WRITABLE: u64 = 3;
const ADDRESS: u64 = 0x000ffffffffff000;

export class WayOutTables {
  /** How many of the pages for tables are in use; the first is the root. */
  private used: u32 = 1;
  /** @param pages linear address of the way out @param first which of its pages for tables is the root */
  constructor(
    private pages: usize,
    private first: u32,
  ) {}

  private table(n: u32): usize {
    return this.pages + TABLES + (this.first + n) * PAGE;
  }
  /** For CR3. */
  get root(): u64 {
    return physicalOf(this.table(0));
  }

  /** All physical memory below 4 GiB in 4-level paging: where the hypervisor has it, and at 0 if the way leads down there. */
  mapMemory(atZero: bool): void {
    const direct = physRead64((readCr3() & ADDRESS) + 8 * ALIAS_ENTRY);
    store<u64>(this.table(0) + 8 * ALIAS_ENTRY, direct);
    if (atZero) store<u64>(this.table(0), direct);
  }

  /** Lays the landing page over the `bytes` bytes before an address, in tables of so many levels. */
  land(linear: u64, bytes: u32, levels: u32, entryBytes: u32): void {
    const landing = physicalOf(this.pages + LANDING);
    this.map(linear - bytes, landing | PRESENT, levels, entryBytes);
    this.map(linear - 1, landing | PRESENT, levels, entryBytes);
  }
  /** Maps the first page, with the code, to itself. */
  mapCode(levels: u32, entryBytes: u32): void {
    const first = physicalOf(this.pages);
    this.map(first, first | WRITABLE, levels, entryBytes);
  }
  private map(linear: u64, page: u64, levels: u32, entryBytes: u32): void {
    const bits: u32 = entryBytes === 8 ? 9 : 10;
    let table = this.table(0);
    for (let level = levels; level > 1; level--) {
      const at = this.entryAt(table, linear, level, bits, entryBytes);
      if (read(at, entryBytes) === 0) {
        // the four entries of PAE's root have no bit for writing
        const flags = levels === 3 && level === 3 ? PRESENT : WRITABLE;
        write(at, physicalOf(this.table(this.used)) | flags, entryBytes);
        this.used++;
      }
      table = <usize>((read(at, entryBytes) & ADDRESS) - physicalOf(0));
    }
    write(this.entryAt(table, linear, 1, bits, entryBytes), page, entryBytes);
  }
  private entryAt(table: usize, linear: u64, level: u32, bits: u32, entryBytes: u32): usize {
    const index = (linear >> (12 + bits * (level - 1))) & ((1 << bits) - 1);
    return table + entryBytes * <usize>index;
  }
}
function read(at: usize, bytes: u32): u64 {
  return bytes === 8 ? load<u64>(at) : load<u32>(at);
}
function write(at: usize, entry: u64, bytes: u32): void {
  if (bytes === 8) store<u64>(at, entry);
  else store<u32>(at, <u32>entry);
}
