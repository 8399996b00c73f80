/**
 * Segment registers and descriptor tables [SDM 2A, 2B; 3A 2.8, 5.10]: MOV, PUSH and POP of segment registers, far
 * pointers, LDTR, TR, GDTR, IDTR, and the instructions by which programs ask about descriptors.
 */
import type { Decoded } from "../core/decode.ts";
import type { Exec, Operand, Semantics } from "../core/exec.ts";
import { form, type HelperBody, type Instruction, instruction, rare } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { CODE, dplOf, S_BIT, WRITABLE } from "../core/modes.ts";
import { CR4_UMIP } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
import {
  CALL16, CALL32, type Descriptor, findDescriptor, isConforming, isNull, LDT, loadLdt, loadSegment, loadTask, TASK_GATE, TSS16, TSS16_BUSY,
  TSS32, TSS32_BUSY, typeOf,
} from "../core/segments.ts";
import { CS, GS, LDTR, RSP, S, SS, TR } from "../core/state.ts";
import { exitBySystemSegment, exitByTable, SYSTEM, TABLE } from "../vmx/intercepts.ts";

const read16 = (cpu: Processor, insn: Decoded, n: number) => Number(cpu.x.read(insn.operands[n]!) & 0xffffn);

// ---- segment registers ----

const moveFrom: Semantics = (x, dst, src) => {
  x.raiseIf(x.ltU(x.const(GS), x.segmentNumber(src)), "UD");
  x.write(dst, x.read(src));
};
const moveTo: Semantics = (x, dst, src) => {
  const n = x.segmentNumber(dst);
  x.raiseIf(x.or(x.ltU(x.const(GS), n), x.eq(n, x.const(CS))), "UD");
  load(x, dst, x.zext(x.read(src), 16));
};
/** In real-address mode a load is nothing: the firmware and loaders do it all the time. */
function load<V>(x: Exec<V>, dst: Operand, selector: V): void {
  const plain = x.and(x.bit(x.state(S.MODE, 4), 2), x.ne(x.segmentNumber(dst), x.const(SS)));
  x.when(plain, () => x.loadParagraph(dst, selector), () => { x.call("segment.load", x.segmentNumber(dst), selector); });
}
export const segmentHelpers: Record<string, Helper> = {
  /** A load of SS holds events back for one instruction; not one right after another [SDM 3A 6.8.3]. */
  "segment.load": (cpu, [n, selector]) => {
    loadSegment(cpu, Number(n), Number(selector));
    if (Number(n) === SS && !cpu.inShadow()) cpu.startShadow(2);
    return 0n;
  },
};

/** With a 32-bit operand only 16 bits are written, as recent processors do [SDM 2B "PUSH"]. */
const push: Semantics = (x, src) => {
  const size = x.shape.operandSize, sp = x.stackPointer(-(size >> 3));
  x.store(SS, x.stackOffset(sp), size === 32 ? 16 : size, x.read(src));
  x.setReg(RSP, sp);
};
/** The whole operand is read, of which 16 bits count [SDM 2B "POP"]. The pointer moves as wide as the stack was before POP SS. */
const pop: Semantics = (x, dst) => {
  const size = x.shape.operandSize, selector = x.zext(x.top(size), 16), after = x.stackPointer(size >> 3);
  load(x, dst, selector);
  x.setReg(RSP, after);
};

/** LDS and its kin: offset, then selector, from memory. */
const loadPointer = (n: number): HelperBody => (cpu, insn) => {
  const { x } = cpu, [dst, src] = insn.operands, at = x.address(src!), size = insn.operandSize;
  const offset = x.load("operand", at, size), above = BigInt.asUintN(insn.addressSize, at + BigInt(size >> 3));
  loadSegment(cpu, n, Number(x.load("operand", above, 16)));
  x.write(dst!, offset);
};

// ---- system registers ----

/** SLDT, STR, SGDT, SIDT, SMSW are the supervisor's while CR4.UMIP is set [SDM 3A 2.5]. */
export function checkUmip(cpu: Processor): void { if (cpu.u32(S.CR4) & CR4_UMIP) cpu.requireCpl0(); }

