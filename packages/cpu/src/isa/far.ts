/**
 * Far transfers [SDM 2A "CALL", "JMP", "INT n", "IRET"; 2B "RET"; 3A 5.8]: JMP, CALL and RET between segments, through
 * call gates too, software interrupts, and the return from interrupts.
 */

import { startResume } from "../core/debug.ts";
import type { Decoded } from "../core/decode.ts";
import { deliverFault, deliverSoftware, followFlags, PRIVILEGED, SOFTWARE, TRAP, unblockNmi } from "../core/events.ts";
import { AC, ALL, ARITHMETIC, DF, ID, IF, IOPL, NT, RF, TF, VIF, VIP, VM } from "../core/flags.ts";
import { form, type HelperBody, type Instruction, rare } from "../core/forms.ts";
import { DB_BIT, dplOf, L_BIT, MODE_REAL, PRESENT, refreshTransfer } from "../core/modes.ts";
import type { Processor } from "../core/processor.ts";
import {
  CALL16, CALL32, checkStackSegment, type Descriptor, dropPrivilegedSegments, errorCode, innerStack, innerStack64, is64BitCode, isCanonicalNumber,
  isCode, isConforming, isNull, markAccessed, readDescriptor, setNull, setParagraph, setSegment, typeOf,
} from "../core/segments.ts";
import { currentStack, longSlot, longStack, moved, pushFrame, readFrame, type Stack, setSlot, setStackPointer, slot, stackOf } from "../core/stack.ts";
import { CS, DS, ES, FS, GS, LDTR, RSP, S, SEG, SS, segment } from "../core/state.ts";
import { enterTask, returnFromTask } from "../core/task.ts";
import {
  checkVirtualFlags, isVirtual8086, redirectInterrupt, setVirtualFlag, setVirtualSegment, usesVirtualFlag, virtualInterruptPends,
} from "../core/virtual8086.ts";

type Width = 2 | 4 | 8;
const widthOf = (insn: Decoded) => (insn.operandSize >> 3) as Width;
const cut = (value: number, width: Width) => (width === 2 ? value & 0xffff : value);

/** Selector and offset that a far JMP or CALL names, as an immediate or in memory. The offset is signed if 64 bits wide. */
function farPointer(cpu: Processor, insn: Decoded): { selector: number; offset: number } {
  const [operand] = insn.operands, width = widthOf(insn);
  if (operand!.kind === "far") return { selector: insn.imm2, offset: cut(insn.immLow >>> 0, width) };
  const { x } = cpu, at = x.address(operand!), size = insn.operandSize;
  const mask = insn.addressSize === 64 ? ~0n : (1n << BigInt(insn.addressSize)) - 1n;
  const offset = Number(BigInt.asIntN(64, x.load("operand", at, size)));
  return { selector: Number(x.load("operand", (at + BigInt(width)) & mask & 0xffffffffffffffffn, 16)), offset };
}

// ---- targets ----

/** May execution go on at this offset of this code segment? In IA-32e mode L decides what an offset is. */
function checkOffset(cpu: Processor, d: Descriptor, offset: number): void {
  const fits = cpu.ia32e && is64BitCode(d.access) ? isCanonicalNumber(offset) : offset >= 0 && offset <= d.limit;
  if (!fits) cpu.fault("GP", 0);
}
/** What every far transfer asks of a code segment besides privilege. */
function checkCode(cpu: Processor, d: Descriptor, code: number): void {
  if (cpu.ia32e && (d.access & (L_BIT | DB_BIT)) === (L_BIT | DB_BIT)) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
}
/** The code segment of a JMP or CALL that names it directly: same privilege, or conforming and not less [SDM 3A 5.8.1]. */
function checkDirect(cpu: Processor, d: Descriptor, selector: number): void {
  const dpl = dplOf(d.access), { cpl } = cpu, code = errorCode(selector);
  if (isConforming(d.access) ? dpl > cpl : (selector & 3) > cpl || dpl !== cpl) cpu.fault("GP", code);
  checkCode(cpu, d, code);
}
function loadCode(cpu: Processor, d: Descriptor, access: number, selector: number, cpl: number): void {
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, access, d.base, d.limit);
}
function goTo(cpu: Processor, offset: number): void {
  refreshTransfer(cpu);
  cpu.jumpTo(offset);
}
/** Real-address and virtual-8086 mode: base from selector; the limit stays and is checked [SDM 3A 20.1.1]. */
function checkRealOffset(cpu: Processor, offset: number): void {
  if (offset > cpu.u32(segment(CS) + SEG.limit)) cpu.fault("GP", 0);
}
const isReal = (cpu: Processor) => (cpu.u32(S.MODE) & MODE_REAL) !== 0;

