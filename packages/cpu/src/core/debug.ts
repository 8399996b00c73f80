/**
 * Debug exceptions [SDM 3B chapter 17]: breakpoints of DR0 to DR3, single-step, and general detect.
 *
 * While TF or a breakpoint is armed, the loop runs one instruction at a time through `stepWithDebug`. Traps gather in
 * S.PENDING_DEBUG until the boundary at which they may be taken. RF covers one instruction: its bit in S.FLAGS counts
 * only while fewer than `cpu.resumeEnd` instructions are retired, so nobody needs to clear it.
 */
import { exitByException, intercepts } from "../vmx/exceptions.ts";
import { BY_MOV_SS, deliver, deliverFault, HARDWARE, wake } from "./events.ts";
import { VECTORS } from "./exceptions.ts";
import { RF, TF } from "./flags.ts";
import { refreshContext } from "./modes.ts";
import { CR4_DE } from "./paging.ts";
import type { Processor } from "./processor.ts";
import { CS, S, SEG, segment } from "./state.ts";

/** Bits of DR6; those of the breakpoints are 3:0. */
export const DR6_BD = 1 << 13,
  DR6_BS = 1 << 14,
  DR6_BT = 1 << 15;
export const DR6_FIXED = 0xffff0ff0,
  DR7_FIXED = 0x400,
  DR7_GD = 0x2000;
/** S.PENDING_DEBUG: an enabled breakpoint was met, as in the VMCS's pending debug exceptions [SDM 3C 24.4.2]. */
export const ENABLED_BREAKPOINT = 1 << 12;
/** R/W fields of DR7 [SDM 3B 17.2.4]. */
const ON_EXECUTE = 0,
  ON_WRITE = 1,
  ON_PORT = 2;

/** Must the loop run one instruction at a time? */
export function debugTrapsArmed(cpu: Processor): boolean {
  const { u32 } = cpu.memory;
  return (u32[S.FLAGS >> 2]! & TF) !== 0 || (u32[S.DR7 >> 2]! & 0xff) !== 0 || cpu.vmx.trapsEach;
}

/** After DR7 or a breakpoint's address changed: data accesses are watched while a data breakpoint is enabled. */
export function armBreakpoints(cpu: Processor): void {
  watchBreakpoints(cpu);
  refreshContext(cpu);
  cpu.attend();
}
/** The same, for those who recompute what follows from modes, and look for events, anyway. */
export function watchBreakpoints(cpu: Processor): void {
  const dr7 = cpu.u32(S.DR7);
  let data = false;
  for (let n = 0; n < 4; n++) if (isEnabled(dr7, n) && kindOf(dr7, n) & 1) data = true;
  cpu.access.watch = data ? (linear, bytes, write) => watchData(cpu, linear, bytes, write) : null;
}

const isEnabled = (dr7: number, n: number) => ((dr7 >> (2 * n)) & 3) !== 0;
const kindOf = (dr7: number, n: number) => (dr7 >>> (16 + 4 * n)) & 3;
/** 1, 2, 8 or 4 bytes, as the LEN field is encoded. */
const lengthOf = (dr7: number, n: number) => [1, 2, 8, 4][(dr7 >>> (18 + 4 * n)) & 3]!;

