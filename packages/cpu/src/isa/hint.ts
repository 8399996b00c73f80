/**
 * Instructions without a result: NOP and its hints, prefetches, cache line flushes, and those that are undefined on
 * purpose [SDM 2A, 2B]. None of them touches its memory operand, except for the flushes, which check it as a read.
 */
import type { Semantics } from "../core/exec.ts";
import { form, type HelperBody, type Instruction, instruction, rare } from "../core/forms.ts";
import { READ } from "../core/tlb.ts";
import { exitIf } from "../vmx/intercepts.ts";
import { EXIT } from "../vmx/reasons.ts";

const nothing: Semantics = () => {};
const undefinedOnPurpose: Semantics = (x) => x.raise("UD");

/** No cache is modelled: what a guest can see of a flush is the check of its address. */
const flush: HelperBody = (cpu, insn) => {
  const linear = cpu.x.linear(cpu.x.address(insn.operands[0]!), 1, false);
  if (cpu.access.look(READ, linear, "current") === 0) throw cpu.pendingFault;
};

const pause: HelperBody = (cpu) => {
  exitIf(cpu, "PAUSE exiting", EXIT.pause);
  cpu.yieldTurn();
};

export const hints: Instruction[] = [
  /** 0F 18 to 0F 1F are reserved for hints; those without a meaning yet do nothing [SDM 2D A.3]. */
  instruction("nop", [
    form("90", "", { rexB: false }), form("0F 1F /r", "Ev"),
    form("0F 19 /r", "Ev"), form("0F 1A /r", "Ev"), form("0F 1B /r", "Ev"), form("0F 1C /r", "Ev"), form("0F 1D /r", "Ev"), form("0F 1E /r", "Ev"),
    ...[0, 1, 2, 3].map((n) => form(`0F 18 /${n}`, "Rv")), ...[4, 5, 6, 7].map((n) => form(`0F 18 /${n}`, "Ev")),
  ], nothing),
  instruction("nop", [form("0F 0D /r", "Rv")], nothing, { vectors: { vendor: "#UD on AMD" } }),
  /** Who spins in a lock lets the other processors of the machine go on: their turns would else be spent in vain. */
  rare("pause", [form("F3 90", "", { rexB: false })], pause, { endsBlock: true }),
  instruction("endbr64", [form("F3 0F 1E FA")], nothing),
  instruction("endbr32", [form("F3 0F 1E FB")], nothing),

  instruction("prefetchnta", [form("0F 18 /0", "Mb")], nothing),
  instruction("prefetcht0", [form("0F 18 /1", "Mb")], nothing),
  instruction("prefetcht1", [form("0F 18 /2", "Mb")], nothing),
  instruction("prefetcht2", [form("0F 18 /3", "Mb")], nothing),
  instruction("prefetchw", [form("0F 0D /1", "Mb")], nothing),
  instruction("prefetchwt1", [form("0F 0D /2", "Mb")], nothing),
  instruction("prefetch", [0, 3, 4, 5, 6, 7].map((n) => form(`0F 0D /${n}`, "Mb")), nothing),

  rare("clflush", [form("NP 0F AE /7", "Mb", { feature: "clflush" })], flush),
  rare("clflushopt", [form("66 0F AE /7", "Mb", { feature: "clflushopt" })], flush),
  rare("clwb", [form("66 0F AE /6", "Mb", { feature: "clwb" })], flush),

  instruction("ud2", [form("0F 0B")], undefinedOnPurpose, { endsBlock: true }),
  instruction("ud1", [form("0F B9 /r", "Gv,Ev")], undefinedOnPurpose, { endsBlock: true }),
  instruction("ud0", [form("0F FF /r", "Gv,Ev")], undefinedOnPurpose, { endsBlock: true }),
];
