/**
 * Events: exceptions and interrupts on their way to their handlers [SDM 3A chapter 6].
 *
 * `transfer` (gates.ts) makes one attempt and changes nothing if it faults (unless it was a task switch). `deliver` goes on from such a fault to the
 * double fault and to shutdown. `takeEvent` chooses what is taken at an instruction boundary.
 */

import {
  exitBeforeInterrupt,
  exitBeforeNmi,
  exitBeforeTraps,
  exitByNmi,
  exitHeldByShadow,
  keepsNmiBlocked,
  nmiBlocking,
  watchesBoundaries,
} from "../vmx/boundary.ts";
import { exitByException, exitBySoftware, exitByTripleFault, intercepts } from "../vmx/exceptions.ts";
import { exitAtBoundary, leave } from "../vmx/exit.ts";
import { pushesCode } from "../vmx/interruption.ts";
import { EXIT } from "../vmx/reasons.ts";
import { ROOT, VM_EXIT } from "../vmx/vmx.ts";
import { recordDebug, resumeFlag, takeDebugTrap } from "./debug.ts";
import { VECTORS } from "./exceptions.ts";
import { AC, IF, RF, TF } from "./flags.ts";
import { transfer } from "./gates.ts";
import { refreshContext } from "./modes.ts";
import type { Processor } from "./processor.ts";
import { enterInit, startUp } from "./reset.ts";
import { S } from "./state.ts";
import { STOP, unimplemented } from "./unimplemented.ts";

/** Kinds of events, numbered as in the VMCS's interruption information [SDM 3C 24.8.3]. */
export const EXTERNAL = 0,
  NMI = 2,
  HARDWARE = 3,
  SOFTWARE = 4,
  PRIVILEGED = 5,
  TRAP = 6;
export type Kind = 0 | 2 | 3 | 4 | 5 | 6;

/** Values of S.ACTIVITY. */
export const RUNNING = 0,
  HALTED = 1,
  SHUTDOWN = 2,
  WAIT_FOR_SIPI = 3,
  MONITORING = 4;
/** Bits of S.PENDING. */
export const PENDING_NMI = 1,
  PENDING_INIT = 2,
  PENDING_SIPI = 4,
  PENDING_SMI = 8;
/** Bits of S.INTERRUPTIBILITY. */
export const BY_STI = 1,
  BY_MOV_SS = 2,
  BY_NMI = 8;

/**
 * Delivers the fault in `cpu.pendingFault`, raised by the instruction at `cpu.ip`, which did not complete. Also a fault
 * of INT n itself: what was being delivered is in `cpu.vectoring`.
 */
export function deliverFault(cpu: Processor): void {
  if (abandoned(cpu, cpu.ip)) return;
  cpu.committed = false;
  pursueFault(cpu, cpu.ip);
}
/** What unwinds like a fault and is none: a VM exit, or something that is not implemented. */
function abandoned(cpu: Processor, ip: number): boolean {
  const { vector } = cpu.pendingFault;
  if (vector === VM_EXIT) leave(cpu, ip);
  else if (vector !== STOP) return false;
  cpu.vectoring = 0;
  return true;
}
/** What a fault leaves in CR2 or DR6, even if a double fault comes of it; an injected event leaves nothing [SDM 3A 6.15]. */
function recordFault(cpu: Processor): void {
  const { vector, addressLow, addressHigh } = cpu.pendingFault;
  if (vector === VECTORS.DB) recordDebug(cpu);
  if (vector !== VECTORS.PF) return;
  cpu.setU32(S.CR2, addressLow);
  cpu.setU32(S.CR2 + 4, addressHigh);
}

/** INT n, INT3, INTO and INT1: a fault on the way is the instruction's own, so it unwinds. */
export function deliverSoftware(cpu: Processor, vector: number, kind: Kind): void {
  cpu.vmx.eventLength = cpu.x.insn.length;
  if (kind !== SOFTWARE && intercepts(cpu, vector, 0)) exitBySoftware(cpu, vector, kind);
  cpu.vectoring = 0x80000000 | (kind << 8) | vector;
  cpu.vectoringCode = 0;
  transfer(cpu, vector, kind, null, cpu.nextIP);
  cpu.vectoring = 0;
}

