/** VMX operation of one processor [SDM 3C 23]: where it is, its current VMCS, and the VM exit that is under way. */
import type { Fault } from "../core/exceptions.ts";
import { CONTROLS, type Control, type ControlName, type ControlWord } from "./controls.ts";
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
  /** -1: not written. */
  guestLinear = -1;
  guestPhysical = -1;
  /** The instruction at hand caused it, so that its length is of interest. */
  byInstruction = false;

  begin(reason: number, qualification = 0): void {
    this.reason = reason;
    this.qualificationLow = qualification >>> 0;
    this.qualificationHigh = Math.floor(qualification / 2 ** 32) >>> 0;
    this.instructionInfo = this.interruptionInfo = this.errorCode = 0;
    this.guestLinear = this.guestPhysical = NO_POINTER;
    this.byInstruction = false;
  }
}

/** Where each control's bit is; computed once. */
const place = new Map<string, { word: ControlWord; mask: number }>(
  (CONTROLS as readonly Control[]).map(({ name, word, bit }) => [name, { word, mask: 1 << bit }]),
);

export class Vmx {
  operation: Operation = OUTSIDE;
  /** Physical addresses; NO_POINTER: none. */
  vmxonPointer = NO_POINTER;
  currentPointer = NO_POINTER;
  /** The current VMCS, if `currentPointer` says that there is one, and its launch state. */
  readonly vmcs = new Vmcs();
  launched = false;
  readonly exit = new Exit();
  /** In non-root operation: the words of controls in force. All zero otherwise, so that asking needs no second question. */
  readonly controls: Record<ControlWord, number> = { pin: 0, primary: 0, secondary: 0, exit: 0, entry: 0 };

  get nonRoot(): boolean {
    return this.operation === NON_ROOT;
  }

  /** Is a control 1 in the current VMCS, and in force? Secondary ones are not unless they are activated. */
  has(name: ControlName): boolean {
    const { word, mask } = place.get(name)!;
    return (this.controls[word] & mask) !== 0;
  }

  /** Takes the controls from the VMCS: at VM entry, and when a state is restored. */
  loadControls(): void {
    const { vmcs, controls } = this;
    controls.pin = vmcs.low(F.PIN_CONTROLS);
    controls.primary = vmcs.low(F.PRIMARY_CONTROLS);
    controls.secondary = controls.primary < 0 || controls.primary >= 2 ** 31 ? vmcs.low(F.SECONDARY_CONTROLS) : 0;
    controls.exit = vmcs.low(F.EXIT_CONTROLS);
    controls.entry = vmcs.low(F.ENTRY_CONTROLS);
  }
  dropControls(): void {
    const { controls } = this;
    controls.pin = controls.primary = controls.secondary = controls.exit = controls.entry = 0;
  }

  /** Makes `fault` mean the VM exit that `exit` describes. */
  unwindBy(fault: Fault): void {
    fault.vector = VM_EXIT;
    fault.code = 0;
  }
}
