/**
 * The machine's memory map: asked of the BIOS before VMX operation, and given to the guest, by a hook of INT 15h, with the
 * hypervisor's memory reserved (R2.3, R2.5). Reserved ranges rather than holes, in which a guest might put PCI devices.
 *
 * Hidden are the hypervisor's own 16 MiB and the end of conventional memory: the pages of the hook, of real mode and of
 * processors' start. They are lost for good, so nothing there needs to be restored (R2.8), and the hook outlives the
 * hypervisor. What the BIOS says is not trusted: entries may be unsorted, overlap, be empty or wrap around.
 */
import {
  addr_biosMemoryMap,
  addr_biosMemoryMapEnd,
  addr_int15,
  addr_int15End,
  callRealMode,
  physRead16,
  physRead32,
  physRead64,
  physWrite16,
  physWrite32,
  physWrite64,
} from "../x86.ts";

// ---- compiler/layout.ts ----
const INT15_PAGE: u32 = 0x9c000;
const INT15_DATA: u64 = 0x9c200;
const REAL_MODE_PAGE: usize = 0x9d000;
const LOW_PAGES_END: u64 = 0x9f000;
const BIOS_MAP: u64 = 0x9d400;
const BIOS_MAP_MOST: u32 = 100;
const LINEAR_BYTES: u64 = 0x1000000;

const BIOS_ENTRY_BYTES: u64 = 24;
const HOOK_ENTRY_BYTES: u64 = 20;
/** Of an entry's attributes: it is to be ignored if this is 0 [ACPI 15.1]. */
const ENABLED: u32 = 1;
export const RAM: u32 = 1;
export const RESERVED: u32 = 2;

/** IVT entry of INT 15h, and the BIOS data area's kilobytes of conventional memory, which INT 12h tells. */
const VECTOR_15: u64 = 4 * 0x15;
const CONVENTIONAL: u64 = 0x413;
const KIB: u64 = 1024;
const MIB: u64 = 0x100000;
const CONVENTIONAL_END: u64 = 0xa0000;
/** The most that E801 tells of what is below 16 MiB, in KiB, and of what is above, in 64 KiB; and that 88h tells. */
const MOST_BELOW_16M: u64 = 15 * 1024;
const MOST_ABOVE_16M: u64 = 0xffff;
const MOST_EXTENDED: u64 = 63 * 1024;

/** Entries of the BIOS, and two that hide memory. */
const ASKED: i32 = 102;
/** Each end of an entry may begin a new range. */
const RANGES: i32 = 2 * ASKED;
/** How many fit behind the hook in its page. */
const HOOK_MOST: i32 = (0x1000 - 0x210) / 20;

/** Ranges in ascending order; those of one type that touch are one. */
export class MemoryMap {
  private asked: i32 = 0;
  private askedFirst: StaticArray<u64> = new StaticArray<u64>(ASKED);
  private askedEnd: StaticArray<u64> = new StaticArray<u64>(ASKED);
  private askedType: StaticArray<u32> = new StaticArray<u32>(ASKED);
  private firsts: StaticArray<u64> = new StaticArray<u64>(RANGES);
  private ends: StaticArray<u64> = new StaticArray<u64>(RANGES);
  private types: StaticArray<u32> = new StaticArray<u32>(RANGES);
  /** How many ranges there are. */
  count: i32 = 0;
  /** Why the guest cannot be given a map, or an empty text. */
  problem: string = "";

  /**
   * Asks the BIOS: before VMX operation, on the first processor; what is in the page of real mode is lost.
   * @param base the hypervisor's, a physical address
   */
  constructor(base: u64) {
    memory.copy(REAL_MODE_PAGE, addr_biosMemoryMap(), addr_biosMemoryMapEnd() - addr_biosMemoryMap());
    callRealMode();
    this.takeBiosMap();
    this.arrange();
    const conventional = this.conventionalEnd();
    if (conventional === 0 && this.problem.length === 0) this.problem = "conventional memory ends below 9F000";
    this.ask(base, base + LINEAR_BYTES, RESERVED);
    this.ask(INT15_PAGE, conventional, RESERVED);
    this.arrange();
  }

  firstOf(n: i32): u64 {
    return this.firsts[n];
  }
  /** The address behind the range. */
  endOf(n: i32): u64 {
    return this.ends[n];
  }
  typeOf(n: i32): u32 {
    return this.types[n];
  }
  /** The end of the highest RAM. */
  get top(): u64 {
    let top: u64 = 0;
    for (let n = 0; n < this.count; n++) if (this.types[n] === RAM) top = this.ends[n];
    return top;
  }