/**
 * Delivers an event; `ip` is the return address. What goes wrong on the way leads to #DF and to shutdown; `at` is the return
 * address then, which differs for the software events that a VM entry injects.
 */
export function deliver(cpu: Processor, vector: number, kind: Kind, code: number, ip: number, at = ip): void {
  cpu.vectoring = 0;
  if (!attempt(cpu, vector, kind, code, ip) && !abandoned(cpu, at)) pursueFault(cpu, placeOfFault(cpu, at));
}
/** Where a fault on the way to a handler happened: in the new task, if it was past the point where a task switch commits. */
function placeOfFault(cpu: Processor, ip: number): number {
  const { committed } = cpu;
  cpu.committed = false;
  return committed ? cpu.ip : ip;
}

/** One attempt at an event. False if a fault came up, which is in `cpu.pendingFault`; `cpu.vectoring` then says of what. */
function attempt(cpu: Processor, vector: number, kind: Kind, code: number, ip: number): boolean {
  const hasCode = pushesCode(cpu, vector, kind);
  cpu.vectoring = 0x80000000 | (hasCode ? 0x800 : 0) | (kind << 8) | vector;
  cpu.vectoringCode = hasCode ? code : 0;
  try {
    transfer(cpu, vector, kind, hasCode ? code : null, ip);
  } catch (e) {
    if (e !== cpu.pendingFault) throw e;
    return false;
  }
  cpu.vectoring = 0;
  cpu.deliveries++;
  cpu.charge(1); // so that a handler whose first instruction faults does not go on for ever
  cpu.vmx.eventDelivered(cpu);
  return true;
}

/**
 * The exception in `cpu.pendingFault`, until it or what comes of it is delivered, or the processor shuts down. In VMX non-root
 * operation it is first a question of the exception bitmap, before it can become a double fault [SDM 3C 25.2].
 */
function pursueFault(cpu: Processor, ip: number): void {
  const { pendingFault } = cpu;
  for (;;) {
    let { vector, code } = pendingFault;
    if (intercepts(cpu, vector, code)) return exitByException(cpu, vector, HARDWARE, code, ip);
    recordFault(cpu);
    const outcome = cpu.vectoring === 0 ? "serial" : combine(cpu.vectoring, vector);
    if (outcome === "shutdown") return cpu.vmx.nonRoot ? exitByTripleFault(cpu, ip) : shutDown(cpu);
    if (outcome === "double fault") {
      vector = VECTORS.DF;
      code = 0;
      if (intercepts(cpu, vector, code)) {
        cpu.vectoring = 0; // such an exit does not count as during a delivery [SDM 3C 27.2.4]
        return exitByException(cpu, vector, HARDWARE, code, ip);
      }
    }
    if (attempt(cpu, vector, HARDWARE, code, ip) || abandoned(cpu, ip)) return;
    ip = placeOfFault(cpu, ip);
  }
}

/** Classes of exceptions [SDM 3A table 6-4]; what is in neither is benign. */
const CONTRIBUTORY =
  (1 << VECTORS.DE) | (1 << VECTORS.TS) | (1 << VECTORS.NP) | (1 << VECTORS.SS) | (1 << VECTORS.GP) | (1 << VECTORS.CP);
const PAGE_FAULTS = (1 << VECTORS.PF) | (1 << VECTORS.VE);

/** What a fault becomes that comes up while another event is being delivered [SDM 3A table 6-5]. */
function combine(vectoring: number, second: number): "serial" | "double fault" | "shutdown" {
  const first = vectoring & 0xff,
    hardware = ((vectoring >>> 8) & 7) === HARDWARE;
  const contributes = ((CONTRIBUTORY >>> second) & 1) !== 0,
    faults = ((PAGE_FAULTS >>> second) & 1) !== 0;
  if (!hardware || (!contributes && !faults)) return "serial";
  if (first === VECTORS.DF) return "shutdown";
  if ((PAGE_FAULTS >>> first) & 1) return "double fault";
  return (CONTRIBUTORY >>> first) & 1 && contributes ? "double fault" : "serial";
}

