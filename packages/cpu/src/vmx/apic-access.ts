/**
 * The APIC-access page [SDM 3C 29.4]: what a guest does there causes VM exits, except that with "use TPR shadow" accesses
 * of at most 4 bytes to offset 80h go to the task-priority register of the virtual-APIC page.
 */
import type { VirtualApic } from "../core/access.ts";
import { PAGE } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { F } from "./fields.ts";
import { EXIT } from "./reasons.ts";
import { followTpr, hasTprShadow } from "./virtual-tpr.ts";

const TPR = 0x80;
/** Kinds of access in bits 15:12 of the exit qualification [SDM 3C table 27-6]. */
const DATA_READ = 0,
  DATA_WRITE = 1,
  FETCH = 2,
  EVENT_DELIVERY = 3;

export class ApicAccess implements VirtualApic {
  readonly #cpu: Processor;
  page = 0;
  #shadowed = false;
  #virtualApic = 0;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }
  /** Takes up what the VMCS says. "Virtualize APIC accesses" is 1. */
  load(): void {
    const { vmx } = this.#cpu;
    this.page = vmx.vmcs.number(F.APIC_ACCESS_ADDRESS) / PAGE;
    this.#shadowed = hasTprShadow(this.#cpu);
    this.#virtualApic = vmx.vmcs.number(F.VIRTUAL_APIC_ADDRESS);
  }

  fetch(offset: number): void {
    this.#leave(offset, FETCH);
  }
  admits(offset: number, bytes: number, write: boolean): boolean {
    if (this.#shadowed && offset === TPR && bytes <= 4) return true;
    this.#leave(offset, this.#cpu.vectoring !== 0 ? EVENT_DELIVERY : write ? DATA_WRITE : DATA_READ);
    return false;
  }
  read(bytes: number, into: number): void {
    const { memory } = this.#cpu,
      value = memory.read32(this.#virtualApic + TPR);
    for (let i = 0; i < bytes; i++) memory.u8[into + i] = value >>> (8 * i);
  }
  /** Bytes 3:1 of the register are cleared, and TPR virtualization follows [SDM 3C 29.4.3.2]. */
  write(from: number): void {
    const { memory } = this.#cpu;
    memory.write32(this.#virtualApic + TPR, memory.u8[from]!);
    followTpr(this.#cpu);
  }
  #leave(offset: number, kind: number): void {
    const { vmx, pendingFault } = this.#cpu;
    vmx.exit.begin(EXIT.apicAccess, offset | (kind << 12));
    vmx.unwindBy(pendingFault);
  }
}
