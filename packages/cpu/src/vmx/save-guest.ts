/** The guest's state, saved by a VM exit [SDM 3C 27.3]. */
import { resumeFlag } from "../core/debug.ts";
import type { Kind } from "../core/events.ts";
import { RF } from "../core/flags.ts";
import { flagsToPush } from "../core/gates.ts";
import { CR0_PG, CR4_PAE, EFER_LMA } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
import { ES, RSP, S, SEG, segment, TR } from "../core/state.ts";
import { maskOf } from "./controls.ts";
import { F } from "./fields.ts";
import { kindOf, VALID, vectorOf } from "./interruption.ts";
import { savePreemptionTimer } from "./preemption.ts";
import { EXIT } from "./reasons.ts";

/** Which fields of the guest's state a segment register has; their numbers follow each other. */
const fieldOf = (first: number, n: number) => first + n;

export function saveGuestState(cpu: Processor, ip: number, flags: number): void {
  const { vmcs } = cpu.vmx;
  saveControlState(cpu);
  for (let n = ES; n <= TR; n++) saveSegment(cpu, n);
  vmcs.setNumber(F.GUEST_RIP, ip);
  copy(cpu, F.GUEST_RSP, S.GPR + 8 * RSP);
  vmcs.set32(F.GUEST_RFLAGS, flags);
  saveNonRegisterState(cpu);
  saveOptional(cpu);
}
function saveControlState(cpu: Processor): void {
  copy(cpu, F.GUEST_CR0, S.CR0);
  copy(cpu, F.GUEST_CR3, S.CR3);
  copy(cpu, F.GUEST_CR4, S.CR4);
  copy(cpu, F.GUEST_SYSENTER_CS, S.SYSENTER_CS);
  copy(cpu, F.GUEST_SYSENTER_ESP, S.SYSENTER_ESP);
  copy(cpu, F.GUEST_SYSENTER_EIP, S.SYSENTER_EIP);
  copy(cpu, F.GUEST_GDTR_BASE, S.GDTR_BASE);
  copy(cpu, F.GUEST_GDTR_LIMIT, S.GDTR_LIMIT);
  copy(cpu, F.GUEST_IDTR_BASE, S.IDTR_BASE);
  copy(cpu, F.GUEST_IDTR_LIMIT, S.IDTR_LIMIT);
}
const copy = (cpu: Processor, field: number, at: number) => cpu.vmx.vmcs.save(cpu.memory.u32, at, field);
/** Bits 11:8 of the access rights are reserved and zero. */
function saveSegment(cpu: Processor, n: number): void {
  const { vmcs } = cpu.vmx,
    at = segment(n);
  vmcs.set32(fieldOf(F.GUEST_ES_SELECTOR, n), cpu.u32(at + SEG.selector));
  vmcs.set32(fieldOf(F.GUEST_ES_ACCESS, n), cpu.u32(at + SEG.access) & 0x1f0ff);
  vmcs.set32(fieldOf(F.GUEST_ES_LIMIT, n), cpu.u32(at + SEG.limit));
  copy(cpu, fieldOf(F.GUEST_ES_BASE, n), at + SEG.base);
}

/** Exits after which debug exceptions stay pending; before any other they were taken, or are lost [SDM 3C 27.3.4]. */
const KEEPS_PENDING: ReadonlySet<number> = new Set([EXIT.init, EXIT.tprBelowThreshold, EXIT.monitorTrapFlag]);
function saveNonRegisterState(cpu: Processor): void {
  const { vmcs, exit } = cpu.vmx,
    interruptibility = cpu.u32(S.INTERRUPTIBILITY),
    movSs = 2;
  const keeps = KEEPS_PENDING.has(exit.reason) || (interruptibility & movSs) !== 0;
  vmcs.set32(F.GUEST_ACTIVITY, cpu.u32(S.ACTIVITY));
  vmcs.set32(F.GUEST_INTERRUPTIBILITY, interruptibility);
  vmcs.set32(F.GUEST_PENDING_DEBUG, keeps ? cpu.u32(S.PENDING_DEBUG) : 0);
}

const SAVE_DEBUG = maskOf("save debug controls"),
  SAVE_PAT = maskOf("save IA32_PAT"),
  SAVE_EFER = maskOf("save IA32_EFER"),
  SAVE_TIMER = maskOf("save VMX-preemption timer value"),
  ENABLE_EPT = maskOf("enable EPT"),
  LONG_GUEST = maskOf("IA-32e mode guest");
/** What is saved if a control says so. */
function saveOptional(cpu: Processor): void {
  const { vmcs, controls } = cpu.vmx,
    efer = cpu.u32(S.EFER);
  if (controls.exit & SAVE_DEBUG) {
    copy(cpu, F.GUEST_DR7, S.DR7);
    vmcs.set32(F.GUEST_DEBUGCTL, 0); // no bit of it is offered
  }
  if (controls.exit & SAVE_PAT) copy(cpu, F.GUEST_PAT, S.PAT);
  if (controls.exit & SAVE_EFER) copy(cpu, F.GUEST_EFER, S.EFER);
  if (controls.exit & SAVE_TIMER) savePreemptionTimer(cpu);
  const long = (efer & EFER_LMA) !== 0,
    pae = (cpu.u32(S.CR0) & CR0_PG) !== 0 && (cpu.u32(S.CR4) & CR4_PAE) !== 0 && !long;
  if (controls.secondary & ENABLE_EPT && pae)
    for (let i = 0; i < 4; i++) copy(cpu, F.GUEST_PDPTE0 + i, S.PDPTE + 8 * i);
  const entry = vmcs.low(F.ENTRY_CONTROLS);
  vmcs.set32(F.ENTRY_CONTROLS, long ? entry | LONG_GUEST : entry & ~LONG_GUEST);
}

const BY_MEMORY: ReadonlySet<number> = new Set([EXIT.eptViolation, EXIT.eptMisconfiguration, EXIT.apicAccess]);
/** RFLAGS to be saved: its RF follows a rule of its own [SDM 3C 27.3.3]. */
export function guestFlags(cpu: Processor): number {
  const { exit } = cpu.vmx,
    flags = cpu.flags & ~RF,
    delivering = (cpu.vectoring & VALID) !== 0;
  if (exit.byInstruction) return flags;
  if (exit.interruptionInfo & VALID) return asPushed(cpu, exit.interruptionInfo);
  if (exit.reason === EXIT.externalInterrupt) return asPushed(cpu, VALID);
  if (delivering && (BY_MEMORY.has(exit.reason) || exit.reason === EXIT.taskSwitch))
    return asPushed(cpu, cpu.vectoring);
  if (BY_MEMORY.has(exit.reason)) return flags | RF;
  return resumeFlag(cpu) ? flags | RF : flags;
}
const asPushed = (cpu: Processor, info: number) => flagsToPush(cpu, vectorOf(info), kindOf(info) as Kind);