/** The third fault: the processor stops until NMI, INIT or a reset [SDM 3A 6.15 "double fault"]. */
export function shutDown(cpu: Processor): void {
  cpu.vectoring = 0;
  cpu.stepTrap = false;
  setActivity(cpu, SHUTDOWN);
}
export function setActivity(cpu: Processor, activity: number): void {
  cpu.setU32(S.ACTIVITY, activity);
  cpu.attend();
}

/** What the events that the processor waits for may be, at a boundary; the loop calls this when it was told to look. */
export function takeEvent(cpu: Processor): boolean {
  if (cpu.signals !== 0) latchSignals(cpu);
  let taken = false;
  while (!cpu.stopped && takeOne(cpu)) {
    taken = true;
    cpu.setU32(S.MID_REPEAT, 0);
  }
  if (taken) cpu.deliveries++;
  return taken;
}
/**
 * Is there an event that only the shadow of STI or MOV SS holds back? Then the loop runs one instruction and looks again.
 * Exact, so that a look that finds nothing changes nothing: runs may be cut anywhere.
 */
export function heldByShadow(cpu: Processor): boolean {
  if (!cpu.inShadow()) return false;
  const { u32 } = cpu.memory,
    blocked = u32[S.INTERRUPTIBILITY >> 2]!;
  if (u32[S.PENDING_DEBUG >> 2] !== 0 || (cpu.vmx.nonRoot && exitHeldByShadow(cpu))) return true;
  if (u32[S.PENDING >> 2]! & PENDING_NMI && !(blocked & BY_NMI)) return true;
  return (u32[S.FLAGS >> 2]! & IF) !== 0 && cpu.apic !== null && cpu.apic.requested;
}

/** Takes the event of the highest priority [SDM 3A table 6-2, 3C 25.2]; false if there is none to take. */
function takeOne(cpu: Processor): boolean {
  const { u32 } = cpu.memory,
    { vmx } = cpu,
    pending = u32[S.PENDING >> 2]!,
    activity = u32[S.ACTIVITY >> 2]!;
  if (activity === WAIT_FOR_SIPI) return (pending & PENDING_SIPI) !== 0 && takeSipi(cpu);
  if (pending & PENDING_INIT && vmx.operation !== ROOT) return takeInit(cpu);
  if (pending & PENDING_SMI && activity !== SHUTDOWN) return stopFor(cpu);
  if (vmx.nonRoot && exitBeforeTraps(cpu)) return true;
  const shadow = cpu.inShadow();
  const blocked = shadow ? u32[S.INTERRUPTIBILITY >> 2]! : u32[S.INTERRUPTIBILITY >> 2]! & ~(BY_STI | BY_MOV_SS);
  if (activity !== SHUTDOWN && u32[S.PENDING_DEBUG >> 2] !== 0 && !(blocked & BY_MOV_SS)) return takeDebugTrap(cpu);
  if (vmx.nonRoot && exitBeforeNmi(cpu, blocked)) return true;
  if (pending & PENDING_NMI && nmiBlocking(cpu, blocked) === 0) {
    if (!exitByNmi(cpu)) takeNmi(cpu);
    return true;
  }
  if (vmx.nonRoot && exitBeforeInterrupt(cpu, shadow)) return true;
  if (activity === SHUTDOWN || shadow || !(u32[S.FLAGS >> 2]! & IF) || cpu.apic === null || !cpu.apic.requested)
    return false;
  wake(cpu);
  deliver(cpu, cpu.apic.acknowledge(), EXTERNAL, 0, cpu.number(S.RIP));
  return true;
}
/** In VMX root operation INIT waits until it is left; in non-root operation it is an exit, as is SIPI [SDM 3C 23.8, 25.2]. */
function takeInit(cpu: Processor): boolean {
  if (!cpu.vmx.nonRoot) enterInit(cpu);
  else {
    cpu.setU32(S.PENDING, cpu.u32(S.PENDING) & ~PENDING_INIT);
    exitAtBoundary(cpu, EXIT.init);
  }
  return true;
}
function takeSipi(cpu: Processor): boolean {
  if (!cpu.vmx.nonRoot) startUp(cpu);
  else {
    cpu.setU32(S.PENDING, cpu.u32(S.PENDING) & ~PENDING_SIPI);
    exitAtBoundary(cpu, EXIT.sipi, cpu.u32(S.SIPI_VECTOR));
  }
  return true;
}
function takeNmi(cpu: Processor): void {
  cpu.setU32(S.PENDING, cpu.u32(S.PENDING) & ~PENDING_NMI);
  cpu.setU32(S.INTERRUPTIBILITY, cpu.u32(S.INTERRUPTIBILITY) | BY_NMI); // until the next IRET [SDM 3A 6.7.1]
  wake(cpu);
  deliver(cpu, VECTORS.NMI, NMI, 0, cpu.number(S.RIP));
}
function stopFor(cpu: Processor): false {
  try {
    unimplemented(cpu, "system-management mode");
  } catch {
    return false;
  }
}
/** Leaves HLT, MWAIT or shutdown. */
export function wake(cpu: Processor): void {
  cpu.setU32(S.ACTIVITY, RUNNING);
}

