/**
 * Task switches [SDM 3A chapter 7]: JMP, CALL, IRET with NT, and events through task gates, between TSSs of 16 and 32 bits.
 *
 * Up to a point a fault is the old task's and nothing was changed. From there on the new task is the current one: its
 * segments are loaded, and what goes wrong is a fault of its first instruction (`cpu.committed`).
 */
import { exitByTaskSwitch } from "../vmx/intercepts.ts";
import { writeCr3 } from "./control.ts";
import { armBreakpoints, DR6_BT } from "./debug.ts";
import { deliverFault } from "./events.ts";
import { NT, RF, TF, VM } from "./flags.ts";
import { dplOf, PRESENT, refreshTransfer, UNUSABLE } from "./modes.ts";
import { CR0_TS } from "./paging.ts";
import type { Processor } from "./processor.ts";
import {
  checkStackSegment,
  type Descriptor,
  errorCode,
  findDescriptor,
  isCode,
  isConforming,
  isNull,
  isTss32,
  LDT,
  loadDataSegment,
  markAccessed,
  readDescriptor,
  setNull,
  setSegment,
  TASK_GATE,
  TSS16,
  TSS16_BUSY,
  TSS32,
  TSS32_BUSY,
  typeOf,
} from "./segments.ts";
import { currentStack, pushFrame, setSlot, setStackPointer } from "./stack.ts";
import { CS, DS, ES, FS, GS, LDTR, S, SEG, SS, segment, TR } from "./state.ts";
import { READ, WRITE } from "./tlb.ts";
import { setVirtualSegment, virtualInterruptPends } from "./virtual8086.ts";

export type How = "call" | "jump" | "iret" | "gate";

/** What the old task leaves behind: where and with which flags it goes on, and the event that ends it, if one does. */
export interface Departure {
  readonly ip: number;
  readonly flags: number;
  /** EXT of error codes: 1 if the event is not the program's own. */
  readonly ext: number;
  /** Error code for the new task's stack, or null. */
  readonly code: number | null;
}

/** Offsets in a TSS, whose general registers and segments stand in the order of their numbers [SDM 3A 7.2.1, 7.6]. */
const TSS_32 = {
    width: 4,
    last: 0x67,
    ip: 0x20,
    flags: 0x24,
    gprs: 0x28,
    segments: 0x48,
    count: 6,
    ldt: 0x60,
  } as const,
  TSS_16 = { width: 2, last: 0x2b, ip: 0x0e, flags: 0x10, gprs: 0x12, segments: 0x22, count: 4, ldt: 0x2a } as const,
  CR3_FIELD = 0x1c,
  TRAP_FIELD = 0x64;
type Layout = typeof TSS_32 | typeof TSS_16;
const layoutOf = (access: number): Layout => (isTss32(access) ? TSS_32 : TSS_16);

const BUSY = 2,
  /** L0 to L3 and LE of DR7: breakpoints of one task [SDM 3B 17.2.4]. */
  LOCAL_BREAKPOINTS = 0x155;

/** A JMP or CALL named this system descriptor, outside of IA-32e mode: true if it is a task's, and is the task now. */
export function enterTask(cpu: Processor, how: "call" | "jump", d: Descriptor, selector: number): boolean {
  const type = typeOf(d.access),
    code = errorCode(selector),
    dpl = dplOf(d.access);
  if (type !== TASK_GATE && type !== TSS16 && type !== TSS32) return false;
  if (dpl < cpu.cpl || (selector & 3) > dpl) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  switchByInstruction(cpu, how, type === TASK_GATE ? d.low >>> 16 : selector, cpu.flags & ~RF);
  return true;
}
/** IRET with NT: back to the task that the current TSS links to, which finds NT clear when it comes back itself. */
export function returnFromTask(cpu: Processor): void {
  const link = cpu.readLinear(fieldAt(cpu.number(segment(TR) + SEG.base), 0), 2, "supervisor");
  switchByInstruction(cpu, "iret", link, cpu.flags & ~(RF | NT));
}
function switchByInstruction(cpu: Processor, how: How, selector: number, flags: number): void {
  settleFault(cpu, () => switchTask(cpu, how, selector, { ip: cpu.nextIP, flags, ext: 0, code: null }));
}
/** Runs what may fault after it changed where execution goes on: such a fault is delivered there, and the instruction is done. */
export function settleFault(cpu: Processor, transfer: () => void): void {
  try {
    transfer();
  } catch (e) {
    if (e !== cpu.pendingFault || !cpu.committed) throw e;
    deliverFault(cpu);
  }
}

