/** The VMX-preemption timer [SDM 3C 25.5.1]: it counts down whenever a bit of the time-stamp counter changes. */
import type { Processor } from "../core/processor.ts";
import { TSC_HZ } from "../core/tsc.ts";
import { F } from "./fields.ts";

/** Which bit that is, as IA32_VMX_MISC says. */
export const TIMER_SHIFT = 5;
/** Nanoseconds from one count to the next. */
const COUNT: number = ((1 << TIMER_SHIFT) * 1e9) / TSC_HZ;
const countAt = (time: number) => Math.floor(time / COUNT);

/** Starts it with the VMCS's value. Nought is over at once. */
export function startPreemptionTimer(cpu: Processor): void {
  const { vmx } = cpu,
    value = vmx.vmcs.low(F.PREEMPTION_TIMER_VALUE);
  vmx.timerEnd = value === 0 ? 0 : (countAt(cpu.board.now()) + value) * COUNT;
  if (value !== 0) vmx.timer?.armAt(vmx.timerEnd);
  cpu.access.afterDevice();
}
/** Has it reached nought? Never while it does not run. */
export const timerIsOver = (cpu: Processor): boolean => cpu.time() >= cpu.vmx.timerEnd;

/** What is left of it goes to the VMCS. */
export function savePreemptionTimer(cpu: Processor): void {
  const { timerEnd, vmcs } = cpu.vmx;
  if (timerEnd === Number.POSITIVE_INFINITY) return;
  vmcs.set32(F.PREEMPTION_TIMER_VALUE, Math.max(0, countAt(timerEnd) - countAt(cpu.time())));
}
