/** VMX instructions [SDM 3C 30.3]. Each begins with the same questions: outside, in a guest, privileged? */
import type { Decoded } from "../core/decode.ts";
import { BY_MOV_SS } from "../core/events.ts";
import { ARITHMETIC, CF, ZF } from "../core/flags.ts";
import { form, type HelperBody, type Instruction, rare } from "../core/forms.ts";
import { CR0_PE, CR4_VMXE } from "../core/paging.ts";
import { isCanonical, type Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { CR0_FIXED0, CR4_FIXED0 } from "../vmx/capabilities.ts";
import { enter } from "../vmx/entry.ts";
import { exitInstruction } from "../vmx/exit.ts";
import { F } from "../vmx/fields.ts";
import { displacement, operandInfo, operandsInfo } from "../vmx/operand-info.ts";
import { EXIT, VMFAIL } from "../vmx/reasons.ts";
import { clearVmcs, enterVmx, isRegionAddress, leaveVmx, loadVmcs, revisionAt } from "../vmx/region.ts";
import { invalidateEpt, invalidateVpid, isEptPointer } from "../vmx/spaces.ts";
import { readField, writeField } from "../vmx/vmread.ts";
import { NO_POINTER, OUTSIDE, ROOT } from "../vmx/vmx.ts";

// ---- outcomes [SDM 3C 30.2] ----

/** The flags of arithmetic are clear, but for these. */
function conclude(cpu: Processor, arithmetic: number): void {
  cpu.flags = (cpu.u32(S.FLAGS) & ~ARITHMETIC) | arithmetic;
}
const succeed = (cpu: Processor) => conclude(cpu, 0);
const failInvalid = (cpu: Processor) => conclude(cpu, CF);
/** With a current VMCS its error field says why. */
function fail(cpu: Processor, code: number): void {
  if (cpu.vmx.currentPointer === NO_POINTER) return failInvalid(cpu);
  cpu.vmx.vmcs.set32(F.INSTRUCTION_ERROR, code);
  conclude(cpu, ZF);
}

/** VMX instructions are undefined in real-address, virtual-8086 and compatibility mode. */
const hasVmxMode = (cpu: Processor, insn: Decoded) => cpu.protectedMode && !isVirtual8086(cpu) && (!cpu.ia32e || insn.long);
const isVirtual8086 = (cpu: Processor) => (cpu.u32(S.FLAGS) & (1 << 17)) !== 0;

/** The beginning of all but VMXON and VMCALL: #UD, the guest's exit, #GP(0). */
function begin(cpu: Processor, insn: Decoded, reason: number, information = 0): void {
  if (cpu.vmx.operation === OUTSIDE || !hasVmxMode(cpu, insn)) cpu.fault("UD");
  if (cpu.vmx.nonRoot) exitInstruction(cpu, reason, displacement(cpu, insn), information);
  cpu.requireCpl0();
}
const pointerOperand = (cpu: Processor, insn: Decoded): number => Number(cpu.x.load("operand", cpu.x.address(insn.operands[0]!), 64));

// ---- entering and leaving VMX operation ----

const LOCKED = 1, OUTSIDE_SMX = 4;
function checkVmxon(cpu: Processor): void {
  const control = cpu.u32(S.FEATURE_CONTROL), cr0 = cpu.u32(S.CR0), cr4 = cpu.u32(S.CR4);
  cpu.requireCpl0();
  if ((cr0 & CR0_FIXED0) >>> 0 !== CR0_FIXED0 || (cr4 & CR4_FIXED0) !== CR4_FIXED0) cpu.fault("GP", 0);
  if (!(control & LOCKED) || !(control & OUTSIDE_SMX)) cpu.fault("GP", 0);
}
const vmxon: HelperBody = (cpu, insn) => {
  const { vmx } = cpu;
  if (!(cpu.u32(S.CR0) & CR0_PE) || !(cpu.u32(S.CR4) & CR4_VMXE) || !hasVmxMode(cpu, insn)) cpu.fault("UD");
  if (vmx.nonRoot) exitInstruction(cpu, EXIT.vmxon, displacement(cpu, insn), operandInfo(insn, 0));
  if (vmx.operation === ROOT) {
    cpu.requireCpl0();
    return fail(cpu, VMFAIL.vmxonInRoot);
  }
  checkVmxon(cpu);
  const address = pointerOperand(cpu, insn);
  if (!isRegionAddress(address) || revisionAt(cpu, address) === null) return failInvalid(cpu);
  enterVmx(cpu, address);
  succeed(cpu);
};
const vmxoff: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.vmxoff);
  leaveVmx(cpu);
  succeed(cpu);
};

