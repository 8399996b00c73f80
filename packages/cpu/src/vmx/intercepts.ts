/**
 * Instructions that a hypervisor may want to see [SDM 3C 25.1]: what their definitions ask before they do anything. All of
 * them return if there is no exit.
 */
import type { Decoded } from "../core/decode.ts";
import type { Processor } from "../core/processor.ts";
import type { ControlName } from "./controls.ts";
import { abandonInstruction, exitInstruction } from "./exit.ts";
import { F } from "./fields.ts";
import { displacement, operandInfo, operandsInfo, tableInfo } from "./operand-info.ts";
import { EXIT } from "./reasons.ts";

/** An exit, if the guest's VMCS has this control. */
export function exitIf(cpu: Processor, control: ControlName, reason: number, qualification = 0, info = 0): void {
  if (cpu.vmx.nonRoot && cpu.vmx.has(control)) exitInstruction(cpu, reason, qualification, info);
}
/** Instructions that no guest executes itself [SDM 3C 25.1.2]. True: it is abandoned. */
export const exitAlways = (cpu: Processor, reason: number): boolean =>
  cpu.vmx.nonRoot && abandonInstruction(cpu, reason);

// ---- model-specific registers [SDM 3C 25.1.3, 24.6.9] ----

const READ_LOW = 0,
  READ_HIGH = 1024,
  WRITE_LOW = 2048,
  WRITE_HIGH = 3072;
/** True: the instruction is abandoned. */
export function exitByMsr(cpu: Processor, index: number, write: boolean): boolean {
  const { vmx } = cpu;
  if (!vmx.nonRoot || (vmx.has("use MSR bitmaps") && !isInMsrBitmap(cpu, index, write))) return false;
  return abandonInstruction(cpu, write ? EXIT.wrmsr : EXIT.rdmsr);
}
function isInMsrBitmap(cpu: Processor, index: number, write: boolean): boolean {
  const low = index < 0x2000,
    n = low ? index : index - 0xc0000000;
  if (n < 0 || n >= 0x2000) return true;
  const part = low ? (write ? WRITE_LOW : READ_LOW) : write ? WRITE_HIGH : READ_HIGH;
  return isSet(cpu, cpu.vmx.vmcs.number(F.MSR_BITMAPS) + part, n);
}
const isSet = (cpu: Processor, map: number, bit: number) =>
  ((cpu.memory.read32(map + ((bit >> 5) << 2)) >>> (bit & 31)) & 1) !== 0;

// ---- ports [SDM 3C 25.1.3, 24.6.4, table 27-5] ----

const PORTS = 0x10000;
/** Does an access to these ports leave the guest? One that goes around the end of the port space always does. */
export function wantsPort({ vmx, memory }: Processor, port: number, bytes: number): boolean {
  if (!vmx.nonRoot) return false;
  if (!vmx.has("use I/O bitmaps")) return vmx.has("unconditional I/O exiting");
  if (port + bytes > PORTS) return true;
  for (let p = port; p < port + bytes; p++) {
    const map = vmx.vmcs.number(p < 0x8000 ? F.IO_BITMAP_A : F.IO_BITMAP_B),
      n = p & 0x7fff;
    if ((memory.read32(map + ((n >> 5) << 2)) >>> (n & 31)) & 1) return true;
  }
  return false;
}
/** How a port is accessed: bits of the exit qualification. */
export const PORT_IN = 8,
  PORT_STRING = 16,
  PORT_REPEATED = 32,
  PORT_IMMEDIATE = 64;
/** The instruction is abandoned. `linear`: of the memory operand of INS or OUTS, or null. */
export function exitByPort(
  cpu: Processor,
  how: number,
  port: number,
  bytes: number,
  linear: number | null,
  info: number,
): void {
  abandonInstruction(cpu, EXIT.io, (port * 0x10000 + (how | (bytes - 1))) >>> 0, info);
  cpu.vmx.exit.guestLinear = linear;
}

