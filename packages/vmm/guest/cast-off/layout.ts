/** Registers and selectors by their numbers in encodings, and what lies where in a processor's way out. */

export const RAX: u32 = 0;
export const RCX: u32 = 1;
export const RDX: u32 = 2;
export const RBX: u32 = 3;
export const RSP: u32 = 4;
export const RDI: u32 = 7;

export const ES: u32 = 0;
export const CS: u32 = 1;
export const SS: u32 = 2;
export const DS: u32 = 3;
export const GS: u32 = 5;
export const LDTR: u32 = 6;
export const TR: u32 = 7;

export const LGDT: u32 = 2;
export const LIDT: u32 = 3;
export const LLDT: u32 = 2;
export const LTR: u32 = 3;

export const PAGE: u32 = 4096;
/** Physical memory is mapped at this linear address, in the hypervisor's tables and in those of the way out. */
export const ALIAS: u64 = 1 << 46;
/** Entry of a PML4 with that map. */
export const ALIAS_ENTRY: u32 = 128;

/** Pages of a way out: code and its data, where the guest is landed at, page tables. */
export const WAY_OUT_PAGES: u32 = 10;
export const LANDING: u32 = PAGE;
export const TABLES: u32 = 2 * PAGE;

// ---- in the first page, behind the code ----

/** Sixteen bytes for each segment register, LDTR and TR: its descriptor, and what LGDT takes to find it. */
export const DESCRIPTORS: u32 = 0xa00;
export const POINTERS: u32 = 0xa80;
/** The same for descriptors that lie in an LDT: the LDT's own descriptor, and what LGDT takes to find that. */
export const LDT_DESCRIPTORS: u32 = 0xb00;
export const LDT_POINTERS: u32 = 0xb80;
/** What LGDT and LIDT take for the guest's tables. */
export const GUEST_GDT: u32 = 0xc00;
export const GUEST_IDT: u32 = 0xc10;
/** Where the guest goes on, for an indirect jump. */
export const TARGET: u32 = 0xc20;
/** A GDT for the way down from 64-bit code, and what LGDT takes. */
export const OWN_GDT: u32 = 0xc40;
export const OWN_POINTER: u32 = 0xcc0;
export const STACK_END: u32 = 0xff0;
/** Its selectors: flat code and data, 16-bit code; then data for real mode: ES, unused, SS, DS, FS, GS. */
export const OWN_CODE32: u32 = 8;
export const OWN_DATA32: u32 = 16;
export const OWN_CODE16: u32 = 24;
export const OWN_REAL: u32 = 32;