/**
 * Events from outside may come while another processor's registers are in the window: they wait in `cpu.signals` until
 * this processor looks. A start-up message counts only for a processor that waits for one [SDM 3A 8.4.2].
 */
function latchSignals(cpu: Processor): void {
  const { u32 } = cpu.memory,
    signals = cpu.signals,
    waits = u32[S.ACTIVITY >> 2] === WAIT_FOR_SIPI || (signals & PENDING_INIT) !== 0;
  cpu.signals = 0;
  u32[S.PENDING >> 2]! |= waits ? signals : signals & ~PENDING_SIPI;
  if (waits && signals & PENDING_SIPI) u32[S.SIPI_VECTOR >> 2] = cpu.sipiVector;
}

/** After IF, TPR, the shadow or NMI blocking let more through: makes the loop look if something waits. */
export function reconsider(cpu: Processor): void {
  const { u32 } = cpu.memory;
  if ((u32[S.PENDING >> 2]! | u32[S.PENDING_DEBUG >> 2]! | cpu.signals) !== 0 || cpu.apic?.requested) cpu.attend();
  else if (watchesBoundaries(cpu)) cpu.attend();
}

/**
 * Unblocks NMIs, as IRET does even if it faults; virtual ones if there are any, and none if the hypervisor takes NMIs
 * without them [SDM 3C 25.3].
 */
export function unblockNmi(cpu: Processor): void {
  const blocked = cpu.u32(S.INTERRUPTIBILITY);
  if (!(blocked & BY_NMI) || keepsNmiBlocked(cpu)) return;
  cpu.setU32(S.INTERRUPTIBILITY, blocked & ~BY_NMI);
  cpu.vmx.nmiUnblockedAt = cpu.retired();
  reconsider(cpu);
}

/**
 * Forgets a shadow and an RF that are over, which until then only their counts say. Whoever shows the state to the
 * outside (a VM exit, a debugger) calls this first; what then is still set covers exactly the next instruction.
 */
export function settle(cpu: Processor): void {
  const { u32 } = cpu.memory;
  if (!cpu.inShadow()) u32[S.INTERRUPTIBILITY >> 2]! &= ~(BY_STI | BY_MOV_SS);
  if (!resumeFlag(cpu)) u32[S.FLAGS >> 2]! &= ~RF;
}
/**
 * The counterpart, for the instruction that enters a guest: what S.FLAGS and S.INTERRUPTIBILITY say covers the instruction
 * that comes next.
 */
export function unsettle(cpu: Processor): void {
  const { u32 } = cpu.memory,
    end = cpu.retired() + 2;
  cpu.shadowEnd = u32[S.INTERRUPTIBILITY >> 2]! & (BY_STI | BY_MOV_SS) ? end : 0;
  cpu.resumeEnd = u32[S.FLAGS >> 2]! & RF ? end : 0;
}

/** Leaves the derived fields right and the loop informed after flags changed from `before`. */
export function followFlags(cpu: Processor, before: number): void {
  const now = cpu.u32(S.FLAGS),
    changed = before ^ now;
  if (changed & AC) refreshContext(cpu);
  if (now & TF) cpu.attend();
  if (changed & now & IF) reconsider(cpu);
}
