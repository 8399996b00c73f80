/**
 * Memory types as the firmware has set them, read once at boot [SDM 3A 11.11]. EPT does not look at the MTRRs, so its
 * entries must say the same.
 */
import { rdmsr } from "../x86.ts";
import { Ept } from "./ept.ts";

export const TYPE_UC: u32 = 0;
const TYPE_WT: u32 = 4;
const TYPE_WB: u32 = 6;
/** Of `typeOf`: parts of the page differ, or ranges overlap whose types do not go together. */
const MIXED: u32 = TYPE_UC;

const CAPABILITIES: u32 = 0xfe;
const DEFAULT_TYPE: u32 = 0x2ff;
const PHYSBASE0: u32 = 0x200;
const HAS_FIXED: u64 = 1 << 8;
const FIXED_ENABLED: u64 = 1 << 10;
const ENABLED: u64 = 1 << 11;
const VALID: u64 = 1 << 11;
const ADDRESS: u64 = 0x000ffffffffff000;

const PAGE: u64 = 4096;
const MIB: u64 = 0x100000;
const LARGE_PAGE: u64 = 0x200000;
const GIB: u64 = 0x40000000;
/** More of them than a processor has. */
const MOST: i32 = 32;

export class MemoryTypes {
  private isOn: bool;
  private fixed: bool;
  private other: u32;
  private count: i32 = 0;
  private bases: StaticArray<u64> = new StaticArray<u64>(MOST);
  private masks: StaticArray<u64> = new StaticArray<u64>(MOST);

  constructor() {
    const capabilities = rdmsr(CAPABILITIES),
      settings = rdmsr(DEFAULT_TYPE);
    this.isOn = (settings & ENABLED) !== 0;
    this.fixed = (settings & FIXED_ENABLED) !== 0 && (capabilities & HAS_FIXED) !== 0;
    this.other = <u32>(settings & 0xff);
    for (let n: u32 = 0; n < <u32>(capabilities & 0xff) && this.count < MOST; n++) {
      const mask = rdmsr(PHYSBASE0 + 2 * n + 1);
      if ((mask & VALID) === 0) continue;
      this.bases[this.count] = rdmsr(PHYSBASE0 + 2 * n);
      this.masks[this.count++] = mask & ADDRESS;
    }
  }

  /** The type of a page of 4 KiB, or, above 1 MiB, of a larger one: a power of two. */
  typeOf(page: u64, bytes: u64): u32 {
    if (!this.isOn) return TYPE_UC;
    if (page < MIB && this.fixed) return fixedType(<u32>page);
    let type = this.other,
      found = false;
    for (let n = 0; n < this.count; n++) {
      const base = this.bases[n],
        mask = this.masks[n],
        inPage = bytes - 1;
      if (((page ^ base) & mask & ~inPage) !== 0) continue;
      if ((mask & inPage) !== 0) return MIXED; // the range is smaller than the page
      const its = <u32>(base & 0xff);
      type = found ? together(type, its) : its;
      found = true;
    }
    return type;
  }
}
/** Of two ranges that overlap [SDM 3A 11.11.4.1]. */
function together(a: u32, b: u32): u32 {
  if (a === b) return a;
  return min(a, b) === TYPE_WT && max(a, b) === TYPE_WB ? TYPE_WT : TYPE_UC;
}
/** Eight types in a register: of 64 KiB each, then of 16, then of 4. */
function fixedType(address: u32): u32 {
  let index: u32 = 0x250,
    n = address >> 16;
  if (address >= 0xc0000) {
    n = (address - 0xc0000) >> 12;
    index = 0x268 + (n >> 3);
  } else if (address >= 0x80000) {
    n = (address - 0x80000) >> 14;
    index = 0x258 + (n >> 3);
  }
  return <u32>(rdmsr(index) >> (8 * (n & 7))) & 0xff;
}

/** Gives EPT the processor's types below `top`. In a large page that is mixed, all is uncacheable, but for the first. */
export function setTypes(ept: Ept, types: MemoryTypes, top: u64): void {
  for (let at: u64 = 0; at < LARGE_PAGE; at += PAGE) ept.setType(at, at + PAGE, types.typeOf(at, PAGE));
  for (let at = LARGE_PAGE; at < min(top, 4 * GIB); at += LARGE_PAGE)
    ept.setType(at, at + LARGE_PAGE, types.typeOf(at, LARGE_PAGE));
  for (let at: u64 = 4 * GIB; at < top; at += GIB) ept.setType(at, at + GIB, types.typeOf(at, GIB));
}
