/**
 * Model-specific registers [SDM 4 chapter 2]: one table, a row each. What is not in it raises #GP(0), as does a write
 * that sets a reserved bit. Values are two words, the upper one signed.
 */
import { CAPABILITIES } from "../vmx/capabilities.ts";
import { writeApicBase } from "./apic-base.ts";
import { writeEfer } from "./control.ts";
import { reconsider } from "./events.ts";
import type { Feature } from "./forms.ts";
import { refreshSegment } from "./modes.ts";
import { PHYSICAL_BITS } from "./paging.ts";
import type { Processor } from "./processor.ts";
import { FS, GS, S, SEG, segment } from "./state.ts";
import { readTsc, shownTsc, TSC_HZ } from "./tsc.ts";

/** One register. Without `read` it is the field's value; without `write` and `readOnly` the field is written. */
export interface Msr {
  readonly index: number;
  readonly name: string;
  readonly cite: string;
  /** The model must have it. */
  readonly feature?: Feature;
  /** Address of its field in S. */
  readonly field?: number;
  /** Bits that may be written; absent: all. Others raise #GP(0). */
  readonly writable?: bigint;
  /** A further condition on values. */
  readonly legal?: (low: number, high: number) => boolean;
  readonly readOnly?: boolean;
  readonly read?: (cpu: Processor) => bigint;
  /** Runs after the checks, instead of writing the field. */
  readonly write?: (cpu: Processor, low: number, high: number) => void;
  /** Runs after the field was written. */
  readonly after?: (cpu: Processor) => void;
}

const table = new Map<number, Msr>();
/** Adds rows; two with one index are a mistake. */
export function defineMsrs(rows: readonly Msr[]): void {
  for (const row of rows) {
    if (table.has(row.index))
      throw new Error(`MSR ${row.index.toString(16)}: ${row.name} and ${table.get(row.index)!.name}`);
    table.set(row.index, row);
  }
}
/** Every register there is, for documentation and tests. */
export const msrs = (): readonly Msr[] => [...table.values()];

function find(cpu: Processor, index: number): Msr {
  const row = table.get(index);
  if (row === undefined || (row.feature !== undefined && !cpu.model.features.has(row.feature)))
    return cpu.fault("GP", 0);
  return row;
}

/** RDMSR, and the VM-exit MSR-store area. */
export function readMsr(cpu: Processor, index: number): bigint {
  if (index >= 0x800 && index <= 0x8ff) return readX2Apic(cpu, index & 0xff);
  const row = find(cpu, index);
  return row.read ? row.read(cpu) : cpu.u64(row.field!);
}

/** WRMSR, and the MSR-load areas. `high` is signed. */
export function writeMsr(cpu: Processor, index: number, low: number, high: number): void {
  if (index >= 0x800 && index <= 0x8ff) {
    writeX2Apic(cpu, index & 0xff, low, high);
    return;
  }
  const row = find(cpu, index),
    { writable } = row;
  if (row.readOnly) cpu.fault("GP", 0);
  if (writable !== undefined && (low & ~Number(writable & 0xffffffffn) || high & ~Number(writable >> 32n)))
    cpu.fault("GP", 0);
  if (row.legal && !row.legal(low, high)) cpu.fault("GP", 0);
  if (row.write) row.write(cpu, low, high);
  else {
    cpu.setU32(row.field!, low);
    cpu.setU32(row.field! + 4, high);
  }
  row.after?.(cpu);
}

// ---- x2APIC [SDM 3A 10.12.1] ----

function readX2Apic(cpu: Processor, register: number): bigint {
  cpu.board.now(); // the timer's count is read: time must be exact
  const value = cpu.apic?.readMsr(register) ?? null;
  return value ?? cpu.fault("GP", 0);
}
function writeX2Apic(cpu: Processor, register: number, low: number, high: number): void {
  cpu.board.now();
  if (!cpu.apic?.writeMsr(register, low, high)) cpu.fault("GP", 0);
  cpu.access.afterDevice();
  reconsider(cpu);
}

// ---- rules ----

const LOW = 0xffffffffn,
  PHYSICAL = (1n << BigInt(PHYSICAL_BITS)) - 1n;