/** The call gate that a system descriptor is; #GP for anything else. */
interface Gate { readonly selector: number; readonly offset: number; readonly width: Width; readonly parameters: number }
function readGate(cpu: Processor, d: Descriptor, selector: number): Gate {
  const type = typeOf(d.access), code = errorCode(selector), long = cpu.ia32e;
  const dpl = dplOf(d.access);
  if (!(type === CALL32 || (!long && type === CALL16))) cpu.fault("GP", code);
  if (dpl < cpu.cpl || (selector & 3) > dpl) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  const target = d.low >>> 16, low = (d.low & 0xffff | d.high & 0xffff0000) >>> 0;
  if (!long) return { selector: target, offset: type === CALL16 ? d.low & 0xffff : low, width: type === CALL16 ? 2 : 4, parameters: d.high & 31 };
  const limit = cpu.u32(selector & 4 ? segment(LDTR) + SEG.limit : S.GDTR_LIMIT);
  if ((selector & 0xfff8) + 15 > limit) cpu.fault("GP", code);
  const upper = cpu.readLinear(d.address + 8, 4, "supervisor") | 0, attributes = cpu.readLinear(d.address + 12, 4, "supervisor");
  if (attributes & 0x1f00) cpu.fault("GP", code);
  return { selector: target, offset: upper * 2 ** 32 + low, width: 8, parameters: 0 };
}
/** The code segment that a gate leads to. JMP does not change privilege; CALL may raise it. */
function gateTarget(cpu: Processor, gate: Gate, call: boolean): Descriptor {
  if (isNull(gate.selector)) cpu.fault("GP", 0);
  const d = readDescriptor(cpu, gate.selector), dpl = dplOf(d.access), { cpl } = cpu, code = errorCode(gate.selector);
  if (!isCode(d.access) || dpl > cpl || (!call && !isConforming(d.access) && dpl !== cpl)) cpu.fault("GP", code);
  if (cpu.ia32e && !is64BitCode(d.access)) cpu.fault("GP", code);
  if (!(d.access & PRESENT)) cpu.fault("NP", code);
  return d;
}

// ---- JMP and CALL ----

const jumpFar: HelperBody = (cpu, insn) => {
  const { selector, offset } = farPointer(cpu, insn);
  if (isReal(cpu)) {
    checkRealOffset(cpu, offset);
    setParagraph(cpu, CS, selector);
    goTo(cpu, offset);
    return;
  }
  if (isNull(selector)) cpu.fault("GP", 0);
  const named = readDescriptor(cpu, selector);
  if (isCode(named.access)) {
    checkDirect(cpu, named, selector);
    finishJump(cpu, named, selector, offset);
  } else if (cpu.ia32e || !enterTask(cpu, "jump", named, selector)) {
    const gate = readGate(cpu, named, selector);
    finishJump(cpu, gateTarget(cpu, gate, false), gate.selector, gate.offset);
  }
};
function finishJump(cpu: Processor, d: Descriptor, selector: number, offset: number): void {
  checkOffset(cpu, d, offset);
  loadCode(cpu, d, markAccessed(cpu, d), selector, cpu.cpl);
  goTo(cpu, offset);
}

const callFar: HelperBody = (cpu, insn) => {
  const { selector, offset } = farPointer(cpu, insn), width = widthOf(insn);
  if (isReal(cpu)) {
    checkRealOffset(cpu, offset);
    pushReturn(cpu, width);
    setParagraph(cpu, CS, selector);
    goTo(cpu, offset);
    return;
  }
  if (isNull(selector)) cpu.fault("GP", 0);
  const named = readDescriptor(cpu, selector);
  if (isCode(named.access)) {
    checkDirect(cpu, named, selector);
    finishCall(cpu, named, selector, offset, width);
    return;
  }
  if (!cpu.ia32e && enterTask(cpu, "call", named, selector)) return;
  const gate = readGate(cpu, named, selector), d = gateTarget(cpu, gate, true);
  if (isConforming(d.access) || dplOf(d.access) === cpu.cpl) finishCall(cpu, d, gate.selector, gate.offset, gate.width);
  else callInner(cpu, gate, d);
};
/** CS and the offset of the next instruction, onto the stack in use. */
function pushReturn(cpu: Processor, width: Width): void {
  const stack = currentStack(cpu);
  setSlot(cpu, 0, cpu.nextIP);
  setSlot(cpu, 1, cpu.selector(CS));
  setStackPointer(cpu, stack, pushFrame(cpu, stack, 2, width));
}
function finishCall(cpu: Processor, d: Descriptor, selector: number, offset: number, width: Width): void {
  checkOffset(cpu, d, offset);
  const access = markAccessed(cpu, d);
  pushReturn(cpu, width);
  loadCode(cpu, d, access, selector, cpu.cpl);
  goTo(cpu, offset);
}

