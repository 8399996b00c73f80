/** VM entry [SDM 3C 26, 30.3 "VMLAUNCH/VMRESUME"]: checks in the manual's order, then the guest's state and its first event. */
import { BY_NMI, deliver, type Kind, NMI } from "../core/events.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import type { Row } from "./checks/view.ts";
import { maskOf } from "./controls.ts";
import { failEntry } from "./exit.ts";
import { F } from "./fields.ts";
import { isSoftware, kindOf, OTHER_EVENT, VALID, vectorOf } from "./interruption.ts";
import { loadGuestState } from "./load-guest.ts";
import { loadMsrArea } from "./msr-areas.ts";
import { startPreemptionTimer } from "./preemption.ts";
import { EXIT, VMFAIL } from "./reasons.ts";
import { followTprAtEntry } from "./virtual-tpr.ts";
import { NON_ROOT } from "./vmx.ts";

const TIMER = maskOf("activate VMX-preemption timer");

/**
 * Enters the guest of the current VMCS. What fails before the host's state is left is an error code of VMfailValid; a failure
 * after that is a VM exit.
 * @returns the error code, or 0
 */
export function enter(cpu: Processor, launch: boolean): number {
  const { vmx, entryChecks } = cpu,
    control = entryChecks.controls();
  if (control !== null) return refuse(cpu, control, VMFAIL.entryControls);
  const host = entryChecks.host();
  if (host !== null) return refuse(cpu, host, VMFAIL.entryHostState);
  const guest = entryChecks.guest();
  if (guest !== null) {
    refuse(cpu, guest, EXIT.entryGuestState);
    failEntry(cpu, EXIT.entryGuestState, guest.qualification);
    return 0;
  }
  vmx.loadControls();
  cpu.charge(vmx.costs.vmEntry);
  loadGuestState(cpu);
  const failed = loadMsrArea(cpu, vmx.vmcs.number(F.ENTRY_MSR_LOAD_ADDRESS), vmx.vmcs.low(F.ENTRY_MSR_LOAD_COUNT));
  if (failed !== 0) {
    failEntry(cpu, EXIT.entryMsrLoading, failed);
    return 0;
  }
  if (launch) vmx.launched = true;
  vmx.operation = NON_ROOT;
  cpu.setU32(S.NON_ROOT, 1);
  const { vmEntry } = cpu.probes;
  if (vmEntry.active) vmEntry.emit({ processor: cpu.id, ip: cpu.number(S.RIP), time: cpu.time() });
  begin(cpu);
  return 0;
}
/** Tells which rule refuses the entry. */
function refuse(cpu: Processor, { rule, cite }: Row, code: number): number {
  const { vmRefused } = cpu.probes;
  if (vmRefused.active) vmRefused.emit({ processor: cpu.id, rule, cite, code, time: cpu.time() });
  return code;
}

/** What is in force from the guest's first instruction on; and the event that comes before it, if one is injected. */
function begin(cpu: Processor): void {
  const { vmx } = cpu,
    info = vmx.vmcs.low(F.ENTRY_INTERRUPTION_INFO);
  if (vmx.controls.pin & TIMER) startPreemptionTimer(cpu);
  followTprAtEntry(cpu);
  cpu.attend(); // windows, pending events, debug exceptions, the timer
  if (info & VALID) inject(cpu, info);
}
/** [SDM 3C 26.6.1] */
function inject(cpu: Processor, info: number): void {
  const { vmx } = cpu,
    kind = kindOf(info),
    ip = cpu.number(S.RIP);
  if (kind === OTHER_EVENT) {
    vmx.trapPending = true;
    return;
  }
  cpu.setU32(S.ACTIVITY, 0);
  const length = isSoftware(info) ? vmx.vmcs.low(F.ENTRY_INSTRUCTION_LENGTH) : 0;
  vmx.eventLength = length;
  if (kind === NMI) cpu.setU32(S.INTERRUPTIBILITY, cpu.u32(S.INTERRUPTIBILITY) | BY_NMI);
  const next = cpu.long ? ip + length : (ip + length) >>> 0;
  deliver(cpu, vectorOf(info), kind as Kind, vmx.vmcs.low(F.ENTRY_ERROR_CODE), next, ip);
}
