/**
 * Where processors leave, and what the last of them erases: all of the hypervisor's memory but the ways out, which others may
 * still be on, and the map of physical memory that they use. Neither holds anything but addresses, and registers that the
 * guest had anyway.
 */
import { allocate, physicalOf } from "../memory.ts";
import { Code } from "./code.ts";
import { ALIAS, PAGE, RAX, RCX, RDI, WAY_OUT_PAGES } from "./layout.ts";

const LINEAR_BYTES: usize = 0x1000000;
/** The boot stub's page tables, nine pages. */
const PAGE_TABLES: usize = 0x10000;
const PAGE_TABLES_END: usize = 0x19000;
/** The pages of conventional memory that stubs are copied to. */
const LOW_PAGES: u64 = 0x9d000;
const LOW_PAGES_END: u64 = 0x9f000;

export class WaysOut {
  private first: usize;
  private end: usize;
  private next: usize;

  /** Boot only. */
  constructor(processors: u32) {
    const bytes = processors * WAY_OUT_PAGES * PAGE;
    this.first = allocate(bytes, PAGE);
    this.end = this.first + bytes;
    this.next = this.first;
  }
  /** Pages for a processor. */
  take(): usize {
    const page = this.next;
    if (page === this.end) unreachable();
    this.next = page + WAY_OUT_PAGES * PAGE;
    return page;
  }
  /** Writes code that erases everything; RAX, RCX and RDI are lost. */
  scrub(code: Code): void {
    clear(code, physicalOf(0), physicalOf(PAGE_TABLES));
    clear(code, physicalOf(PAGE_TABLES_END), physicalOf(this.first));
    clear(code, physicalOf(this.end), physicalOf(LINEAR_BYTES));
    clear(code, LOW_PAGES, LOW_PAGES_END);
  }
}

function clear(code: Code, from: u64, to: u64): void {
  code.move(RDI, ALIAS + from);
  code.move(RCX, (to - from) >> 3);
  code.move(RAX, 0);
  code.bytes3(0xf3, 0x48, 0xab); // REP STOSQ
}