/** Through a gate to an inner level: the TSS gives the stack, parameters are copied [SDM 3A 5.8.5]. */
function callInner(cpu: Processor, gate: Gate, d: Descriptor): void {
  const cpl = dplOf(d.access);
  if (cpu.ia32e) {
    callInner64(cpu, gate, d, cpl);
    return;
  }
  const { selector, pointer } = innerStack(cpu, cpl, 0), { width } = gate;
  if (isNull(selector)) cpu.fault("TS", 0);
  const ss = checkStackSegment(cpu, selector, cpl, "TS");
  checkOffset(cpu, d, gate.offset);
  const csAccess = markAccessed(cpu, d), ssAccess = markAccessed(cpu, ss), count = gate.parameters;
  setSlot(cpu, 0, cpu.nextIP);
  setSlot(cpu, 1, cpu.selector(CS));
  readFrame(cpu, currentStack(cpu, true), count, width, 0, 2);
  setSlot(cpu, count + 2, cpu.gpr32(RSP));
  setSlot(cpu, count + 3, cpu.selector(SS));
  const stack = stackOf(ss, pointer, cpl, errorCode(selector)), top = pushFrame(cpu, stack, count + 4, width);
  setSegment(cpu, SS, selector, ssAccess, ss.base, ss.limit);
  setStackPointer(cpu, stack, top);
  loadCode(cpu, d, csAccess, gate.selector, cpl);
  goTo(cpu, gate.offset);
}
function callInner64(cpu: Processor, gate: Gate, d: Descriptor, cpl: number): void {
  const start = innerStack64(cpu, cpl, 0);
  if (!isCanonicalNumber(start - 1)) cpu.fault("SS", 0);
  checkOffset(cpu, d, gate.offset);
  const access = markAccessed(cpu, d), { u32 } = cpu.memory, rsp = (S.GPR + 8 * RSP) >> 2, saved = (S.FRAME + 16) >> 2;
  setSlot(cpu, 0, cpu.nextIP);
  setSlot(cpu, 1, cpu.selector(CS));
  u32[saved] = u32[rsp]!;
  u32[saved + 1] = u32[rsp + 1]!;
  setSlot(cpu, 3, cpu.selector(SS));
  const top = pushFrame(cpu, longStack(start, cpl, 0), 4, 8);
  setNull(cpu, SS, cpl, cpl);
  cpu.setNumber(S.GPR + 8 * RSP, top);
  loadCode(cpu, d, access, gate.selector, cpl);
  goTo(cpu, gate.offset);
}

// ---- RET and IRET ----

/** The code segment of a return, whose RPL is the privilege level to return to [SDM 2B "RET", 3A 5.8.6]. */
function returnTarget(cpu: Processor, selector: number): Descriptor {
  if (isNull(selector)) cpu.fault("GP", 0);
  const d = readDescriptor(cpu, selector), code = errorCode(selector), rpl = selector & 3, dpl = dplOf(d.access);
  if (!isCode(d.access) || rpl < cpu.cpl || (isConforming(d.access) ? dpl > rpl : dpl !== rpl)) cpu.fault("GP", code);
  checkCode(cpu, d, code);
  return d;
}
/** The stack segment of a return to level `cpl`; null in 64-bit code of an inner level, where SS may be null. */
function returnStack(cpu: Processor, selector: number, cpl: number, code: Descriptor): Descriptor | null {
  if (!isNull(selector)) return checkStackSegment(cpu, selector, cpl, "GP");
  if (!cpu.ia32e || !is64BitCode(code.access) || cpl === 3 || (selector & 3) !== cpl) cpu.fault("GP", 0);
  return null;
}
/** Loads CS, SS and the stack pointer of an outer level (or of the same one, for IRETQ); data segments follow. */
function loadOuter(cpu: Processor, cs: Descriptor, csSelector: number, ss: Descriptor | null, ssSelector: number, pointer: () => void): void {
  const cpl = csSelector & 3, outer = cpl > cpu.cpl, ssAccess = ss ? markAccessed(cpu, ss) : 0, csAccess = markAccessed(cpu, cs);
  loadCode(cpu, cs, csAccess, csSelector, cpl);
  if (ss) setSegment(cpu, SS, ssSelector, ssAccess, ss.base, ss.limit);
  else setNull(cpu, SS, ssSelector, cpl);
  pointer();
  if (outer) dropPrivilegedSegments(cpu, cpl);
}

