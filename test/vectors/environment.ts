/**
 * Where vectors run: the memory and the segments that surround each instruction, on the host's CPU and in castaway.
 *
 * Linear memory below 4 GiB holds nothing but what is listed here, so that 16-bit and 32-bit code cannot reach the
 * capture program, whatever it does.
 */
import { Random } from "@castaway/kit";

export type Mode = 64 | 32 | 16;

/** A range of linear memory that user mode may access as its letters say; around each range nothing is mapped. */
export interface Range {
  readonly address: number;
  readonly size: number;
  readonly access: "rw" | "r" | "rx";
}

export const CODE: Range = { address: 0x11_0000, size: 0x1_0000, access: "rx" };
/** Two pages to read and write, so that accesses can cross a page boundary and run over the end. */
export const DATA: Range = { address: 0x22_0000, size: 0x2000, access: "rw" };
/** A page that faults when written. */
export const CONSTANT: Range = { address: 0x22_3000, size: 0x1000, access: "r" };
export const RANGES: readonly Range[] = [CODE, DATA, CONSTANT];

/**
 * What a range holds before each case: code is INT3, data is noise that never changes. Bytes of noise have their top bit
 * set, so that none is by chance a selector of the host's own.
 */
export function contents(range: Range): Uint8Array {
  const bytes = new Uint8Array(range.size).fill(0xcc);
  return range === CODE ? bytes : new Random(range.address).fill(bytes).map((byte) => byte | 0x80);
}

/** A segment of the local descriptor table. */
export interface Segment {
  readonly name: string;
  readonly base: number;
  /** In bytes; above 1 MiB in pages, so that it ends in FFF. */
  readonly limit: number;
  readonly kind: "code" | "data" | "down";
  /** D or B. */
  readonly big: boolean;
  /** Data that cannot be written, or code that cannot be read. */
  readonly sealed?: boolean;
  readonly absent?: boolean;
}

/** Offset of DATA in the segments whose base lies before it. */
const LEAD = 0x4000;
const NEAR = DATA.address - LEAD;

/**
 * The local descriptor table, in order. Bases differ, one wraps around 4 GiB; limits end at the last data byte, beyond
 * it, or in its middle; so a wrong base, limit or type shows.
 */
export const SEGMENTS: readonly Segment[] = [
  { name: "code16", base: CODE.address, limit: 0xffff, kind: "code", big: false },
  { name: "code32", base: CODE.address - 0x2000, limit: 0x1_1fff, kind: "code", big: true },
  { name: "exact16", base: NEAR, limit: LEAD + DATA.size - 1, kind: "data", big: false },
  { name: "wide16", base: NEAR, limit: 0xffff, kind: "data", big: false },
  { name: "down16", base: NEAR, limit: LEAD + 0x7ff, kind: "down", big: false },
  { name: "far32", base: (DATA.address - 0x1000_0000) >>> 0, limit: 0xffff_ffff, kind: "data", big: true },
  { name: "down32", base: NEAR, limit: LEAD + 0x7ff, kind: "down", big: true },
  { name: "constant", base: NEAR, limit: 0xffff, kind: "data", big: false, sealed: true },
  { name: "secret", base: CODE.address, limit: 0xffff, kind: "code", big: false, sealed: true },
  { name: "absent", base: NEAR, limit: 0xffff, kind: "data", big: true, absent: true },
  { name: "exact32", base: NEAR, limit: LEAD + DATA.size - 1, kind: "data", big: true },
];

/** The selector of a segment of {@link SEGMENTS}. */
export function selector(name: string): number {
  const index = SEGMENTS.findIndex((segment) => segment.name === name);
  if (index < 0) throw new Error(`no segment "${name}"`);
  return (index << 3) | 7;
}

/** The user-mode descriptors of the host's global table that cases can name. They are the same in every Linux. */
export const HOST_SEGMENTS = [
  { selector: 0x23, descriptor: 0x00cf_fb00_0000_ffffn },
  { selector: 0x2b, descriptor: 0x00cf_f300_0000_ffffn },
  { selector: 0x33, descriptor: 0x00af_fb00_0000_ffffn },
] as const;
export const USER_CODE32 = 0x23;
const USER_DATA = 0x2b;
export const USER_CODE64 = 0x33;

/** ES CS SS DS FS GS with which the cases of a mode start. In 64-bit mode FS and GS have bases of their own. */
export const SELECTORS: Record<Mode, readonly number[]> = {
  64: [0, USER_CODE64, USER_DATA, 0, 0, 0],
  32: [USER_DATA, USER_CODE32, USER_DATA, USER_DATA, selector("far32"), selector("exact32")],
  16: [
    selector("wide16"),
    selector("code16"),
    selector("wide16"),
    selector("exact16"),
    selector("down16"),
    selector("constant"),
  ],
};
/** Other stacks: 16-bit ones under 32-bit code, and the reverse. */
export const OTHER_STACKS: Record<Mode, readonly number[]> = {
  64: [],
  32: [selector("wide16"), selector("down32"), selector("exact32")],
  16: [USER_DATA, selector("down16"), selector("far32")],
};
/** Selectors that CS, and that SS can hold. */
export const CODE_SELECTORS = [USER_CODE32, USER_CODE64, selector("code16"), selector("code32")];
export const STACK_SELECTORS = [USER_DATA, selector("wide16"), selector("exact32"), selector("down32")];
/** Selectors that cases may load or ask about: each of the above, with other RPLs, and none that is the kernel's own. */
export const INTERESTING_SELECTORS: readonly number[] = [
  0,
  1,
  2,
  3,
  USER_CODE32,
  USER_DATA,
  USER_CODE64,
  0x2a,
  0x28,
  0x20,
  ...SEGMENTS.map((_, index) => (index << 3) | 7),
  ...SEGMENTS.map((_, index) => (index << 3) | 4),
  (SEGMENTS.length << 3) | 7, // all zeros
  0xffff, // beyond the table
];

/** The eight bytes of a descriptor as the kernel makes it: DPL 3, accessed, AVL set. */
export function descriptor(segment: Segment): bigint {
  const pages = segment.limit > 0xf_ffff;
  const limit = pages ? segment.limit >>> 12 : segment.limit;
  const permission = segment.sealed ? 0 : 2;
  const type = 1 | permission | { data: 0, down: 4, code: 8 }[segment.kind];
  const access = type | 0x70 | (segment.absent ? 0 : 0x80);
  const high =
    ((segment.base >>> 24) << 24) |
    (pages ? 1 << 23 : 0) |
    (segment.big ? 1 << 22 : 0) |
    (1 << 20) |
    (((limit >>> 16) & 15) << 16) |
    (access << 8) |
    ((segment.base >>> 16) & 0xff);
  const low = ((segment.base & 0xffff) << 16) | (limit & 0xffff);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** The segment behind a selector as base, first and last valid offset; flat for selectors of the host's table. */
export function extent(of: number): { base: number; first: number; last: number } {
  const segment = of & 4 ? SEGMENTS[of >> 3] : undefined;
  if (segment === undefined) return { base: 0, first: 0, last: 0xffff_ffff };
  if (segment.kind !== "down") return { base: segment.base, first: 0, last: segment.limit };
  return { base: segment.base, first: segment.limit + 1, last: segment.big ? 0xffff_ffff : 0xffff };
}