/** Bits 3:0: the enabled breakpoints of these kinds whose bytes meet a range. */
function matches(cpu: Processor, first: number, bytes: number, kinds: number): number {
  const dr7 = cpu.u32(S.DR7);
  let hits = 0;
  for (let n = 0; n < 4; n++) {
    if (!isEnabled(dr7, n) || !((kinds >> kindOf(dr7, n)) & 1)) continue;
    const length = lengthOf(dr7, n),
      address = cpu.number(S.DR0 + 8 * n),
      start = address - (((address % length) + length) % length);
    if (first < start + length && first + bytes > start) hits |= 1 << n;
  }
  return hits;
}
function watchData(cpu: Processor, linear: number, bytes: number, write: boolean): void {
  const readOrWrite = 3,
    hits = matches(cpu, linear, bytes, write ? (1 << ON_WRITE) | (1 << readOrWrite) : 1 << readOrWrite);
  if (hits !== 0) addPending(cpu, hits | ENABLED_BREAKPOINT);
}
/** IN, OUT, INS and OUTS call this after their access: breakpoints on ports, if CR4.DE is set [SDM 3B 17.2.4]. */
export function watchPort(cpu: Processor, port: number, bytes: number): void {
  if (!(cpu.u32(S.DR7) & 0xff) || !(cpu.u32(S.CR4) & CR4_DE)) return;
  const hits = matches(cpu, port, bytes, 1 << ON_PORT);
  if (hits !== 0) addPending(cpu, hits | ENABLED_BREAKPOINT);
}
function addPending(cpu: Processor, bits: number): void {
  cpu.setU32(S.PENDING_DEBUG, cpu.u32(S.PENDING_DEBUG) | bits);
  cpu.attend();
}

/** Is RF set for the instruction at hand, or the next one if none is? */
export const resumeFlag = (cpu: Processor): boolean => (cpu.u32(S.FLAGS) & RF) !== 0 && cpu.retired() < cpu.resumeEnd;
/** RF was loaded into RFLAGS by the instruction at hand: it covers the next one. */
export function startResume(cpu: Processor): void {
  cpu.resumeEnd = cpu.retired() + 2;
}

/** Runs one instruction by `step` (false: the fetch failed), with what comes before it (breakpoints) and what it leaves behind (TF). */
export function stepWithDebug(cpu: Processor, step: () => boolean): void {
  const ip = cpu.number(S.RIP),
    base = cpu.long ? 0 : cpu.number(segment(CS) + SEG.effectiveBase);
  const resumed = resumeFlag(cpu),
    afterMovSS = cpu.inShadow() && (cpu.u32(S.INTERRUPTIBILITY) & BY_MOV_SS) !== 0; // as if RF were set [SDM 3B 17.3.1.1]
  const hits = resumed || afterMovSS ? 0 : matches(cpu, cpu.long ? ip : (base + ip) % 2 ** 32, 1, 1 << ON_EXECUTE);
  if (hits !== 0) {
    cpu.debugBits = hits;
    cpu.setFault("DB", 0);
    cpu.ip = ip;
    cpu.remaining = 0;
    deliverFault(cpu);
    return;
  }
  cpu.stepTrap = (cpu.u32(S.FLAGS) & TF) !== 0;
  const { trapsEach } = cpu.vmx,
    ran = step();
  if (ran && cpu.stepTrap) addPending(cpu, DR6_BS);
  if (ran && trapsEach) cpu.vmx.instructionDone(cpu);
  if (resumed && cpu.u32(S.MID_REPEAT) !== 0) cpu.resumeEnd = cpu.retired() + 1; // RF covers all iterations
  cpu.stepTrap = false;
}

/** A #DB is on its way: DR6 says why, and GD no longer guards the registers from its handler [SDM 3B 17.2.3, 17.2.4]. */
export function recordDebug(cpu: Processor): void {
  const { u32 } = cpu.memory;
  u32[S.DR6 >> 2] = (u32[S.DR6 >> 2]! & ~0xf) | cpu.debugBits;
  u32[S.DR7 >> 2]! &= ~DR7_GD;
  cpu.debugBits = 0;
}

/** Takes the traps that wait, at an instruction boundary. */
export function takeDebugTrap(cpu: Processor): boolean {
  const pending = cpu.u32(S.PENDING_DEBUG);
  cpu.setU32(S.PENDING_DEBUG, 0);
  cpu.debugBits = pending & (0xf | DR6_BS | DR6_BT);
  if (cpu.debugBits === 0) return false;
  if (intercepts(cpu, VECTORS.DB, 0)) {
    exitByException(cpu, VECTORS.DB, HARDWARE, 0, cpu.number(S.RIP));
    return true;
  }
  wake(cpu);
  recordDebug(cpu);
  deliver(cpu, VECTORS.DB, HARDWARE, 0, cpu.number(S.RIP));
  return true;
}