// ---- the current VMCS ----

const vmclear: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.vmclear, operandInfo(insn, 0));
  const address = pointerOperand(cpu, insn);
  if (!isRegionAddress(address)) return fail(cpu, VMFAIL.vmclearAddress);
  if (address === cpu.vmx.vmxonPointer) return fail(cpu, VMFAIL.vmclearVmxonPointer);
  clearVmcs(cpu, address);
  succeed(cpu);
};
const vmptrld: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.vmptrld, operandInfo(insn, 0));
  const address = pointerOperand(cpu, insn);
  if (!isRegionAddress(address)) return fail(cpu, VMFAIL.vmptrldAddress);
  if (address === cpu.vmx.vmxonPointer) return fail(cpu, VMFAIL.vmptrldVmxonPointer);
  if (revisionAt(cpu, address) === null) return fail(cpu, VMFAIL.vmptrldRevision);
  loadVmcs(cpu, address);
  succeed(cpu);
};
const vmptrst: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.vmptrst, operandInfo(insn, 0));
  cpu.x.store("operand", cpu.x.address(insn.operands[0]!), 64, BigInt.asUintN(64, BigInt(cpu.vmx.currentPointer)));
  succeed(cpu);
};

const vmread: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.vmread, operandsInfo(insn, 0, 1));
  if (cpu.vmx.currentPointer === NO_POINTER) return failInvalid(cpu);
  const value = readField(cpu, cpu.x.read(insn.operands[1]!));
  if (value === null) return fail(cpu, VMFAIL.unsupportedField);
  cpu.x.write(insn.operands[0]!, insn.long ? value : value & 0xffffffffn);
  succeed(cpu);
};
const vmwrite: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.vmwrite, operandsInfo(insn, 1, 0));
  if (cpu.vmx.currentPointer === NO_POINTER) return failInvalid(cpu);
  const failure = writeField(cpu, cpu.x.read(insn.operands[0]!), cpu.x.read(insn.operands[1]!), insn.long);
  if (failure !== 0) return fail(cpu, failure);
  succeed(cpu);
};

// ---- guests ----

const entry = (launch: boolean): HelperBody => (cpu, insn) => {
  const { vmx } = cpu;
  begin(cpu, insn, launch ? EXIT.vmlaunch : EXIT.vmresume);
  if (vmx.currentPointer === NO_POINTER) return failInvalid(cpu);
  if (cpu.inShadow() && cpu.u32(S.INTERRUPTIBILITY) & BY_MOV_SS) return fail(cpu, VMFAIL.entryMovSs);
  if (launch === vmx.launched) return fail(cpu, launch ? VMFAIL.vmlaunchNotClear : VMFAIL.vmresumeNotLaunched);
  const failure = enter(cpu, launch);
  if (failure !== 0) fail(cpu, failure);
};
const vmcall: HelperBody = (cpu, insn) => {
  if (cpu.vmx.operation === OUTSIDE) cpu.fault("UD");
  if (cpu.vmx.nonRoot) exitInstruction(cpu, EXIT.vmcall);
  if (!hasVmxMode(cpu, insn)) cpu.fault("UD");
  cpu.requireCpl0();
  fail(cpu, VMFAIL.vmcallInRoot);
};

