/** What all assembler stubs share. To add one: write a function here that returns pieces, and name it in `index.ts`. */
import type { Piece } from "../link.ts";
import { Assembler, type CodeBits, type Label } from "../x64/assembler.ts";
import { memory, RAX, RSI } from "../x64/operands.ts";

/**
 * A piece of assembler code or data with a symbol, whose address guest code gets by `x86.addr_SYMBOL()`.
 * @param runsAt a symbol for the address that the code is copied to before it runs; its labels lie there
 */
export function stub(
  symbol: string,
  write: (asm: Assembler) => void,
  { bits = 64, kind = "code", calls = [], stackBytes = 8, runsAt = symbol }: StubOptions = {},
): Piece {
  const asm = new Assembler(bits);
  write(asm);
  return { symbol, name: symbol, kind, code: asm.finish(runsAt), stackBytes, calls: new Set(calls) };
}
interface StubOptions {
  readonly bits?: CodeBits;
  readonly kind?: Piece["kind"];
  readonly calls?: readonly string[];
  readonly stackBytes?: number;
  readonly runsAt?: string;
}

/** MOV to a control register. */
export const writeControl = (asm: Assembler, control: number, from: number) =>
  asm.modRm(0x0f22, control, from, asm.bits === 16 ? 2 : 4);
export const readControl = (asm: Assembler, control: number, to: number) =>
  asm.modRm(0x0f20, control, to, asm.bits === 16 ? 2 : 4);

/** MOV to segment registers by their numbers; AX is lost. */
export function loadSegments(asm: Assembler, selector: number, ...segments: number[]): Assembler {
  asm.constant(RAX, selector);
  for (const segment of segments) asm.modRm(0x8e, segment, RAX, asm.bits === 16 ? 2 : 4);
  return asm;
}
export const ES = 0,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5;

/** JMP far. In 16-bit code the offset has 16 bits. @param base of the segment that is jumped to */
export function farJump(asm: Assembler, selector: number, target: Label | string, base = 0): Assembler {
  return asm
    .u8(0xea)
    .reference(target, asm.bits === 16 ? "absolute2" : "absolute4", -base)
    .u16(selector);
}

/** A descriptor [SDM 3A 3.4.5] of base 0. @param flags bits 55:40 as the manual draws them, without the limit's 51:48 */
export const flat = (flags: number): bigint => (BigInt(flags) << 40n) | (0xfn << 48n) | 0xffffn;
export const FLAT_CODE64 = flat(0xa09b),
  FLAT_DATA32 = flat(0xc093),
  FLAT_CODE32 = flat(0xc09b);
/** Limit FFFFh, as real mode has it. */
export const REAL_CODE16 = 0x00009b000000ffffn,
  REAL_DATA16 = 0x000093000000ffffn;

/** Turns paging and long mode on: 64-bit code is reached by the far jump that follows. CR3 is set. EAX, ECX, EDX are lost. */
export function enterLongMode(asm: Assembler): Assembler {
  asm.constant(RAX, 1 << 5); // PAE
  writeControl(asm, 4, RAX);
  asm.constant(1, 0xc0000080).u8(0x0f, 0x32).aluConstant("or", RAX, 0x100, 4).u8(0x0f, 0x30); // EFER.LME
  asm.constant(RAX, 0x80010031); // PG, WP, NE, ET, PE
  return writeControl(asm, 0, RAX);
}

/** Prints the text that ESI points to on the debug port, and stops. */
export function say(asm: Assembler, loop: Label, end: Label): void {
  asm.bind(loop).load(RAX, memory(RSI), 1).test(RAX, RAX, 1).jump(end, 4);
  asm.u8(0xe6, 0xe9).aluConstant("add", RSI, 1, 4).jump(loop);
  asm.bind(end).u8(0xf4).jump(end);
}