/** Leaves the current task for the one whose TSS the selector names. */
export function switchTask(cpu: Processor, how: How, selector: number, from: Departure): void {
  const next = nextTask(cpu, how, selector, from.ext);
  if (cpu.vmx.nonRoot) exitByTaskSwitch(cpu, how, selector);
  const old = currentTask(cpu, from.ext),
    nests = how === "call" || how === "gate";
  probeTasks(cpu, old, next, nests);
  if (!nests) markBusy(cpu, old, false);
  saveTask(cpu, old, from);
  if (nests) cpu.writeLinear(next.base, 2, cpu.selector(TR), "supervisor");
  if (how !== "iret") markBusy(cpu, next, true);
  setSegment(cpu, TR, selector, next.access | BUSY, next.base, next.limit);
  startTask(cpu, next, nests, from);
}

const fieldAt = (base: number, offset: number) => (base + offset) >>> 0;

/** The new task's TSS [SDM 3A table 7-1]: idle, or busy if a return leads to it. */
function nextTask(cpu: Processor, how: How, selector: number, ext: number): Descriptor {
  const exception = how === "iret" ? "TS" : "GP",
    code = errorCode(selector, ext),
    types = how === "iret" ? [TSS16_BUSY, TSS32_BUSY] : [TSS16, TSS32];
  if (selector & 4 || isNull(selector)) cpu.fault(exception, code);
  const d = readDescriptor(cpu, selector, exception, ext);
  if (!types.includes(typeOf(d.access))) cpu.fault(exception, code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  if (d.limit < layoutOf(d.access).last) cpu.fault("TS", code);
  return d;
}
/** The old task's, which TR holds; its descriptor is looked up for the busy bit. */
function currentTask(cpu: Processor, ext: number): Descriptor {
  const selector = cpu.selector(TR),
    access = cpu.segmentAccess(TR),
    limit = cpu.u32(segment(TR) + SEG.limit),
    d = findDescriptor(cpu, selector);
  if (d === null || access & UNUSABLE || limit < layoutOf(access).last) cpu.fault("TS", errorCode(selector, ext));
  return { ...d, access, limit, base: cpu.number(segment(TR) + SEG.base) };
}

/** Looks up every page that the switch is going to access before the new task's segments. */
function probeTasks(cpu: Processor, old: Descriptor, next: Descriptor, nests: boolean): void {
  const { ip, segments, count, width } = layoutOf(old.access);
  const probe = (access: 0 | 1, address: number) => {
    if (cpu.access.look(access, address >>> 0, "supervisor") === 0) throw cpu.pendingFault;
  };
  probe(WRITE, old.address + 5);
  probe(WRITE, old.base + ip);
  probe(WRITE, old.base + segments + count * width - 1);
  probe(WRITE, next.address + 5);
  probe(nests ? WRITE : READ, next.base);
  probe(READ, next.base + 1);
  probe(READ, next.base + layoutOf(next.access).last);
}

function markBusy(cpu: Processor, task: Descriptor, busy: boolean): void {
  const at = fieldAt(task.address, 5),
    access = cpu.readLinear(at, 1, "supervisor");
  cpu.writeLinear(at, 1, busy ? access | BUSY : access & ~BUSY, "supervisor");
}

function saveTask(cpu: Processor, { access, base }: Descriptor, { ip, flags }: Departure): void {
  const at = layoutOf(access),
    { width } = at;
  cpu.writeLinear(fieldAt(base, at.ip), width, ip, "supervisor");
  cpu.writeLinear(fieldAt(base, at.flags), width, flags, "supervisor");
  for (let n = 0; n < 8; n++) cpu.writeLinear(fieldAt(base, at.gprs + n * width), width, cpu.gpr32(n), "supervisor");
  for (let n = 0; n < at.count; n++)
    cpu.writeLinear(fieldAt(base, at.segments + n * width), 2, cpu.selector(n), "supervisor");
}

/** The new task's state, from its TSS; the last steps may fault in it. */
function startTask(cpu: Processor, { access, base }: Descriptor, nests: boolean, { ext, code }: Departure): void {
  const at = layoutOf(access),
    { width } = at,
    wide = width === 4;
  const read = (offset: number, bytes: 2 | 4) => cpu.readLinear(fieldAt(base, offset), bytes, "supervisor");
  const ip = read(at.ip, width),
    flags = read(at.flags, width) | (nests ? NT : 0),
    selectors = [ES, CS, SS, DS, FS, GS].map((n) => (n < at.count ? read(at.segments + n * width, 2) : 0)),
    ldt = read(at.ldt, 2),
    cr3 = wide ? read(CR3_FIELD, 4) : 0,
    trap = wide && (read(TRAP_FIELD, 2) & 1) !== 0;
  for (let n = 0; n < 8; n++) {
    const value = read(at.gprs + n * width, width);
    cpu.setGpr32(n, wide ? value : 0xffff0000 | value); // what processors leave in the upper halves
  }
  cpu.flags = flags;
  if (flags & RF) cpu.resumeEnd = cpu.retired() + (cpu.remaining > 0 ? 2 : 1); // it covers the new task's first instruction
  cpu.setU32(S.CR0, cpu.u32(S.CR0) | CR0_TS);
  cpu.setU32(S.DR7, cpu.u32(S.DR7) & ~LOCAL_BREAKPOINTS);
  clearSegments(cpu, selectors, ldt, (flags & VM) !== 0);
  cpu.stepTrap &&= (flags & TF) !== 0; // as after any other instruction that loads TF
  cpu.refresh();
  armBreakpoints(cpu); // and makes the loop look for events, which other flags let through
  cpu.ip = ip;
  cpu.jumpTo(ip);

  cpu.committed = true;
  if (wide && cpu.paging) writeCr3(cpu, cr3, 0);
  loadLdt(cpu, ldt, ext);
  if (!(flags & VM)) loadSegments(cpu, selectors, ext);
  cpu.refresh();
  if (code !== null) pushCode(cpu, code, width, ext);
  if (ip > cpu.u32(segment(CS) + SEG.limit)) cpu.fault("GP", ext);
  if (trap) cpu.setU32(S.PENDING_DEBUG, cpu.u32(S.PENDING_DEBUG) | DR6_BT);
  if (virtualInterruptPends(cpu)) cpu.fault("GP", 0);
  cpu.committed = false;
}

/**
 * Every register has its selector before the first descriptor is looked at. Until CS and SS are loaded CPL is 3, so that the
 * handler of a fault gets a good stack from the new TSS.
 */
function clearSegments(cpu: Processor, selectors: readonly number[], ldt: number, virtual8086: boolean): void {
  for (const [n, selector] of selectors.entries()) {
    if (virtual8086) setVirtualSegment(cpu, n, selector);
    else setNull(cpu, n, selector, n === SS ? 3 : 0);
  }
  setNull(cpu, LDTR, ldt);
}
function loadLdt(cpu: Processor, selector: number, ext: number): void {
  const code = errorCode(selector, ext);
  if (isNull(selector)) return;
  if (selector & 4) cpu.fault("TS", code);
  const d = readDescriptor(cpu, selector, "TS", ext);
  if (typeOf(d.access) !== LDT || !(d.access & PRESENT)) cpu.fault("TS", code);
  setSegment(cpu, LDTR, selector, d.access, d.base, d.limit);
}
/** The level is that of CS's selector; the others must suit it. */
function loadSegments(cpu: Processor, selectors: readonly number[], ext: number): void {
  const cs = selectors[CS]!,
    ss = selectors[SS]!,
    cpl = cs & 3,
    code = checkCode(cpu, cs, ext);
  const csAccess = markAccessed(cpu, code);
  setSegment(cpu, CS, cs, csAccess, code.base, code.limit);
  if (isNull(ss)) cpu.fault("TS", errorCode(ss, ext));
  const stack = checkStackSegment(cpu, ss, cpl, "TS", ext);
  setSegment(cpu, SS, ss, markAccessed(cpu, stack), stack.base, stack.limit);
  refreshTransfer(cpu);
  for (const n of [ES, DS, FS, GS]) loadDataSegment(cpu, n, selectors[n]!, "TS", ext);
}
function checkCode(cpu: Processor, selector: number, ext: number): Descriptor {
  const code = errorCode(selector, ext),
    rpl = selector & 3;
  if (isNull(selector)) cpu.fault("TS", code);
  const d = readDescriptor(cpu, selector, "TS", ext),
    dpl = dplOf(d.access);
  if (!isCode(d.access) || (isConforming(d.access) ? dpl > rpl : dpl !== rpl)) cpu.fault("TS", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  return d;
}
/** The error code of the event that led here, as wide as the TSS [SDM 2A "INT n"]. */
function pushCode(cpu: Processor, code: number, width: 2 | 4, ext: number): void {
  const stack = currentStack(cpu, false, ext);
  setSlot(cpu, 0, code);
  setStackPointer(cpu, stack, pushFrame(cpu, stack, 1, width));
}
