/**
 * The world of a case inside castaway: page tables, descriptor tables and exception handlers around the memory of
 * environment.ts. User mode sees what it sees under Linux; all else lies in a supervisor mapping far from any case.
 */
import { contents, descriptor, HOST_SEGMENTS, RANGES, SEGMENTS } from "./environment.ts";
import { viewOf } from "./layout.ts";

export const RAM_BYTES = 4 << 20;
/** Linear address of physical address 0 for the supervisor: two megabytes. */
export const SUPERVISOR = 0xffff_9000_0000_0000n;

/** Physical addresses. */
const PML4 = 0x1000;
const LOW_PDPT = 0x2000;
const LOW_DIRECTORY = 0x3000;
const LOW_TABLES = 0x4000; // two: 0 to 4 MiB
const HIGH_PDPT = 0x6000;
const HIGH_DIRECTORY = 0x7000;
const GDT = 0x8000;
const LDT = 0x8800;
const IDT = 0x9000;
const TSS = 0xa000;
const STACK_TOP = 0xc000;
const HANDLERS = 0xd000;

const GDT_BYTES = 0x80;
const LDT_BYTES = 8 * (SEGMENTS.length + 1);
const TSS_BYTES = 0x68;
const VECTORS = 32;
const HANDLER_BYTES = 16;
const KERNEL_CODE = 0x10;
const LDT_SELECTOR = 0x50;
const TSS_SELECTOR = 0x40;

/** Page table entry bits. */
const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const ACCESSED = 0x20;
const DIRTY = 0x40;
const LARGE = 0x80;
const NO_EXECUTE = 1n << 63n;

/** Control registers and tables; segment registers come from the cases. */
export const REGISTERS = {
  CR0: 0x8005_0033n, // PG AM WP NE ET MP PE
  CR3: BigInt(PML4),
  CR4: 0x1_0e30n, // FSGSBASE UMIP OSXMMEXCPT OSFXSR PAE PSE
  EFER: 0xd01n, // NXE LMA LME SCE
  GDTR: { base: SUPERVISOR + BigInt(GDT), limit: GDT_BYTES - 1 },
  IDTR: { base: SUPERVISOR + BigInt(IDT), limit: 16 * VECTORS - 1 },
  LDTR: { selector: LDT_SELECTOR, base: SUPERVISOR + BigInt(LDT), limit: LDT_BYTES - 1, access: 0x82 },
  TR: { selector: TSS_SELECTOR, base: SUPERVISOR + BigInt(TSS), limit: TSS_BYTES - 1, access: 0x8b },
} as const;

/** Physical address of the frame that an exception leaves: RIP, CS, RFLAGS, RSP, SS; an error code lies below it. */
export const FRAME = STACK_TOP - 40;

/** The vector whose handler is at this RIP, or -1. */
export function vectorAt(rip: bigint): number {
  const offset = Number(rip - SUPERVISOR - BigInt(HANDLERS));
  return offset >= 0 && offset < VECTORS * HANDLER_BYTES ? Math.floor(offset / HANDLER_BYTES) : -1;
}

/** Physical memory before any case. Data is where its linear address says. */
export function memoryImage(): Uint8Array {
  const bytes = new Uint8Array(RAM_BYTES);
  const view = viewOf(bytes);
  const put = (at: number, value: bigint) => view.setBigUint64(at, value, true);
  const table = PRESENT | WRITABLE | USER | ACCESSED;
  put(PML4, BigInt(LOW_PDPT | table));
  put(LOW_PDPT, BigInt(LOW_DIRECTORY | table));
  for (let i = 0; i < 2; i++) put(LOW_DIRECTORY + 8 * i, BigInt((LOW_TABLES + 0x1000 * i) | table));
  put(PML4 + 8 * Number((SUPERVISOR >> 39n) & 511n), BigInt(HIGH_PDPT | table));
  put(HIGH_PDPT + 8 * Number((SUPERVISOR >> 30n) & 511n), BigInt(HIGH_DIRECTORY | table));
  put(HIGH_DIRECTORY + 8 * Number((SUPERVISOR >> 21n) & 511n), BigInt(PRESENT | WRITABLE | ACCESSED | DIRTY | LARGE));
  for (const range of RANGES) {
    const rights = PRESENT | USER | ACCESSED | (range.access === "rw" ? WRITABLE | DIRTY : 0);
    for (let at = range.address; at < range.address + range.size; at += 0x1000) {
      put(LOW_TABLES + 8 * (at >> 12), BigInt(at | rights) | (range.access === "rx" ? 0n : NO_EXECUTE));
    }
    bytes.set(contents(range), range.address);
  }

  put(GDT + KERNEL_CODE, 0x00af_9b00_0000_ffffn);
  for (const { selector, descriptor: d } of HOST_SEGMENTS) put(GDT + (selector & ~7), d);
  for (const [i, segment] of SEGMENTS.entries()) put(LDT + 8 * i, descriptor(segment));
  put(TSS + 4, SUPERVISOR + BigInt(STACK_TOP));
  for (let vector = 0; vector < VECTORS; vector++) {
    const handler = SUPERVISOR + BigInt(HANDLERS + vector * HANDLER_BYTES);
    const dpl = vector === 3 || vector === 4 ? 0x60n : 0n;
    const gate = (handler & 0xffffn) | BigInt(KERNEL_CODE << 16) | ((0x8e00n | (dpl << 8n)) << 32n);
    put(IDT + 16 * vector, gate | (((handler >> 16n) & 0xffffn) << 48n));
    put(IDT + 16 * vector + 8, handler >> 32n);
    bytes.set([0xeb, 0xfe], HANDLERS + vector * HANDLER_BYTES); // jmp to itself
  }
  return bytes;
}
