/** The second translation of a guest, and its APIC-access page: what the controls in force say of them. */
import type { Processor } from "../core/processor.ts";
import { ApicAccess } from "./apic-access.ts";
import { maskOf } from "./controls.ts";
import { Ept } from "./ept.ts";
import { F } from "./fields.ts";

const ENABLE_EPT = maskOf("enable EPT"),
  APIC_ACCESSES = maskOf("virtualize APIC accesses");

export class GuestTranslation {
  readonly #cpu: Processor;
  readonly #ept: Ept;
  readonly #apicAccess: ApicAccess;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
    this.#ept = new Ept(cpu.memory, cpu.vmx);
    this.#apicAccess = new ApicAccess(cpu);
  }
  /** Takes up the controls in force: at VM entry, and after a state was restored, whether a guest runs or not. */
  resume(): void {
    const { vmx, access } = this.#cpu,
      { secondary } = vmx.controls,
      ept = (secondary & ENABLE_EPT) !== 0,
      apic = (secondary & APIC_ACCESSES) !== 0;
    if (ept) this.#ept.load(vmx.vmcs.low(F.EPT_POINTER), vmx.vmcs.high(F.EPT_POINTER));
    if (apic) this.#apicAccess.load();
    access.nested = ept ? this.#ept : null;
    access.virtualApic = apic ? this.#apicAccess : null;
  }
  /** The guest is left. */
  stop(): void {
    this.#cpu.access.nested = this.#cpu.access.virtualApic = null;
  }
}
