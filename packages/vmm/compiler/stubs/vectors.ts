/**
 * Where interrupts and exceptions arrive: `x86.addr_vectors() + 16 * vector` goes into the IDT. If the guest's code exports
 * `onInterrupt(frame: usize)` it is called with the address of: R15 to RAX without RSP, from the last encoding to the first,
 * vector, error code (0 if there is none), RIP, CS, RFLAGS, RSP, SS. What it changes there is what is returned to.
 */
import type { Piece } from "../link.ts";
import type { Assembler } from "../x64/assembler.ts";
import { memory, RDI, RSP } from "../x64/operands.ts";
import { stub } from "./stub.ts";

/** Exceptions that push an error code [SDM 3A 6.3.1]. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
export const VECTOR_BYTES = 16;
const REGISTERS = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const CALL = "export:onInterrupt";

/** @param handled the module exports `onInterrupt` */
export function vectorPieces(handled: boolean): Piece[] {
  const calls = handled ? [CALL] : [];
  return [
    stub("vectors", vectors, { calls: ["interrupt"] }),
    stub("interrupt", (asm) => interrupt(asm, handled), { calls, stackBytes: 8 * (REGISTERS.length + 7) }),
  ];
}

function vectors(asm: Assembler): void {
  for (let vector = 0; vector < 256; vector++) {
    if (!WITH_ERROR_CODE.has(vector)) asm.u8(0x6a, 0); // PUSH 0
    asm.u8(0x68).u32(vector).u8(0xe9).reference("interrupt", "relative"); // PUSH vector; JMP
    while (asm.length % VECTOR_BYTES !== 0) asm.u8(0xcc);
  }
}

function interrupt(asm: Assembler, handled: boolean): void {
  for (const register of REGISTERS) asm.push(register);
  asm.u8(0xfc).copy(RDI, RSP); // CLD
  if (handled) asm.call(CALL);
  else asm.undefined();
  for (const register of [...REGISTERS].reverse()) asm.pop(register);
  asm.lea(RSP, memory(RSP, 16), 8).u8(0x48, 0xcf); // IRETQ
}
