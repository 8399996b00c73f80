/**
 * VM exits [SDM 3C 27]: what the VMCS says about them; then the guest's state is saved and the host's loaded.
 *
 * An exit is found like a fault: whoever finds it describes it in `cpu.vmx.exit` and unwinds, and where faults are
 * delivered it ends in `leave`. Exits at instruction boundaries come to `leave` directly.
 */
import { settle } from "../core/events.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { F } from "./fields.ts";
import { loadHostState } from "./host-state.ts";
import { HAS_CODE, isSoftware, NMI_UNBLOCKING } from "./interruption.ts";
import { loadMsrArea, storeMsrArea } from "./msr-areas.ts";
import { ENTRY_FAILURE, EXIT } from "./reasons.ts";
import { guestFlags, saveGuestState } from "./save-guest.ts";
import { ROOT } from "./vmx.ts";

/** The instruction at hand causes a VM exit: it did nothing yet, and is abandoned. */
export function exitInstruction(cpu: Processor, reason: number, qualification = 0, information = 0): never {
  abandonInstruction(cpu, reason, qualification, information);
  throw cpu.pendingFault;
}
/**
 * The same for the exits that are most frequent: whoever calls this returns at once, and the executor sees
 * `cpu.unwinds`. To throw takes the host half a microsecond.
 * @returns true, for that `return`
 */
export function abandonInstruction(cpu: Processor, reason: number, qualification = 0, information = 0): true {
  const { exit } = cpu.vmx;
  exit.begin(reason, qualification);
  exit.byInstruction = true;
  exit.instructionInfo = information;
  cpu.vmx.unwindBy(cpu.pendingFault);
  cpu.unwinds = true;
  return true;
}
/** A VM exit between two instructions. */
export function exitAtBoundary(cpu: Processor, reason: number, qualification = 0): void {
  cpu.vmx.exit.begin(reason, qualification);
  leave(cpu, cpu.number(S.RIP));
}

/** Makes the VM exit that `cpu.vmx.exit` describes. `ip` is the guest's RIP; an event under way is in `cpu.vectoring`. */
export function leave(cpu: Processor, ip: number): void {
  const { vmcs } = cpu.vmx;
  cpu.unwinds = false;
  settle(cpu);
  const flags = guestFlags(cpu);
  recordExit(cpu);
  saveGuestState(cpu, ip, flags);
  vmcs.set32(F.ENTRY_INTERRUPTION_INFO, vmcs.low(F.ENTRY_INTERRUPTION_INFO) & 0x7fffffff);
  announce(cpu, ip);
  toRoot(cpu);
}
/** VM entry failed after the host's state was left: only reason and qualification are recorded [SDM 3C 26.8]. */
export function failEntry(cpu: Processor, reason: number, qualification: number): void {
  const { vmcs, exit } = cpu.vmx;
  exit.begin((reason | ENTRY_FAILURE) >>> 0, qualification);
  vmcs.set32(F.EXIT_REASON, exit.reason);
  vmcs.setNumber(F.EXIT_QUALIFICATION, qualification);
  announce(cpu, vmcs.number(F.GUEST_RIP));
  toRoot(cpu);
}
function announce(cpu: Processor, ip: number): void {
  const { vmExit } = cpu.probes,
    { exit } = cpu.vmx;
  cpu.vmx.countExit(exit.reason);
  if (!vmExit.active) return;
  const qualification = exit.qualificationHigh * 2 ** 32 + exit.qualificationLow;
  vmExit.emit({
    processor: cpu.id,
    reason: exit.reason,
    qualification,
    ip,
    interruption: exit.interruptionInfo,
    guestPhysical: exit.guestPhysical,
    time: cpu.time(),
  });
}

/** Fills in the VM-exit information fields [SDM 3C 27.2]. */
function recordExit(cpu: Processor): void {
  const { vmcs, exit, eventLength } = cpu.vmx,
    { vectoring } = cpu;
  if (exit.reason === EXIT.eptViolation && vectoring === 0 && cpu.vmx.nmiUnblockedBy(cpu))
    exit.qualificationLow |= NMI_UNBLOCKING;
  vmcs.set32(F.EXIT_REASON, exit.reason);
  vmcs.setWords(F.EXIT_QUALIFICATION, exit.qualificationLow, exit.qualificationHigh);
  vmcs.set32(F.EXIT_INTERRUPTION_INFO, exit.interruptionInfo);
  if (exit.interruptionInfo & HAS_CODE) vmcs.set32(F.EXIT_INTERRUPTION_ERROR_CODE, exit.errorCode);
  vmcs.set32(F.IDT_VECTORING_INFO, vectoring);
  if (vectoring & HAS_CODE) vmcs.set32(F.IDT_VECTORING_ERROR_CODE, cpu.vectoringCode);
  vmcs.set32(F.EXIT_INSTRUCTION_INFO, exit.instructionInfo);
  if (exit.byInstruction) vmcs.set32(F.EXIT_INSTRUCTION_LENGTH, cpu.x.insn.length);
  else if (isSoftware(vectoring) || isSoftware(exit.interruptionInfo))
    vmcs.set32(F.EXIT_INSTRUCTION_LENGTH, eventLength);
  if (exit.guestLinear !== null) vmcs.setNumber(F.GUEST_LINEAR_ADDRESS, exit.guestLinear);
  if (exit.guestPhysical !== null) vmcs.setNumber(F.GUEST_PHYSICAL_ADDRESS, exit.guestPhysical);
}

/** VMX-abort indicators [SDM 3C 27.7]. */
const ABORT = { msrStore: 1, hostPdptes: 2, msrLoad: 4 } as const;

/** The MSR areas and the host's state [SDM 3C 27.4 to 27.6]. */
function toRoot(cpu: Processor): void {
  const { vmx } = cpu,
    { vmcs, exit } = vmx,
    entered = (exit.reason & ENTRY_FAILURE) === 0;
  cpu.vectoring = 0;
  vmx.operation = ROOT;
  cpu.setU32(S.NON_ROOT, 0);
  const storeAt = vmcs.number(F.EXIT_MSR_STORE_ADDRESS),
    loadAt = vmcs.number(F.EXIT_MSR_LOAD_ADDRESS);
  if (entered && !storeMsrArea(cpu, storeAt, vmcs.low(F.EXIT_MSR_STORE_COUNT))) return abort(cpu, ABORT.msrStore);
  if (!loadHostState(cpu)) return abort(cpu, ABORT.hostPdptes);
  if (loadMsrArea(cpu, loadAt, vmcs.low(F.EXIT_MSR_LOAD_COUNT)) !== 0) return abort(cpu, ABORT.msrLoad);
  vmx.stopGuest();
  cpu.charge(vmx.costs.vmExit);
  cpu.attend();
}
/** A VMX abort: the region says why, and the processor shuts down as after a triple fault [SDM 3C 27.7]. */
function abort(cpu: Processor, indicator: number): void {
  const { vmx } = cpu;
  cpu.memory.write32(vmx.currentPointer + 4, indicator);
  vmx.stopGuest();
  cpu.setU32(S.ACTIVITY, 2);
  cpu.attend();
}
