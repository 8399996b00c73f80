/**
 * `vmEnter(regs, launched): u32`: loads the guest's general registers from 16 fields of 8 bytes in the order of their
 * encodings, enters the guest by VMLAUNCH or VMRESUME, and comes back from `vmExit` with 0; or with 1 for VMfailInvalid,
 * 2 for VMfailValid. HOST_RIP must be `x86.addr_vmExit()`; RSP's field is not used, it is in the VMCS.
 */
import { CALLEE_SAVED } from "../codegen/plan.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { CC, memory, RAX, RCX, RDI, RSI, RSP } from "../x64/operands.ts";
import { stub } from "./stub.ts";

const HOST_RSP = 0x6c14;
/** All but RSP, and RDI, which points to the fields. */
const REGISTERS = [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15];

export const vmEnterPieces = (): Piece[] => [stub("vmEnter", vmEnter, { stackBytes: 8 * (CALLEE_SAVED.length + 2) })];

function vmEnter(asm: Assembler): void {
  const [resume, failed] = [new Label(), new Label()];
  for (const register of CALLEE_SAVED) asm.push(register);
  asm.push(RDI).constant(RAX, HOST_RSP).modRm(0x0f79, RAX, RSP, 4); // VMWRITE
  asm.test(RSI, RSI, 4); // the moves below leave the flags alone
  for (const register of REGISTERS) asm.load(register, memory(RDI, 8 * register), 8);
  asm.load(RDI, memory(RDI, 8 * RDI), 8).jump(resume, CC.NE);
  asm.u8(0x0f, 0x01, 0xc2).jump(failed); // VMLAUNCH
  asm.bind(resume).u8(0x0f, 0x01, 0xc3); // VMRESUME
  asm.bind(failed).constant(RAX, 1).constant(RCX, 2).conditionalMove(RAX, RCX, CC.E, 4).pop(RDI);
  leave(asm);
  asm.symbol("vmExit").modRm(0x87, RDI, memory(RSP), 8); // XCHG
  for (const register of REGISTERS) asm.store(memory(RDI, 8 * register), register, 8);
  asm
    .pop(RAX)
    .store(memory(RDI, 8 * RDI), RAX, 8)
    .alu("xor", RAX, RAX, 4);
  leave(asm);
}
function leave(asm: Assembler): void {
  for (const register of [...CALLEE_SAVED].reverse()) asm.pop(register);
  asm.ret();
}
