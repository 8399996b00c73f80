/**
 * Control of the processor [SDM 2A, 2B; 3A 2.8]: control and debug registers, TLB invalidation, the interrupt flag, HLT,
 * model-specific registers, CPUID.
 */
import {
  clearTaskSwitched, debugRegister, debugRegisterAt, flushTlb, readCr8, writeCr0, writeCr3, writeCr4, writeCr8, writeDebugRegister,
} from "../core/control.ts";
import { cpuid } from "../core/cpuid.ts";
import type { Decoded } from "../core/decode.ts";
import { HALTED, reconsider, setActivity } from "../core/events.ts";
import type { Exec, Semantics } from "../core/exec.ts";
import { AC, IF } from "../core/flags.ts";
import { form, type HelperBody, type Instruction, instruction, rare } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { refreshContext } from "../core/modes.ts";
import { readMsr, writeMsr } from "../core/msr.ts";
import { CR0_PE, CR0_TS, CR4_OSXSAVE, CR4_PCE, CR4_PCIDE } from "../core/paging.ts";
import { isCanonical, type Processor } from "../core/processor.ts";
import { RAX, RBX, RCX, RDX, S, SEG, segment } from "../core/state.ts";
import { setVirtualFlag } from "../core/virtual8086.ts";
import {
  exitAlways, exitByClts, exitByControlWrite, exitByCr3Read, exitByCr3Write, exitByCr8, exitByDebugRegister, exitByInvlpg, exitByInvpcid, exitByLmsw,
  exitByMsr, exitIf, keptBits, requireEnabled, shownControl,
} from "../vmx/intercepts.ts";
import { registerOf } from "../vmx/operand-info.ts";
import { EXIT } from "../vmx/reasons.ts";
import { checkUmip } from "./segment.ts";

const wordAt = (cpu: Processor, at: number, insn: Decoded) => (insn.long ? cpu.u64(at) : BigInt(cpu.u32(at)));

// ---- control and debug registers ----

const CONTROL: Record<number, number> = { 0: S.CR0, 2: S.CR2, 3: S.CR3, 4: S.CR4 };
function checkControl(cpu: Processor, insn: Decoded, n: number): void {
  if (!(n in CONTROL) && !(n === 8 && insn.long)) cpu.fault("UD");
  cpu.requireCpl0();
}
const readControl: HelperBody = (cpu, insn) => {
  const [dst, src] = insn.operands, n = src!.reg, register = registerOf(insn, 0);
  checkControl(cpu, insn, n);
  if (n === 3) exitByCr3Read(cpu, register);
  if (n === 8) exitByCr8(cpu, false, register);
  if (n === 8) cpu.x.write(dst!, BigInt(readCr8(cpu)));
  else if (n === 0 || n === 4) cpu.x.write(dst!, shownControl(cpu, n, wordAt(cpu, CONTROL[n]!, insn)));
  else cpu.x.write(dst!, wordAt(cpu, CONTROL[n]!, insn));
};
const writeControl: HelperBody = (cpu, insn) => {
  const n = insn.operands[0]!.reg, from = S.GPR + insn.operands[1]!.reg, low = cpu.u32(from), high = insn.long ? cpu.u32(from + 4) | 0 : 0;
  checkControl(cpu, insn, n);
  if (cpu.vmx.nonRoot) exitByWrite(cpu, n, low, high, registerOf(insn, 1));
  switch (n) {
    case 0: writeCr0(cpu, keptBits(cpu, 0, cpu.u32(S.CR0), low), high); return;
    case 2: cpu.setU32(S.CR2, low); cpu.setU32(S.CR2 + 4, high); return;
    case 3: writeCr3(cpu, low, high); return;
    case 4: writeCr4(cpu, keptBits(cpu, 4, cpu.u32(S.CR4), low), high); return;
    default: writeCr8(cpu, low, high);
  }
};
function exitByWrite(cpu: Processor, n: number, low: number, high: number, register: number): void {
  if (n === 0 || n === 4) exitByControlWrite(cpu, n, low, high, register);
  if (n === 3) exitByCr3Write(cpu, low, high, register);
  if (n === 8) exitByCr8(cpu, true, register);
}
const readDebug: HelperBody = (cpu, insn) => {
  if (cpu.vmx.nonRoot && insn.operands[1]!.reg < 8) exitByDebugRegister(cpu, insn.operands[1]!.reg, true, registerOf(insn, 0));
  const n = debugRegister(cpu, insn.operands[1]!.reg);
  cpu.x.write(insn.operands[0]!, wordAt(cpu, debugRegisterAt(n), insn));
};
const writeDebug: HelperBody = (cpu, insn) => {
  if (cpu.vmx.nonRoot && insn.operands[0]!.reg < 8) exitByDebugRegister(cpu, insn.operands[0]!.reg, false, registerOf(insn, 1));
  const n = debugRegister(cpu, insn.operands[0]!.reg), from = S.GPR + insn.operands[1]!.reg;
  writeDebugRegister(cpu, n, cpu.u32(from), insn.long ? cpu.u32(from + 4) | 0 : 0);
};

