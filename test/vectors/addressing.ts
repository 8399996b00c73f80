/** Memory operands: every way to write an address, with registers and displacement that make it meet its target. */
import type { Builder } from "./builder.ts";
import { DS, RBP, RSP, SS } from "./layout.ts";

/** The bytes from ModRM on, with the register field still zero, and what REX must say. */
export interface MemoryOperand {
  readonly modrm: number;
  readonly rest: readonly number[];
  readonly rexX: boolean;
  readonly rexB: boolean;
  /** The target of a RIP-relative operand: its displacement is filled in when the length is known. */
  readonly ripTarget?: number;
}

const NONE = -1;
const LOW32 = 0xffff_ffffn;
const MASK64 = (1n << 64n) - 1n;

const littleEndian = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);
const fits = (value: bigint, bits: number): boolean => signed(value, bits) === value;

/**
 * Writes an address whose linear target is `linear`. `override` is the segment that a prefix chose, or -1.
 * Registers that the address needs change in the builder's state.
 */
export function memoryOperand(b: Builder, linear: number, addressSize: 16 | 32 | 64, override: number): MemoryOperand {
  return addressSize === 16 ? address16(b, linear, override) : address32(b, linear, addressSize, override);
}

const PAIRS: readonly (readonly [base: number, index: number])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, NONE],
  [7, NONE],
  [5, NONE],
  [3, NONE],
];

function address16(b: Builder, linear: number, override: number): MemoryOperand {
  const rm = b.random.below(8);
  const mod = b.random.below(3);
  const [base, index] = PAIRS[rm]!;
  const absolute = mod === 0 && rm === 6;
  const segment = override >= 0 ? override : base === RBP && !absolute ? SS : DS;
  const offset = b.offset(segment, linear);
  if (absolute) return { modrm: 6, rest: littleEndian(offset, 2), rexX: false, rexB: false };
  const disp = mod === 0 ? 0n : signed(BigInt(b.random.u32()), mod === 1 ? 8 : 16);
  b.setPointer(base, offset - disp - (index === NONE ? 0n : b.gpr(index)), 16);
  return { modrm: (mod << 6) | rm, rest: littleEndian(disp, mod), rexX: false, rexB: false };
}

function address32(b: Builder, linear: number, addressSize: 32 | 64, override: number): MemoryOperand {
  const registers = b.mode === 64 ? 16 : 8;
  const dice = b.random.below(16);
  if (dice === 0) {
    const found = withoutBase(b, linear, addressSize, override, registers);
    if (found) return found;
  }
  if (dice === 1 && b.mode === 64 && override < 4) return ripRelative(b, linear);
  return withBase(b, linear, addressSize, override, registers);
}

/** [disp32] and [index * scale + disp32]: the displacement does the aiming. */
function withoutBase(
  b: Builder,
  linear: number,
  addressSize: 32 | 64,
  override: number,
  registers: number,
): MemoryOperand | null {
  const offset = b.offset(override >= 0 ? override : DS, linear);
  let index = b.random.below(2) === 0 ? NONE : b.random.below(registers);
  if (index === RSP) index = NONE; // encodes "none"
  const scale = b.random.below(4);
  if (index !== NONE) b.setPointer(index, BigInt(b.random.below(256)), addressSize);
  const scaled = index === NONE ? 0n : (b.gpr(index) & (addressSize === 32 ? LOW32 : MASK64)) << BigInt(scale);
  const disp = addressSize === 32 && b.mode !== 64 ? signed(offset - scaled, 32) : signed(offset - scaled, 64);
  if (!fits(disp, 32) && addressSize === 64) return null;
  const rest = littleEndian(disp, 4);
  if (index === NONE && b.mode !== 64 && b.random.below(2) === 0) return { modrm: 5, rest, rexX: false, rexB: false };
  const sib = (scale << 6) | ((index === NONE ? 4 : index & 7) << 3) | 5;
  return { modrm: 4, rest: [sib, ...rest], rexX: index > 7, rexB: b.mode === 64 && b.random.below(4) === 0 };
}

function ripRelative(b: Builder, linear: number): MemoryOperand {
  return { modrm: 5, rest: [0, 0, 0, 0], rexX: false, rexB: b.random.below(4) === 0, ripTarget: linear };
}

/** [base + disp], [base + index * scale + disp]: the base does the aiming. */
function withBase(
  b: Builder,
  linear: number,
  addressSize: 32 | 64,
  override: number,
  registers: number,
): MemoryOperand {
  const base = b.random.below(registers);
  let index = b.random.below(2) === 0 ? NONE : b.random.below(registers);
  if (index === RSP || index === base) index = NONE;
  const scale = b.random.below(4);
  const stack = base === RSP || base === RBP;
  const offset = b.offset(override >= 0 ? override : stack ? SS : DS, linear);
  let mod = b.random.below(3);
  if (mod === 0 && (base & 7) === RBP) mod = 1;
  const disp = mod === 0 ? 0n : signed(BigInt(b.random.u32()), mod === 1 ? 8 : 32);
  const scaled = index === NONE ? 0n : b.gpr(index) << BigInt(scale);
  b.setPointer(base, offset - disp - scaled, addressSize);
  const displacement = littleEndian(disp, mod === 2 ? 4 : mod);
  const rexB = base > 7;
  if (index === NONE && (base & 7) !== RSP && b.random.below(4) > 0) {
    return { modrm: (mod << 6) | (base & 7), rest: displacement, rexX: false, rexB };
  }
  const sib = (scale << 6) | ((index === NONE ? 4 : index & 7) << 3) | (base & 7);
  return { modrm: (mod << 6) | 4, rest: [sib, ...displacement], rexX: index > 7, rexB };
}
