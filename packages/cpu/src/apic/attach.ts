/** Gives a processor its local APIC. */
import type { Clock } from "@castaway/kit";
import { followApicBase } from "../core/apic-base.ts";
import { PENDING_INIT, PENDING_NMI, PENDING_SIPI, PENDING_SMI } from "../core/events.ts";
import type { Processor } from "../core/processor.ts";
import type { ApicBus } from "./bus.ts";
import { LocalApic } from "./local.ts";

const SIGNALS = { nmi: PENDING_NMI, init: PENDING_INIT, sipi: PENDING_SIPI, smi: PENDING_SMI };

/** `acknowledgePic`: the INTA cycle of the external interrupt controller, whose line is LINT0 of the first processor. */
export function attachApic(
  cpu: Processor,
  clock: Clock,
  bus: ApicBus,
  acknowledgePic: () => number = () => 0,
): LocalApic {
  const apic = new LocalApic(cpu.id, {
    clock,
    bus,
    acknowledgePic,
    attend: () => cpu.attend(),
    signal: (event, vector) => cpu.signal(SIGNALS[event], vector),
  });
  cpu.apic = apic;
  followApicBase(cpu);
  return apic;
}
