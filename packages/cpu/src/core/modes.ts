/** The fields that follow from others: effective segments, privilege, TLB contexts, traps. Computed here, nowhere else. */
import { AC, VM } from "./flags.ts";
import {
  CR0_AM, CR0_EM, CR0_MP, CR0_PE, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE, EFER_LMA,
} from "./paging.ts";
import type { Processor } from "./processor.ts";
import { CS, FS, GS, S, SEG, segment, SS } from "./state.ts";
import { EXECUTE, READ, SLOW } from "./tlb.ts";
import { VECTORS } from "./exceptions.ts";

/** Access rights bits, as in bits 55:40 of a descriptor shifted down, and bit 16: unusable. */
export const ACCESSED = 1, WRITABLE = 2, CONFORMING = 4, EXPAND_DOWN = 4, CODE = 8, S_BIT = 0x10, PRESENT = 0x80, L_BIT = 0x2000,
  DB_BIT = 0x4000, G_BIT = 0x8000, UNUSABLE = 0x10000;
export const dplOf = (access: number) => access >> 5 & 3;

/** Bits of S.MODE, part of every block's key: default size of code (0 = 16, 1 = 32, 2 = 64) and real-address mode. */
export const MODE_REAL = 4;

export function refreshModes(cpu: Processor): void {
  const { memory } = cpu, { u32 } = memory;
  const cr0 = u32[S.CR0 >> 2]!, efer = u32[S.EFER >> 2]!, flags = u32[S.FLAGS >> 2]!;
  const real = !(cr0 & CR0_PE), virtual8086 = (flags & VM) !== 0 && !real;
  const csAccess = cpu.segmentAccess(CS), long = (efer & EFER_LMA) !== 0 && (csAccess & L_BIT) !== 0;
  u32[S.CPL >> 2] = real ? 0 : virtual8086 ? 3 : dplOf(cpu.segmentAccess(SS));
  const bits = long ? 2 : csAccess & DB_BIT ? 1 : 0;
  u32[S.MODE >> 2] = bits | (real || virtual8086 ? MODE_REAL : 0);
  cpu.setU64(S.LINEAR_MASK, long ? 0xffffffffffffffffn : 0xffffffffn);
  cpu.setU64(S.STACK_MASK, long ? 0xffffffffffffffffn : cpu.segmentAccess(SS) & DB_BIT ? 0xffffffffn : 0xffffn);
  cpu.setU64(S.CODE_LAST, long ? 0xffffffffffffffffn : cpu.u64(segment(CS) + SEG.limit));
  for (let n = 0; n < 6; n++) refreshSegment(cpu, n, long, real || virtual8086);
  refreshContext(cpu);
  refreshUnits(cpu, cr0);
}

/** TLB contexts and alignment checks: all that CPL, AC, CR0 and CR4 mean to memory accesses. */
export function refreshContext(cpu: Processor): void {
  const { access, memory } = cpu, { u32 } = memory;
  access.checkAlignment = (u32[S.CR0 >> 2]! & CR0_AM) !== 0 && (u32[S.FLAGS >> 2]! & AC) !== 0 && u32[S.CPL >> 2] === 3;
  const slow = access.checkAlignment || access.watch !== null ? SLOW : 0;
  u32[S.TLB_CONTEXT >> 2] = access.context(READ, "current") | slow;
  u32[S.TLB_EXEC_CONTEXT >> 2] = access.context(EXECUTE, "current");
  u32[S.TLB_BASE >> 2] = access.tlb.base;
}

/** The window of offsets that may be read and written [SDM 3A 5.3, 5.5]; loads already checked types and rights. */
function refreshSegment(cpu: Processor, n: number, long: boolean, real: boolean): void {
  const at = segment(n), access = cpu.segmentAccess(n), base = cpu.u64(at + SEG.base);
  const set = (what: number, first: bigint, last: bigint) => { cpu.setU64(at + what, first); cpu.setU64(at + what + 8, last); };
  if (long) {
    cpu.setU64(at + SEG.effectiveBase, n === FS || n === GS ? base : 0n);
    set(SEG.readFirst, 0n, 0xffffffffffffffffn);
    set(SEG.writeFirst, 0n, 0xffffffffffffffffn);
    return;
  }
  cpu.setU64(at + SEG.effectiveBase, base & 0xffffffffn);
  const limit = cpu.u64(at + SEG.limit), code = (access & CODE) !== 0, usable = real || !(access & UNUSABLE);
  const readable = usable && (real || !code || (access & WRITABLE) !== 0), writable = usable && (real || (!code && (access & WRITABLE) !== 0));
  const down = !real && !code && (access & EXPAND_DOWN) !== 0;
  const first = down ? limit + 1n : 0n, last = down ? (access & DB_BIT ? 0xffffffffn : 0xffffn) : limit;
  set(SEG.readFirst, readable ? first : 1n, readable ? last : 0n);
  set(SEG.writeFirst, writable ? first : 1n, writable ? last : 0n);
}

/** Which exception the first thing an x87, MMX, SSE or WAIT instruction raises, if any [SDM 3A 2.5]. */
function refreshUnits(cpu: Processor, cr0: number): void {
  const { u32 } = cpu.memory, cr4 = u32[S.CR4 >> 2]!, { NM, UD } = VECTORS;
  const ts = (cr0 & CR0_TS) !== 0, em = (cr0 & CR0_EM) !== 0;
  u32[S.X87_TRAP >> 2] = ts || em ? NM : 0;
  u32[S.MMX_TRAP >> 2] = em ? UD : ts ? NM : 0;
  u32[S.SSE_TRAP >> 2] = em || !(cr4 & CR4_OSFXSR) ? UD : ts ? NM : 0;
  u32[S.AVX_TRAP >> 2] = !(cr4 & CR4_OSXSAVE) || (u32[S.XCR0 >> 2]! & 6) !== 6 ? UD : ts ? NM : 0;
  u32[S.WAIT_TRAP >> 2] = ts && cr0 & CR0_MP ? NM : 0;
  refreshMxcsr(cpu);
}

/** May SSE arithmetic take its fast path? To be called after MXCSR changed. */
export function refreshMxcsr(cpu: Processor): void {
  const { u32 } = cpu.memory, mxcsr = u32[S.MXCSR >> 2]!;
  u32[S.SSE_FAST >> 2] = (mxcsr & 0xffc0) === 0x1f80 && mxcsr & 0x20 ? 1 : 0;
}