const canonical = (_low: number, high: number) => high >> 15 === 0 || high >> 15 === -1;
const MEMORY_TYPES = (1 << 0) | (1 << 1) | (1 << 4) | (1 << 5) | (1 << 6),
  PAT_TYPES = MEMORY_TYPES | (1 << 7);
const isType = (value: number, types: number) => value < 8 && ((types >> value) & 1) !== 0;
const typesIn = (types: number) => (low: number, high: number) =>
  [0, 8, 16, 24].every((shift) => isType((low >>> shift) & 0xff, types) && isType((high >>> shift) & 0xff, types));
/** May IA32_PAT hold this value [SDM 3A 11.12.2]? */
export const isLegalPat = typesIn(PAT_TYPES);
const onlyZero = (low: number, high: number) => low === 0 && high === 0;
const many = (count: number, row: (i: number) => Msr): Msr[] => Array.from({ length: count }, (_, i) => row(i));

/** The base of FS or GS, in every mode; it also is what the segment register's hidden part holds. */
const base = (index: number, name: string, n: number): Msr => ({
  index,
  name,
  cite: "SDM 3A 3.4.4.1",
  feature: "lm",
  field: segment(n) + SEG.base,
  legal: canonical,
  after: (cpu) => refreshSegment(cpu, n),
});

/** Writing the counter moves TSC_ADJUST by as much, and the other way round [SDM 3B 17.17.3]. */
function writeTsc(cpu: Processor, low: number, high: number): void {
  shiftTsc(cpu, join(low, high) - readTsc(cpu));
}
function writeTscAdjust(cpu: Processor, low: number, high: number): void {
  shiftTsc(cpu, join(low, high) - cpu.u64(S.TSC_ADJUST));
}
function shiftTsc(cpu: Processor, by: bigint): void {
  cpu.setU64(S.TSC_OFFSET, BigInt.asUintN(64, cpu.u64(S.TSC_OFFSET) + by));
  cpu.setU64(S.TSC_ADJUST, BigInt.asUintN(64, cpu.u64(S.TSC_ADJUST) + by));
  const deadline = cpu.apic?.deadline ?? 0n;
  if (deadline !== 0n) armDeadline(cpu, deadline);
}
const join = (low: number, high: number) => BigInt.asUintN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));

/** The deadline is in ticks of this counter; the timer wants to know when that is [SDM 3A 10.5.4.1]. */
function armDeadline(cpu: Processor, deadline: bigint): void {
  const now = cpu.board.now(),
    left = BigInt.asUintN(64, deadline - readTsc(cpu)),
    passed = deadline <= readTsc(cpu);
  const most = 2n ** 52n,
    wait = passed ? 0 : Math.ceil(Number(left < most ? left : most) / (TSC_HZ / 1e9));
  cpu.apic?.setDeadline(deadline, Math.min(now + wait, Number.MAX_SAFE_INTEGER));
  cpu.access.afterDevice();
}

/** Bits of IA32_FEATURE_CONTROL; a write with LOCK set before is #GP(0) [SDM 3C 23.7]. */
const LOCK = 1;
function writeFeatureControl(cpu: Processor, low: number): void {
  if (cpu.u32(S.FEATURE_CONTROL) & LOCK) cpu.fault("GP", 0);
  cpu.setU32(S.FEATURE_CONTROL, low);
}

const MTRR = { cite: "SDM 3A 11.11", feature: "mtrr" } as const;
/** Indices of the fixed-range MTRRs in the order of S.MTRR_FIX. */
const FIXED_RANGES = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
/** Eight variable ranges, fixed ranges, write combining. */
const MTRR_CAP = 0x508n;
/** RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO: nothing here speculates. */
const ARCH_CAPABILITIES = 0x179n;
const BANKS = 10,
  MCG_CTL_P = 0x100;
/** Ratio of the TSC to 100 MHz, in bits 15:8, and the lowest ratio, in bits 47:40 [SDM 3B 18.18.1]. */
const PLATFORM_INFO = (BigInt(TSC_HZ / 1e8) << 8n) | (BigInt(TSC_HZ / 1e8) << 40n);

