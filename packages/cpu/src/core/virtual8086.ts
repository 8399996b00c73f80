/**
 * Virtual-8086 mode [SDM 3A chapter 20]: how it is entered and left, and its virtual interrupt flag (CR4.VME), which
 * CR4.PVI offers to protected mode too. Segments are paragraphs as in real-address mode (MODE_REAL); privilege, paging
 * and alignment checks are those of level 3, since CPL is 3.
 */
import { IF, IOPL, TF, VIF, VIP, VM } from "./flags.ts";
import { refreshTransfer } from "./modes.ts";
import { CR4_PVI, CR4_VME } from "./paging.ts";
import type { Processor } from "./processor.ts";
import { isTss32, setNull, setParagraph, setSegment } from "./segments.ts";
import { currentStack, pushFrame, setSlot, setStackPointer } from "./stack.ts";
import { CS, DS, ES, FS, GS, S, SEG, segment, TR } from "./state.ts";

/** Present writable data of level 3, accessed; 64 KiB; so are all six segments, that of CS too [SDM 3C 26.3.1.2]. */
const ATTRIBUTES = 0xf3,
  LIMIT = 0xffff;

export const isVirtual8086 = (cpu: Processor): boolean => (cpu.u32(S.FLAGS) & VM) !== 0 && cpu.protectedMode;

/** Loads a segment register on the way into the mode; derived fields are up to the caller. */
export const setVirtualSegment = (cpu: Processor, n: number, selector: number) =>
  setSegment(cpu, n, selector, ATTRIBUTES, selector * 16, LIMIT);

/** On the way out by an event: the handler finds null where the program's paragraphs were. */
export function nullDataSegments(cpu: Processor): void {
  for (const n of [ES, DS, FS, GS]) setNull(cpu, n, 0);
}

const iopl = (cpu: Processor) => (cpu.u32(S.FLAGS) & IOPL) >> 12;

/** The bit of CR4 that makes VIF work in this mode. */
const virtualFlagBit = (cpu: Processor) => (isVirtual8086(cpu) ? CR4_VME : cpu.cpl === 3 ? CR4_PVI : 0);

/**
 * What PUSHF, POPF and IRET ask in virtual-8086 mode: #GP(0) below IOPL 3, unless CR4.VME lets those of 16 bits see VIF
 * in place of IF. True if it does.
 */
export function usesVirtualFlag(cpu: Processor, operandSize: number): boolean {
  if (iopl(cpu) === 3) return false;
  return operandSize === 16 && (cpu.u32(S.CR4) & CR4_VME) !== 0 ? true : cpu.fault("GP", 0);
}
/** Flags that the program may not load while IF means VIF: TF, and IF while an interrupt is pending for it. */
export function checkVirtualFlags(cpu: Processor, flags: number): void {
  if (flags & TF || (flags & IF && cpu.u32(S.FLAGS) & VIP)) cpu.fault("GP", 0);
}
/** CLI and STI beyond IOPL: they are VIF's, if CR4.VME or CR4.PVI says so. */
export function setVirtualFlag(cpu: Processor, on: boolean): void {
  const flags = cpu.u32(S.FLAGS),
    enabled = (cpu.u32(S.CR4) & virtualFlagBit(cpu)) !== 0;
  if (!enabled || (on && flags & VIP)) cpu.fault("GP", 0);
  cpu.setU32(S.FLAGS, on ? flags | VIF : flags & ~VIF);
}

/** VIF and VIP together make the next instruction raise #GP(0); only a return or a task switch sets both [SDM 3A 20.3.2]. */
export function virtualInterruptPends(cpu: Processor): boolean {
  const both = VIF | VIP;
  return (cpu.u32(S.FLAGS) & both) === both && (cpu.u32(S.CR4) & virtualFlagBit(cpu)) !== 0;
}

/**
 * INT n in virtual-8086 mode [SDM 3A table 20-2]: true if it went through the program's own vector table, as CR4.VME and
 * the bitmap below the TSS's I/O bitmap have it. Otherwise it needs IOPL 3, and is an event like any other.
 */
export function redirectInterrupt(cpu: Processor, vector: number): boolean {
  if (cpu.u32(S.CR4) & CR4_VME && !isTrapped(cpu, vector)) {
    enterProgram(cpu, vector);
    return true;
  }
  if (iopl(cpu) < 3) cpu.fault("GP", 0);
  return false;
}
/** The vector's bit in the redirection bitmap: the 32 bytes below the I/O bitmap. */
function isTrapped(cpu: Processor, vector: number): boolean {
  const base = cpu.number(segment(TR) + SEG.base),
    limit = cpu.u32(segment(TR) + SEG.limit);
  if (!isTss32(cpu.segmentAccess(TR)) || limit < 103) cpu.fault("GP", 0);
  const at = cpu.readLinear((base + 102) >>> 0, 2, "supervisor") - 32 + (vector >> 3);
  if (at < 0 || at > limit) cpu.fault("GP", 0);
  return ((cpu.readLinear((base + at) >>> 0, 1, "supervisor") >> (vector & 7)) & 1) !== 0;
}
function enterProgram(cpu: Processor, vector: number): void {
  const target = cpu.readLinear(vector * 4, 4, "supervisor"),
    { flags } = cpu,
    stack = currentStack(cpu),
    trusted = iopl(cpu) === 3;
  setSlot(cpu, 0, cpu.nextIP);
  setSlot(cpu, 1, cpu.selector(CS));
  setSlot(cpu, 2, trusted ? flags : (flags & ~IF) | IOPL | (flags & VIF ? IF : 0));
  setStackPointer(cpu, stack, pushFrame(cpu, stack, 3, 2));
  setParagraph(cpu, CS, target >>> 16);
  cpu.setU32(S.FLAGS, cpu.u32(S.FLAGS) & ~(TF | (trusted ? IF : VIF)));
  cpu.stepTrap = false;
  refreshTransfer(cpu);
  cpu.jumpTo(target & 0xffff);
}
