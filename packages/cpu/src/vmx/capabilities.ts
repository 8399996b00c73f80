/**
 * What the VMX capability MSRs say [SDM 3D appendix A], as functions of the model: all of it follows from the tables of
 * controls and fields and from what the checks of VM entry accept.
 */
import { cr4Bits } from "../core/control-bits.ts";
import type { Model } from "../core/model.ts";
import { CR0_NE, CR0_PE, CR0_PG, CR4_VMXE } from "../core/paging.ts";
import { allowed1, type ControlWord, controlNamed, isOffered, required1 } from "./controls.ts";
import { HIGHEST_INDEX } from "./fields.ts";
import { REGION_BYTES, REVISION } from "./vmcs.ts";

/** Bits of CR0 that are 1 in VMX operation, and those that may be [SDM 3C 23.8]; PE and PG are free in unrestricted guests. */
export const CR0_FIXED0 = (CR0_PE | CR0_NE | CR0_PG) >>> 0,
  CR0_FIXED1 = 0xffffffff;
/** Likewise of CR4. */
export const CR4_FIXED0 = CR4_VMXE;
export const cr4Fixed1 = (model: Model): number => (cr4Bits(model) | CR4_VMXE) >>> 0;

/** Values that a CR3-target list may hold. */
export const CR3_TARGETS = 4;
/** The preemption timer counts down when this bit of the time-stamp counter changes. */
export const PREEMPTION_TIMER_SHIFT = 5;
/** Bits of IA32_DEBUGCTL that are not reserved [SDM 3B 17.4.1]: none is offered. */
export const DEBUGCTL_BITS = 0,
  DEBUGCTL_BTF = 2;

const bits = (...positions: number[]): bigint => positions.reduce((value, n) => value | (1n << BigInt(n)), 0n);

/** IA32_VMX_BASIC [SDM 3D A.1]. */
const basic = (): bigint =>
  BigInt(REVISION) |
  (BigInt(REGION_BYTES) << 32n) |
  (6n << 50n) | // write-back is the memory type of a VMCS
  bits(54, 55); // INS and OUTS give instruction information; there are TRUE MSRs

/** Allowed 0-settings (bits that must be 1) in the lower half, allowed 1-settings in the upper [SDM 3D A.2]. */
const settings = (word: ControlWord, how: "true" | "default", model: Model): bigint =>
  (BigInt(allowed1(word, model)) << 32n) | BigInt(required1(word, how));

/** IA32_VMX_MISC [SDM 3D A.6]: exit stores EFER.LMA; activity states HLT, shutdown and wait-for-SIPI; lists of 512 MSRs. */
const misc = (): bigint => BigInt(PREEMPTION_TIMER_SHIFT) | bits(5, 6, 7, 8) | (BigInt(CR3_TARGETS) << 16n);

/** EPT: execute-only, 4 levels, UC and WB, 2M and 1G pages, INVEPT of both types, accessed and dirty flags. */
const EPT_CAPABILITIES = bits(0, 6, 8, 14, 16, 17, 20, 21, 25, 26);
/** INVVPID, of all four types. */
const VPID_CAPABILITIES = bits(32, 40, 41, 42, 43);
const offers = (name: "enable EPT" | "enable VPID", model: Model) => isOffered(controlNamed(name), model);
/** IA32_VMX_EPT_VPID_CAP [SDM 3D A.10]. */
const eptAndVpid = (model: Model): bigint =>
  (offers("enable EPT", model) ? EPT_CAPABILITIES : 0n) | (offers("enable VPID", model) ? VPID_CAPABILITIES : 0n);

/** One capability MSR. */
export interface Capability {
  readonly index: number;
  readonly name: string;
  readonly cite: string;
  readonly value: (model: Model) => bigint;
  /** Absent: every processor with VMX has it. */
  readonly exists?: (model: Model) => boolean;
}
const row = (
  index: number,
  name: string,
  cite: string,
  value: Capability["value"],
  exists?: Capability["exists"],
): Capability => ({
  index,
  name: `IA32_VMX_${name}`,
  cite: `SDM 3D ${cite}`,
  value,
  ...(exists ? { exists } : {}),
});

export const CAPABILITIES: readonly Capability[] = [
  row(0x480, "BASIC", "A.1", basic),
  row(0x481, "PINBASED_CTLS", "A.3.1", (m) => settings("pin", "default", m)),
  row(0x482, "PROCBASED_CTLS", "A.3.2", (m) => settings("primary", "default", m)),
  row(0x483, "EXIT_CTLS", "A.4", (m) => settings("exit", "default", m)),
  row(0x484, "ENTRY_CTLS", "A.5", (m) => settings("entry", "default", m)),
  row(0x485, "MISC", "A.6", misc),
  row(0x486, "CR0_FIXED0", "A.7", () => BigInt(CR0_FIXED0)),
  row(0x487, "CR0_FIXED1", "A.7", () => BigInt(CR0_FIXED1)),
  row(0x488, "CR4_FIXED0", "A.8", () => BigInt(CR4_FIXED0)),
  row(0x489, "CR4_FIXED1", "A.8", (m) => BigInt(cr4Fixed1(m))),
  row(0x48a, "VMCS_ENUM", "A.9", () => BigInt(HIGHEST_INDEX << 1)),
  row(0x48b, "PROCBASED_CTLS2", "A.3.3", (m) => settings("secondary", "default", m)),
  row(0x48c, "EPT_VPID_CAP", "A.10", eptAndVpid, (m) => offers("enable EPT", m) || offers("enable VPID", m)),
  row(0x48d, "TRUE_PINBASED_CTLS", "A.3.1", (m) => settings("pin", "true", m)),
  row(0x48e, "TRUE_PROCBASED_CTLS", "A.3.2", (m) => settings("primary", "true", m)),
  row(0x48f, "TRUE_EXIT_CTLS", "A.4", (m) => settings("exit", "true", m)),
  row(0x490, "TRUE_ENTRY_CTLS", "A.5", (m) => settings("entry", "true", m)),
];
