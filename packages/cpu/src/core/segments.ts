/**
 * Segment registers [SDM 3A chapters 3 and 5]: descriptors, and loads with all their checks. Far transfers, which load
 * CS, are in far.ts; what a loaded register means to memory accesses is in modes.ts.
 */
import {
  ACCESSED,
  CODE,
  CONFORMING,
  DB_BIT,
  dplOf,
  G_BIT,
  L_BIT,
  MODE_REAL,
  PRESENT,
  refreshSegment,
  refreshTransfer,
  S_BIT,
  UNUSABLE,
  WRITABLE,
} from "./modes.ts";
import type { Processor } from "./processor.ts";
import { CS, ES, GS, LDTR, S, SEG, SS, segment, TR } from "./state.ts";

/** Types of system descriptors [SDM 3A table 3-2]; in IA-32e mode only the 32-bit ones exist, as 64-bit ones. */
export const TSS16 = 1,
  LDT = 2,
  TSS16_BUSY = 3,
  CALL16 = 4,
  TASK_GATE = 5,
  INT16 = 6,
  TRAP16 = 7,
  TSS32 = 9,
  TSS32_BUSY = 11,
  CALL32 = 12,
  INT32 = 14,
  TRAP32 = 15;
/** Type of a system descriptor, or that of a code or data descriptor with bit 4 set. */
export const typeOf = (access: number) => access & 0x1f;

/** A descriptor as it stands in its table. */
export interface Descriptor {
  /** Linear address, for the accessed and busy bits. */
  readonly address: number;
  /** The two words, for gates. */
  readonly low: number;
  readonly high: number;
  /** Attributes as in SEG.access. */
  readonly access: number;
  readonly base: number;
  /** In bytes, granularity applied. */
  readonly limit: number;
}

export const isNull = (selector: number) => (selector & 0xfffc) === 0;
const isData = (access: number) => (access & (S_BIT | CODE)) === S_BIT;
export const isCode = (access: number) => (access & (S_BIT | CODE)) === (S_BIT | CODE);
export const isConforming = (access: number) => (access & (S_BIT | CODE | CONFORMING)) === (S_BIT | CODE | CONFORMING);
const isReadable = (access: number) => isData(access) || (isCode(access) && (access & WRITABLE) !== 0);
const isWritableData = (access: number) => (access & (S_BIT | CODE | WRITABLE)) === (S_BIT | WRITABLE);
/** 64-bit code: L set and D clear, in IA-32e mode. */
export const is64BitCode = (access: number) => (access & (L_BIT | DB_BIT)) === L_BIT;
/** Is a linear address that is held in a number canonical? */
export const isCanonicalNumber = (address: number) => address >= -(2 ** 47) && address < 2 ** 47;

/** Is this the TSS of a 32-bit task, busy or not? */
export const isTss32 = (access: number) => typeOf(access) === TSS32 || typeOf(access) === TSS32_BUSY;

/** Linear address of the table entry that a selector names, or null if no whole entry of `bytes` bytes is there. */
function entryOf(cpu: Processor, selector: number, bytes: number): number | null {
  const offset = selector & 0xfff8;
  let base: number, limit: number;
  if (selector & 4) {
    if (cpu.segmentAccess(LDTR) & UNUSABLE) return null;
    base = cpu.number(segment(LDTR) + SEG.base);
    limit = cpu.u32(segment(LDTR) + SEG.limit);
  } else {
    base = cpu.number(S.GDTR_BASE);
    limit = cpu.u32(S.GDTR_LIMIT);
  }
  if (offset + bytes - 1 > limit) return null;
  return cpu.ia32e ? base + offset : (base + offset) >>> 0;
}

/** The descriptor that a selector names, or null if it is outside of its table. */
export function findDescriptor(cpu: Processor, selector: number): Descriptor | null {
  const address = entryOf(cpu, selector, 8);
  if (address === null) return null;
  const { u32 } = cpu.memory;
  if (!cpu.access.load(address, 8, S.RESULT, "supervisor")) throw cpu.pendingFault;
  const low = u32[S.RESULT >> 2]!,
    high = u32[(S.RESULT >> 2) + 1]!;
  const access = (high >>> 8) & 0xf0ff,
    base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  const limit20 = (low & 0xffff) | (high & 0xf0000);
  return { address, low, high, access, base, limit: access & G_BIT ? ((limit20 << 12) | 0xfff) >>> 0 : limit20 };
}