// ---- cached translations ----

/** The 128-bit descriptor in memory. */
function descriptor(cpu: Processor, insn: Decoded): { low: bigint; high: bigint } {
  const { x } = cpu, at = x.address(insn.operands[1]!), above = BigInt.asUintN(insn.addressSize, at + 8n);
  return { low: x.load("operand", at, 64), high: x.load("operand", above, 64) };
}
const SINGLE = 1n, ALL = 2n;
const invept: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.invept, operandsInfo(insn, 1, 0));
  const type = cpu.x.read(insn.operands[0]!);
  if (type !== SINGLE && type !== ALL) return fail(cpu, VMFAIL.invalidInvOperand);
  const { low } = descriptor(cpu, insn);
  if (type === SINGLE && !isEptPointer(low)) return fail(cpu, VMFAIL.invalidInvOperand);
  invalidateEpt(cpu, type === SINGLE ? low : null);
  succeed(cpu);
};
const invvpid: HelperBody = (cpu, insn) => {
  begin(cpu, insn, EXIT.invvpid, operandsInfo(insn, 1, 0));
  const type = cpu.x.read(insn.operands[0]!);
  if (type > 3n) return fail(cpu, VMFAIL.invalidInvOperand);
  const { low, high } = descriptor(cpu, insn), addressed = type === 0n, single = type !== ALL;
  if (single && (low === 0n || low > 0xffffn)) return fail(cpu, VMFAIL.invalidInvOperand);
  if (addressed && !isCanonical(high)) return fail(cpu, VMFAIL.invalidInvOperand);
  invalidateVpid(cpu, Number(type), Number(low & 0xffffn), Number(BigInt.asIntN(64, high)));
  succeed(cpu);
};

const vmx = { feature: "vmx" as const };
const ends = { endsBlock: true, vectors: { skip: "the capturing system's hypervisor: directed tests" } };
const only64 = { only64: true }, not64 = { not64: true };

export const vmxInstructions: Instruction[] = [
  rare("vmxon", [form("F3 0F C7 /6", "Mq", vmx)], vmxon, ends),
  rare("vmxoff", [form("NP 0F 01 C4", "", vmx)], vmxoff, ends),
  rare("vmclear", [form("66 0F C7 /6", "Mq", vmx)], vmclear, ends),
  rare("vmptrld", [form("NP 0F C7 /6", "Mq", vmx)], vmptrld, ends),
  rare("vmptrst", [form("NP 0F C7 /7", "Mq", vmx)], vmptrst, ends),
  rare("vmread", [form("NP 0F 78 /r", "Eq,Gq", { ...vmx, ...only64 }), form("NP 0F 78 /r", "Ed,Gd", { ...vmx, ...not64 })], vmread, ends),
  rare("vmwrite", [form("NP 0F 79 /r", "Gq,Eq", { ...vmx, ...only64 }), form("NP 0F 79 /r", "Gd,Ed", { ...vmx, ...not64 })], vmwrite, ends),
  rare("vmlaunch", [form("NP 0F 01 C2", "", vmx)], entry(true), ends),
  rare("vmresume", [form("NP 0F 01 C3", "", vmx)], entry(false), ends),
  rare("vmcall", [form("NP 0F 01 C1", "", vmx)], vmcall, ends),
  rare("invept", [form("66 0F 38 80 /r", "Gq,Mdq", { feature: "ept", ...only64 }), form("66 0F 38 80 /r", "Gd,Mdq", { feature: "ept", ...not64 })], invept, ends),
  rare("invvpid", [form("66 0F 38 81 /r", "Gq,Mdq", { feature: "vpid", ...only64 }), form("66 0F 38 81 /r", "Gd,Mdq", { feature: "vpid", ...not64 })], invvpid, ends),
];