/** SMSW shows CR0: 16 bits to memory, as many as the operand has to a register. */
const smsw: HelperBody = (cpu, insn) => {
  checkUmip(cpu);
  cpu.x.write(insn.operands[0]!, shownControl(cpu, 0, cpu.u64(S.CR0)));
};
/** LMSW writes PE, MP, EM and TS, and never clears PE. */
const lmsw: HelperBody = (cpu, insn) => {
  const value = Number(cpu.x.read(insn.operands[0]!) & 0xffffn), old = cpu.u32(S.CR0);
  if (cpu.vmx.nonRoot) exitByLmsw(cpu, value, insn.hasMemory ? cpu.x.linear(cpu.x.address(insn.operands[0]!), 2, false) : null);
  writeCr0(cpu, keptBits(cpu, 0, old, (old & ~14) | (value & 15) | (old & CR0_PE)), 0);
};
const clts: HelperBody = (cpu) => {
  exitByClts(cpu);
  if (keptBits(cpu, 0, CR0_TS, 0) === 0) clearTaskSwitched(cpu); // not if the host owns the bit
};

// ---- TLB ----

const invlpg: HelperBody = (cpu, insn) => {
  const offset = cpu.x.address(insn.operands[0]!), base = cpu.u64(segment(insn.segment) + SEG.effectiveBase);
  const linear = BigInt.asUintN(64, base + offset) & cpu.u64(S.LINEAR_MASK);
  if (cpu.vmx.nonRoot) exitByInvlpg(cpu, linear);
  if (insn.long && !isCanonical(linear)) return; // nothing happens, and nothing faults
  cpu.access.tlb.invalidate(insn.long ? Number(BigInt.asIntN(64, linear)) : Number(linear));
};
/** [SDM 2A "INVPCID"] */
const invpcid: HelperBody = (cpu, insn) => {
  requireEnabled(cpu, "enable INVPCID");
  exitByInvpcid(cpu, insn);
  const { x } = cpu, [operand, memory] = insn.operands, type = x.read(operand!), at = x.address(memory!);
  const above = BigInt.asUintN(insn.addressSize, at + 8n), descriptor = x.load("operand", at, 64), linear = x.load("operand", above, 64);
  const pcid = Number(descriptor & 0xfffn), enabled = (cpu.u32(S.CR4) & CR4_PCIDE) !== 0, { tlb } = cpu.access;
  if (type > 3n || (type < 2n && (descriptor >> 12n !== 0n || (!enabled && pcid !== 0)))) cpu.fault("GP", 0);
  if (type === 0n && !isCanonical(linear)) cpu.fault("GP", 0);
  if (type === 0n) tlb.invalidate(Number(BigInt.asIntN(64, linear)));
  else if (type === 2n) flushTlb(cpu);
  else if (type === 3n) tlb.flushNonGlobal();
  else {
    const space = enabled ? String(pcid) : "linear", current = !enabled || pcid === (cpu.u32(S.CR3) & 0xfff);
    if (current) tlb.enterSpace(space, true);
    else tlb.dropSpace(space);
    refreshContext(cpu);
  }
};

// ---- interrupt flag, halting ----

