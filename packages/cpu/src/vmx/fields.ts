/**
 * The fields of a VMCS [SDM 3C 24, appendix B]: names as in the manual, encodings, and which control must be offered for
 * the field to exist. A field's type and width are in its encoding.
 */
import type { ControlName } from "./controls.ts";

/** Encodings by name, in the order of appendix B. */
export const ENCODINGS = {
  // ---- 16-bit control fields ----
  VPID: 0x0000,
  // ---- 16-bit guest state: selectors ----
  GUEST_ES_SELECTOR: 0x0800,
  GUEST_CS_SELECTOR: 0x0802,
  GUEST_SS_SELECTOR: 0x0804,
  GUEST_DS_SELECTOR: 0x0806,
  GUEST_FS_SELECTOR: 0x0808,
  GUEST_GS_SELECTOR: 0x080a,
  GUEST_LDTR_SELECTOR: 0x080c,
  GUEST_TR_SELECTOR: 0x080e,
  // ---- 16-bit host state: selectors ----
  HOST_ES_SELECTOR: 0x0c00,
  HOST_CS_SELECTOR: 0x0c02,
  HOST_SS_SELECTOR: 0x0c04,
  HOST_DS_SELECTOR: 0x0c06,
  HOST_FS_SELECTOR: 0x0c08,
  HOST_GS_SELECTOR: 0x0c0a,
  HOST_TR_SELECTOR: 0x0c0c,
  // ---- 64-bit control fields ----
  IO_BITMAP_A: 0x2000,
  IO_BITMAP_B: 0x2002,
  MSR_BITMAPS: 0x2004,
  EXIT_MSR_STORE_ADDRESS: 0x2006,
  EXIT_MSR_LOAD_ADDRESS: 0x2008,
  ENTRY_MSR_LOAD_ADDRESS: 0x200a,
  EXECUTIVE_VMCS_POINTER: 0x200c,
  TSC_OFFSET: 0x2010,
  VIRTUAL_APIC_ADDRESS: 0x2012,
  APIC_ACCESS_ADDRESS: 0x2014,
  EPT_POINTER: 0x201a,
  // ---- 64-bit read-only data ----
  GUEST_PHYSICAL_ADDRESS: 0x2400,
  // ---- 64-bit guest state ----
  VMCS_LINK_POINTER: 0x2800,
  GUEST_DEBUGCTL: 0x2802,
  GUEST_PAT: 0x2804,
  GUEST_EFER: 0x2806,
  GUEST_PDPTE0: 0x280a,
  GUEST_PDPTE1: 0x280c,
  GUEST_PDPTE2: 0x280e,
  GUEST_PDPTE3: 0x2810,
  // ---- 64-bit host state ----
  HOST_PAT: 0x2c00,
  HOST_EFER: 0x2c02,
  // ---- 32-bit control fields ----
  PIN_CONTROLS: 0x4000,
  PRIMARY_CONTROLS: 0x4002,
  EXCEPTION_BITMAP: 0x4004,
  PAGE_FAULT_MASK: 0x4006,
  PAGE_FAULT_MATCH: 0x4008,
  CR3_TARGET_COUNT: 0x400a,
  EXIT_CONTROLS: 0x400c,
  EXIT_MSR_STORE_COUNT: 0x400e,
  EXIT_MSR_LOAD_COUNT: 0x4010,
  ENTRY_CONTROLS: 0x4012,
  ENTRY_MSR_LOAD_COUNT: 0x4014,
  ENTRY_INTERRUPTION_INFO: 0x4016,
  ENTRY_ERROR_CODE: 0x4018,
  ENTRY_INSTRUCTION_LENGTH: 0x401a,
  TPR_THRESHOLD: 0x401c,
  SECONDARY_CONTROLS: 0x401e,
  // ---- 32-bit read-only data ----
  INSTRUCTION_ERROR: 0x4400,
  EXIT_REASON: 0x4402,
  EXIT_INTERRUPTION_INFO: 0x4404,
  EXIT_INTERRUPTION_ERROR_CODE: 0x4406,
  IDT_VECTORING_INFO: 0x4408,
  IDT_VECTORING_ERROR_CODE: 0x440a,
  EXIT_INSTRUCTION_LENGTH: 0x440c,
  EXIT_INSTRUCTION_INFO: 0x440e,
  // ---- 32-bit guest state ----
  GUEST_ES_LIMIT: 0x4800,
  GUEST_CS_LIMIT: 0x4802,
  GUEST_SS_LIMIT: 0x4804,
  GUEST_DS_LIMIT: 0x4806,
  GUEST_FS_LIMIT: 0x4808,
  GUEST_GS_LIMIT: 0x480a,
  GUEST_LDTR_LIMIT: 0x480c,
  GUEST_TR_LIMIT: 0x480e,
  GUEST_GDTR_LIMIT: 0x4810,
  GUEST_IDTR_LIMIT: 0x4812,
  GUEST_ES_ACCESS: 0x4814,
  GUEST_CS_ACCESS: 0x4816,
  GUEST_SS_ACCESS: 0x4818,
  GUEST_DS_ACCESS: 0x481a,
  GUEST_FS_ACCESS: 0x481c,
  GUEST_GS_ACCESS: 0x481e,
  GUEST_LDTR_ACCESS: 0x4820,
  GUEST_TR_ACCESS: 0x4822,
  GUEST_INTERRUPTIBILITY: 0x4824,
  GUEST_ACTIVITY: 0x4826,
  GUEST_SMBASE: 0x4828,
  GUEST_SYSENTER_CS: 0x482a,
  PREEMPTION_TIMER_VALUE: 0x482e,
  // ---- 32-bit host state ----
  HOST_SYSENTER_CS: 0x4c00,
  // ---- natural-width control fields ----
  CR0_MASK: 0x6000,
  CR4_MASK: 0x6002,
  CR0_SHADOW: 0x6004,
  CR4_SHADOW: 0x6006,
  CR3_TARGET0: 0x6008,
  CR3_TARGET1: 0x600a,
  CR3_TARGET2: 0x600c,
  CR3_TARGET3: 0x600e,
  // ---- natural-width read-only data ----
  EXIT_QUALIFICATION: 0x6400,
  IO_RCX: 0x6402,
  IO_RSI: 0x6404,
  IO_RDI: 0x6406,
  IO_RIP: 0x6408,
  GUEST_LINEAR_ADDRESS: 0x640a,
  // ---- natural-width guest state ----
  GUEST_CR0: 0x6800,
  GUEST_CR3: 0x6802,
  GUEST_CR4: 0x6804,
  GUEST_ES_BASE: 0x6806,
  GUEST_CS_BASE: 0x6808,
  GUEST_SS_BASE: 0x680a,
  GUEST_DS_BASE: 0x680c,
  GUEST_FS_BASE: 0x680e,
  GUEST_GS_BASE: 0x6810,
  GUEST_LDTR_BASE: 0x6812,
  GUEST_TR_BASE: 0x6814,
  GUEST_GDTR_BASE: 0x6816,
  GUEST_IDTR_BASE: 0x6818,
  GUEST_DR7: 0x681a,
  GUEST_RSP: 0x681c,
  GUEST_RIP: 0x681e,
  GUEST_RFLAGS: 0x6820,
  GUEST_PENDING_DEBUG: 0x6822,
  GUEST_SYSENTER_ESP: 0x6824,
  GUEST_SYSENTER_EIP: 0x6826,
  // ---- natural-width host state ----
  HOST_CR0: 0x6c00,
  HOST_CR3: 0x6c02,
  HOST_CR4: 0x6c04,
  HOST_FS_BASE: 0x6c06,
  HOST_GS_BASE: 0x6c08,
  HOST_TR_BASE: 0x6c0a,
  HOST_GDTR_BASE: 0x6c0c,
  HOST_IDTR_BASE: 0x6c0e,
  HOST_SYSENTER_ESP: 0x6c10,
  HOST_SYSENTER_EIP: 0x6c12,
  HOST_RSP: 0x6c14,
  HOST_RIP: 0x6c16,
} as const;
export type FieldName = keyof typeof ENCODINGS;

