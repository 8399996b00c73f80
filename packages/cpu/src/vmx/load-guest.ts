/** The guest's state, loaded by VM entry after all checks [SDM 3C 26.3.2]. */
import { loadPdptes } from "../core/control.ts";
import { armBreakpoints, DR6_BS, ENABLED_BREAKPOINT } from "../core/debug.ts";
import { BY_MOV_SS, SHUTDOWN, SOFTWARE, TRAP, unsettle, WAIT_FOR_SIPI } from "../core/events.ts";
import { refreshModes } from "../core/modes.ts";
import { CR0_PG, CR4_PAE, EFER_LMA, EFER_LME } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
import { setSegment } from "../core/segments.ts";
import { ES, RSP, S, SEG, segment, TR } from "../core/state.ts";
import { maskOf } from "./controls.ts";
import { F } from "./fields.ts";
import { CR0_KEPT } from "./host-state.ts";
import { kindOf, OTHER_EVENT, VALID } from "./interruption.ts";
import { enterGuestSpace } from "./spaces.ts";
import type { Vmcs } from "./vmcs.ts";

const LOAD_DEBUG = maskOf("load debug controls"),
  LONG_GUEST = maskOf("IA-32e mode guest"),
  LOAD_PAT = maskOf("load IA32_PAT on entry"),
  LOAD_EFER = maskOf("load IA32_EFER on entry"),
  ENABLE_EPT = maskOf("enable EPT");

const PLAIN: readonly (readonly [at: number, field: number])[] = [
  [S.CR3, F.GUEST_CR3],
  [S.CR4, F.GUEST_CR4],
  [S.SYSENTER_CS, F.GUEST_SYSENTER_CS],
  [S.SYSENTER_ESP, F.GUEST_SYSENTER_ESP],
  [S.SYSENTER_EIP, F.GUEST_SYSENTER_EIP],
  [S.GDTR_BASE, F.GUEST_GDTR_BASE],
  [S.GDTR_LIMIT, F.GUEST_GDTR_LIMIT],
  [S.IDTR_BASE, F.GUEST_IDTR_BASE],
  [S.IDTR_LIMIT, F.GUEST_IDTR_LIMIT],
  [S.GPR + 8 * RSP, F.GUEST_RSP],
];

/** Registers, segments and what is not a register; `cpu.vmx.controls` are those of the VMCS. */
export function loadGuestState(cpu: Processor): void {
  const { vmcs } = cpu.vmx;
  for (const [at, field] of PLAIN) copyTo(cpu, at, field);
  cpu.setNumber(S.CR0, ((vmcs.low(F.GUEST_CR0) & ~CR0_KEPT) | (cpu.u32(S.CR0) & CR0_KEPT)) >>> 0);
  loadOptional(cpu);
  for (let n = ES; n <= TR; n++) loadSegment(cpu, n);
  cpu.flags = vmcs.low(F.GUEST_RFLAGS);
  cpu.setU32(S.INTERRUPTIBILITY, vmcs.low(F.GUEST_INTERRUPTIBILITY));
  cpu.setU32(S.ACTIVITY, vmcs.low(F.GUEST_ACTIVITY));
  cpu.setU32(S.PENDING_DEBUG, pendingDebug(vmcs));
  cpu.setU32(S.MONITOR_ARMED, 0);
  cpu.setU32(S.MID_REPEAT, 0);
  unsettle(cpu);
  enterGuestSpace(cpu);
  loadGuestPdptes(cpu);
  refreshModes(cpu);
  armBreakpoints(cpu);
  cpu.jumpTo(vmcs.number(F.GUEST_RIP));
}
/** The debug exceptions that wait for the guest [SDM 3C 26.6.3]. */
function pendingDebug(vmcs: Vmcs): number {
  const pending = vmcs.low(F.GUEST_PENDING_DEBUG),
    info = vmcs.low(F.ENTRY_INTERRUPTION_INFO),
    kind = kindOf(info),
    activity = vmcs.low(F.GUEST_ACTIVITY);
  if (!(pending & (ENABLED_BREAKPOINT | DR6_BS))) return 0;
  if (!(info & VALID) || kind === OTHER_EVENT) return activity === SHUTDOWN || activity === WAIT_FOR_SIPI ? 0 : pending;
  const byInstruction = kind === SOFTWARE || kind === TRAP;
  return byInstruction && vmcs.low(F.GUEST_INTERRUPTIBILITY) & BY_MOV_SS ? pending : 0;
}
function copyTo(cpu: Processor, at: number, field: number): void {
  const { vmcs } = cpu.vmx;
  cpu.setU32(at, vmcs.low(field));
  cpu.setU32(at + 4, vmcs.high(field));
}
function loadSegment(cpu: Processor, n: number): void {
  const { vmcs } = cpu.vmx;
  const selector = vmcs.low(F.GUEST_ES_SELECTOR + n),
    access = vmcs.low(F.GUEST_ES_ACCESS + n);
  setSegment(cpu, n, selector, access, 0, vmcs.low(F.GUEST_ES_LIMIT + n));
  copyTo(cpu, segment(n) + SEG.base, F.GUEST_ES_BASE + n);
}

function loadOptional(cpu: Processor): void {
  const { vmcs, controls } = cpu.vmx,
    long = (controls.entry & LONG_GUEST) !== 0;
  if (controls.entry & LOAD_DEBUG) copyTo(cpu, S.DR7, F.GUEST_DR7);
  if (controls.entry & LOAD_PAT) copyTo(cpu, S.PAT, F.GUEST_PAT);
  if (controls.entry & LOAD_EFER) {
    copyTo(cpu, S.EFER, F.GUEST_EFER);
    return;
  }
  const efer = cpu.u32(S.EFER),
    paged = (vmcs.low(F.GUEST_CR0) & CR0_PG) !== 0,
    follows = paged ? EFER_LMA | EFER_LME : EFER_LMA;
  cpu.setU32(S.EFER, long ? efer | follows : efer & ~follows);
}
function loadGuestPdptes(cpu: Processor): void {
  const pae = (cpu.u32(S.CR0) & CR0_PG) !== 0 && (cpu.u32(S.CR4) & CR4_PAE) !== 0;
  if (!pae || cpu.u32(S.EFER) & EFER_LMA) return;
  if (cpu.vmx.controls.secondary & ENABLE_EPT)
    for (let i = 0; i < 4; i++) copyTo(cpu, S.PDPTE + 8 * i, F.GUEST_PDPTE0 + i);
  else loadPdptes(cpu, cpu.u32(S.CR3)); // the checks have seen them
}
