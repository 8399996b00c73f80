/** The host's state, loaded by a VM exit [SDM 3C 27.5]. */
import { canLoadPdptes, loadPdptes } from "../core/control.ts";
import { DR7_FIXED, watchBreakpoints } from "../core/debug.ts";
import { BY_NMI, NMI, RUNNING } from "../core/events.ts";
import { refreshModes, UNUSABLE } from "../core/modes.ts";
import { CR0_PG, CR4_PAE, CR4_PCIDE, EFER_LMA, EFER_LME } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
import { setSegment } from "../core/segments.ts";
import { CS, ES, FS, GS, LDTR, RSP, S, SEG, segment, TR } from "../core/state.ts";
import { maskOf } from "./controls.ts";
import { F } from "./fields.ts";
import { kindOf } from "./interruption.ts";
import { EXIT } from "./reasons.ts";
import { leaveGuestSpace } from "./spaces.ts";

/** Bits of CR0 that VM entries and exits leave alone: ET, CD, NW. */
export const CR0_KEPT = 0x60000010;
const FLAT = 0xffffffff,
  CODE64 = 0xa09b,
  CODE32 = 0xc09b,
  DATA = 0xc093,
  BUSY_TSS = 0x8b;

const LONG_HOST = maskOf("host address-space size"),
  LOAD_PAT = maskOf("load IA32_PAT on exit"),
  LOAD_EFER = maskOf("load IA32_EFER on exit"),
  VIRTUAL_NMIS = maskOf("virtual NMIs");

/** @returns false if the PDPTEs of a host with PAE paging are bad: a VMX abort */
export function loadHostState(cpu: Processor): boolean {
  const { vmcs, controls } = cpu.vmx,
    { u32 } = cpu.memory,
    long = (vmcs.low(F.EXIT_CONTROLS) & LONG_HOST) !== 0;
  loadControlState(cpu, long);
  loadSegments(cpu, long);
  loadTables(cpu);
  cpu.flags = 2;
  vmcs.load(u32, S.GPR + 8 * RSP, F.HOST_RSP);
  loadInterruptibility(cpu, (controls.pin & VIRTUAL_NMIS) !== 0);
  leaveGuestSpace(cpu);
  watchBreakpoints(cpu);
  refreshModes(cpu);
  cpu.jumpTo(vmcs.number(F.HOST_RIP));
  return loadHostPdptes(cpu, long);
}
function loadControlState(cpu: Processor, long: boolean): void {
  const { vmcs } = cpu.vmx,
    { u32 } = cpu.memory,
    exitControls = vmcs.low(F.EXIT_CONTROLS);
  cpu.setNumber(S.CR0, ((vmcs.low(F.HOST_CR0) & ~CR0_KEPT) | (cpu.u32(S.CR0) & CR0_KEPT)) >>> 0);
  vmcs.load(u32, S.CR3, F.HOST_CR3);
  cpu.setNumber(S.CR4, long ? vmcs.low(F.HOST_CR4) | CR4_PAE : vmcs.low(F.HOST_CR4) & ~CR4_PCIDE);
  cpu.setNumber(S.DR7, DR7_FIXED);
  vmcs.load(u32, S.SYSENTER_CS, F.HOST_SYSENTER_CS);
  vmcs.load(u32, S.SYSENTER_ESP, F.HOST_SYSENTER_ESP);
  vmcs.load(u32, S.SYSENTER_EIP, F.HOST_SYSENTER_EIP);
  if (exitControls & LOAD_PAT) vmcs.load(u32, S.PAT, F.HOST_PAT);
  const mode = EFER_LMA | EFER_LME;
  if (exitControls & LOAD_EFER) vmcs.load(u32, S.EFER, F.HOST_EFER);
  else cpu.setU32(S.EFER, long ? cpu.u32(S.EFER) | mode : cpu.u32(S.EFER) & ~mode);
}

/** Code and data are flat; a null selector makes a data segment unusable [SDM 3C 27.5.2]. */
function loadSegments(cpu: Processor, long: boolean): void {
  const { vmcs } = cpu.vmx,
    { u32 } = cpu.memory;
  for (let n = ES; n <= GS; n++) {
    const selector = vmcs.low(F.HOST_ES_SELECTOR + n),
      access = n === CS ? (long ? CODE64 : CODE32) : selector === 0 ? DATA | UNUSABLE : DATA;
    setSegment(cpu, n, selector, access, 0, FLAT);
  }
  setSegment(cpu, LDTR, 0, UNUSABLE, 0, 0);
  setSegment(cpu, TR, vmcs.low(F.HOST_TR_SELECTOR), BUSY_TSS, vmcs.number(F.HOST_TR_BASE), 0x67);
  vmcs.load(u32, segment(FS) + SEG.base, F.HOST_FS_BASE);
  vmcs.load(u32, segment(GS) + SEG.base, F.HOST_GS_BASE);
}
function loadTables(cpu: Processor): void {
  const { vmcs } = cpu.vmx,
    { u32 } = cpu.memory;
  vmcs.load(u32, S.GDTR_BASE, F.HOST_GDTR_BASE);
  vmcs.load(u32, S.IDTR_BASE, F.HOST_IDTR_BASE);
  cpu.setNumber(S.GDTR_LIMIT, 0xffff);
  cpu.setNumber(S.IDTR_LIMIT, 0xffff);
}

/** NMIs stay blocked if the guest's blocking was theirs, and are blocked by an exit that an NMI caused [SDM 3C 27.5.5]. */
function loadInterruptibility(cpu: Processor, virtualNmis: boolean): void {
  const { exit } = cpu.vmx,
    byNmi = exit.reason === EXIT.exceptionOrNmi && kindOf(exit.interruptionInfo) === NMI;
  const stays = virtualNmis ? 0 : cpu.u32(S.INTERRUPTIBILITY) & BY_NMI;
  cpu.setU32(S.INTERRUPTIBILITY, byNmi ? BY_NMI : stays);
  cpu.setU32(S.PENDING_DEBUG, 0);
  cpu.setU32(S.ACTIVITY, RUNNING);
  cpu.setU32(S.MONITOR_ARMED, 0);
  cpu.setU32(S.MID_REPEAT, 0);
  cpu.shadowEnd = cpu.resumeEnd = cpu.debugBits = 0;
  cpu.stepTrap = false;
}

function loadHostPdptes(cpu: Processor, long: boolean): boolean {
  if (long || !(cpu.u32(S.CR0) & CR0_PG) || !(cpu.u32(S.CR4) & CR4_PAE)) return true;
  if (!canLoadPdptes(cpu, cpu.u32(S.CR3))) return false;
  loadPdptes(cpu, cpu.u32(S.CR3));
  return true;
}
