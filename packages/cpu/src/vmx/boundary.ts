/**
 * What VMX non-root operation adds to the events at an instruction boundary: exits instead of events, and exits of its
 * own, in their priorities [SDM 3C 25.2, 25.5.1, 25.5.2].
 */
import { BY_MOV_SS, BY_NMI, BY_STI, EXTERNAL, NMI, PENDING_NMI, SHUTDOWN } from "../core/events.ts";
import { VECTORS } from "../core/exceptions.ts";
import { IF } from "../core/flags.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { maskOf } from "./controls.ts";
import { exitAtBoundary, leave } from "./exit.ts";
import { VALID } from "./interruption.ts";
import { timerIsOver } from "./preemption.ts";
import { EXIT } from "./reasons.ts";

const EXTERNAL_EXITING = maskOf("external-interrupt exiting"),
  NMI_EXITING = maskOf("NMI exiting"),
  VIRTUAL_NMIS = maskOf("virtual NMIs"),
  INTERRUPT_WINDOW = maskOf("interrupt-window exiting"),
  NMI_WINDOW = maskOf("NMI-window exiting"),
  ACKNOWLEDGE = maskOf("acknowledge interrupt on exit");

/** Before debug traps: the monitor trap flag, and a task priority that fell below its threshold. */
export function exitBeforeTraps(cpu: Processor): boolean {
  const { vmx } = cpu;
  if (vmx.trapPending) exitAtBoundary(cpu, EXIT.monitorTrapFlag);
  else if (vmx.tprPending) exitAtBoundary(cpu, EXIT.tprBelowThreshold);
  else return false;
  return true;
}

/** After debug traps, before NMIs. `blocked`: bits of S.INTERRUPTIBILITY that are in force. */
export function exitBeforeNmi(cpu: Processor, blocked: number): boolean {
  if (timerIsOver(cpu)) exitAtBoundary(cpu, EXIT.preemptionTimer);
  else if (cpu.vmx.controls.primary & NMI_WINDOW && blocked === 0) exitAtBoundary(cpu, EXIT.nmiWindow);
  else return false;
  return true;
}

/** Is an NMI from outside blocked by an earlier one? Not while that blocking is the guest's virtual one. */
export const nmiBlocking = (cpu: Processor, blocked: number): number =>
  cpu.vmx.controls.pin & VIRTUAL_NMIS ? blocked & ~BY_NMI : blocked;

/** With "NMI exiting" but without "virtual NMIs" the guest's IRET unblocks nothing. */
export const keepsNmiBlocked = ({ vmx: { controls } }: Processor): boolean =>
  (controls.pin & NMI_EXITING) !== 0 && (controls.pin & VIRTUAL_NMIS) === 0;

/** An NMI may be taken: true if it made an exit. */
export function exitByNmi(cpu: Processor): boolean {
  const { vmx } = cpu;
  if (!(vmx.controls.pin & NMI_EXITING)) return false;
  cpu.setU32(S.PENDING, cpu.u32(S.PENDING) & ~PENDING_NMI);
  vmx.exit.begin(EXIT.exceptionOrNmi);
  vmx.exit.interruptionInfo = (VALID | (NMI << 8) | VECTORS.NMI) >>> 0;
  leave(cpu, cpu.number(S.RIP));
  return true;
}

/** After NMIs: the interrupt window, and external interrupts, which here do not ask for RFLAGS.IF. */
export function exitBeforeInterrupt(cpu: Processor, shadow: boolean): boolean {
  const { vmx } = cpu,
    enabled = (cpu.u32(S.FLAGS) & IF) !== 0;
  if (shadow || cpu.u32(S.ACTIVITY) === SHUTDOWN) return false;
  if (vmx.controls.primary & INTERRUPT_WINDOW && enabled) exitAtBoundary(cpu, EXIT.interruptWindow);
  else if (vmx.controls.pin & EXTERNAL_EXITING && cpu.apic?.requested) exitByInterrupt(cpu);
  else return false;
  return true;
}
function exitByInterrupt(cpu: Processor): void {
  const { exit, controls } = cpu.vmx;
  exit.begin(EXIT.externalInterrupt);
  if (controls.exit & ACKNOWLEDGE) exit.interruptionInfo = (VALID | (EXTERNAL << 8) | cpu.apic!.acknowledge()) >>> 0;
  leave(cpu, cpu.number(S.RIP));
}

/** Is there an exit that only the shadow of STI or MOV SS holds back? See heldByShadow in events.ts. */
export function exitHeldByShadow(cpu: Processor): boolean {
  const { primary, pin } = cpu.vmx.controls,
    blocked = cpu.u32(S.INTERRUPTIBILITY);
  if (primary & NMI_WINDOW && !(blocked & BY_NMI)) return true;
  if (primary & INTERRUPT_WINDOW && cpu.u32(S.FLAGS) & IF) return true;
  if (cpu.u32(S.PENDING) & PENDING_NMI && nmiBlocking(cpu, blocked & ~(BY_STI | BY_MOV_SS)) === 0) return true;
  return (pin & EXTERNAL_EXITING) !== 0 && cpu.apic !== null && cpu.apic.requested;
}

/** Do any of these wait for what the guest does next? Then the loop looks whenever something becomes possible. */
export const watchesBoundaries = (cpu: Processor): boolean =>
  (cpu.vmx.controls.primary & (INTERRUPT_WINDOW | NMI_WINDOW)) !== 0;
