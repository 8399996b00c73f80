/** The guest's state, loaded by VM entry after all checks [SDM 3C 26.3.2]. */
import { loadPdptes } from "../core/control.ts";
import { DR6_BS, ENABLED_BREAKPOINT, watchBreakpoints } from "../core/debug.ts";
import { BY_MOV_SS, SHUTDOWN, SOFTWARE, TRAP, unsettle, WAIT_FOR_SIPI } from "../core/events.ts";
import { refreshModes } from "../core/modes.ts";
import { CR0_PG, CR4_PAE, EFER_LMA, EFER_LME } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
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

/** Registers, segments and what is not a register; `cpu.vmx.controls` are those of the VMCS. */
export function loadGuestState(cpu: Processor): void {
  const { vmcs } = cpu.vmx;
  loadRegisters(cpu);
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
  watchBreakpoints(cpu);
  refreshModes(cpu);
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
function loadRegisters(cpu: Processor): void {
  const { vmcs } = cpu.vmx,
    { u32 } = cpu.memory;
  cpu.setNumber(S.CR0, ((vmcs.low(F.GUEST_CR0) & ~CR0_KEPT) | (cpu.u32(S.CR0) & CR0_KEPT)) >>> 0);
  vmcs.load(u32, S.CR3, F.GUEST_CR3);
  vmcs.load(u32, S.CR4, F.GUEST_CR4);
  vmcs.load(u32, S.SYSENTER_CS, F.GUEST_SYSENTER_CS);
  vmcs.load(u32, S.SYSENTER_ESP, F.GUEST_SYSENTER_ESP);
  vmcs.load(u32, S.SYSENTER_EIP, F.GUEST_SYSENTER_EIP);
  vmcs.load(u32, S.GDTR_BASE, F.GUEST_GDTR_BASE);
  vmcs.load(u32, S.GDTR_LIMIT, F.GUEST_GDTR_LIMIT);
  vmcs.load(u32, S.IDTR_BASE, F.GUEST_IDTR_BASE);
  vmcs.load(u32, S.IDTR_LIMIT, F.GUEST_IDTR_LIMIT);
  vmcs.load(u32, S.GPR + 8 * RSP, F.GUEST_RSP);
}
function loadSegment(cpu: Processor, n: number): void {
  const { vmcs } = cpu.vmx,
    { u32 } = cpu.memory,
    at = segment(n);
  cpu.setU32(at + SEG.selector, vmcs.low(F.GUEST_ES_SELECTOR + n));
  cpu.setU32(at + SEG.access, vmcs.low(F.GUEST_ES_ACCESS + n));
  vmcs.load(u32, at + SEG.base, F.GUEST_ES_BASE + n);
  vmcs.load(u32, at + SEG.limit, F.GUEST_ES_LIMIT + n);
}

function loadOptional(cpu: Processor): void {
  const { vmcs, controls } = cpu.vmx,
    { u32 } = cpu.memory,
    long = (controls.entry & LONG_GUEST) !== 0;
  if (controls.entry & LOAD_DEBUG) vmcs.load(u32, S.DR7, F.GUEST_DR7);
  if (controls.entry & LOAD_PAT) vmcs.load(u32, S.PAT, F.GUEST_PAT);
  if (controls.entry & LOAD_EFER) {
    vmcs.load(u32, S.EFER, F.GUEST_EFER);
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
    for (let i = 0; i < 4; i++) cpu.vmx.vmcs.load(cpu.memory.u32, S.PDPTE + 8 * i, F.GUEST_PDPTE0 + i);
  else loadPdptes(cpu, cpu.u32(S.CR3)); // the checks have seen them
}
