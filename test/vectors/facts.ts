/** What the definitions' vector rules ask about a case: the size of its first operand and the value of its last. */
import type { Decoded } from "../../packages/cpu/src/core/decode.ts";
import { NO_REGISTER, RIP_BASE } from "../../packages/cpu/src/core/decode.ts";
import type { VectorFacts } from "../../packages/cpu/src/core/forms.ts";
import { CONSTANT, contents, DATA, extent } from "./environment.ts";
import { type Case, FS, STATE, viewOf } from "./layout.ts";

export function factsOf(c: Case, insn: Decoded): VectorFacts {
  return { size: insn.operands[0]?.size ?? 0, last: lastOperand(c, insn) };
}

function lastOperand(c: Case, insn: Decoded): bigint {
  const operand = insn.operands.at(-1);
  if (operand === undefined) return 0n;
  const view = viewOf(c.state);
  const cut = (value: bigint) => BigInt.asUintN(operand.size, value);
  switch (operand.kind) {
    case "gpr":
      return cut(readBytes(c.state, STATE.GPR + operand.reg, operand.size / 8));
    case "imm":
      return insn.form.operands.at(-1)?.fixed
        ? BigInt(operand.reg)
        : cut((BigInt(insn.immHigh) << 32n) | BigInt(insn.immLow >>> 0));
    case "mem":
      return insn.hasMemory ? readMemory(c, linearAddress(c, insn, view), operand.size / 8) : 0n;
    default:
      return 0n;
  }
}

/** Where the memory operand is. */
export function linearAddress(c: Case, insn: Decoded, view: DataView): bigint {
  const register = (n: number) => {
    if (n === NO_REGISTER) return 0n;
    const rip = () => view.getBigUint64(STATE.RIP, true) + BigInt(insn.length);
    return n === RIP_BASE ? rip() : view.getBigUint64(STATE.GPR + 8 * n, true);
  };
  const disp = (BigInt(insn.dispHigh) << 32n) | BigInt(insn.dispLow >>> 0);
  const offset = BigInt.asUintN(
    insn.addressSize,
    register(insn.base) + (register(insn.index) << BigInt(insn.scale)) + disp,
  );
  if (c.mode !== 64) {
    const selector = view.getUint16(STATE.SEGMENT + 2 * insn.segment, true);
    return BigInt.asUintN(32, offset + BigInt(extent(selector).base));
  }
  const base = insn.segment < FS ? 0n : view.getBigUint64(insn.segment === FS ? STATE.FS_BASE : STATE.GS_BASE, true);
  return BigInt.asUintN(64, offset + base);
}

const STANDARD = [DATA, CONSTANT].map((range) => ({ range, bytes: contents(range) }));

/** What a case's memory holds, as a number; 0 where nothing is. */
function readMemory(c: Case, linear: bigint, length: number): bigint {
  const address = Number(linear);
  const found = STANDARD.find(
    ({ range }) => address >= range.address && address + length <= range.address + range.size,
  );
  if (!found) return 0n;
  const bytes = found.bytes.slice(address - found.range.address, address - found.range.address + length);
  for (const patch of c.patches) {
    for (let i = 0; i < length; i++) bytes[i] = patch.bytes[address + i - patch.address] ?? bytes[i]!;
  }
  return readBytes(bytes, 0, length);
}

function readBytes(bytes: Uint8Array, at: number, length: number): bigint {
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]!);
  return value;
}
