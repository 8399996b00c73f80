/** Virtual machines that pass every check of VM entry, and changes to them. */
import type { Random } from "@castaway/kit";
import { modelNamed, withFeatures } from "../../core/model.ts";
import { CONTROLS, type Control, type ControlName, type ControlWord, maskOf, required1 } from "../controls.ts";
import { F, FIELD_NAMES, type FieldName } from "../fields.ts";
import { REVISION, Vmcs } from "../vmcs.ts";
import { EntryChecks } from "./checks.ts";
import type { Around, Row } from "./view.ts";

export const MODEL = withFeatures(modelNamed("skylake"), ["vmx", "ept", "vpid", "unrestrictedGuest"]);

/** Fields to set; controls to turn on and off; and what lies outside of the VMCS. */
export type Change = Partial<Record<FieldName, number | bigint>> & {
  on?: readonly ControlName[];
  off?: readonly ControlName[];
  /** Words of memory, by address; the others are 0. */
  memory?: Readonly<Record<number, number>>;
  ia32e?: boolean;
  current?: number;
};

const WORD_FIELDS: Record<ControlWord, FieldName> = {
  pin: "PIN_CONTROLS",
  primary: "PRIMARY_CONTROLS",
  secondary: "SECONDARY_CONTROLS",
  exit: "EXIT_CONTROLS",
  entry: "ENTRY_CONTROLS",
};
const words = Object.keys(WORD_FIELDS) as ControlWord[];
const wordOf = (name: ControlName) => (CONTROLS as readonly Control[]).find((c) => c.name === name)!.word;

/** A processor as far as the checks are concerned. */
export class Subject implements Around {
  readonly model = MODEL;
  readonly vmcs = new Vmcs();
  readonly vmx: { vmcs: Vmcs; currentPointer: number } = { vmcs: this.vmcs, currentPointer: 0x5000 };
  ia32e = true;
  words: Readonly<Record<number, number>> = {};
  readonly memory = { read32: (address: number): number => this.words[address] ?? 0 };
  readonly checks = new EntryChecks(this);

  /** Makes it exactly what these changes, one after the other, make of nothing. */
  become(...changes: readonly Change[]): this {
    const fields = new Map<FieldName, number | bigint>(
      words.map((word) => [WORD_FIELDS[word], required1(word, "true")]),
    );
    this.ia32e = true;
    this.words = {};
    this.vmx.currentPointer = 0x5000;
    for (const { on = [], off = [], memory, ia32e, current, ...values } of changes) {
      for (const name of FIELD_NAMES) if (values[name] !== undefined) fields.set(name, values[name]);
      const controls = (name: ControlName) => WORD_FIELDS[wordOf(name)];
      for (const name of on) fields.set(controls(name), (Number(fields.get(controls(name))) | maskOf(name)) >>> 0);
      for (const name of off) fields.set(controls(name), (Number(fields.get(controls(name))) & ~maskOf(name)) >>> 0);
      this.words = { ...this.words, ...memory };
      this.ia32e = ia32e ?? this.ia32e;
      this.vmx.currentPointer = current ?? this.vmx.currentPointer;
    }
    for (const name of FIELD_NAMES) this.vmcs.setU64(F[name], BigInt.asUintN(64, BigInt(fields.get(name) ?? 0)));
    return this;
  }
  /** The row that refuses an entry, or null. */
  refusal(): Row | null {
    return this.checks.controls() ?? this.checks.host() ?? this.checks.guest();
  }
  /** The same, asked of checks that remember nothing. */
  freshRefusal(): Row | null {
    const other = new Subject();
    other.vmcs.fill(this.vmcs.bytes);
    other.ia32e = this.ia32e;
    other.words = this.words;
    other.vmx.currentPointer = this.vmx.currentPointer;
    return other.refusal();
  }
}

const segments = (selector: number, base: number, limit: number, access: number): Change => {
  const change: Change = {};
  for (const name of ["SS", "DS", "ES", "FS", "GS"] as const) {
    change[`GUEST_${name}_SELECTOR`] = selector;
    change[`GUEST_${name}_BASE`] = base;
    change[`GUEST_${name}_LIMIT`] = limit;
    change[`GUEST_${name}_ACCESS`] = access;
  }
  return change;
};

