/** The host's state, loaded by a VM exit [SDM 3C 27.5]. */
import { canLoadPdptes, loadPdptes } from "../core/control.ts";
import { armBreakpoints, DR7_FIXED } from "../core/debug.ts";
import { BY_NMI, NMI, RUNNING } from "../core/events.ts";
import { refreshModes, UNUSABLE } from "../core/modes.ts";
import { CR0_PG, CR4_PAE, CR4_PCIDE, EFER_LMA, EFER_LME } from "../core/paging.ts";
import type { Processor } from "../core/processor.ts";
import { setSegment } from "../core/segments.ts";
import { CS, DS, ES, FS, GS, LDTR, RSP, S, SEG, SS, segment, TR } from "../core/state.ts";
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
    long = (vmcs.low(F.EXIT_CONTROLS) & LONG_HOST) !== 0;
  loadControlState(cpu, long);
  loadSegments(cpu, long);
  loadTables(cpu);
  cpu.flags = 2;
  copyTo(cpu, S.GPR + 8 * RSP, F.HOST_RSP);
  loadInterruptibility(cpu, (controls.pin & VIRTUAL_NMIS) !== 0);
  leaveGuestSpace(cpu);
  refreshModes(cpu);
  armBreakpoints(cpu);
  cpu.jumpTo(vmcs.number(F.HOST_RIP));
  return loadHostPdptes(cpu, long);
}
function copyTo(cpu: Processor, at: number, field: number): void {
  const { vmcs } = cpu.vmx;
  cpu.setU32(at, vmcs.low(field));
  cpu.setU32(at + 4, vmcs.high(field));
}

function loadControlState(cpu: Processor, long: boolean): void {
  const { vmcs } = cpu.vmx,
    exitControls = vmcs.low(F.EXIT_CONTROLS);
  cpu.setNumber(S.CR0, ((vmcs.low(F.HOST_CR0) & ~CR0_KEPT) | (cpu.u32(S.CR0) & CR0_KEPT)) >>> 0);
  copyTo(cpu, S.CR3, F.HOST_CR3);
  cpu.setNumber(S.CR4, long ? vmcs.low(F.HOST_CR4) | CR4_PAE : vmcs.low(F.HOST_CR4) & ~CR4_PCIDE);
  cpu.setNumber(S.DR7, DR7_FIXED);
  copyTo(cpu, S.SYSENTER_CS, F.HOST_SYSENTER_CS);
  copyTo(cpu, S.SYSENTER_ESP, F.HOST_SYSENTER_ESP);
  copyTo(cpu, S.SYSENTER_EIP, F.HOST_SYSENTER_EIP);
  if (exitControls & LOAD_PAT) copyTo(cpu, S.PAT, F.HOST_PAT);
  const mode = EFER_LMA | EFER_LME;
  if (exitControls & LOAD_EFER) copyTo(cpu, S.EFER, F.HOST_EFER);
  else cpu.setU32(S.EFER, long ? cpu.u32(S.EFER) | mode : cpu.u32(S.EFER) & ~mode);
}

/** Code and data are flat; a null selector makes a data segment unusable [SDM 3C 27.5.2]. */
function loadSegments(cpu: Processor, long: boolean): void {
  const { vmcs } = cpu.vmx,
    base = (n: number) => (n === FS ? vmcs.number(F.HOST_FS_BASE) : n === GS ? vmcs.number(F.HOST_GS_BASE) : 0);
  setSegment(cpu, CS, vmcs.low(F.HOST_CS_SELECTOR), long ? CODE64 : CODE32, 0, FLAT);
  for (const n of [ES, SS, DS, FS, GS]) {
    const selector = vmcs.low(F.HOST_ES_SELECTOR + n),
      unusable = selector === 0 ? UNUSABLE : 0;
    setSegment(cpu, n, selector, DATA | unusable, base(n), FLAT);
  }
  setSegment(cpu, LDTR, 0, UNUSABLE, 0, 0);
  setSegment(cpu, TR, vmcs.low(F.HOST_TR_SELECTOR), BUSY_TSS, vmcs.number(F.HOST_TR_BASE), 0x67);
  // The bases as 64-bit words, which a number may not hold.
  copyTo(cpu, segment(FS) + SEG.base, F.HOST_FS_BASE);
  copyTo(cpu, segment(GS) + SEG.base, F.HOST_GS_BASE);
}
function loadTables(cpu: Processor): void {
  copyTo(cpu, S.GDTR_BASE, F.HOST_GDTR_BASE);
  copyTo(cpu, S.IDTR_BASE, F.HOST_IDTR_BASE);
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