/** As findDescriptor; outside of its table: `exception` with the selector, and `ext` as the EXT bit. */
export function readDescriptor(cpu: Processor, selector: number, exception: "GP" | "TS" = "GP", ext = 0): Descriptor {
  return findDescriptor(cpu, selector) ?? cpu.fault(exception, errorCode(selector, ext));
}
/** The error code that names a selector [SDM 3A 6.13]. */
export const errorCode = (selector: number, ext = 0) => (selector & 0xfffc) | ext;

/** Sets the accessed bit in the table if it is clear; the attributes to load [SDM 3A 3.4.5.1]. */
export function markAccessed(cpu: Processor, d: Descriptor): number {
  if (!(d.access & ACCESSED)) cpu.writeLinear(d.address + 5, 1, ((d.high >>> 8) & 0xff) | ACCESSED, "supervisor");
  return d.access | ACCESSED;
}

/** Writes selector and hidden part; derived fields are up to the caller. `base` is unsigned below 2^32, or canonical. */
export function setSegment(
  cpu: Processor,
  n: number,
  selector: number,
  access: number,
  base: number,
  limit: number,
): void {
  const { u32 } = cpu.memory,
    at = segment(n) >> 2;
  u32[at] = selector;
  u32[at + 1] = access;
  u32[at + (SEG.base >> 2)] = base >>> 0;
  u32[at + (SEG.base >> 2) + 1] = base === base >>> 0 ? 0 : Math.floor(base / 2 ** 32);
  u32[at + (SEG.limit >> 2)] = limit;
  u32[at + (SEG.limit >> 2) + 1] = 0;
}
/** A register without a usable segment; it keeps the DPL, which is the CPL if the register is SS [SDM 3A 5.4.1]. */
export const setNull = (cpu: Processor, n: number, selector: number, dpl = 0) =>
  setSegment(cpu, n, selector, UNUSABLE | (dpl << 5), 0, 0);

/** Real-address and virtual-8086 mode: the selector is a paragraph; limit and attributes stay as they are [SDM 3A 20.1.1]. */
export function setParagraph(cpu: Processor, n: number, selector: number): void {
  const { u32 } = cpu.memory,
    at = segment(n);
  u32[at >> 2] = selector;
  cpu.setNumber(at + SEG.base, selector * 16);
}

/** The checks of a stack segment for privilege level `cpl` [SDM 2B "MOV", 3A 5.7]; the attributes, marked accessed. */
export function checkStackSegment(
  cpu: Processor,
  selector: number,
  cpl: number,
  exception: "GP" | "TS",
  ext = 0,
): Descriptor {
  const code = errorCode(selector, ext);
  const d = readDescriptor(cpu, selector, exception, ext);
  if ((selector & 3) !== cpl || !isWritableData(d.access) || dplOf(d.access) !== cpl) cpu.fault(exception, code);
  if (!(d.access & PRESENT)) cpu.fault("SS", code);
  return d;
}

/** Loads ES, SS, DS, FS or GS as MOV, POP and LDS do [SDM 2B "MOV", 2A "LDS"]. */
export function loadSegment(cpu: Processor, n: number, selector: number): void {
  if (cpu.u32(S.MODE) & MODE_REAL) setParagraph(cpu, n, selector);
  else if (n === SS) loadStackSegment(cpu, selector);
  else loadDataSegment(cpu, n, selector);
  if (n === SS) refreshTransfer(cpu);
  else refreshSegment(cpu, n);
}

function loadStackSegment(cpu: Processor, selector: number): void {
  const { cpl } = cpu;
  if (isNull(selector)) {
    if (!cpu.long || cpl === 3 || (selector & 3) !== cpl) cpu.fault("GP", 0);
    setNull(cpu, SS, selector, cpl);
    return;
  }
  const d = checkStackSegment(cpu, selector, cpl, "GP");
  setSegment(cpu, SS, selector, markAccessed(cpu, d), d.base, d.limit);
}

