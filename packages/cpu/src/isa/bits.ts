/** Bit tests, bit scans, POPCNT, and the double-width compare and exchange [SDM 2A, 2B]. */
import type { Exec, Operand, Semantics, Size } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import { RAX, RBX, RCX, RDX } from "../core/state.ts";

type Change = <V>(x: Exec<V>, value: V, mask: V) => V;

const set: Change = (x, value, mask) => x.or(value, mask);
const reset: Change = (x, value, mask) => x.and(value, x.not(mask));
const complement: Change = (x, value, mask) => x.xor(value, mask);

/** CF is the bit before it changes; the other flags, of which only ZF is defined, stay. */
function testBit<V>(x: Exec<V>, value: V, n: V): void { x.setFlags({ CF: x.and(x.shr(value, n), x.const(1)) }); }
const maskOf = <V>(x: Exec<V>, n: V): V => x.shl(x.const(1), n);

/** Of a power of two: the number of its bit. */
const position = (power: number) => 31 - Math.clz32(power);

/** The bit's number is taken modulo the operand's size. */
const inOperand = (change: Change | null): Semantics => (x, dst, src) => {
  const n = x.and(x.read(src), x.const(dst.size - 1)), value = change === null ? x.read(dst) : x.modify(dst);
  if (change !== null) x.write(dst, change(x, value, maskOf(x, n)));
  testBit(x, value, n);
};
/**
 * With memory and a register, the register is a signed number of a bit in a string that starts at the operand: the
 * access is to the operand-sized unit that holds the bit [SDM 2A "BT", 1 3.1.1.9].
 */
const inString = (change: Change | null): Semantics => (x, dst, src) => {
  if (dst.kind !== "mem") return inOperand(change)(x, dst, src);
  const size = dst.size as Size, number = x.sext(x.read(src), size), n = x.and(number, x.const(size - 1));
  const unit = x.shl(x.sar(number, x.const(position(size))), x.const(position(size >> 3)));
  const offset = x.zext(x.add(x.address(dst), unit), x.shape.addressSize);
  if (change !== null) x.probeWrite("operand", offset, size >> 3);
  const value = x.load("operand", offset, size);
  if (change !== null) x.store("operand", offset, size, change(x, value, maskOf(x, n)));
  testBit(x, value, n);
};
const bitTest = (name: string, opcode: string, digit: number, change: Change | null): Instruction[] => {
  const rest = { lockable: change !== null, vectors: { undefinedFlags: "OF SF AF PF" } };
  return [
    instruction(name, [form(`0F ${opcode} /r`, "Ev,Gv")], inString(change), rest),
    instruction(name, [form(`0F BA /${digit}`, "Ev,Ib")], inOperand(change), rest),
  ];
};

/**
 * Of zero there is no bit: ZF is set and the destination stays, all 64 bits of it, as AMD documents and Intel's
 * processors do. ZF alone is defined.
 */
const scan = (find: <V>(x: Exec<V>, value: V) => V): Semantics => (x, dst, src) => {
  const value = x.read(src);
  x.when(x.isNonZero(value), () => x.write(dst, find(x, value)));
  x.resultFlags(src.size, value);
};
const SCAN = { vectors: { undefinedFlags: "CF OF SF AF PF" } };

const popcnt: Semantics = (x, dst, src) => {
  const value = x.read(src);
  x.write(dst, x.popcnt(value));
  const zero = x.const(0);
  x.setFlags({ CF: zero, OF: zero, SF: zero, AF: zero, PF: zero, ZF: x.isZero(value) });
};

/** The destination is written even when the comparison fails: with its own old value [SDM 2A "CMPXCHG8B/CMPXCHG16B"]. */
const cmpxchg8b: Semantics = (x, dst) => {
  const pair = (high: number, low: number) => x.or(x.shl(x.reg(high, 32), x.const(32)), x.reg(low, 32));
  const old = x.modify(dst), equal = x.eq(old, pair(RDX, RAX));
  x.write(dst, x.select(equal, pair(RCX, RBX), old));
  x.when(equal, () => {}, () => {
    x.setReg(RAX, old, 32);
    x.setReg(RDX, x.shr(old, x.const(32)), 32);
  });
  x.setFlags({ ZF: equal });
};
/** #GP(0) unless the operand is on a 16-byte boundary. */
const cmpxchg16b: Semantics = (x, dst: Operand) => {
  x.probeWrite("operand", x.address(dst), 16, true);
  const old = x.readVector(dst, true), low = x.lane(old, 64, 0), high = x.lane(old, 64, 1);
  const equal = x.and(x.eq(low, x.reg(RAX)), x.eq(high, x.reg(RDX)));
  const chosen = (part: number, kept: typeof low) => x.select(equal, x.reg(part), kept);
  x.writeVector(dst, x.withLane(x.withLane(old, 64, 0, chosen(RBX, low)), 64, 1, chosen(RCX, high)), true);
  x.setReg(RAX, x.select(equal, x.reg(RAX), low));
  x.setReg(RDX, x.select(equal, x.reg(RDX), high));
  x.setFlags({ ZF: equal });
};

export const bits: Instruction[] = [
  ...bitTest("bt", "A3", 4, null),
  ...bitTest("bts", "AB", 5, set),
  ...bitTest("btr", "B3", 6, reset),
  ...bitTest("btc", "BB", 7, complement),
  // With F3 these are TZCNT and LZCNT where those exist, and still BSF and BSR where they do not.
  instruction("bsf", [form("0F BC /r", "Gv,Ev")], scan((x, value) => x.ctz(value)), SCAN),
  instruction("bsr", [form("0F BD /r", "Gv,Ev")], scan((x, value) => x.sub(x.const(63), x.clz(value))), SCAN),
  instruction("popcnt", [form("F3 0F B8 /r", "Gv,Ev", { feature: "popcnt" })], popcnt),
  instruction("cmpxchg8b", [form("0F C7 /1", "Mq", { feature: "cx8", rexW: false })], cmpxchg8b, { lockable: true }),
  instruction("cmpxchg16b", [form("0F C7 /1", "Mdq", { feature: "cx16", rexW: true })], cmpxchg16b, { lockable: true }),
];
