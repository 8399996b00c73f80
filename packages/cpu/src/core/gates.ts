/**
 * One attempt to transfer control to an event's handler: through the real-mode vector table, the protected-mode IDT
 * with its gates, or that of IA-32e mode [SDM 2A "INT n", 3A 6.10 to 6.14, 20.1.4, 20.2.1]. Every check and every access
 * that can fault comes before the first change, except in a task switch, see task.ts.
 */
import { resumeFlag } from "./debug.ts";
import { HARDWARE, type Kind, PRIVILEGED, RUNNING, SOFTWARE, TRAP } from "./events.ts";
import { VECTORS } from "./exceptions.ts";
import { AC, IF, NT, RF, TF, VM } from "./flags.ts";
import { dplOf, PRESENT, refreshTransfer } from "./modes.ts";
import type { Processor } from "./processor.ts";
import {
  checkStackSegment,
  type Descriptor,
  errorCode,
  INT16,
  INT32,
  innerStack,
  innerStack64,
  is64BitCode,
  isCanonicalNumber,
  isCode,
  isConforming,
  isNull,
  markAccessed,
  readDescriptor,
  setNull,
  setParagraph,
  setSegment,
  TASK_GATE,
  TRAP16,
  TRAP32,
} from "./segments.ts";
import { currentStack, longStack, pushFrame, type Stack, setSlot, setStackPointer, stackOf } from "./stack.ts";
import { CS, DS, ES, FS, GS, RSP, S, SEG, SS, segment } from "./state.ts";
import { settleFault, switchTask } from "./task.ts";
import { nullDataSegments } from "./virtual8086.ts";

/** INT n, INT3 and INTO: the program asked for it, so the gate's DPL is checked and EXT is 0. Not INT1 [SDM 3A 6.12.1]. */
const isAsked = (kind: Kind) => kind === SOFTWARE || kind === TRAP;

/** `code`: the error code to push, or null. `ip`: the return address. */
export function transfer(cpu: Processor, vector: number, kind: Kind, code: number | null, ip: number): void {
  if (!cpu.protectedMode) transferReal(cpu, vector, kind, ip);
  else if (cpu.ia32e) transferLong(cpu, vector, kind, code, ip);
  else transferProtected(cpu, vector, kind, code, ip);
  const { deliveries } = cpu.probes;
  if (deliveries.active) deliveries.emit({ processor: cpu.id, vector, kind, errorCode: code, ip, time: cpu.time() });
}

/** RFLAGS as the handler's frame shows it: what RF is there is a rule of its own [SDM 3B 17.3.1.1]. */
export function flagsToPush(cpu: Processor, vector: number, kind: Kind): number {
  const flags = cpu.flags & ~RF;
  if (isAsked(kind) || kind === PRIVILEGED) return flags; // INT n itself cleared RF
  const fault = kind === HARDWARE && vector !== VECTORS.DB && vector !== VECTORS.DF && vector !== VECTORS.MC;
  if (fault || cpu.u32(S.MID_REPEAT) !== 0) return flags | RF;
  return resumeFlag(cpu) ? flags | RF : flags;
}

/** Clears flags and what else ends when a handler begins, and goes there. */
function enter(cpu: Processor, clear: number, ip: number): void {
  cpu.memory.u32[S.FLAGS >> 2]! &= ~clear;
  begin(cpu);
  refreshTransfer(cpu);
  cpu.jumpTo(ip);
}
/** A handler or a handler's task begins: halts, shadows and the interrupted instruction's single-step trap end. */
function begin(cpu: Processor): void {
  const { u32 } = cpu.memory;
  u32[S.ACTIVITY >> 2] = RUNNING;
  cpu.shadowEnd = 0;
  u32[S.INTERRUPTIBILITY >> 2]! &= ~3;
  cpu.stepTrap = false;
}