/** What is wrong with the selector is `exception`; derived fields are up to the caller. */
export function loadDataSegment(
  cpu: Processor,
  n: number,
  selector: number,
  exception: "GP" | "TS" = "GP",
  ext = 0,
): void {
  if (isNull(selector)) {
    setNull(cpu, n, selector);
    return;
  }
  const d = readDescriptor(cpu, selector, exception, ext),
    code = errorCode(selector, ext),
    dpl = dplOf(d.access);
  if (!isReadable(d.access)) cpu.fault(exception, code);
  if (!isConforming(d.access) && ((selector & 3) > dpl || cpu.cpl > dpl)) cpu.fault(exception, code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  setSegment(cpu, n, selector, markAccessed(cpu, d), d.base, d.limit);
}

/** What a return to an outer level does to ES, DS, FS and GS: segments too privileged for it become null [SDM 2B "RET"]. */
export function dropPrivilegedSegments(cpu: Processor, cpl: number): void {
  for (let n = ES; n <= GS; n++) {
    const access = cpu.segmentAccess(n);
    if (access & UNUSABLE || n === CS || n === SS || dplOf(access) >= cpl || isConforming(access)) continue;
    setNull(cpu, n, 0);
    refreshSegment(cpu, n);
  }
}

/** Base and limit of a system segment, whose descriptor has 16 bytes in 64-bit mode [SDM 3A 3.5.2]. */
function readSystem(cpu: Processor, selector: number): Descriptor {
  if (selector & 4) cpu.fault("GP", errorCode(selector));
  const d = readDescriptor(cpu, selector);
  if (!cpu.long) return d;
  if (entryOf(cpu, selector, 16) === null) cpu.fault("GP", errorCode(selector));
  const high = cpu.readLinear(d.address + 8, 4, "supervisor"),
    type = cpu.readLinear(d.address + 12, 4, "supervisor");
  const base = (high | 0) * 2 ** 32 + d.base;
  if (type & 0x1f00 || !isCanonicalNumber(base)) cpu.fault("GP", errorCode(selector));
  return { ...d, base };
}

/** LLDT [SDM 2A "LLDT"]. */
export function loadLdt(cpu: Processor, selector: number): void {
  if (isNull(selector)) {
    setNull(cpu, LDTR, selector);
    return;
  }
  const d = readSystem(cpu, selector),
    code = errorCode(selector);
  if (typeOf(d.access) !== LDT) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  setSegment(cpu, LDTR, selector, d.access, d.base, d.limit);
}

/** LTR: the TSS becomes busy [SDM 2A "LTR"]. */
export function loadTask(cpu: Processor, selector: number): void {
  if (isNull(selector)) cpu.fault("GP", 0);
  const d = readSystem(cpu, selector),
    code = errorCode(selector),
    type = typeOf(d.access),
    busy = 2;
  if (type !== TSS32 && (type !== TSS16 || cpu.ia32e)) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  cpu.writeLinear(d.address + 5, 1, ((d.high >>> 8) & 0xff) | busy, "supervisor");
  setSegment(cpu, TR, selector, d.access | busy, d.base, d.limit);
}

/** The stack for an inner level, from the TSS [SDM 3A 5.8.5]. */
export function innerStack(cpu: Processor, cpl: number, ext: number): { selector: number; pointer: number } {
  const wide = isTss32(cpu.segmentAccess(TR));
  const offset = wide ? cpl * 8 + 4 : cpl * 4 + 2,
    last = offset + (wide ? 5 : 3);
  const at = fieldOfTask(cpu, offset, last, ext);
  const pointer = cpu.readLinear(at, wide ? 4 : 2, "supervisor");
  const at2 = cpu.ia32e ? at + (wide ? 4 : 2) : (at + (wide ? 4 : 2)) >>> 0;
  return { selector: cpu.readLinear(at2, 2, "supervisor"), pointer };
}

/** RSP0..2 (`index` 0..2) or IST1..7 (`index` 4..10) of a 64-bit TSS [SDM 3A 8.7]; it must be canonical [SDM 2A "INT n"]. */
export function innerStack64(cpu: Processor, index: number, ext: number): number {
  const offset = index * 8 + 4,
    at = fieldOfTask(cpu, offset, offset + 7, ext);
  if (!cpu.access.load(at, 8, S.RESULT, "supervisor")) throw cpu.pendingFault;
  const pointer = cpu.number(S.RESULT);
  return isCanonicalNumber(pointer) ? pointer : cpu.fault("SS", ext);
}
function fieldOfTask(cpu: Processor, offset: number, last: number, ext: number): number {
  if (last > cpu.u32(segment(TR) + SEG.limit) || cpu.segmentAccess(TR) & UNUSABLE)
    cpu.fault("TS", errorCode(cpu.selector(TR), ext));
  const at = cpu.number(segment(TR) + SEG.base) + offset;
  return cpu.ia32e ? at : at >>> 0;
}
