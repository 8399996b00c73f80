/**
 * What the checks of VM entry look at: the fields of the current VMCS, values derived from them, and what lies outside
 * of it. A view notes which group of rows reads what, so that nobody has to list it: a group that passed passes again
 * until something that it ever read has changed.
 */
import { eferBits } from "../../core/control-bits.ts";
import { ARITHMETIC, DF, VM } from "../../core/flags.ts";
import type { Model } from "../../core/model.ts";
import { PHYSICAL_BITS } from "../../core/paging.ts";
import { cr4Fixed1 } from "../capabilities.ts";
import { allowed1, type ControlName, type ControlWord, controlNamed, maskOf, required1 } from "../controls.ts";
import { F, FIELD_COUNT } from "../fields.ts";
import { VALID } from "../interruption.ts";
import type { Vmcs } from "../vmcs.ts";

/** What the checks need of a processor. */
export interface Around {
  readonly model: Model;
  readonly memory: { read32(address: number): number };
  /** The processor is in IA-32e mode, before the entry. */
  readonly ia32e: boolean;
  readonly vmx: { readonly vmcs: Vmcs; readonly currentPointer: number };
}

/** One rule of the manual. */
export interface Row {
  readonly cite: string;
  /** What must hold, as the manual says it. */
  readonly rule: string;
  /** Pure: its answer follows from what it asks the view. */
  readonly ok: (view: View) => boolean;
  /** Exit qualification of the VM exit that a guest-state rule ends with [SDM 3C 26.8]. */
  readonly qualification: number;
}
/** A function that makes the rows of one section. */
export const section =
  (number: string) =>
  (rule: string, ok: Row["ok"], qualification = 0): Row => ({ cite: `SDM 3C ${number}`, rule, ok, qualification });
/** Rows that apply under one condition. */
export interface Block {
  readonly when: (view: View) => boolean;
  readonly rows: readonly Row[];
}
export const block = (when: Block["when"], rows: readonly Row[]): Block => ({ when, rows });
/** What is judged together, in this order, and whose verdict is remembered together. */
export interface Group {
  readonly name: string;
  readonly blocks: readonly Block[];
}
export const always = (): boolean => true;
export const group = (name: string, rows: readonly Row[]): Group => ({ name, blocks: [block(always, rows)] });

/** Inputs that are no fields; their numbers follow those of the fields. */
const SECONDARY = FIELD_COUNT,
  EVENT = FIELD_COUNT + 1,
  VIRTUAL_8086 = FIELD_COUNT + 2,
  SYSTEM_FLAGS = FIELD_COUNT + 3,
  LAUNCHER_IA32E = FIELD_COUNT + 4,
  INPUTS = FIELD_COUNT + 5;
/** Flags that no rule asks for, except that bit 1 is set and the reserved ones are clear. */
const WITHOUT_MEANING = ARITHMETIC | DF;
/** Bits of an upper word that are beyond the physical-address width. */
const BEYOND_PHYSICAL = ~((1 << (PHYSICAL_BITS - 32)) - 1);
const ACTIVATE_SECONDARY = maskOf("activate secondary controls");

const WORDS: Readonly<Record<ControlWord, number>> = {
  pin: F.PIN_CONTROLS,
  primary: F.PRIMARY_CONTROLS,
  secondary: SECONDARY,
  exit: F.EXIT_CONTROLS,
  entry: F.ENTRY_CONTROLS,
};
const eachWord = (value: (word: ControlWord) => number): Record<ControlWord, number> => ({
  pin: value("pin"),
  primary: value("primary"),
  secondary: value("secondary"),
  exit: value("exit"),
  entry: value("entry"),
});
/** A control as a question; secondary ones are 0 unless they are activated [SDM 3C 24.6.2]. */
export function has(name: ControlName): (view: View) => boolean {
  const { word, bit } = controlNamed(name),
    mask = 1 << bit,
    field = WORDS[word];
  if (word === "secondary") return (view) => (view.secondary & mask) !== 0;
  return (view) => (view.low(field) & mask) !== 0;
}

export class View {
  readonly #around: Around;
  readonly #vmcs: Vmcs;
  /** The flags of changed fields, four at a time. */
  readonly #changedWords: Uint32Array;
  /** By input: the groups that ever read it, a bit each. It only grows. */
  readonly #readers = new Uint32Array(INPUTS);
  /** The inputs that are no fields, as they were gathered. */
  readonly #derived = new Uint32Array(INPUTS - FIELD_COUNT);
  /** The bit of the group that is being judged. */
  #group = 0;
  /** The group that is being judged asked for something that may change unseen. */
  outside = false;
  /** Bits of CR4 and IA32_EFER that the model does not have. */
  readonly cr4Reserved: number;
  readonly eferReserved: number;
  /** Controls that must be 0, and those that must be 1. */
  readonly #forbidden: Readonly<Record<ControlWord, number>>;
  readonly #required: Readonly<Record<ControlWord, number>>;

