/**
 * Fast system calls [SDM 2B "SYSCALL", "SYSENTER", "SYSEXIT", "SYSRET", "SWAPGS"; 3A 5.8.7, 5.8.8] and the bases of FS
 * and GS. Flat segments are loaded without looking at their descriptors, so only the privilege level is new.
 */
import { followFlags } from "../core/events.ts";
import type { Semantics } from "../core/exec.ts";
import { ALL, IF, RF, TF, VM } from "../core/flags.ts";
import { type Feature, form, type HelperBody, type Instruction, instruction, rare } from "../core/forms.ts";
import { refreshTransfer } from "../core/modes.ts";
import { CR4_FSGSBASE, EFER_SCE } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
import { isCanonicalNumber, setSegment } from "../core/segments.ts";
import { CS, FS, GS, RCX, RDX, RSP, S, SEG, SS, segment } from "../core/state.ts";

const R11 = 11;
/** Attributes of the flat segments: present, accessed, limit 4 GiB; code executable and readable, data writable. */
const CODE64 = 0xa09b, CODE32 = 0xc09b, DATA = 0xc093, DPL3 = 0x60, FLAT = 0xffffffff;

function loadFlat(cpu: Processor, cs: number, codeAccess: number, ss: number, dpl: number): void {
  setSegment(cpu, CS, cs, codeAccess | dpl, 0, FLAT);
  setSegment(cpu, SS, ss, DATA | dpl, 0, FLAT);
}

/** RIP goes to RCX, RFLAGS to R11. In compatibility mode it is #UD on this vendor's processors. */
const syscall: HelperBody = (cpu) => {
  if (!(cpu.u32(S.EFER) & EFER_SCE)) cpu.fault("UD");
  const flags = cpu.flags & ~RF, star = cpu.u32(S.STAR + 4) & 0xffff, before = cpu.u32(S.FLAGS);
  cpu.setNumber(S.GPR + 8 * RCX, cpu.nextIP);
  cpu.setNumber(S.GPR + 8 * R11, flags);
  cpu.flags = flags & ~cpu.u32(S.FMASK);
  loadFlat(cpu, star & 0xfffc, CODE64, star + 8 & 0xffff, 0);
  refreshTransfer(cpu);
  cpu.stepTrap &&= (cpu.u32(S.FLAGS) & TF) !== 0; // the single-step trap goes by TF as it is after the instruction
  followFlags(cpu, before);
  cpu.jumpTo(cpu.number(S.LSTAR));
};

/** To 64-bit mode with REX.W, else to compatibility mode. RCX is checked at CPL 0. */
const sysret: HelperBody = (cpu, insn) => {
  if (!(cpu.u32(S.EFER) & EFER_SCE)) cpu.fault("UD");
  cpu.requireCpl0();
  const wide = insn.operandSize === 64, target = cpu.number(S.GPR + 8 * RCX), star = cpu.u32(S.STAR + 4) >>> 16, before = cpu.u32(S.FLAGS);
  if (wide && !isCanonicalNumber(target)) cpu.fault("GP", 0);
  cpu.flags = cpu.gpr32(R11) & ALL & ~(RF | VM);
  loadFlat(cpu, (star + (wide ? 16 : 0) & 0xffff) | 3, wide ? CODE64 : CODE32, (star + 8 & 0xffff) | 3, DPL3);
  refreshTransfer(cpu);
  followFlags(cpu, before);
  cpu.jumpTo(wide ? target : cpu.gpr32(RCX));
};

const sysenter: HelperBody = (cpu) => {
  const selector = cpu.u32(S.SYSENTER_CS) & 0xfffc, long = cpu.ia32e;
  if (!cpu.protectedMode || selector === 0) cpu.fault("GP", 0);
  cpu.setU32(S.FLAGS, cpu.u32(S.FLAGS) & ~(IF | VM | RF));
  loadFlat(cpu, selector, long ? CODE64 : CODE32, selector + 8 & 0xffff, 0);
  refreshTransfer(cpu);
  if (long) {
    cpu.setNumber(S.GPR + 8 * RSP, cpu.number(S.SYSENTER_ESP));
    cpu.jumpTo(cpu.number(S.SYSENTER_EIP));
  } else {
    cpu.setGpr32(RSP, cpu.u32(S.SYSENTER_ESP));
    cpu.jumpTo(cpu.u32(S.SYSENTER_EIP));
  }
};