/** Beyond IOPL the instruction means the virtual interrupt flag, if anything. */
const within = <V>(x: Exec<V>, flags: V) => x.isZero(x.ltU(x.and(x.shr(flags, x.const(12)), x.const(3)), x.state(S.CPL, 4)));
const cli: Semantics = (x) => {
  const flags = x.state(S.FLAGS, 4);
  x.when(within(x, flags), () => x.setState(S.FLAGS, x.and(flags, x.const(~IF)), 4), () => { x.call("interrupts.virtual", x.const(0)); });
};
/** Events wait for one instruction more if IF was clear [SDM 2B "STI"]. */
const sti: Semantics = (x) => {
  const flags = x.state(S.FLAGS, 4);
  const enable = () => {
    x.setState(S.FLAGS, x.or(flags, x.const(IF)), 4);
    x.call("interrupts.enabled");
  };
  x.when(within(x, flags), () => x.when(x.isZero(x.bit(flags, 9)), enable), () => { x.call("interrupts.virtual", x.const(1)); });
};
export const controlHelpers: Record<string, Helper> = {
  "interrupts.enabled": (cpu) => {
    if (!cpu.inShadow()) cpu.startShadow(1);
    reconsider(cpu);
    return 0n;
  },
  "interrupts.virtual": (cpu, [on]) => {
    setVirtualFlag(cpu, on !== 0n);
    return 0n;
  },
};
const hlt: HelperBody = (cpu) => {
  exitIf(cpu, "HLT exiting", EXIT.hlt);
  setActivity(cpu, HALTED);
};

/** MONITOR checks its address as a load; MWAIT may end its wait at any time [SDM 2B], and does at once. */
const monitor: HelperBody = (cpu, insn) => {
  if (cpu.cpl !== 0) cpu.fault("UD");
  exitIf(cpu, "MONITOR exiting", EXIT.monitor);
  if (cpu.gpr32(RCX) !== 0) cpu.fault("GP", 0);
  const at = BigInt.asUintN(insn.addressSize, cpu.gpr(RAX));
  cpu.x.load("operand", at, 8);
  cpu.setU64(S.MONITOR_ADDRESS, at);
  cpu.setU32(S.MONITOR_ARMED, 1);
};
const mwait: HelperBody = (cpu) => {
  if (cpu.cpl !== 0) cpu.fault("UD");
  exitIf(cpu, "MWAIT exiting", EXIT.mwait, cpu.u32(S.MONITOR_ARMED));
  if (cpu.gpr32(RCX) & ~1) cpu.fault("GP", 0);
  cpu.setU32(S.MONITOR_ARMED, 0);
};

// ---- model-specific registers, CPUID ----

const rdmsr: HelperBody = (cpu) => {
  if (exitByMsr(cpu, cpu.gpr32(RCX), false)) return;
  const value = readMsr(cpu, cpu.gpr32(RCX));
  cpu.setGpr(RAX, value & 0xffffffffn);
  cpu.setGpr(RDX, value >> 32n);
};
const wrmsr: HelperBody = (cpu) => {
  if (exitByMsr(cpu, cpu.gpr32(RCX), true)) return;
  writeMsr(cpu, cpu.gpr32(RCX), cpu.gpr32(RAX), cpu.gpr32(RDX) | 0);
};
/** No model offers performance counters, so there is none to name in ECX. */
const rdpmc: HelperBody = (cpu) => {
  if (!(cpu.u32(S.CR4) & CR4_PCE)) cpu.requireCpl0();
  exitIf(cpu, "RDPMC exiting", EXIT.rdpmc);
  cpu.fault("GP", 0);
};
const identify: HelperBody = (cpu) => {
  if (exitAlways(cpu, EXIT.cpuid)) return;
  const leaf = cpu.gpr32(RAX), [eax, ebx, ecx, edx] = cpuid(cpu, leaf, cpu.gpr32(RCX));
  if (leaf === 1) cpu.setU32(S.BIOS_SIGN_ID + 4, cpu.model.microcode); // how the revision is asked for [SDM 3A 9.11.7.1]
  cpu.setGpr32(RAX, eax);
  cpu.setGpr32(RBX, ebx);
  cpu.setGpr32(RCX, ecx);
  cpu.setGpr32(RDX, edx);
};
/** Only XCR0 exists, and only with CR4.OSXSAVE. */
function checkXcr(cpu: Processor): void {
  if (!(cpu.u32(S.CR4) & CR4_OSXSAVE)) cpu.fault("UD");
}
const xgetbv: HelperBody = (cpu) => {
  checkXcr(cpu);
  if (cpu.gpr32(RCX) !== 0) cpu.fault("GP", 0);
  cpu.setGpr32(RAX, cpu.u32(S.XCR0));
  cpu.setGpr32(RDX, cpu.u32(S.XCR0 + 4));
};
/** x87 state cannot be switched off, and YMM state needs SSE state [SDM 2C "XSETBV"]. */
const xsetbv: HelperBody = (cpu) => {
  checkXcr(cpu);
  cpu.requireCpl0();
  if (exitAlways(cpu, EXIT.xsetbv)) return;
  const low = cpu.gpr32(RAX), known = 3;
  if (cpu.gpr32(RCX) !== 0 || cpu.gpr32(RDX) !== 0 || low & ~known || !(low & 1)) cpu.fault("GP", 0);
  cpu.setNumber(S.XCR0, low);
  cpu.refresh();
};
const setAc = (on: boolean): HelperBody => (cpu) => {
  if (cpu.cpl !== 0) cpu.fault("UD");
  const flags = cpu.u32(S.FLAGS);
  cpu.setU32(S.FLAGS, on ? flags | AC : flags & ~AC);
  refreshContext(cpu);
};
const control = { vectors: { skip: "privileged: directed tests" } };
const ends = { endsBlock: true, ...control }, supervisor = { privileged: true, ...control }, endsSupervisor = { ...ends, privileged: true };
const only64 = { only64: true }, not64 = { not64: true };

