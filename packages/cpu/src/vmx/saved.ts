/** VMX operation of a processor as part of its saved state. */
import { bytes, flag, natural, nullable, real, record, type StateOf, timerState, u32 } from "@castaway/kit";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { resumeGuestSpace } from "./spaces.ts";
import { NON_ROOT, type Operation } from "./vmx.ts";

export const vmxState = record({
  operation: u32,
  vmxonPointer: real,
  currentPointer: real,
  vmcs: bytes(),
  launched: flag,
  trapPending: flag,
  tprPending: flag,
  /** Null: the preemption timer does not run. */
  timerEnd: nullable(natural),
  timer: timerState,
  eventLength: u32,
  nmiUnblockedAt: real,
});
export type VmxState = StateOf<typeof vmxState>;

export function saveVmx({ vmx }: Processor): VmxState {
  const { operation, vmxonPointer, currentPointer, launched, trapPending, tprPending, eventLength, nmiUnblockedAt } =
    vmx;
  const timerEnd = vmx.timerEnd === Number.POSITIVE_INFINITY ? null : vmx.timerEnd;
  return {
    operation,
    vmxonPointer,
    currentPointer,
    vmcs: vmx.vmcs.bytes.slice(),
    launched,
    trapPending,
    tprPending,
    timerEnd,
    timer: vmx.timer?.save() ?? null,
    eventLength,
    nmiUnblockedAt,
  };
}

/** Into the processor whose registers are in the window, after its registers and before its derived fields are computed. */
export function restoreVmx(cpu: Processor, { vmcs, timer, timerEnd, operation, ...rest }: VmxState): void {
  const { vmx } = cpu;
  Object.assign(vmx, rest, { operation: operation as Operation });
  vmx.vmcs.fill(vmcs);
  vmx.stopGuest();
  vmx.trapPending = rest.trapPending;
  vmx.tprPending = rest.tprPending;
  vmx.timerEnd = timerEnd ?? Number.POSITIVE_INFINITY;
  vmx.timer?.restore(timer);
  cpu.setU32(S.NON_ROOT, operation === NON_ROOT ? 1 : 0);
  if (operation === NON_ROOT) vmx.loadControls();
  resumeGuestSpace(cpu);
}