// ---- control and debug registers [SDM 3C 25.1.3, table 27-3, 27-4] ----

const ACCESS = { to: 0, from: 1, clts: 2, lmsw: 3 } as const;
const crQualification = (n: number, access: keyof typeof ACCESS, register = 0) =>
  n | (ACCESS[access] << 4) | (register << 8);

/** MOV to CR0 or CR4: does it change, against the shadow, a bit that the host owns? */
export function exitByControlWrite(cpu: Processor, n: 0 | 4, low: number, high: number, register: number): void {
  const { vmx } = cpu;
  if (!vmx.nonRoot) return;
  const mask = n === 0 ? F.CR0_MASK : F.CR4_MASK,
    shadow = n === 0 ? F.CR0_SHADOW : F.CR4_SHADOW,
    { vmcs } = vmx;
  const changed = ((low ^ vmcs.low(shadow)) & vmcs.low(mask)) | ((high ^ vmcs.high(shadow)) & vmcs.high(mask));
  if (changed !== 0) exitInstruction(cpu, EXIT.controlRegister, crQualification(n, "to", register));
}
/** MOV to CR3, unless its value is one of the CR3 targets. */
export function exitByCr3Write(cpu: Processor, low: number, high: number, register: number): void {
  const { vmx } = cpu;
  if (!vmx.nonRoot || !vmx.has("CR3-load exiting")) return;
  const { vmcs } = vmx,
    count = vmcs.low(F.CR3_TARGET_COUNT);
  for (let i = 0; i < count; i++) {
    if (vmcs.low(F.CR3_TARGET0 + i) === low >>> 0 && vmcs.high(F.CR3_TARGET0 + i) === high >>> 0) return;
  }
  exitInstruction(cpu, EXIT.controlRegister, crQualification(3, "to", register));
}
export const exitByCr3Read = (cpu: Processor, register: number) =>
  exitIf(cpu, "CR3-store exiting", EXIT.controlRegister, crQualification(3, "from", register));
export const exitByCr8 = (cpu: Processor, write: boolean, register: number) =>
  exitIf(
    cpu,
    write ? "CR8-load exiting" : "CR8-store exiting",
    EXIT.controlRegister,
    crQualification(8, write ? "to" : "from", register),
  );
/** CLTS, if the host owns TS and shows it as set. */
const TS = 8;
export function exitByClts(cpu: Processor): void {
  const { vmx } = cpu;
  if (vmx.nonRoot && vmx.vmcs.low(F.CR0_MASK) & vmx.vmcs.low(F.CR0_SHADOW) & TS)
    exitInstruction(cpu, EXIT.controlRegister, crQualification(0, "clts"));
}
/** LMSW: changes to MP, EM and TS count, and setting PE; it cannot clear PE. `linear`: of a memory operand, or null. */
export function exitByLmsw(cpu: Processor, value: number, linear: number | null): void {
  const { vmx } = cpu;
  if (!vmx.nonRoot) return;
  const mask = vmx.vmcs.low(F.CR0_MASK),
    shadow = vmx.vmcs.low(F.CR0_SHADOW),
    pe = 1;
  const changed = ((value ^ shadow) & mask & 0xe) | (value & ~shadow & mask & pe);
  if (changed === 0) return;
  const { exit } = vmx,
    memory = linear === null ? 0 : 1 << 6;
  exit.begin(EXIT.controlRegister, (crQualification(0, "lmsw") | memory | (value << 16)) >>> 0);
  exit.byInstruction = true;
  exit.guestLinear = linear;
  vmx.unwindBy(cpu.pendingFault);
  throw cpu.pendingFault;
}
/** CR0 or CR4 as the guest sees it: bits of the host come from the shadow [SDM 3C 25.3]. */
export function shownControl(cpu: Processor, n: 0 | 4, value: bigint): bigint {
  const { vmx } = cpu;
  if (!vmx.nonRoot) return value;
  const mask = vmx.vmcs.u64(n === 0 ? F.CR0_MASK : F.CR4_MASK),
    shadow = vmx.vmcs.u64(n === 0 ? F.CR0_SHADOW : F.CR4_SHADOW);
  return (value & ~mask) | (shadow & mask);
}
/** What a write by the guest leaves of the register: the host's bits stay as they are. */
export function keptBits(cpu: Processor, n: 0 | 4, old: number, value: number): number {
  const { vmx } = cpu;
  if (!vmx.nonRoot) return value;
  const mask = vmx.vmcs.low(n === 0 ? F.CR0_MASK : F.CR4_MASK);
  return ((value & ~mask) | (old & mask)) >>> 0;
}
/** MOV DR, before any of its faults [SDM 3C 25.1.3]. */
export const exitByDebugRegister = (cpu: Processor, n: number, read: boolean, register: number) =>
  exitIf(cpu, "MOV-DR exiting", EXIT.debugRegister, n | (read ? 16 : 0) | (register << 8));

