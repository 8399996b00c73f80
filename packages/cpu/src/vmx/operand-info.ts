/** VM-exit instruction information: what a hypervisor needs to find an instruction's operands [SDM 3C 27.2.5, tables 27-8 to 27-14]. */
import { type Decoded, NO_REGISTER, RIP_BASE } from "../core/decode.ts";
import type { Processor } from "../core/processor.ts";

const REGISTER_FORM = 1 << 10,
  NO_INDEX = 1 << 22,
  NO_BASE = 1 << 27;
/** 0: 16 bits, 1: 32, 2: 64. */
const sizeCode = (bits: number) => (bits === 64 ? 2 : bits === 32 ? 1 : 0);

/** Number of the register that operand `n` is. */
export const registerOf = (insn: Decoded, n: number): number => insn.operands[n]!.reg >> 3;

/** Bits 27:0: how the address of the memory operand is made. */
function memoryInfo(insn: Decoded): number {
  const { base, index, scale, segment, addressSize } = insn;
  const indexBits = index === NO_REGISTER ? NO_INDEX : (index << 18) | scale,
    baseBits = base >= NO_REGISTER ? NO_BASE : base << 23;
  return indexBits | baseBits | (segment << 15) | (sizeCode(addressSize) << 7);
}
/** Of an operand that may be register or memory; it is operand `n`. */
export const operandInfo = (insn: Decoded, n: number): number =>
  insn.hasMemory ? memoryInfo(insn) : REGISTER_FORM | (registerOf(insn, n) << 3);
/** VMREAD, VMWRITE, INVEPT, INVVPID, INVPCID: `second` is the operand that is a register always. */
export const operandsInfo = (insn: Decoded, first: number, second: number): number =>
  operandInfo(insn, first) | (registerOf(insn, second) << 28);
/** LGDT and its kin: bit 11 says that the operand size is 32 or 64. */
export const tableInfo = (insn: Decoded, identity: number): number =>
  memoryInfo(insn) | (insn.long || insn.operandSize === 32 ? 1 << 11 : 0) | (identity << 28);
/** INS and OUTS; only OUTS has a segment to tell of. */
export const stringInfo = (insn: Decoded): number =>
  (sizeCode(insn.addressSize) << 7) | (insn.def.name === "outs" ? insn.segment << 15 : 0);

/** The exit qualification of those: the displacement, to which that of RIP-relative addressing has RIP added. */
export function displacement(cpu: Processor, insn: Decoded): number {
  if (!insn.hasMemory) return 0;
  const value = insn.dispHigh * 2 ** 32 + (insn.dispLow >>> 0);
  if (insn.base === RIP_BASE) return cpu.nextIP + value;
  return insn.long ? value : value >>> 0;
}
