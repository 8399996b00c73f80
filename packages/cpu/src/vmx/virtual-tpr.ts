/** The guest's task priority, kept in the virtual-APIC page instead of its processor's APIC [SDM 3C 29.1, 29.3]. */
import type { Processor } from "../core/processor.ts";
import { maskOf } from "./controls.ts";
import { F } from "./fields.ts";

const TPR_SHADOW = maskOf("use TPR shadow"),
  APIC_ACCESSES = maskOf("virtualize APIC accesses");
/** Offset of VTPR in the page. */
const VTPR = 0x80;

export const hasTprShadow = ({ vmx: { controls } }: Processor): boolean => (controls.primary & TPR_SHADOW) !== 0;
const placeOf = (cpu: Processor) => cpu.vmx.vmcs.number(F.VIRTUAL_APIC_ADDRESS) + VTPR;

/** Bits 7:4 of VTPR: what CR8 is. */
export const virtualCr8 = (cpu: Processor): number => (cpu.memory.read32(placeOf(cpu)) >>> 4) & 15;
export function writeVirtualCr8(cpu: Processor, value: number): void {
  cpu.memory.write32(placeOf(cpu), value << 4);
  followTpr(cpu);
}
/** TPR virtualization: an exit follows if the priority is below the threshold. */
export function followTpr(cpu: Processor): void {
  const { vmx } = cpu;
  if (virtualCr8(cpu) >= (vmx.vmcs.low(F.TPR_THRESHOLD) & 15)) return;
  vmx.tprPending = true;
  cpu.attend();
}
/** At VM entry the same, if APIC accesses are virtualized; otherwise the entry's checks have seen to it [SDM 3C 26.7.7]. */
export function followTprAtEntry(cpu: Processor): void {
  if (hasTprShadow(cpu) && cpu.vmx.controls.secondary & APIC_ACCESSES) followTpr(cpu);
}