/** IA32_VMX_*: what the processor can do in VMX operation [SDM 3D A]. */
const capabilities = CAPABILITIES.map(
  ({ index, name, cite, value, exists }): Msr => ({
    index,
    name,
    cite,
    feature: "vmx",
    readOnly: true,
    read: (cpu) => (exists === undefined || exists(cpu.model) ? value(cpu.model) : cpu.fault("GP", 0)),
  }),
);

defineMsrs([
  ...capabilities,
  {
    index: 0x10,
    name: "IA32_TIME_STAMP_COUNTER",
    cite: "SDM 3B 17.17",
    feature: "tsc",
    read: shownTsc,
    write: writeTsc,
  },
  // Platform 0. It says which microcode updates fit; Linux reads it without expecting a fault.
  { index: 0x17, name: "IA32_PLATFORM_ID", cite: "SDM 3A 9.11.4", read: () => 0n, readOnly: true },
  {
    index: 0x1b,
    name: "IA32_APIC_BASE",
    cite: "SDM 3A 10.4.4",
    feature: "apic",
    field: S.APIC_BASE,
    writable: PHYSICAL & ~0x2ffn,
    write: writeApicBase,
  },
  {
    index: 0x3a,
    name: "IA32_FEATURE_CONTROL",
    cite: "SDM 3C 23.7",
    feature: "vmx",
    field: S.FEATURE_CONTROL,
    writable: 5n,
    write: writeFeatureControl,
  },
  {
    index: 0x3b,
    name: "IA32_TSC_ADJUST",
    cite: "SDM 3B 17.17.3",
    feature: "tscAdjust",
    field: S.TSC_ADJUST,
    write: writeTscAdjust,
  },
  // Last branches and branch trapping are not offered, so no bit may be set.
  { index: 0x1d9, name: "IA32_DEBUGCTL", cite: "SDM 3B 17.4.1", read: () => 0n, legal: onlyZero, write: () => {} },
  { index: 0x8b, name: "IA32_BIOS_SIGN_ID", cite: "SDM 3A 9.11.7.1", field: S.BIOS_SIGN_ID },
  {
    index: 0xce,
    name: "MSR_PLATFORM_INFO",
    cite: "SDM 3B 18.18.1",
    feature: "invariantTsc",
    read: () => PLATFORM_INFO,
    readOnly: true,
  },
  { index: 0xfe, name: "IA32_MTRRCAP", ...MTRR, read: () => MTRR_CAP, readOnly: true },
  {
    index: 0x10a,
    name: "IA32_ARCH_CAPABILITIES",
    cite: "SDM 4 table 2-2",
    feature: "archCapabilities",
    read: () => ARCH_CAPABILITIES,
    readOnly: true,
  },
  {
    index: 0x140,
    name: "MSR_MISC_FEATURES_ENABLES",
    cite: "SDM 4 table 2-2",
    feature: "invariantTsc",
    field: S.FEATURE_CONFIG,
    writable: 0n,
  },
  {
    index: 0x174,
    name: "IA32_SYSENTER_CS",
    cite: "SDM 4 table 2-2",
    feature: "sysenter",
    field: S.SYSENTER_CS,
    write: (cpu, low) => cpu.setU32(S.SYSENTER_CS, low), // the upper half is not used, which is less than reserved
  },
  {
    index: 0x175,
    name: "IA32_SYSENTER_ESP",
    cite: "SDM 3A 5.8.7",
    feature: "sysenter",
    field: S.SYSENTER_ESP,
    legal: canonical,
  },
  {
    index: 0x176,
    name: "IA32_SYSENTER_EIP",
    cite: "SDM 3A 5.8.7",
    feature: "sysenter",
    field: S.SYSENTER_EIP,
    legal: canonical,
  },
  {
    index: 0x179,
    name: "IA32_MCG_CAP",
    cite: "SDM 3B 15.3.1.1",
    feature: "mca",
    read: () => BigInt(BANKS | MCG_CTL_P),
    readOnly: true,
  },
  { index: 0x17a, name: "IA32_MCG_STATUS", cite: "SDM 3B 15.3.1.2", feature: "mca", field: S.MCG_STATUS, writable: 7n },
  { index: 0x17b, name: "IA32_MCG_CTL", cite: "SDM 3B 15.3.1.3", feature: "mca", field: S.MCG_CTL },
  ...many(
    4 * BANKS,
    (i): Msr => ({
      index: 0x400 + i,
      name: `IA32_MC${i >> 2}_${["CTL", "STATUS", "ADDR", "MISC"][i & 3]}`,
      cite: "SDM 3B 15.3.2",
      feature: "mca",
      field: S.MC + 8 * i,
      ...(i & 3 ? { legal: onlyZero } : {}), // CTL takes anything; what an error left behind can only be cleared
    }),
  ),
  {
    index: 0x1a0,
    name: "IA32_MISC_ENABLE",
    cite: "SDM 4 table 2-2",
    field: S.MISC_ENABLE,
    writable: 0x451889n,
    write: (cpu, low) => cpu.setU32(S.MISC_ENABLE, (low & 0x450009) | (cpu.u32(S.MISC_ENABLE) & 0x1800)),
  },

  ...many(
    16,
    (i): Msr => ({
      index: 0x200 + i,
      name: `IA32_MTRR_PHYS${i & 1 ? "MASK" : "BASE"}${i >> 1}`,
      ...MTRR,
      field: S.MTRR_PHYS + 8 * i,
      writable: i & 1 ? PHYSICAL & ~0x7ffn : PHYSICAL & ~0xf00n,
      ...(i & 1 ? {} : { legal: (low: number) => isType(low & 0xff, MEMORY_TYPES) }),
    }),
  ),
  ...FIXED_RANGES.map(
    (index, i): Msr => ({
      index,
      name: `IA32_MTRR_FIX${i}`,
      ...MTRR,
      field: S.MTRR_FIX + 8 * i,
      legal: typesIn(MEMORY_TYPES),
    }),
  ),
  { index: 0x277, name: "IA32_PAT", cite: "SDM 3A 11.12.2", feature: "pat", field: S.PAT, legal: isLegalPat },
  {
    index: 0x2ff,
    name: "IA32_MTRR_DEF_TYPE",
    ...MTRR,
    field: S.MTRR_DEF_TYPE,
    writable: 0xcffn,
    legal: (low: number) => isType(low & 0xff, MEMORY_TYPES),
  },
  {
    index: 0x6e0,
    name: "IA32_TSC_DEADLINE",
    cite: "SDM 3A 10.5.4.1",
    feature: "tscDeadline",
    read: (cpu) => cpu.apic?.deadline ?? 0n,
    write: (cpu, low, high) => armDeadline(cpu, join(low, high)),
  },

  { index: 0xc0000080, name: "IA32_EFER", cite: "SDM 3A 2.2.1", feature: "lm", field: S.EFER, write: writeEfer },
  { index: 0xc0000081, name: "IA32_STAR", cite: "SDM 3A 5.8.8", feature: "lm", field: S.STAR },
  { index: 0xc0000082, name: "IA32_LSTAR", cite: "SDM 3A 5.8.8", feature: "lm", field: S.LSTAR, legal: canonical },
  { index: 0xc0000083, name: "IA32_CSTAR", cite: "SDM 4 table 2-2", feature: "lm", field: S.CSTAR, legal: canonical },
  { index: 0xc0000084, name: "IA32_FMASK", cite: "SDM 3A 5.8.8", feature: "lm", field: S.FMASK, writable: LOW },
  base(0xc0000100, "IA32_FS_BASE", FS),
  base(0xc0000101, "IA32_GS_BASE", GS),
  {
    index: 0xc0000102,
    name: "IA32_KERNEL_GS_BASE",
    cite: "SDM 3A 5.8.8",
    feature: "lm",
    field: S.KERNEL_GS_BASE,
    legal: canonical,
  },
  {
    index: 0xc0000103,
    name: "IA32_TSC_AUX",
    cite: "SDM 3B 17.17.2",
    feature: "rdtscp",
    field: S.TSC_AUX,
    writable: LOW,
  },
]);
