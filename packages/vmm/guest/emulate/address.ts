/** Where an instruction's memory operand is, within its segment. */
import { GuestRegisters, maskOf } from "./guest.ts";
import { Instruction, NO_REGISTER, Operation, RIP, Source } from "./instruction.ts";

/** The operand's offset, with the registers as they are [SDM 1 3.7.5]. */
export function offsetOf(insn: Instruction, r: GuestRegisters): u64 {
  let offset = insn.displacement;
  if (insn.base === RIP) offset += r.rip + insn.length;
  else if (insn.base !== NO_REGISTER) offset += r.get(insn.base);
  if (insn.index !== NO_REGISTER) offset += r.get(insn.index) << insn.scale;
  const op = insn.operation;
  if (op >= Operation.BT && op <= Operation.BTC && insn.source === Source.REGISTER) offset += unitWithBit(insn, r);
  return offset & maskOf(insn.addressBytes);
}
/** A bit's number in a register counts from the operand on, in both directions: the distance of its unit in bytes [SDM 2A "BT"]. */
function unitWithBit(insn: Instruction, r: GuestRegisters): u64 {
  const number = <i64>signExtend(r.get(insn.register), insn.bytes);
  return <u64>(number >> 3) & ~(<u64>(insn.bytes - 1));
}

/** The low 1, 2 or 4 bytes with their sign in all above; 8 as they are. */
export function signExtend(value: u64, bytes: u32): u64 {
  const unused = 64 - 8 * bytes;
  return <u64>(<i64>(value << unused) >> unused);
}