const HIGH = 0xffff_8000_0000_0000n;
const common: Change = {
  on: [
    "external-interrupt exiting",
    "NMI exiting",
    "virtual NMIs",
    "use MSR bitmaps",
    "activate secondary controls",
    "enable EPT",
    "enable VPID",
    "host address-space size",
    "save IA32_PAT",
    "load IA32_PAT on exit",
    "save IA32_EFER",
    "load IA32_EFER on exit",
    "load debug controls",
    "load IA32_PAT on entry",
    "load IA32_EFER on entry",
  ],
  VPID: 1,
  MSR_BITMAPS: 0x7000,
  EPT_POINTER: 0x901e,
  VMCS_LINK_POINTER: -1,
  HOST_CR0: 0x80050033,
  HOST_CR3: 0x1000,
  HOST_CR4: 0x2020,
  HOST_CS_SELECTOR: 0x10,
  HOST_TR_SELECTOR: 0x40,
  HOST_GS_BASE: HIGH,
  HOST_SYSENTER_ESP: HIGH,
  HOST_RSP: HIGH,
  HOST_RIP: HIGH,
  HOST_PAT: 0x0007040600070406n,
  HOST_EFER: 0xd01,
  GUEST_PAT: 0x0007040600070406n,
  GUEST_DR7: 0x400,
  GUEST_RFLAGS: 0x202,
  GUEST_TR_SELECTOR: 0x40,
  GUEST_TR_LIMIT: 0x67,
  GUEST_TR_ACCESS: 0x8b,
  GUEST_LDTR_ACCESS: 0x10000,
  GUEST_GDTR_LIMIT: 0xffff,
  GUEST_IDTR_LIMIT: 0xffff,
};
/** A 64-bit guest at CPL 0. */
export const LONG: Change = {
  ...common,
  ...segments(0x18, 0, 0xffffffff, 0xc093),
  on: [...common.on!, "IA-32e mode guest"],
  GUEST_CR0: 0x80050033,
  GUEST_CR3: 0x1000,
  GUEST_CR4: 0x2020,
  GUEST_EFER: 0xd01,
  GUEST_CS_SELECTOR: 0x10,
  GUEST_CS_LIMIT: 0xffffffff,
  GUEST_CS_ACCESS: 0xa09b,
  GUEST_GS_BASE: HIGH,
  GUEST_GDTR_BASE: HIGH,
  GUEST_IDTR_BASE: HIGH,
  GUEST_RIP: HIGH,
  GUEST_RSP: HIGH,
};
/** A 32-bit protected-mode guest with PAE paging at CPL 0. */
export const PAE: Change = {
  ...LONG,
  on: common.on!,
  GUEST_CS_ACCESS: 0xc09b,
  GUEST_EFER: 0x800,
  GUEST_PDPTE0: 0x2001,
  GUEST_GS_BASE: 0,
  GUEST_GDTR_BASE: 0x6000,
  GUEST_IDTR_BASE: 0x7000,
  GUEST_RIP: 0xffffffff,
  GUEST_RSP: 0x8000,
};
/** The same in virtual-8086 mode. */
export const VIRTUAL_8086: Change = {
  ...PAE,
  ...segments(0x1234, 0x12340, 0xffff, 0xf3),
  GUEST_CS_SELECTOR: 0xffff,
  GUEST_CS_BASE: 0xffff0,
  GUEST_CS_LIMIT: 0xffff,
  GUEST_CS_ACCESS: 0xf3,
  GUEST_RFLAGS: 0x20202,
  GUEST_RIP: 0x100,
};
/** A real-mode guest, as after a reset. */
export const REAL: Change = {
  ...common,
  ...segments(0, 0, 0xffff, 0x93),
  on: [...common.on!, "unrestricted guest"],
  GUEST_CR0: 0x30,
  GUEST_CR4: 0x2000,
  GUEST_CS_SELECTOR: 0xf000,
  GUEST_CS_BASE: 0xffff0000,
  GUEST_CS_LIMIT: 0xffff,
  GUEST_CS_ACCESS: 0x9b,
  GUEST_TR_LIMIT: 0xffff,
  GUEST_LDTR_LIMIT: 0xffff,
  GUEST_LDTR_ACCESS: 0x82,
  GUEST_RIP: 0xfff0,
  GUEST_RFLAGS: 2,
};
export const BASES = { LONG, PAE, VIRTUAL_8086, REAL };

/** One rule at its edge: what breaks it and the nearest that does not, both on top of `base` and `given`. */
export interface Case {
  readonly cite: string;
  readonly rule: string;
  readonly base: Change;
  readonly given: Change;
  readonly bad: Change;
  readonly good: Change;
  readonly qualification: number;
}
type Edge = (rule: string, bad: Change, good: Change, given?: Change, qualification?: number) => Case;
/** For the rules of one section, on top of a base. */
export const edgeOf =
  (section: string, base: Change): Edge =>
  (rule, bad, good, given = {}, qualification = 0) => ({
    cite: `SDM 3C ${section}`,
    rule,
    base,
    given,
    bad,
    good,
    qualification,
  });

/** Values that matter to somebody, for random machines. */
export function randomValue(random: Random): bigint {
  const bit = 1n << BigInt(random.u32() % 64);
  const kinds = [0n, 1n, bit, bit - 1n, ~bit, ~0n, HIGH, BigInt(random.u32()), BigInt(REVISION), 0x80000b0en];
  return BigInt.asUintN(64, kinds[random.u32() % kinds.length]!);
}
