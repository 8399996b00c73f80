/**
 * Control registers and EFER [SDM 3A 2.5, 2.2.1, 4.1, 4.10]: which values are legal, what a change invalidates, and the
 * mode transitions that follow. Writes take two words; every check comes before the first change.
 */
import { CR0_FIXED0, CR4_FIXED0 } from "../vmx/capabilities.ts";
import { hasTprShadow, virtualCr8, writeVirtualCr8 } from "../vmx/virtual-tpr.ts";
import { OUTSIDE } from "../vmx/vmx.ts";
import { cr4Bits, eferBits } from "./control-bits.ts";
import { armBreakpoints, DR6_BD, DR6_FIXED, DR7_FIXED, DR7_GD } from "./debug.ts";
import { reconsider } from "./events.ts";
import { L_BIT, refreshContext, refreshUnits } from "./modes.ts";
import {
  CR0_AM,
  CR0_EM,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_DE,
  CR4_PAE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PSE,
  CR4_SMEP,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  PHYSICAL_BITS,
} from "./paging.ts";
import type { Processor } from "./processor.ts";
import { TSS16_BUSY, typeOf } from "./segments.ts";
import { CS, S, TR } from "./state.ts";

export const CR0_ET = 0x10,
  CR0_NW = 0x20000000,
  CR0_CD = 0x40000000;
/** The bits of CR0 that exist; the others read as zero whatever is written. */
const CR0_BITS =
  (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG) >>> 0;
/** Bits 31:n of the upper word that are beyond the physical address width. */
const BEYOND_PHYSICAL = ~((1 << (PHYSICAL_BITS - 32)) - 1);

const isPaePaging = (cr0: number, cr4: number, efer: number) =>
  (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0 && !(efer & EFER_LMA);

/** MOV to CR0 and LMSW [SDM 3A 2.5, 4.1.2, 9.8.5]. */
export function writeCr0(cpu: Processor, low: number, high: number): void {
  const old = cpu.u32(S.CR0),
    cr4 = cpu.u32(S.CR4),
    efer = cpu.u32(S.EFER),
    now = ((low & CR0_BITS) | CR0_ET) >>> 0,
    changed = old ^ now;
  if (high !== 0 || (now & CR0_PG && !(now & CR0_PE)) || (now & CR0_NW && !(now & CR0_CD))) cpu.fault("GP", 0);
  if (cpu.vmx.operation !== OUTSIDE && !fitsVmx(cpu, now)) cpu.fault("GP", 0);
  const starts = (changed & now & CR0_PG) !== 0,
    stops = (changed & old & CR0_PG) !== 0;
  if (starts && efer & EFER_LME) checkLongModeEntry(cpu, cr4);
  if (stops && (cpu.long || cr4 & CR4_PCIDE)) cpu.fault("GP", 0);
  const newEfer = starts && efer & EFER_LME ? efer | EFER_LMA : stops ? efer & ~EFER_LMA : efer;
  if (changed & (CR0_PG | CR0_CD | CR0_NW) && isPaePaging(now, cr4, newEfer)) loadPdptes(cpu, cpu.u32(S.CR3));
  cpu.setNumber(S.CR0, now);
  cpu.setU32(S.EFER, newEfer);
  if (changed & CR0_PG) flushTlb(cpu);
  if (changed & ~(CR0_TS | CR0_EM | CR0_MP)) cpu.refresh();
  else refreshUnits(cpu);
}
/** Bits that VMX operation fixes; an unrestricted guest has PE and PG to itself [SDM 3C 23.8, 25.3]. */
function fitsVmx(cpu: Processor, cr0: number): boolean {
  const free = cpu.vmx.has("unrestricted guest") ? CR0_PE | CR0_PG : 0,
    fixed = CR0_FIXED0 & ~free;
  return (cr0 & fixed) >>> 0 === fixed >>> 0;
}
/** Paging is switched on while EFER.LME is set [SDM 3A 9.8.5]. */
function checkLongModeEntry(cpu: Processor, cr4: number): void {
  const type = typeOf(cpu.segmentAccess(TR));
  if (!(cr4 & CR4_PAE) || cpu.segmentAccess(CS) & L_BIT || type === TSS16_BUSY) cpu.fault("GP", 0);
}
/** CLTS; also half of what lazy switching of floating-point state does with CR0. */
export function clearTaskSwitched(cpu: Processor): void {
  cpu.setU32(S.CR0, cpu.u32(S.CR0) & ~CR0_TS);
  refreshUnits(cpu);
}

/** MOV to CR3 [SDM 3A 4.10.4.1]: bit 63 keeps what is cached of the PCID. */
export function writeCr3(cpu: Processor, low: number, high: number): void {
  const { u32 } = cpu.memory,
    cr4 = u32[S.CR4 >> 2]!,
    pcid = (cr4 & CR4_PCIDE) !== 0,
    keep = pcid && high < 0;
  if (cpu.long && (pcid ? high & 0x7fffffff : high) & BEYOND_PHYSICAL) cpu.fault("GP", 0);
  if (isPaePaging(u32[S.CR0 >> 2]!, cr4, u32[S.EFER >> 2]!)) loadPdptes(cpu, low);
  u32[S.CR3 >> 2] = low;
  u32[(S.CR3 >> 2) + 1] = high & 0x7fffffff;
  cpu.access.tlb.enterSpace(spaceOf(cpu), !keep);
  refreshContext(cpu);
}
/** The name of the address space in use: without PCIDs there is one, which every load of CR3 starts afresh. */
export const spaceOf = (cpu: Processor) => (cpu.u32(S.CR4) & CR4_PCIDE ? String(cpu.u32(S.CR3) & 0xfff) : "linear");

/** Forgets every translation, global ones too. */
export function flushTlb(cpu: Processor): void {
  cpu.access.tlb.flushAll();
  cpu.access.tlb.enterSpace(spaceOf(cpu), false);
  refreshContext(cpu);
}

/** Reserved bits of a PDPTE: 2:1, 8:5 and those beyond the physical address width [SDM 3A table 4-8]. */
const PDPTE_RESERVED = 0x1e6;
/** May an entry with these two words be loaded? */
export const isLegalPdpte = (low: number, high: number): boolean =>
  !(low & 1) || (!(low & PDPTE_RESERVED) && !(high & BEYOND_PHYSICAL));
/** Loads the four PDPTE registers of PAE paging; or faults, or causes a VM exit, before any of them changed [SDM 3A 4.4.1]. */
export function loadPdptes(cpu: Processor, cr3: number): void {
  const words = readPdptes(cpu, cr3);
  if (!arePdptes(words)) cpu.fault("GP", 0);
  for (let i = 0; i < 8; i++) cpu.setU32(S.PDPTE + 4 * i, words[i]!);
}
/** Could they be loaded? */
export const canLoadPdptes = (cpu: Processor, cr3: number): boolean => arePdptes(readPdptes(cpu, cr3));
function readPdptes(cpu: Processor, cr3: number): number[] {
  const at = cpu.access.placePdptes((cr3 & ~31) >>> 0);
  if (at < 0) throw cpu.pendingFault;
  return Array.from({ length: 8 }, (_, i) => cpu.memory.read32(at + 4 * i));
}
const arePdptes = (words: readonly number[]): boolean =>
  [0, 2, 4, 6].every((i) => isLegalPdpte(words[i]!, words[i + 1]!));

/** MOV to CR4 [SDM 3A 2.5, 4.10.4.1]. */
export function writeCr4(cpu: Processor, low: number, high: number): void {
  const old = cpu.u32(S.CR4),
    now = low >>> 0,
    changed = old ^ now,
    cr0 = cpu.u32(S.CR0),
    efer = cpu.u32(S.EFER);
  if (high !== 0 || now & ~cr4Bits(cpu.model)) cpu.fault("GP", 0);
  if (cpu.vmx.operation !== OUTSIDE && (now & CR4_FIXED0) !== CR4_FIXED0) cpu.fault("GP", 0);
  if (efer & EFER_LMA && !(now & CR4_PAE)) cpu.fault("GP", 0);
  if (changed & now & CR4_PCIDE && (!(efer & EFER_LMA) || cpu.u32(S.CR3) & 0xfff)) cpu.fault("GP", 0);
  if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) && isPaePaging(cr0, now, efer))
    loadPdptes(cpu, cpu.u32(S.CR3));
  cpu.setNumber(S.CR4, now);
  if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP)) flushTlb(cpu);
  cpu.refresh();
}