const retFar: HelperBody = (cpu, insn) => {
  const width = widthOf(insn), stack = currentStack(cpu, true), release = insn.operands.length > 0 ? insn.immLow & 0xffff : 0;
  readFrame(cpu, stack, 2, width);
  const offset = width === 8 ? longSlot(cpu, 0) : slot(cpu, 0), selector = slot(cpu, 1) & 0xffff;
  if (isReal(cpu)) {
    checkRealOffset(cpu, offset);
    setStackPointer(cpu, stack, moved(stack, 2 * width + release));
    setParagraph(cpu, CS, selector);
    goTo(cpu, offset);
    return;
  }
  const d = returnTarget(cpu, selector), cpl = selector & 3;
  if (cpl === cpu.cpl) {
    checkOffset(cpu, d, offset);
    loadCode(cpu, d, markAccessed(cpu, d), selector, cpl);
    setStackPointer(cpu, stack, moved(stack, 2 * width));
    releaseParameters(cpu, release);
  } else {
    readFrame(cpu, stack, 2, width, 2 * width + release, 2);
    const ssSelector = slot(cpu, 3) & 0xffff, ss = returnStack(cpu, ssSelector, cpl, d), pointer = width === 8 ? longSlot(cpu, 2) : slot(cpu, 2);
    checkOffset(cpu, d, offset);
    loadOuter(cpu, d, selector, ss, ssSelector, () => setReturnPointer(cpu, d, ss, pointer, release));
  }
  goTo(cpu, offset);
};
/** After a return to the same level: the stack is as wide as the new code segment has it [SDM 2B "RET"]. */
function releaseParameters(cpu: Processor, release: number): void {
  refreshTransfer(cpu);
  const stack = currentStack(cpu);
  setStackPointer(cpu, stack, moved(stack, release));
}
/** RSP of the outer level, plus the parameters that are released there too. */
function setReturnPointer(cpu: Processor, cs: Descriptor, ss: Descriptor | null, pointer: number, release: number): void {
  if (cpu.ia32e && is64BitCode(cs.access)) cpu.setU64(S.GPR + 8 * RSP, BigInt.asUintN(64, BigInt(pointer) + BigInt(release)));
  else if (ss && ss.access & DB_BIT) cpu.setGpr32(RSP, pointer + release);
  else cpu.setU32(S.GPR + 8 * RSP, (cpu.gpr32(RSP) & 0xffff0000) | ((pointer + release) & 0xffff));
}

/** The flags that IRET loads [SDM 2A "IRET"]; `cpl` is the level that it runs at. */
function returnFlags(cpu: Processor, value: number, width: Width, cpl: number): void {
  const iopl = cpu.u32(S.FLAGS) >> 12 & 3;
  let mask = ARITHMETIC | TF | DF | NT;
  if (width !== 2) mask |= RF | AC | ID;
  if (cpl <= iopl) mask |= IF;
  if (cpl === 0) mask |= IOPL | (width === 2 || isReal(cpu) ? 0 : VIF | VIP);
  cpu.flags = (value & mask) | (cpu.flags & ALL & ~mask & ~RF);
  if (value & mask & RF) startResume(cpu);
}