  constructor(around: Around) {
    const { model, vmx } = around,
      { changed } = vmx.vmcs;
    this.#around = around;
    this.#vmcs = vmx.vmcs;
    this.#changedWords = new Uint32Array(changed.buffer, changed.byteOffset, changed.length >> 2);
    this.cr4Reserved = ~cr4Fixed1(model);
    this.eferReserved = ~eferBits(model);
    this.#forbidden = eachWord((word) => ~allowed1(word, model));
    this.#required = eachWord((word) => required1(word, "true"));
  }

  // ---- what changed ----

  /** Takes in what changed since it was called last, and clears the flags of the VMCS; gives the groups that it concerns. */
  gather(): number {
    const words = this.#changedWords;
    let groups = 0;
    for (let i = 0; i < words.length; i++) if (words[i] !== 0) groups |= this.#take(4 * i, 4 * i + 4);
    return groups | this.#take(4 * words.length, FIELD_COUNT) | this.#derive();
  }
  #take(from: number, to: number): number {
    const { changed } = this.#vmcs;
    let groups = 0;
    for (let field = from; field < to; field++) {
      if (changed[field] === 0) continue;
      changed[field] = 0;
      groups |= this.#readers[field]!;
    }
    return groups;
  }
  #derive(): number {
    const vmcs = this.#vmcs,
      activated = (vmcs.low(F.PRIMARY_CONTROLS) & ACTIVATE_SECONDARY) !== 0,
      event = vmcs.low(F.ENTRY_INTERRUPTION_INFO),
      flags = vmcs.low(F.GUEST_RFLAGS);
    return (
      this.#set(SECONDARY, activated ? vmcs.low(F.SECONDARY_CONTROLS) : 0) |
      this.#set(EVENT, event & VALID ? event : 0) |
      this.#set(VIRTUAL_8086, flags & VM) |
      this.#set(SYSTEM_FLAGS, flags & ~WITHOUT_MEANING) |
      this.#set(LAUNCHER_IA32E, this.#around.ia32e ? 1 : 0)
    );
  }
  #set(input: number, value: number): number {
    const at = input - FIELD_COUNT;
    if (this.#derived[at] === value >>> 0) return 0;
    this.#derived[at] = value;
    return this.#readers[input]!;
  }
  /** From here on, what is read is read by the group with this bit. */
  begin(bit: number): void {
    this.#group = bit;
    this.outside = false;
  }

  // ---- fields ----

  /** Bits 31:0, unsigned. */
  low(field: number): number {
    this.#readers[field]! |= this.#group;
    return this.#vmcs.low(field);
  }
  /** Bits 63:32, unsigned. */
  high(field: number): number {
    this.#readers[field]! |= this.#group;
    return this.#vmcs.high(field);
  }
  /** As a number, exact up to 2^53. */
  number(field: number): number {
    this.#readers[field]! |= this.#group;
    return this.#vmcs.number(field);
  }
  /** A canonical address of 48 bits. */
  isCanonical(field: number): boolean {
    const top = this.high(field) >>> 15;
    return top === 0 || top === 0x1ffff;
  }
  /** No bit is set beyond the physical-address width. */
  isPhysical(field: number): boolean {
    return (this.high(field) & BEYOND_PHYSICAL) === 0;
  }

  // ---- what follows from fields ----

  #input(input: number): number {
    this.#readers[input]! |= this.#group;
    return this.#derived[input - FIELD_COUNT]!;
  }
  /** The secondary controls that are in force. */
  get secondary(): number {
    return this.#input(SECONDARY);
  }
  /** The VM-entry interruption information if it is valid, else 0. */
  get event(): number {
    return this.#input(EVENT);
  }
  get virtual8086(): boolean {
    return this.#input(VIRTUAL_8086) !== 0;
  }
  /** Bits 31:0 of the guest's RFLAGS without CF, PF, AF, ZF, SF, OF and DF. */
  get systemFlags(): number {
    return this.#input(SYSTEM_FLAGS);
  }
  /** Are reserved bits of this word of controls as they must be? */
  areAllowed(word: ControlWord): boolean {
    const value = word === "secondary" ? this.secondary : this.low(WORDS[word]);
    return (value & this.#forbidden[word]) === 0 && (~value & this.#required[word]) === 0;
  }

  // ---- outside of the VMCS ----

  /** The processor is in IA-32e mode, before the entry. */
  get launcherIa32e(): boolean {
    return this.#input(LAUNCHER_IA32E) !== 0;
  }
  /** Whoever asks for these is asked at every entry. */
  memory(address: number): number {
    this.outside = true;
    return this.#around.memory.read32(address);
  }
  get currentPointer(): number {
    this.outside = true;
    return this.#around.vmx.currentPointer;
  }
}