/** RSP comes from RCX, RIP from RDX; to 64-bit mode with REX.W. */
const sysexit: HelperBody = (cpu, insn) => {
  const selector = cpu.u32(S.SYSENTER_CS) & 0xfffc, wide = insn.operandSize === 64;
  if (!cpu.protectedMode || selector === 0 || cpu.cpl !== 0) cpu.fault("GP", 0);
  const ip = cpu.number(S.GPR + 8 * RDX), sp = cpu.number(S.GPR + 8 * RCX);
  if (wide && !(isCanonicalNumber(ip) && isCanonicalNumber(sp))) cpu.fault("GP", 0);
  loadFlat(cpu, (selector + (wide ? 32 : 16) & 0xffff) | 3, wide ? CODE64 : CODE32, (selector + (wide ? 40 : 24) & 0xffff) | 3, DPL3);
  refreshTransfer(cpu);
  if (wide) {
    cpu.setNumber(S.GPR + 8 * RSP, sp);
    cpu.jumpTo(ip);
  } else {
    cpu.setGpr32(RSP, cpu.gpr32(RCX));
    cpu.jumpTo(cpu.gpr32(RDX));
  }
};

const baseOf = (n: number) => segment(n) + SEG.base, effectiveBaseOf = (n: number) => segment(n) + SEG.effectiveBase;

/** Exchanges the base of GS with IA32_KERNEL_GS_BASE. */
const swapgs: Semantics = (x) => {
  const user = x.state(baseOf(GS)), kernel = x.state(S.KERNEL_GS_BASE);
  x.setState(S.KERNEL_GS_BASE, user);
  x.setState(baseOf(GS), kernel);
  x.setState(effectiveBaseOf(GS), kernel);
};
const checkAllowed: Semantics = (x) => x.raiseIf(x.isZero(x.and(x.state(S.CR4), x.const(CR4_FSGSBASE))), "UD");
const readBase = (n: number): Semantics => (x, dst) => {
  checkAllowed(x);
  x.write(dst, x.state(baseOf(n)));
};
const writeBase = (n: number): Semantics => (x, src) => {
  checkAllowed(x);
  const value = x.read(src);
  if (src.size === 64) x.raiseIf(x.ne(x.sext(value, 48), value), "GP", x.const(0));
  x.setState(baseOf(n), value);
  x.setState(effectiveBaseOf(n), value);
};

const only64 = { only64: true }, fsgsbase = { only64: true, feature: "fsgsbase" as Feature };
const vectors = { skip: "enters or leaves the kernel: directed tests", vendor: "SYSCALL in compatibility mode, SYSENTER in IA-32e mode" };

export const systemCalls: Instruction[] = [
  rare("syscall", [form("0F 05", "", { ...only64, feature: "syscall" })], syscall, { endsBlock: true, vectors }),
  rare("sysret", [form("0F 07", "", { ...only64, feature: "syscall" })], sysret, { endsBlock: true, vectors }),
  rare("sysenter", [form("0F 34", "", { feature: "sysenter" })], sysenter, { endsBlock: true, vectors }),
  rare("sysexit", [form("0F 35", "", { feature: "sysenter" })], sysexit, { endsBlock: true, vectors }),
  instruction("swapgs", [form("0F 01 F8", "", only64)], swapgs, { privileged: true, vectors }),
  instruction("rdfsbase", [form("F3 0F AE /0", "Ry", fsgsbase)], readBase(FS)),
  instruction("rdgsbase", [form("F3 0F AE /1", "Ry", fsgsbase)], readBase(GS)),
  instruction("wrfsbase", [form("F3 0F AE /2", "Ry", fsgsbase)], writeBase(FS)),
  instruction("wrgsbase", [form("F3 0F AE /3", "Ry", fsgsbase)], writeBase(GS)),
];
