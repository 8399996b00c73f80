/**
 * IA32_APIC_BASE while there is a hypervisor: the registers stay where they are. Over the hypervisor's memory they would
 * take its place, for the hypervisor too [SDM 3A 10.4.4, 10.4.5].
 */
import { MsrHandler } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { log } from "../log.ts";
import { allocate } from "../memory.ts";
import { cpuid, rdmsr, wrmsr } from "../x86.ts";

const APIC_BASE: u32 = 0x1b;
/** Bits 11 and 10: enabled, x2APIC mode [SDM 3A table 10-5]. */
const MODE: u64 = 3 << 10;
const OFF: u64 = 0;
const XAPIC: u64 = 2 << 10;
const X2APIC: u64 = 3 << 10;
const CPUID_X2APIC: u32 = 1 << 21;

class ApicBase extends MsrHandler {
  private hasX2apic: bool;

  constructor() {
    super();
    const answer = allocate(16, 16);
    cpuid(1, 0, answer);
    this.hasX2apic = (load<u32>(answer, 8) & CPUID_X2APIC) !== 0;
  }
  read(index: u32): bool {
    this.value = rdmsr(index);
    return true;
  }
  /** What the processor would refuse is refused [SDM 3A 10.12.5]. */
  write(index: u32, value: u64): bool {
    const now = rdmsr(index);
    if ((value & ~MODE) !== (now & ~MODE)) {
      log("the guest may not move the local APIC\n");
      return false;
    }
    if (!this.leadsTo(now & MODE, value & MODE)) return false;
    wrmsr(index, value);
    return true;
  }
  private leadsTo(from: u64, to: u64): bool {
    if (to === OFF || to === from) return true;
    if (to === XAPIC) return from === OFF;
    return to === X2APIC && from === XAPIC && this.hasX2apic;
  }
}

/** Boot. */
export function keepApic(registry: Registry): void {
  registry.interceptMsr(APIC_BASE, new ApicBase());
}
