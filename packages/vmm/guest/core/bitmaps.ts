/** Bitmaps of ports and of model-specific registers that make the guest exit [SDM 3C 24.6.4, 24.6.9]. */
import { allocate, physicalOf } from "../memory.ts";
import { physFill, physRead8, physWrite8 } from "../x86.ts";

const PAGE: u32 = 4096;
const READ_HIGH: u32 = 1024;
const WRITE_LOW: u32 = 2048;
const WRITE_HIGH: u32 = 3072;
const HIGH_FIRST: u32 = 0xc0000000;
/** Registers in each of both ranges. */
const COVERED: u32 = 0x2000;

function setBit(map: u64, bit: u32, on: bool): void {
  const at = map + (bit >> 3),
    mask: u32 = (<u32>1) << (bit & 7),
    old = physRead8(at);
  physWrite8(at, on ? old | mask : old & ~mask);
}

export class PortBitmap {
  /** Map A, of ports below 8000, and map B behind it. */
  readonly a: u64;

  constructor() {
    this.a = physicalOf(allocate(2 * PAGE, PAGE));
    physFill(this.a, 0, 2 * PAGE);
  }
  get b(): u64 {
    return this.a + PAGE;
  }
  /** Whether accesses to these ports exit. */
  set(first: u32, count: u32, exits: bool): void {
    for (let port = first; port < first + count; port++) setBit(this.a, port, exits);
  }
}

export class MsrBitmap {
  readonly at: u64;

  constructor() {
    this.at = physicalOf(allocate(PAGE, PAGE));
    physFill(this.at, 0, PAGE);
  }
  /** Whether reads, and writes, of a register exit. Those outside of both ranges always do. */
  set(index: u32, reads: bool, writes: bool): void {
    const high = index >= HIGH_FIRST,
      bit = high ? index - HIGH_FIRST : index;
    if (bit >= COVERED) return;
    setBit(this.at + (high ? READ_HIGH : 0), bit, reads);
    setBit(this.at + (high ? WRITE_HIGH : WRITE_LOW), bit, writes);
  }
}