/** Fields that exist only on processors that can set this control to 1 [SDM 3C appendix B]. */
export const REQUIRES: Partial<Record<FieldName, ControlName>> = {
  VPID: "enable VPID",
  MSR_BITMAPS: "use MSR bitmaps",
  VIRTUAL_APIC_ADDRESS: "use TPR shadow",
  APIC_ACCESS_ADDRESS: "virtualize APIC accesses",
  EPT_POINTER: "enable EPT",
  GUEST_PHYSICAL_ADDRESS: "enable EPT",
  GUEST_PAT: "save IA32_PAT",
  GUEST_EFER: "save IA32_EFER",
  GUEST_PDPTE0: "enable EPT",
  GUEST_PDPTE1: "enable EPT",
  GUEST_PDPTE2: "enable EPT",
  GUEST_PDPTE3: "enable EPT",
  HOST_PAT: "load IA32_PAT on exit",
  HOST_EFER: "load IA32_EFER on exit",
  TPR_THRESHOLD: "use TPR shadow",
  SECONDARY_CONTROLS: "activate secondary controls",
  PREEMPTION_TIMER_VALUE: "activate VMX-preemption timer",
};

const names = Object.keys(ENCODINGS) as FieldName[];
/** The number of each field: its place in a VMCS, in steps of 8 bytes. */
export const F = Object.fromEntries(names.map((name, i) => [name, i])) as { readonly [K in FieldName]: number };
export const FIELD_NAMES: readonly FieldName[] = names;
export const FIELD_COUNT = names.length;

const byEncoding = new Map<number, number>(names.map((name) => [ENCODINGS[name], F[name]]));
/** The number of the field with this encoding, whose bit 0 (the upper half of a 64-bit field) is clear; or undefined. */
export const fieldWith = (encoding: number): number | undefined => byEncoding.get(encoding);

/** Widths and types as encoded in bits 14:13 and 11:10 [SDM 3C 24.11.2]. */
export const WIDTH_16 = 0,
  WIDTH_64 = 1,
  WIDTH_32 = 2,
  WIDTH_NATURAL = 3;
export const widthOf = (encoding: number): number => (encoding >> 13) & 3;
/** VM-exit information fields: VMWRITE refuses them unless IA32_VMX_MISC bit 29 says otherwise. */
export const isReadOnly = (encoding: number): boolean => ((encoding >> 10) & 3) === 1;
/** The highest index of any field, as IA32_VMX_VMCS_ENUM reports it. */
export const HIGHEST_INDEX = Math.max(...Object.values(ENCODINGS).map((encoding) => (encoding >> 1) & 0x1ff));