const storeSelector = (n: number): HelperBody => (cpu, insn) => {
  checkUmip(cpu);
  exitBySystemSegment(cpu, insn, n === LDTR ? SYSTEM.sldt : SYSTEM.str);
  cpu.x.write(insn.operands[0]!, BigInt(cpu.selector(n)));
};
const storeTable = (base: number, limit: number, which: number): HelperBody => (cpu, insn) => {
  checkUmip(cpu);
  exitByTable(cpu, insn, which);
  const { x } = cpu, at = x.address(insn.operands[0]!), above = BigInt.asUintN(insn.addressSize, at + 2n);
  x.probeWrite("operand", at, 2);
  x.store("operand", above, insn.long ? 64 : 32, insn.long ? cpu.u64(base) : BigInt(cpu.u32(base)));
  x.store("operand", at, 16, BigInt(cpu.u32(limit)));
};
const loadTable = (base: number, limit: number, which: number): HelperBody => (cpu, insn) => {
  exitByTable(cpu, insn, which);
  const { x } = cpu, at = x.address(insn.operands[0]!), above = BigInt.asUintN(insn.addressSize, at + 2n);
  const newLimit = Number(x.load("operand", at, 16)), value = x.load("operand", above, insn.long ? 64 : 32);
  if (insn.long && BigInt.asIntN(48, value) !== BigInt.asIntN(64, value)) cpu.fault("GP", 0);
  cpu.setU64(base, insn.long || insn.operandSize === 32 ? value : value & 0xffffffn); // 24 bits with a 16-bit operand
  cpu.setNumber(limit, newLimit);
};

const loadSystem = (load: typeof loadLdt, which: number): HelperBody => (cpu, insn) => {
  exitBySystemSegment(cpu, insn, which);
  load(cpu, read16(cpu, insn, 0));
};

// ---- questions about descriptors: ZF says whether the answer is valid ----

const LAR_TYPES = 1 << TSS16 | 1 << LDT | 1 << TSS16_BUSY | 1 << CALL16 | 1 << TASK_GATE | 1 << TSS32 | 1 << TSS32_BUSY | 1 << CALL32;
const LAR_TYPES_LONG = 1 << LDT | 1 << TSS32 | 1 << TSS32_BUSY | 1 << CALL32;
const SEGMENTS = 1 << TSS16 | 1 << LDT | 1 << TSS16_BUSY | 1 << TSS32 | 1 << TSS32_BUSY;
const SEGMENTS_LONG = 1 << LDT | 1 << TSS32 | 1 << TSS32_BUSY;

/** The descriptor, if this privilege may ask about it and its type is one of these; null otherwise. */
function visible(cpu: Processor, selector: number, types: number, typesLong: number): Descriptor | null {
  const d = isNull(selector) ? null : findDescriptor(cpu, selector);
  if (d === null) return null;
  const { access } = d, allowed = cpu.ia32e ? typesLong : types, dpl = dplOf(access);
  if (!(access & S_BIT) && !(allowed >> typeOf(access) & 1)) return null;
  return isConforming(access) || (cpu.cpl <= dpl && (selector & 3) <= dpl) ? d : null;
}
const answer = (cpu: Processor, valid: boolean) => cpu.x.setFlags({ ZF: valid ? 1n : 0n });

const loadAccessRights: HelperBody = (cpu, insn) => {
  const d = visible(cpu, read16(cpu, insn, 1), LAR_TYPES, LAR_TYPES_LONG);
  if (d) cpu.x.write(insn.operands[0]!, BigInt((d.high & 0xffff00) >>> 0));
  answer(cpu, d !== null);
};
const loadLimit: HelperBody = (cpu, insn) => {
  const d = visible(cpu, read16(cpu, insn, 1), SEGMENTS, SEGMENTS_LONG);
  if (d) cpu.x.write(insn.operands[0]!, BigInt(d.limit));
  answer(cpu, d !== null);
};
const verifyRead: HelperBody = (cpu, insn) => {
  const d = visible(cpu, read16(cpu, insn, 0), 0, 0);
  answer(cpu, d !== null && (!(d.access & CODE) || (d.access & WRITABLE) !== 0));
};
const verifyWrite: HelperBody = (cpu, insn) => {
  const d = visible(cpu, read16(cpu, insn, 0), 0, 0);
  answer(cpu, d !== null && (d.access & (CODE | WRITABLE)) === WRITABLE);
};

