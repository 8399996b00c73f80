/**
 * Physical memory above 4 GiB, in the hypervisor's own page tables: the boot stub maps what is below, at 1 << 46, and leaves
 * the rest of that table to here. Pages of 1 GiB; their memory types are the MTRRs'.
 */
import { physicalOf } from "../memory.ts";
import { cpuid, physWrite64 } from "../x86.ts";

/** The boot stub's page-directory-pointer table of physical memory: compiler/layout.ts and stubs/boot.ts. */
const POINTERS: usize = 0x10000 + 4 * 0x1000;
const GIB: u64 = 0x40000000;
const BELOW: u64 = 4;
const ENTRIES: u64 = 512;
/** Present, writable, a page [SDM 3A table 4-15]. */
const LARGE_PAGE: u64 = 0x83;
const EXTENDED_LEAF: u32 = 0x80000001;
const HAS_LARGE_PAGES: u32 = 1 << 26;

/** @param scratch 16 bytes @returns the first physical address that intrinsics do not reach */
export function mapPhysicalMemory(scratch: usize): u64 {
  cpuid(EXTENDED_LEAF, 0, scratch);
  if ((load<u32>(scratch, 12) & HAS_LARGE_PAGES) === 0) return BELOW * GIB;
  for (let n = BELOW; n < ENTRIES; n++) physWrite64(physicalOf(POINTERS) + 8 * n, (n * GIB) | LARGE_PAGE);
  return ENTRIES * GIB;
}
