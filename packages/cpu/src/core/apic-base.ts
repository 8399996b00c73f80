/** IA32_APIC_BASE [SDM 3A 10.4.3, 10.4.4, 10.12.5]: where the local APIC's registers are, and its mode. */
import type { Processor } from "./processor.ts";
import { S } from "./state.ts";

/** Bits of the register. */
export const APIC_BSP = 0x100,
  APIC_X2 = 0x400,
  APIC_ENABLED = 0x800,
  APIC_DEFAULT = 0xfee00000;
const MODE = APIC_ENABLED | APIC_X2;

/** Writes the register; the illegal transitions of figure 10-27 raise #GP(0). BSP cannot be changed. */
export function writeApicBase(cpu: Processor, low: number, high: number): void {
  const old = cpu.u32(S.APIC_BASE),
    to = low & MODE,
    from = old & MODE,
    x2 = cpu.model.features.has("x2apic");
  const illegal = to === APIC_X2 || (to === MODE && (from === 0 || !x2)) || (from === MODE && to === APIC_ENABLED);
  if (illegal) cpu.fault("GP", 0);
  cpu.setU32(S.APIC_BASE, (low & ~APIC_BSP) | (old & APIC_BSP));
  cpu.setU32(S.APIC_BASE + 4, high);
  followApicBase(cpu);
}

/** Tells APIC and memory access what the register says: after a write, a reset, or a restore. */
export function followApicBase(cpu: Processor): void {
  const { access, apic } = cpu,
    low = cpu.u32(S.APIC_BASE),
    mode = low & MODE;
  if (apic === null) return;
  apic.setMode(mode === MODE ? "x2apic" : mode === APIC_ENABLED ? "xapic" : "disabled");
  const page = mode === APIC_ENABLED ? cpu.u32(S.APIC_BASE + 4) * 2 ** 20 + (low >>> 12) : -1;
  access.setLocalPage(page, apic);
}
