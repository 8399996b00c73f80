/** The fields that follow from others: effective segments, privilege, TLB contexts, traps. Computed here, nowhere else. */

import { VECTORS } from "./exceptions.ts";
import { AC, VM } from "./flags.ts";
import { CR0_AM, CR0_EM, CR0_MP, CR0_PE, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE, EFER_LMA } from "./paging.ts";
import type { Processor } from "./processor.ts";
import { CS, FS, GS, S, SEG, SS, segment } from "./state.ts";
import { EXECUTE, READ, SLOW } from "./tlb.ts";

/** Access rights bits, as in bits 55:40 of a descriptor shifted down, and bit 16: unusable. */
export const ACCESSED = 1,
  WRITABLE = 2,
  CONFORMING = 4,
  EXPAND_DOWN = 4,
  CODE = 8,
  S_BIT = 0x10,
  PRESENT = 0x80,
  L_BIT = 0x2000,
  DB_BIT = 0x4000,
  G_BIT = 0x8000,
  UNUSABLE = 0x10000;
export const dplOf = (access: number) => (access >> 5) & 3;

/** Bits of S.MODE, part of every block's key: default size of code (0 = 16, 1 = 32, 2 = 64) and real-address or virtual-8086 mode. */
export const MODE_REAL = 4;

export function refreshModes(cpu: Processor): void {
  refreshCode(cpu);
  for (let n = 0; n < 6; n++) refreshSegment(cpu, n);
  refreshContext(cpu);
  refreshUnits(cpu);
}

/** TLB contexts and alignment checks: all that CPL, AC, CR0 and CR4 mean to memory accesses. */
export function refreshContext(cpu: Processor): void {
  const { access, memory } = cpu,
    { u32 } = memory;
  access.checkAlignment = (u32[S.CR0 >> 2]! & CR0_AM) !== 0 && (u32[S.FLAGS >> 2]! & AC) !== 0 && u32[S.CPL >> 2] === 3;
  const slow = access.checkAlignment || access.watch !== null ? SLOW : 0;
  u32[S.TLB_CONTEXT >> 2] = access.context(READ, "current") | slow;
  u32[S.TLB_EXEC_CONTEXT >> 2] = access.context(EXECUTE, "current");
  u32[S.TLB_BASE >> 2] = access.tlb.base;
}

/**
 * As refreshModes, after a far transfer, which changed CS, perhaps SS and flags, and so the privilege level: much
 * cheaper, for it is part of every interrupt, system call and return.
 */
export function refreshTransfer(cpu: Processor): void {
  const { u32 } = cpu.memory,
    before = u32[S.MODE >> 2]!;
  refreshCode(cpu);
  const flat = 2,
    mode = u32[S.MODE >> 2]!;
  if ((before ^ mode) & (flat | MODE_REAL)) for (let n = 0; n < 6; n++) refreshSegment(cpu, n);
  else if ((mode & flat) === 0) {
    refreshSegment(cpu, CS);
    refreshSegment(cpu, SS);
  }
  refreshContext(cpu);
}

/** Privilege level, default sizes, and the masks of linear addresses and of the stack pointer. */
function refreshCode(cpu: Processor): void {
  const { u32 } = cpu.memory,
    flags = u32[S.FLAGS >> 2]!,
    csAccess = cpu.segmentAccess(CS),
    ssAccess = cpu.segmentAccess(SS);
  const real = !(u32[S.CR0 >> 2]! & CR0_PE),
    virtual8086 = (flags & VM) !== 0 && !real;
  const long = (u32[S.EFER >> 2]! & EFER_LMA) !== 0 && (csAccess & L_BIT) !== 0;
  u32[S.CPL >> 2] = real ? 0 : virtual8086 ? 3 : dplOf(ssAccess);
  const bits = long ? 2 : csAccess & DB_BIT ? 1 : 0,
    all = 0xffffffff;
  u32[S.MODE >> 2] = bits | (real || virtual8086 ? MODE_REAL : 0);
  u32[S.LINEAR_MASK >> 2] = all;
  u32[(S.LINEAR_MASK >> 2) + 1] = long ? all : 0;
  u32[S.STACK_MASK >> 2] = long || ssAccess & DB_BIT ? all : 0xffff;
  u32[(S.STACK_MASK >> 2) + 1] = long ? all : 0;
  u32[S.CODE_LAST >> 2] = long ? all : u32[(segment(CS) + SEG.limit) >> 2]!;
  u32[(S.CODE_LAST >> 2) + 1] = long ? all : 0;
}