/** Memory is written only if the RPL rises: one that cannot be written is no fault otherwise; so do processors. */
const adjustPrivilege: Semantics = (x, dst, src) => {
  const a = x.read(dst), rpl = x.and(x.read(src), x.const(3)), raise = x.ltU(x.and(a, x.const(3)), rpl);
  x.when(raise, () => x.write(dst, x.or(x.and(a, x.const(~3)), rpl)));
  x.setFlags({ ZF: raise });
};

const not64 = { not64: true }, d64 = { d64: true }, prot = { protectedOnly: true };
const ends = { endsBlock: true }, shadowed = { ...ends, shadow: true };
const tables = { vectors: { skip: "tells of the capturing system's descriptor tables: directed tests" } };
const privileged = { ...ends, privileged: true };
const PUSH = { vectors: {
  vendor: "with a 32-bit operand AMD writes 32 bits, Intel 16",
  vendorWhen: ({ mode, operandSize }: { mode: number; operandSize: number }) => mode !== 64 && operandSize === 32,
} };
const stackForms = (opcodes: Record<string, string>, options: object) => Object.entries(opcodes).map(([opcode, name]) => form(opcode, name, options));

export const segments: Instruction[] = [
  instruction("mov", [form("8C /r", "Mw,Sw"), form("8C /r", "Rv,Sw")], moveFrom),
  instruction("mov", [form("8E /r", "Sw,Ew")], moveTo, shadowed),
  instruction("push", [...stackForms({ "06": "ES", "0E": "CS", "16": "SS", "1E": "DS" }, not64), ...stackForms({ "0F A0": "FS", "0F A8": "GS" }, d64)],
    push, PUSH),
  instruction("pop", [...stackForms({ "07": "ES", "1F": "DS" }, not64), ...stackForms({ "0F A1": "FS", "0F A9": "GS" }, d64)], pop, ends),
  instruction("pop", stackForms({ "17": "SS" }, not64), pop, shadowed),
  rare("les", [form("C4 /r", "Gv,Mp", not64)], loadPointer(0), ends),
  rare("lds", [form("C5 /r", "Gv,Mp", not64)], loadPointer(3), ends),
  rare("lss", [form("0F B2 /r", "Gv,Mp")], loadPointer(SS), ends),
  rare("lfs", [form("0F B4 /r", "Gv,Mp")], loadPointer(4), ends),
  rare("lgs", [form("0F B5 /r", "Gv,Mp")], loadPointer(5), ends),

  rare("sldt", [form("0F 00 /0", "Mw", prot), form("0F 00 /0", "Rv", prot)], storeSelector(LDTR), tables),
  rare("str", [form("0F 00 /1", "Mw", prot), form("0F 00 /1", "Rv", prot)], storeSelector(TR), tables),
  rare("lldt", [form("0F 00 /2", "Ew", prot)], loadSystem(loadLdt, SYSTEM.lldt), privileged),
  rare("ltr", [form("0F 00 /3", "Ew", prot)], loadSystem(loadTask, SYSTEM.ltr), privileged),
  rare("verr", [form("0F 00 /4", "Ew", prot)], verifyRead),
  rare("verw", [form("0F 00 /5", "Ew", prot)], verifyWrite),
  rare("sgdt", [form("0F 01 /0", "M")], storeTable(S.GDTR_BASE, S.GDTR_LIMIT, TABLE.sgdt), tables),
  rare("sidt", [form("0F 01 /1", "M")], storeTable(S.IDTR_BASE, S.IDTR_LIMIT, TABLE.sidt), tables),
  rare("lgdt", [form("0F 01 /2", "M")], loadTable(S.GDTR_BASE, S.GDTR_LIMIT, TABLE.lgdt), privileged),
  rare("lidt", [form("0F 01 /3", "M")], loadTable(S.IDTR_BASE, S.IDTR_LIMIT, TABLE.lidt), privileged),
  rare("lar", [form("0F 02 /r", "Gv,Ew", prot)], loadAccessRights),
  rare("lsl", [form("0F 03 /r", "Gv,Ew", prot)], loadLimit),
  instruction("arpl", [form("63 /r", "Ew,Gw", { not64: true, protectedOnly: true })], adjustPrivilege),
];
