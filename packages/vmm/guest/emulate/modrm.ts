/** Addresses as ModRM, SIB and displacement give them [SDM 2A tables 2-1 to 2-3]. */
import { Code } from "./code.ts";
import { DS, RBP, RSI, RSP, SS } from "./guest.ts";
import { Instruction, RIP } from "./instruction.ts";

const RBX: u32 = 3;
const RDI: u32 = 7;

/** Reads what follows ModRM, whose mod is not 3; the standard segment. */
export function decodeMemory(insn: Instruction, code: Code, modrm: u32, rex: u32, long: bool): u32 {
  insn.clearAddress();
  return insn.addressBytes === 2 ? memory16(insn, code, modrm) : memory32(insn, code, modrm, rex, long);
}

function memory16(insn: Instruction, code: Code, modrm: u32): u32 {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 0 && rm === 6) {
    insn.displacement = code.signed(2);
    return DS;
  }
  if (rm < 4) {
    insn.base = (rm & 2) === 0 ? RBX : RBP;
    insn.index = (rm & 1) === 0 ? RSI : RDI;
  } else insn.base = rm === 4 ? RSI : rm === 5 ? RDI : rm === 6 ? RBP : RBX;
  insn.displacement = code.signed(mod); // 0, 1 or 2 bytes
  return insn.base === RBP ? SS : DS;
}

function memory32(insn: Instruction, code: Code, modrm: u32, rex: u32, long: bool): u32 {
  const mod = modrm >> 6;
  let rm = modrm & 7;
  const hasSib = rm === 4;
  if (hasSib) {
    const sib = code.next();
    const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index !== RSP) {
      insn.index = index;
      insn.scale = sib >> 6;
    }
    rm = sib & 7;
  }
  if (mod === 0 && rm === 5) {
    if (!hasSib && long) insn.base = RIP;
    insn.displacement = code.signed(4);
    return DS;
  }
  insn.base = rm | ((rex & 1) << 3);
  insn.displacement = code.signed(mod === 2 ? 4 : mod);
  return insn.base === RSP || insn.base === RBP ? SS : DS;
}