const iret: HelperBody = (cpu, insn) => {
  const width = widthOf(insn), before = cpu.u32(S.FLAGS);
  unblockNmi(cpu);
  if (isReal(cpu)) iretReal(cpu, width);
  else if (before & NT) {
    if (cpu.ia32e) cpu.fault("GP", 0);
    returnFromTask(cpu);
  } else iretProtected(cpu, width);
  followFlags(cpu, before);
};
/** In virtual-8086 mode below IOPL 3 it is the monitor's business, or the virtual interrupt flag's [SDM 3A 20.2.7, 20.3]. */
function iretReal(cpu: Processor, width: Width): void {
  const virtual = isVirtual8086(cpu) && usesVirtualFlag(cpu, width * 8), { cpl } = cpu;
  const stack = currentStack(cpu, true);
  readFrame(cpu, stack, 3, width);
  const offset = slot(cpu, 0), selector = slot(cpu, 1) & 0xffff, flags = slot(cpu, 2);
  if (virtual) checkVirtualFlags(cpu, flags);
  checkRealOffset(cpu, offset);
  setStackPointer(cpu, stack, moved(stack, 3 * width));
  setParagraph(cpu, CS, selector);
  returnFlags(cpu, flags, width, cpl);
  if (virtual) setVirtualFlag(cpu, (flags & IF) !== 0);
  goTo(cpu, offset);
}
function iretProtected(cpu: Processor, width: Width): void {
  const { long, cpl: from } = cpu, stack = currentStack(cpu, true);
  readFrame(cpu, stack, long ? 5 : 3, width); // 64-bit mode always pops SS:RSP
  const offset = width === 8 ? longSlot(cpu, 0) : slot(cpu, 0), selector = slot(cpu, 1) & 0xffff, flags = slot(cpu, 2);
  if (flags & VM && width === 4 && from === 0 && !cpu.ia32e) {
    iretVirtual8086(cpu, stack, offset, selector, flags);
    return;
  }
  const d = returnTarget(cpu, selector), cpl = selector & 3;
  if (cpl === from && !long) {
    checkOffset(cpu, d, offset);
    loadCode(cpu, d, markAccessed(cpu, d), selector, cpl);
    setStackPointer(cpu, stack, moved(stack, 3 * width));
  } else {
    if (!long) readFrame(cpu, stack, 2, width, 3 * width, 3);
    const ssSelector = slot(cpu, 4) & 0xffff, rspLow = slot(cpu, 3), rspHigh = cpu.u32(S.FRAME + 28), ss = returnStack(cpu, ssSelector, cpl, d);
    checkOffset(cpu, d, offset);
    loadOuter(cpu, d, selector, ss, ssSelector, () => {
      if (cpu.ia32e && is64BitCode(d.access)) {
        cpu.setU32(S.GPR + 8 * RSP, rspLow);
        cpu.setU32(S.GPR + 8 * RSP + 4, rspHigh);
      } else setReturnPointer(cpu, d, ss, rspLow, 0);
    });
  }
  returnFlags(cpu, flags, width, from);
  goTo(cpu, offset);
  if (virtualInterruptPends(cpu)) faultAt(cpu, offset);
}
/** #GP(0) of the instruction that was returned to. */
function faultAt(cpu: Processor, offset: number): void {
  cpu.ip = offset;
  cpu.setFault("GP", 0);
  deliverFault(cpu);
}
/** Into virtual-8086 mode: stack and data segments are on the stack too; flags are loaded as they are [SDM 3A 20.2.5]. */
function iretVirtual8086(cpu: Processor, stack: Stack, offset: number, selector: number, flags: number): void {
  const popped = [SS, ES, DS, FS, GS];
  readFrame(cpu, stack, 6, 4, 12, 3);
  if (offset > 0xffff) cpu.fault("GP", 0);
  cpu.flags = flags;
  if (flags & RF) startResume(cpu);
  setVirtualSegment(cpu, CS, selector);
  popped.forEach((n, i) => { setVirtualSegment(cpu, n, slot(cpu, 4 + i) & 0xffff); });
  cpu.setGpr32(RSP, slot(cpu, 3));
  goTo(cpu, offset);
  if (virtualInterruptPends(cpu)) faultAt(cpu, offset);
}

// ---- software interrupts ----

const interrupt: HelperBody = (cpu, insn) => {
  const vector = insn.immLow & 0xff;
  if (!isVirtual8086(cpu) || !redirectInterrupt(cpu, vector)) deliverSoftware(cpu, vector, SOFTWARE);
};
const breakpoint: HelperBody = (cpu) => deliverSoftware(cpu, 3, TRAP);
const overflow: HelperBody = (cpu) => { if (cpu.x.flag("OF") !== 0n) deliverSoftware(cpu, 4, TRAP); };
const icebp: HelperBody = (cpu) => deliverSoftware(cpu, 1, PRIVILEGED);

const ends = { endsBlock: true };
/** Which of segment, target and stack is checked first differs between processors, and what was pushed before a fault. */
const anyFault = { endsBlock: true, vectors: { anyFault: true } }, calls = { endsBlock: true, vectors: { anyFault: true, partial: true } };
const skip = { endsBlock: true, vectors: { skip: "enters the capturing system's kernel: directed tests" } };

export const far: Instruction[] = [
  rare("jmp", [form("EA", "Ap", { not64: true }), form("FF /5", "Mp")], jumpFar, ends),
  rare("call", [form("9A", "Ap", { not64: true }), form("FF /3", "Mp")], callFar, calls),
  rare("retf", [form("CB"), form("CA", "Iw")], retFar, anyFault),
  rare("iret", [form("CF")], iret, anyFault),
  rare("int", [form("CD", "Ib")], interrupt, skip),
  rare("int3", [form("CC")], breakpoint, ends),
  rare("into", [form("CE", "", { not64: true })], overflow, ends),
  rare("int1", [form("F1")], icebp, skip),
];