// ---- descriptor tables, and the invalidation of translations ----

/** Numbers of these instructions in the instruction information. */
export const TABLE = { sgdt: 0, sidt: 1, lgdt: 2, lidt: 3 } as const,
  SYSTEM = { sldt: 0, str: 1, lldt: 2, ltr: 3 } as const;
export function exitByTable(cpu: Processor, insn: Decoded, which: number): void {
  if (cpu.vmx.nonRoot)
    exitIf(cpu, "descriptor-table exiting", EXIT.descriptorTable, displacement(cpu, insn), tableInfo(insn, which));
}
export function exitBySystemSegment(cpu: Processor, insn: Decoded, which: number): void {
  if (!cpu.vmx.nonRoot) return;
  const info = operandInfo(insn, 0) | (which << 28);
  exitIf(cpu, "descriptor-table exiting", EXIT.localDescriptorTable, displacement(cpu, insn), info);
}
/** RDTSCP and INVPCID are undefined unless their controls enable them [SDM 3C 25.3]. */
export function requireEnabled(cpu: Processor, control: "enable RDTSCP" | "enable INVPCID"): void {
  if (cpu.vmx.nonRoot && !cpu.vmx.has(control)) cpu.fault("UD");
}
/** The qualification is the operand's linear address, canonical or not. */
export function exitByInvlpg(cpu: Processor, linear: bigint): void {
  const { exit } = cpu.vmx;
  if (!cpu.vmx.has("INVLPG exiting")) return;
  exit.begin(EXIT.invlpg);
  exit.byInstruction = true;
  exit.qualificationLow = Number(linear & 0xffffffffn);
  exit.qualificationHigh = Number(linear >> 32n);
  cpu.vmx.unwindBy(cpu.pendingFault);
  throw cpu.pendingFault;
}
/** INVPCID exits as INVLPG does, if it is enabled. */
export function exitByInvpcid(cpu: Processor, insn: Decoded): void {
  if (cpu.vmx.nonRoot) exitIf(cpu, "INVLPG exiting", EXIT.invpcid, displacement(cpu, insn), operandsInfo(insn, 1, 0));
}

// ---- task switches [SDM 3C 25.4.2, table 27-2] ----

const SOURCES = { call: 0, iret: 1, jump: 2, gate: 3 } as const;
/** No guest switches tasks; the new TSS was found good. A gate may belong to an event, which `cpu.vectoring` then tells. */
export function exitByTaskSwitch(cpu: Processor, how: keyof typeof SOURCES, selector: number): never {
  const { exit } = cpu.vmx;
  exit.begin(EXIT.taskSwitch, selector + SOURCES[how] * 2 ** 30);
  exit.byInstruction = how !== "gate";
  cpu.vmx.unwindBy(cpu.pendingFault);
  throw cpu.pendingFault;
}