/**
 * Base and window of offsets that may be read and written [SDM 3A 5.3, 5.5]; loads already checked types and rights.
 * The mode's derived fields are up to date. After a load of SS the stack's mask must follow: refreshTransfer.
 */
export function refreshSegment(cpu: Processor, n: number): void {
  const { u32 } = cpu.memory,
    at = segment(n) >> 2,
    access = cpu.segmentAccess(n),
    mode = u32[S.MODE >> 2]!;
  const base = (segment(n) + SEG.base) >> 2,
    effective = (segment(n) + SEG.effectiveBase) >> 2;
  if ((mode & 3) === 2) {
    const based = n === FS || n === GS;
    u32[effective] = based ? u32[base]! : 0;
    u32[effective + 1] = based ? u32[base + 1]! : 0;
    setWindow(u32, at + (SEG.readFirst >> 2), 0, 0, 0xffffffff, 0xffffffff);
    setWindow(u32, at + (SEG.writeFirst >> 2), 0, 0, 0xffffffff, 0xffffffff);
    return;
  }
  u32[effective] = u32[base]!;
  u32[effective + 1] = 0;
  const real = (mode & MODE_REAL) !== 0,
    limit = u32[(segment(n) + SEG.limit) >> 2]!;
  const code = (access & CODE) !== 0,
    usable = real || !(access & UNUSABLE),
    grants = (access & WRITABLE) !== 0;
  const down = !real && !code && (access & EXPAND_DOWN) !== 0;
  const firstLow = down ? (limit + 1) >>> 0 : 0,
    firstHigh = down && limit === 0xffffffff ? 1 : 0;
  const last = down ? (access & DB_BIT ? 0xffffffff : 0xffff) : limit;
  const read = usable && (real || !code || grants),
    write = usable && (real || (!code && grants));
  const readAt = at + (SEG.readFirst >> 2),
    writeAt = at + (SEG.writeFirst >> 2);
  if (read) setWindow(u32, readAt, firstLow, firstHigh, last, 0);
  else setWindow(u32, readAt, 1, 0, 0, 0); // empty: every access faults
  if (write) setWindow(u32, writeAt, firstLow, firstHigh, last, 0);
  else setWindow(u32, writeAt, 1, 0, 0, 0);
}
function setWindow(
  u32: Uint32Array,
  at: number,
  firstLow: number,
  firstHigh: number,
  lastLow: number,
  lastHigh: number,
): void {
  u32[at] = firstLow;
  u32[at + 1] = firstHigh;
  u32[at + 2] = lastLow;
  u32[at + 3] = lastHigh;
}

/** Which exception the first thing an x87, MMX, SSE or WAIT instruction raises, if any [SDM 3A 2.5]. */
export function refreshUnits(cpu: Processor): void {
  const cr0 = cpu.u32(S.CR0);
  const { u32 } = cpu.memory,
    cr4 = u32[S.CR4 >> 2]!,
    { NM, UD } = VECTORS;
  const ts = (cr0 & CR0_TS) !== 0,
    em = (cr0 & CR0_EM) !== 0;
  u32[S.X87_TRAP >> 2] = ts || em ? NM : 0;
  u32[S.MMX_TRAP >> 2] = em ? UD : ts ? NM : 0;
  u32[S.SSE_TRAP >> 2] = em || !(cr4 & CR4_OSFXSR) ? UD : ts ? NM : 0;
  u32[S.AVX_TRAP >> 2] = !(cr4 & CR4_OSXSAVE) || (u32[S.XCR0 >> 2]! & 6) !== 6 ? UD : ts ? NM : 0;
  u32[S.WAIT_TRAP >> 2] = ts && cr0 & CR0_MP ? NM : 0;
  refreshMxcsr(cpu);
}

/** May SSE arithmetic take its fast path? To be called after MXCSR changed. */
export function refreshMxcsr(cpu: Processor): void {
  const { u32 } = cpu.memory,
    mxcsr = u32[S.MXCSR >> 2]!;
  u32[S.SSE_FAST >> 2] = (mxcsr & 0xffc0) === 0x1f80 && mxcsr & 0x20 ? 1 : 0;
}
