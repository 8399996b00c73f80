/**
 * The hypervisor leaves (section 12): the disk and its controller are given back, nothing is intercepted any more, the
 * processors that wait for the guest's SIPI are left to wait by themselves, and then each of the others leaves at the
 * first exit where it can.
 *
 * A processor that waits for a SIPI comes back for nothing else. So it gets one from here, with the page that it began
 * in; it leaves VMX operation, and an INIT lets it wait as before. A SIPI of the guest's would be lost in between: until
 * that is over, processors that want to send one are held at the instruction. For that they must lose a right, so each has
 * to drop what it has cached of EPT first.
 *
 * A processor that gets an INIT when others have left already stays until it has got its SIPI: nobody could hold that back.
 */
import { DeploymentDone } from "../api/disk.ts";
import { log, tells } from "../log.ts";
import { allocate } from "../memory.ts";
import { invept, vmread } from "../x86.ts";
import { apicPage, sendInit, sendStartUp, waitNanoseconds, X2APIC_ICR } from "./apic.ts";
import { UNCACHEABLE } from "./ept.ts";
import { Hypervisor } from "./hypervisor.ts";
import { VirtualProcessor } from "./processor.ts";
import { Processors, START_PAGE } from "./start-processors.ts";
import * as V from "./vmcs.ts";

export enum Stage {
  /** There is a deployment. */
  STAYING,
  /** The disk is complete; its controller is to be given back. */
  RETURNING,
  /** Processors are to know that start-up messages are held. */
  HOLDING,
  /** Processors that wait for a SIPI are leaving. */
  PARKING,
  /** The others are. */
  LEAVING,
}

const ALL_CONTEXTS: u32 = 2;
const START_UP_VECTOR: u64 = <u64>START_PAGE >> 12;
/** How long an INIT takes to arrive, in ns: it has been accepted when the sender's APIC is idle again. */
const INIT_TIME: u64 = 20_000;

/** What is given back: true when that is done. Asked again and again. */
export abstract class Estate {
  abstract end(): bool;
}

export class Departure extends DeploymentDone {
  stage: Stage = Stage.STAYING;
  private processors: Processors | null = null;
  private estate: Estate | null = null;
  private descriptor: usize = allocate(16, 16);
  private held: u64 = 0;

  constructor(private hypervisor: Hypervisor) {
    super();
  }
  /** Told once, at boot. */
  prepare(processors: Processors, estate: Estate): void {
    this.processors = processors;
    this.estate = estate;
  }
  done(): void {
    if (this.stage !== Stage.STAYING) return;
    this.stage = Stage.RETURNING;
    this.hypervisor.registry.complete();
  }

  /** After each exit that has been seen to, on its processor: goes on as far as it can. */
  step(processor: VirtualProcessor): void {
    if (this.stage === Stage.RETURNING) this.giveBack();
    if (this.stage === Stage.HOLDING) this.hold(processor);
    if (this.stage === Stage.PARKING && this.parkOne()) this.leave();
  }

  private giveBack(): void {
    if (!this.estate!.end()) return;
    this.hypervisor.release();
    if (this.countOf(true) === 0) {
      this.leave();
      return;
    }
    this.held = apicPage();
    this.hypervisor.ept.close(this.held);
    this.hypervisor.msrs.set(X2APIC_ICR, false, true);
    this.stage = Stage.HOLDING;
  }
  private hold(processor: VirtualProcessor): void {
    if (!processor.holds) invept(ALL_CONTEXTS, this.descriptor);
    processor.holds = true;
    const all = this.processors!.all;
    for (let i = 0; i < all.length; i++) {
      const other = all[i];
      if (other !== null && !other.gone && !other.parked && !other.holds) return;
    }
    this.stage = Stage.PARKING;
  }

  /** Is the exit an attempt to send a start-up message, or to use the APIC otherwise, while that is held? */
  holdsBack(): bool {
    if (this.stage !== Stage.HOLDING && this.stage !== Stage.PARKING) return false;
    const reason = <u32>vmread(V.EXIT_REASON);
    if (reason === V.EXIT_WRMSR) return true;
    return reason === V.EXIT_EPT_VIOLATION && (vmread(V.GUEST_PHYSICAL_ADDRESS) & ~(<u64>0xfff)) === this.held;
  }
  /** Is the exit the message to a waiting processor that it is to leave? */
  isCalled(): bool {
    if (this.stage !== Stage.PARKING || <u32>vmread(V.EXIT_REASON) !== V.EXIT_SIPI) return false;
    return (vmread(V.EXIT_QUALIFICATION) & 0xff) === START_UP_VECTOR;
  }

  /** One processor at a time: called, until it has left; then it gets its INIT. True: none is left. */
  private parkOne(): bool {
    const processors = this.processors!;
    for (let i: u32 = 0; i < processors.count; i++) {
      const one = processors.all[i]!;
      if (one.parked && !one.gone) {
        if (!one.called) sendStartUp(processors.ids[i], <u32>START_UP_VECTOR);
        one.called = true;
        return false;
      }
      if (!one.called) continue;
      one.called = false;
      if (!one.gone) continue; // the guest's own SIPI came first
      sendInit(processors.ids[i]);
      waitNanoseconds(INIT_TIME);
    }
    return true;
  }

  private leave(): void {
    if (this.held !== 0) this.hypervisor.ept.open(this.held, UNCACHEABLE);
    this.hypervisor.msrs.set(X2APIC_ICR, false, false);
    if (tells(1)) log("the hypervisor leaves\n");
    this.stage = Stage.LEAVING;
  }

  /** Have all processors but one left? Those that wait for a SIPI leave first. */
  get isLast(): bool {
    return this.countOf(false) + this.countOf(true) === 1;
  }
  /** How many processors are there still, those that wait for a SIPI or the others. */
  countOf(parked: bool): u32 {
    const all = this.processors!.all;
    let count: u32 = 0;
    for (let i = 0; i < all.length; i++) {
      const one = all[i];
      if (one !== null && !one.gone && one.parked === parked) count++;
    }
    return count;
  }
}