/** [SDM 3A 20.1.4] */
function transferReal(cpu: Processor, vector: number, kind: Kind, ip: number): void {
  const entry = vector * 4,
    ext = isAsked(kind) ? 0 : 1;
  if (entry + 3 > cpu.u32(S.IDTR_LIMIT)) cpu.fault("GP", vector * 8 + 2 + ext);
  const at = (cpu.number(S.IDTR_BASE) + entry) >>> 0,
    target = cpu.readLinear(at, 4, "supervisor");
  const offset = target & 0xffff,
    stack = currentStack(cpu);
  if (offset > cpu.u32(segment(CS) + SEG.limit)) cpu.fault("GP", 0);
  setSlot(cpu, 0, ip);
  setSlot(cpu, 1, cpu.selector(CS));
  setSlot(cpu, 2, flagsToPush(cpu, vector, kind));
  const top = pushFrame(cpu, stack, 3, 2);
  setStackPointer(cpu, stack, top);
  setParagraph(cpu, CS, target >>> 16);
  enter(cpu, IF | TF | AC | RF, offset);
}

/** The checks of a gate that are alike in both kinds of IDT. `type` is masked to what tells the kinds apart. */
function checkGate(cpu: Processor, high: number, vector: number, kind: Kind, isGate: boolean): void {
  const code = vector * 8 + 2 + (isAsked(kind) ? 0 : 1),
    access = high >>> 8;
  if (!isGate) cpu.fault("GP", code);
  if (isAsked(kind) && dplOf(access) < cpu.cpl) cpu.fault("GP", code);
  if (!(access & PRESENT)) cpu.fault("NP", code);
}
/** The handler's code segment. */
function checkHandler(cpu: Processor, selector: number, ext: number): Descriptor {
  if (isNull(selector)) cpu.fault("GP", ext);
  const d = readDescriptor(cpu, selector, "GP", ext),
    code = errorCode(selector, ext);
  if (!isCode(d.access) || dplOf(d.access) > cpu.cpl || (cpu.ia32e && !is64BitCode(d.access))) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  return d;
}
function loadHandler(cpu: Processor, d: Descriptor, access: number, selector: number, cpl: number): void {
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, access, d.base, d.limit);
}

/** [SDM 3A 6.12] */
function transferProtected(cpu: Processor, vector: number, kind: Kind, code: number | null, ip: number): void {
  const ext = isAsked(kind) ? 0 : 1,
    entry = vector * 8,
    { u32 } = cpu.memory;
  if (entry + 7 > cpu.u32(S.IDTR_LIMIT)) cpu.fault("GP", entry + 2 + ext);
  if (!cpu.access.load((cpu.number(S.IDTR_BASE) + entry) >>> 0, 8, S.RESULT, "supervisor")) throw cpu.pendingFault;
  const low = u32[S.RESULT >> 2]!,
    high = u32[(S.RESULT >> 2) + 1]!,
    type = (high >>> 8) & 31,
    selector = low >>> 16;
  const wide = type === INT32 || type === TRAP32;
  checkGate(cpu, high, vector, kind, wide || type === INT16 || type === TRAP16 || type === TASK_GATE);
  if (type === TASK_GATE) {
    transferToTask(cpu, vector, kind, code, ip, selector);
    return;
  }
  const d = checkHandler(cpu, selector, ext),
    offset = wide ? ((low & 0xffff) | (high & 0xffff0000)) >>> 0 : low & 0xffff;
  const cpl = isConforming(d.access) ? cpu.cpl : dplOf(d.access),
    inner = cpl < cpu.cpl,
    width = wide ? 4 : 2,
    virtual8086 = (cpu.u32(S.FLAGS) & VM) !== 0;
  if (virtual8086 && cpl !== 0) cpu.fault("GP", errorCode(selector, ext));
  const next = inner ? findInnerStack(cpu, cpl, ext) : null;
  if (offset > d.limit) cpu.fault("GP", ext);
  const csAccess = markAccessed(cpu, d),
    ssAccess = next ? markAccessed(cpu, next.d) : 0;
  const stack: Stack = next
    ? stackOf(next.d, next.pointer, cpl, errorCode(next.selector, ext))
    : currentStack(cpu, false, ext);
  let count = fillFrame(cpu, vector, kind, code, ip, inner);
  if (virtual8086) for (const n of [ES, DS, FS, GS]) setSlot(cpu, count++, cpu.selector(n));
  const top = pushFrame(cpu, stack, count, width);
  if (next) setSegment(cpu, SS, next.selector, ssAccess, next.d.base, next.d.limit);
  if (virtual8086) nullDataSegments(cpu);
  setStackPointer(cpu, stack, top);
  loadHandler(cpu, d, csAccess, selector, cpl);
  enter(cpu, TF | NT | RF | VM | (type === INT16 || type === INT32 ? IF : 0), offset);
}
/** A fault in the new task is the next event; if an instruction asked for this one, nobody above goes on to that. */
function transferToTask(
  cpu: Processor,
  vector: number,
  kind: Kind,
  code: number | null,
  ip: number,
  selector: number,
): void {
  const isInstruction = isAsked(kind) || kind === PRIVILEGED,
    departure = { ip, flags: flagsToPush(cpu, vector, kind), ext: isAsked(kind) ? 0 : 1, code };
  const enterTask = () => {
    switchTask(cpu, "gate", selector, departure);
    begin(cpu);
  };
  if (isInstruction) settleFault(cpu, enterTask);
  else enterTask();
}
function findInnerStack(
  cpu: Processor,
  cpl: number,
  ext: number,
): { d: Descriptor; pointer: number; selector: number } {
  const { selector, pointer } = innerStack(cpu, cpl, ext);
  if (isNull(selector)) cpu.fault("TS", ext);
  return { d: checkStackSegment(cpu, selector, cpl, "TS", ext), pointer, selector };
}

