/** What generated code calls for what takes more than a few instructions. System V convention; flags: DF is clear. */
import { DIRECT_MAP_BIT } from "./codegen/intrinsics.ts";
import type { Piece } from "./link.ts";
import { Assembler, Label } from "./x64/assembler.ts";
import { CC, memory, R8, RAX, RCX, RDI, RDX, type Register, RSI } from "./x64/operands.ts";

const REP_MOVSQ = [0xf3, 0x48, 0xa5],
  REP_MOVSB = [0xf3, 0xa4],
  REP_STOSB = [0xf3, 0xaa],
  STD = 0xfd,
  CLD = 0xfc;

/** RDI to, RSI from, RDX bytes, which may overlap. */
function memmove(asm: Assembler): void {
  const backwards = new Label();
  asm.copy(RAX, RDI).alu("sub", RAX, RSI, 8).alu("cmp", RAX, RDX, 8).jump(backwards, CC.B);
  forwards(asm);
  asm.bind(backwards).copy(RCX, RDX);
  for (const register of [RSI, RDI]) asm.lea(register, memory(register, -1, { index: RDX }), 8);
  asm.u8(STD, ...REP_MOVSB, CLD).ret();
}
/** Eight bytes at a time, then the rest. Right for what overlaps if it moves down. */
function forwards(asm: Assembler): void {
  asm
    .copy(RCX, RDX)
    .shift("shr", RCX, 3, 8)
    .u8(...REP_MOVSQ);
  asm
    .copy(RCX, RDX)
    .aluConstant("and", RCX, 7, 4)
    .u8(...REP_MOVSB)
    .ret();
}

/** RDI to, RSI the byte, RDX how many. */
function memset(asm: Assembler): void {
  asm
    .copy(RAX, RSI)
    .copy(RCX, RDX)
    .u8(...REP_STOSB)
    .ret();
}

const direct = (asm: Assembler, register: Register) => asm.modRm(0x0fba, 5, register, 8).u8(DIRECT_MAP_BIT);

function physCopy(asm: Assembler): void {
  direct(asm, RDI);
  direct(asm, RSI);
  forwards(asm);
}
function physFill(asm: Assembler): void {
  direct(asm, RDI);
  memset(asm);
}

/** Ones in RDI, by adding pairs, fours and bytes. */
function popcnt(asm: Assembler, wide: boolean): void {
  const size = wide ? 8 : 4;
  const mask = (byte: number) => asm.constant(R8, BigInt.asUintN(8 * size, 0x0101010101010101n * BigInt(byte)));
  mask(0x55);
  asm.copy(RAX, RDI).shift("shr", RAX, 1, size).alu("and", RAX, R8, size).alu("sub", RDI, RAX, size);
  mask(0x33);
  asm.copy(RAX, RDI).shift("shr", RAX, 2, size).alu("and", RAX, R8, size).alu("and", RDI, R8, size);
  asm.alu("add", RAX, RDI, size).copy(RCX, RAX).shift("shr", RCX, 4, size).alu("add", RAX, RCX, size);
  mask(0x0f);
  asm.alu("and", RAX, R8, size);
  mask(0x01);
  asm
    .modRm(0x0faf, RAX, R8, size)
    .shift("shr", RAX, 8 * size - 8, size)
    .ret();
}

const table: Readonly<Record<string, (asm: Assembler) => void>> = {
  memmove,
  memset,
  physCopy,
  physFill,
  popcnt32: (asm) => popcnt(asm, false),
  popcnt64: (asm) => popcnt(asm, true),
};

export function helpers(): Piece[] {
  return Object.entries(table).map(([symbol, write]) => {
    const asm = new Assembler();
    write(asm);
    return { symbol, name: symbol, kind: "code", code: asm.finish(symbol), stackBytes: 8, calls: new Set<string>() };
  });
}
