/** VMX operation of one processor [SDM 3C 23]: where it is, its current VMCS, and the VM exit that is under way. */
import type { Timer } from "@castaway/kit";
import type { Fault } from "../core/exceptions.ts";
import { CONTROLS, type Control, type ControlName, type ControlWord, maskOf } from "./controls.ts";
import { F } from "./fields.ts";
import { Vmcs } from "./vmcs.ts";

/** Where a processor is: outside of VMX operation, in root, or in non-root operation. */
export const OUTSIDE = 0,
  ROOT = 1,
  NON_ROOT = 2;
export type Operation = 0 | 1 | 2;

/** No VMXON region or VMCS: the pointer FFFFFFFF_FFFFFFFF. */
export const NO_POINTER = -1;

/** Stands in place of a vector in `cpu.pendingFault`: what was under way ends with the VM exit in `cpu.vmx.exit`. */
export const VM_EXIT = 0x101;

/** The VM exit under way, as its fields will say [SDM 3C 24.9]. */
export class Exit {
  reason = 0;
  /** The exit qualification as two words. */
  qualificationLow = 0;
  qualificationHigh = 0;
  instructionInfo = 0;
  interruptionInfo = 0;
  errorCode = 0;
  /** Null: not written. */
  guestLinear: number | null = null;
  guestPhysical: number | null = null;
  /** The instruction at hand caused it, so that its length is of interest. */
  byInstruction = false;

  begin(reason: number, qualification = 0): void {
    this.reason = reason;
    this.qualificationLow = qualification >>> 0;
    this.qualificationHigh = Math.floor(qualification / 2 ** 32) >>> 0;
    this.instructionInfo = this.interruptionInfo = this.errorCode = 0;
    this.guestLinear = this.guestPhysical = null;
    this.byInstruction = false;
  }
}

/** Where each control's bit is; computed once. */
const place = new Map<string, { word: ControlWord; mask: number }>(
  (CONTROLS as readonly Control[]).map(({ name, word, bit }) => [name, { word, mask: 1 << bit }]),
);

/** Virtual nanoseconds that leaving and entering a guest take. */
export type VmxCosts = { readonly vmExit: number; readonly vmEntry: number };

export class Vmx {
  operation: Operation = OUTSIDE;
  /** Physical addresses; NO_POINTER: none. */
  vmxonPointer = NO_POINTER;
  currentPointer = NO_POINTER;
  /** The current VMCS, if `currentPointer` says that there is one, and its launch state. */
  readonly vmcs = new Vmcs();
  launched = false;
  readonly exit = new Exit();
  /** In non-root operation the words of controls in force; otherwise zero, so that asking needs no second question. */
  readonly controls: Record<ControlWord, number> = { pin: 0, primary: 0, secondary: 0, exit: 0, entry: 0 };
  /** VM exits by monitor trap flag and by a low task priority that are due at the next boundary. */
  trapPending = false;
  tprPending = false;
  /** Virtual time at which the preemption timer is over; Infinity while it does not run. */
  timerEnd = Number.POSITIVE_INFINITY;
  /** Wakes a halted processor when it is over. */
  timer: Timer | null = null;
  /** Length of the instruction that raised the software event which is being delivered. */
  eventLength = 0;
  /** Instructions retired when an IRET unblocked NMIs. */
  nmiUnblockedAt = -1;
  costs: VmxCosts = { vmExit: 0, vmEntry: 0 };
  /** VM exits so far by basic reason; for tools, no part of the state. */
  readonly exits = new Map<number, number>();

  get nonRoot(): boolean {
    return this.operation === NON_ROOT;
  }
  /** In root operation: what runs is the hypervisor. */
  get root(): boolean {
    return this.operation === ROOT;
  }
  /** Must the loop run one instruction at a time, for the monitor trap flag? */
  get trapsEach(): boolean {
    return (this.controls.primary & MONITOR_TRAP) !== 0;
  }

  /** Is a control 1 in the VMCS in force? Never outside of non-root operation; secondary ones not unless activated. */
  has(name: ControlName): boolean {
    const { word, mask } = place.get(name)!;
    return (this.controls[word] & mask) !== 0;
  }

  /** Takes the controls from the VMCS: at VM entry, and when a state is restored. */
  loadControls(): void {
    const { vmcs, controls } = this;
    controls.pin = vmcs.low(F.PIN_CONTROLS);
    controls.primary = vmcs.low(F.PRIMARY_CONTROLS);
    controls.secondary = controls.primary & ACTIVATE_SECONDARY ? vmcs.low(F.SECONDARY_CONTROLS) : 0;
    controls.exit = vmcs.low(F.EXIT_CONTROLS);
    controls.entry = vmcs.low(F.ENTRY_CONTROLS);
  }
  /** The guest is left: nothing of its VMCS is in force any more. */
  stopGuest(): void {
    const { controls } = this;
    controls.pin = controls.primary = controls.secondary = controls.exit = controls.entry = 0;
    this.trapPending = this.tprPending = false;
    this.timerEnd = Number.POSITIVE_INFINITY;
    this.timer?.disarm();
  }
  /** Power-up and RESET#. */
  reset(): void {
    this.stopGuest();
    this.operation = OUTSIDE;
    this.vmxonPointer = this.currentPointer = NO_POINTER;
    this.launched = false;
    this.eventLength = 0;
    this.nmiUnblockedAt = -1;
    this.vmcs.fill(new Uint8Array(this.vmcs.bytes.length));
  }

  /** Makes `fault` mean the VM exit that `exit` describes. */
  unwindBy(fault: Fault): void {
    fault.vector = VM_EXIT;
    fault.code = 0;
  }
  /** With the monitor trap flag an exit follows each instruction and each event that was delivered [SDM 3C 25.5.2]. */
  instructionDone(cpu: Attentive): void {
    if (!this.trapsEach) return;
    this.trapPending = true;
    cpu.attend();
  }
  eventDelivered(cpu: Attentive): void {
    this.instructionDone(cpu);
  }
  /** Did the instruction at hand, an IRET, unblock NMIs? */
  nmiUnblockedBy(cpu: { retired(): number }): boolean {
    return this.nonRoot && this.nmiUnblockedAt === cpu.retired();
  }
  countExit(reason: number): void {
    const basic = reason & 0xffff;
    this.exits.set(basic, (this.exits.get(basic) ?? 0) + 1);
  }
}
type Attentive = { attend(): void };
const MONITOR_TRAP = maskOf("monitor trap flag"),
  ACTIVATE_SECONDARY = maskOf("activate secondary controls");
