/**
 * The VMM's linear memory, 16 MiB. It lies in physical memory wherever the boot stub finds room, from the address P on:
 * linear = physical - P, but for the low window, where both are equal, and page 0, which is not mapped.
 */

export const LINEAR_BYTES = 0x1000000;
/** Page tables made by the boot stub, nine pages: see `stubs/boot.ts`. */
export const PAGE_TABLES = 0x10000;
/** The first processor's stack, below which a page is not mapped. */
export const STACK_GUARD = 0x1a000,
  STACK_BOTTOM = 0x1b000,
  STACK_TOP = 0x2b000;
/** Each other processor's, of which guest/core/start-processors.ts takes care. */
export const AP_STACK_BYTES = 0x4000;
/** Conventional memory that is mapped to itself, for what runs in real mode. */
export const LOW_WINDOW = 0x80000,
  LOW_WINDOW_END = 0xa0000;
/** Pages in the low window that code is copied to: the hook of INT 15h, back to real mode, and a processor's start. */
export const INT15_PAGE = 0x9c000,
  REAL_MODE_PAGE = 0x9d000,
  AP_START_PAGE = 0x9e000;
/** Behind the hook: the original vector and the hook's own memory map; `stubs/int15.ts` draws it. */
export const INT15_DATA = INT15_PAGE + 0x200;
/** Where `biosMemoryMap` leaves what the BIOS says: how many entries, and 16 bytes further the entries, of 24 bytes. */
export const BIOS_MAP = REAL_MODE_PAGE + 0x400,
  BIOS_MAP_MOST = 100;
/** Where a boot loader puts the image, and where its code is linked to. */
export const IMAGE = 0x100000;
/** AssemblyScript's data, then its heap. */
export const DATA = 0x180000;
/** Selectors of the boot stub's GDT. */
export const CODE64 = 0x08,
  DATA32 = 0x10,
  CODE32 = 0x18,
  CODE16 = 0x20,
  DATA16 = 0x28,
  TSS = 0x30;