/** [SDM 3A 6.14] */
function transferLong(cpu: Processor, vector: number, kind: Kind, code: number | null, ip: number): void {
  const ext = isAsked(kind) ? 0 : 1,
    entry = vector * 16,
    { u32, i32 } = cpu.memory;
  if (entry + 15 > cpu.u32(S.IDTR_LIMIT)) cpu.fault("GP", vector * 8 + 2 + ext);
  if (!cpu.access.load(cpu.number(S.IDTR_BASE) + entry, 16, S.RESULT, "supervisor")) throw cpu.pendingFault;
  const at = S.RESULT >> 2,
    low = u32[at]!,
    high = u32[at + 1]!,
    upper = i32[at + 2]!,
    type = (high >>> 8) & 31,
    selector = low >>> 16;
  checkGate(cpu, high, vector, kind, type === INT32 || type === TRAP32);
  const d = checkHandler(cpu, selector, ext),
    offset = upper * 2 ** 32 + (((low & 0xffff) | (high & 0xffff0000)) >>> 0);
  const cpl = isConforming(d.access) ? cpu.cpl : dplOf(d.access),
    inner = cpl < cpu.cpl,
    ist = high & 7;
  let top =
    ist !== 0 ? innerStack64(cpu, ist + 3, ext) : inner ? innerStack64(cpu, cpl, ext) : cpu.number(S.GPR + 8 * RSP);
  if (!isCanonicalNumber(top - 1) || !isCanonicalNumber(offset))
    cpu.fault(isCanonicalNumber(offset) ? "SS" : "GP", ext);
  const csAccess = markAccessed(cpu, d);
  top -= ((top % 16) + 16) % 16;
  top = pushFrame(cpu, longStack(top, cpl, ext), fillFrame(cpu, vector, kind, code, ip, true), 8);
  if (inner) setNull(cpu, SS, cpl, cpl);
  cpu.setNumber(S.GPR + 8 * RSP, top);
  loadHandler(cpu, d, csAccess, selector, cpl);
  enter(cpu, TF | NT | RF | VM | (type === INT32 ? IF : 0), offset);
}

/** Puts error code, return address and flags, and with `stack` the old stack pointer, into the frame's slots. */
function fillFrame(
  cpu: Processor,
  vector: number,
  kind: Kind,
  code: number | null,
  ip: number,
  stack: boolean,
): number {
  let count = 0;
  if (code !== null) setSlot(cpu, count++, code);
  setSlot(cpu, count++, ip);
  setSlot(cpu, count++, cpu.selector(CS));
  setSlot(cpu, count++, flagsToPush(cpu, vector, kind));
  if (stack) {
    const { u32 } = cpu.memory,
      from = (S.GPR + 8 * RSP) >> 2,
      to = (S.FRAME + 8 * count++) >> 2;
    u32[to] = u32[from]!;
    u32[to + 1] = u32[from + 1]!;
    setSlot(cpu, count++, cpu.selector(SS));
  }
  return count;
}