  private takeBiosMap(): void {
    const count = physRead16(BIOS_MAP);
    if (count === 0) this.problem = "the BIOS has no memory map";
    if (count >= BIOS_MAP_MOST) this.problem = "the BIOS's memory map is too long";
    for (let n: u32 = 0; n < count && n < BIOS_MAP_MOST; n++) {
      const at = BIOS_MAP + 16 + BIOS_ENTRY_BYTES * n,
        first = physRead64(at),
        end = first + physRead64(at + 8);
      if ((physRead32(at + 20) & ENABLED) !== 0)
        this.ask(first, end < first ? u64.MAX_VALUE : end, physRead32(at + 16));
    }
  }
  private ask(first: u64, end: u64, type: u32): void {
    if (first >= end) return;
    const n = this.asked++;
    this.askedFirst[n] = first;
    this.askedEnd[n] = end;
    this.askedType[n] = type;
  }

  /**
   * Where the RAM ends that the low pages are in; 0: they are not in RAM. The BIOS data area's word may be lower, since
   * iPXE does not give back what it took; but it is gone, and the BIOS counts that as RAM.
   */
  private conventionalEnd(): u64 {
    for (let n = 0; n < this.count; n++) {
      const isThere = this.firsts[n] <= INT15_PAGE && this.ends[n] >= LOW_PAGES_END;
      if (isThere && this.types[n] === RAM) return min(this.ends[n], CONVENTIONAL_END);
    }
    return 0;
  }

  /** From each end of an entry to the next, the type is the highest of those that are there: RAM gives way to all. */
  private arrange(): void {
    this.count = 0;
    let first: u64 = this.nextEdge(0, true);
    while (first !== u64.MAX_VALUE) {
      const end = this.nextEdge(first, false),
        type = this.highestTypeAt(first);
      if (type !== 0) this.append(first, end, type);
      first = end;
    }
    if (this.count > HOOK_MOST) this.problem = "the memory map has too many ranges";
  }
  /** The lowest end of an entry above an address, or there. */
  private nextEdge(above: u64, orThere: bool): u64 {
    let next = u64.MAX_VALUE;
    for (let n = 0; n < this.asked; n++) {
      const first = this.askedFirst[n],
        end = this.askedEnd[n];
      if (first < next && (first > above || (orThere && first === above))) next = first;
      if (end < next && end > above) next = end;
    }
    return next;
  }
  private highestTypeAt(address: u64): u32 {
    let type: u32 = 0;
    for (let n = 0; n < this.asked; n++) {
      const isThere = address >= this.askedFirst[n] && address < this.askedEnd[n];
      if (isThere && this.askedType[n] > type) type = this.askedType[n];
    }
    return type;
  }
  private append(first: u64, end: u64, type: u32): void {
    const last = this.count - 1;
    if (last >= 0 && this.types[last] === type && this.ends[last] === first) this.ends[last] = end;
    else {
      this.firsts[this.count] = first;
      this.ends[this.count] = end;
      this.types[this.count++] = type;
    }
  }

  /** From now on INT 15h and INT 12h tell this map. */
  placeHook(): void {
    memory.copy(INT15_PAGE, addr_int15(), addr_int15End() - addr_int15());
    physWrite32(INT15_DATA, physRead32(VECTOR_15));
    physWrite16(INT15_DATA + 4, this.count);
    const extended = this.extendedMemory(),
      below = min(extended / KIB, MOST_BELOW_16M),
      above = extended > 15 * MIB ? min((extended - 15 * MIB) / (64 * KIB), MOST_ABOVE_16M) : 0;
    physWrite16(INT15_DATA + 6, <u32>below);
    physWrite16(INT15_DATA + 8, <u32>above);
    physWrite16(INT15_DATA + 10, <u32>min(extended / KIB, MOST_EXTENDED));
    for (let n = 0; n < this.count; n++) {
      const at = INT15_DATA + 16 + HOOK_ENTRY_BYTES * n;
      physWrite64(at, this.firsts[n]);
      physWrite64(at + 8, this.ends[n] - this.firsts[n]);
      physWrite32(at + 16, this.types[n]);
    }
    physWrite32(VECTOR_15, ((INT15_PAGE & 0xf0000) << 12) | (INT15_PAGE & 0xffff));
    physWrite16(CONVENTIONAL, min(physRead16(CONVENTIONAL), <u32>(<u64>INT15_PAGE / KIB)));
  }
  /** How much RAM there is from 1 MiB on without a gap. */
  private extendedMemory(): u64 {
    for (let n = 0; n < this.count; n++) {
      const isThere = this.firsts[n] <= MIB && this.ends[n] > MIB;
      if (isThere && this.types[n] === RAM) return this.ends[n] - MIB;
    }
    return 0;
  }
}