/** MOV to CR8: the task priority's upper half [SDM 3A 10.8.6]. */
export function writeCr8(cpu: Processor, low: number, high: number): void {
  if (high !== 0 || low & ~15) cpu.fault("GP", 0);
  if (hasTprShadow(cpu)) return writeVirtualCr8(cpu, low);
  cpu.apic?.setTaskPriority(low << 4);
  reconsider(cpu);
}
export function readCr8(cpu: Processor): number {
  if (hasTprShadow(cpu)) return virtualCr8(cpu);
  return cpu.apic === null ? 0 : cpu.apic.taskPriority >> 4;
}

/** IA32_EFER [SDM 3A 2.2.1]: LMA cannot be written, LME not while paging is on. */
export function writeEfer(cpu: Processor, low: number, high: number): void {
  const old = cpu.u32(S.EFER),
    lma = old & EFER_LMA;
  if (high !== 0 || low & ~eferBits(cpu.model)) cpu.fault("GP", 0);
  if (cpu.paging && (old ^ low) & EFER_LME) cpu.fault("GP", 0);
  cpu.setU32(S.EFER, (low & ~EFER_LMA) | lma);
  if ((old ^ low) & EFER_NXE) flushTlb(cpu);
  cpu.refresh();
}

// ---- debug registers [SDM 3B 17.2] ----

/** The register that a MOV names: DR4 and DR5 are DR6 and DR7 unless CR4.DE. Faults as an access does. */
export function debugRegister(cpu: Processor, n: number): number {
  if (n > 7 || ((n === 4 || n === 5) && cpu.u32(S.CR4) & CR4_DE)) cpu.fault("UD");
  cpu.requireCpl0();
  if (cpu.u32(S.DR7) & DR7_GD) {
    cpu.debugBits = DR6_BD;
    cpu.fault("DB");
  }
  return n === 4 || n === 5 ? n + 2 : n;
}
export const debugRegisterAt = (n: number): number => (n < 4 ? S.DR0 + 8 * n : n === 6 ? S.DR6 : S.DR7);
export function writeDebugRegister(cpu: Processor, n: number, low: number, high: number): void {
  const fixed = n === 6 ? DR6_FIXED : DR7_FIXED,
    writable = n === 6 ? 0xe00f : 0xffff23ff;
  if (n >= 6 && high !== 0) cpu.fault("GP", 0);
  cpu.setU32(debugRegisterAt(n), n < 4 ? low : ((low & writable) | fixed) >>> 0);
  cpu.setU32(debugRegisterAt(n) + 4, high);
  if (n !== 6) armBreakpoints(cpu);
}