export const controls: Instruction[] = [
  rare("mov", [form("0F 20 /r", "Rq,Cq", only64), form("0F 20 /r", "Rd,Cd", not64)], readControl, control),
  rare("mov", [form("0F 22 /r", "Cq,Rq", only64), form("0F 22 /r", "Cd,Rd", not64)], writeControl, ends),
  rare("mov", [form("0F 21 /r", "Rq,Dq", only64), form("0F 21 /r", "Rd,Dd", not64)], readDebug, control),
  rare("mov", [form("0F 23 /r", "Dq,Rq", only64), form("0F 23 /r", "Dd,Rd", not64)], writeDebug, ends),
  rare("smsw", [form("0F 01 /4", "Mw"), form("0F 01 /4", "Rv")], smsw, control),
  rare("lmsw", [form("0F 01 /6", "Ew")], lmsw, endsSupervisor),
  rare("clts", [form("0F 06")], clts, endsSupervisor),
  rare("invlpg", [form("0F 01 /7", "M")], invlpg, endsSupervisor),
  rare("invpcid", [form("66 0F 38 82 /r", "Gq,Mdq", { ...only64, feature: "invpcid" }), form("66 0F 38 82 /r", "Gd,Mdq", { ...not64, feature: "invpcid" })],
    invpcid, endsSupervisor),
  rare("invd", [form("0F 08")], (cpu) => { exitAlways(cpu, EXIT.invd); }, supervisor),
  rare("wbinvd", [form("0F 09")], (cpu) => exitIf(cpu, "WBINVD exiting", EXIT.wbinvd), supervisor),
  instruction("cli", [form("FA")], cli, control),
  instruction("sti", [form("FB")], sti, { ...control, shadow: true }),
  rare("hlt", [form("F4")], hlt, endsSupervisor),
  rare("monitor", [form("0F 01 C8", "", { feature: "monitor" })], monitor, control),
  rare("mwait", [form("0F 01 C9", "", { feature: "monitor" })], mwait, ends),
  rare("rdmsr", [form("0F 32", "", { feature: "msr" })], rdmsr, supervisor),
  rare("wrmsr", [form("0F 30", "", { feature: "msr" })], wrmsr, endsSupervisor),
  rare("rdpmc", [form("0F 33")], rdpmc, control),
  rare("cpuid", [form("0F A2")], identify, { vectors: { skip: "answers of the model" } }),
  rare("xgetbv", [form("NP 0F 01 D0", "", { feature: "xsave" })], xgetbv, { vectors: { skip: "what the capturing system enabled: directed tests" } }),
  rare("xsetbv", [form("NP 0F 01 D1", "", { feature: "xsave" })], xsetbv, ends),
  rare("clac", [form("NP 0F 01 CA", "", { feature: "smap" })], setAc(false), ends),
  rare("stac", [form("NP 0F 01 CB", "", { feature: "smap" })], setAc(true), ends),
];
