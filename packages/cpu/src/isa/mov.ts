/**
 * Data movement [SDM 2A, 2B]: MOV and its kin, exchanges, conversions, conditional moves, and the instructions that set,
 * clear and move single flags.
 */
import { CONDITIONS, type Exec, type Operand, type Semantics, type Size } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import { RAX, RBX, RDX, S } from "../core/state.ts";

const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, "0");

const mov: Semantics = (x, dst, src) => x.write(dst, x.read(src));

/** MOVSX and MOVSXD; MOVZX is a MOV, for values are zero-extended. */
const movsx: Semantics = (x, dst, src) => x.write(dst, x.sext(x.read(src), src.size));

/** The general registers' own part of both orders: memory first, so that its address is still the one that was checked. */
const xchg: Semantics = (x, dst, src) => {
  const a = x.modify(dst), b = x.read(src);
  x.write(dst, b);
  x.write(src, a);
};

/** A word of `size` bits with its bytes in the opposite order. */
export function swapBytes<V>(x: Exec<V>, value: V, size: Size): V {
  const halves = (v: V, distance: number, mask: bigint) =>
    x.or(x.shl(x.and(v, x.const(mask)), x.const(distance)), x.and(x.shr(v, x.const(distance)), x.const(mask)));
  let result = halves(value, 8, 0x00ff00ff00ff00ffn);
  if (size > 16) result = halves(result, 16, 0x0000ffff0000ffffn);
  if (size > 32) result = halves(result, 32, 0x00000000ffffffffn);
  return result;
}

/** CBW, CWDE, CDQE: the accumulator from its lower half. */
const cbw: Semantics = (x) => {
  const size = x.shape.operandSize, half = (size / 2) as Size;
  x.setReg(RAX, x.sext(x.reg(RAX, half), half), size);
};
/** CWD, CDQ, CQO: the sign of the accumulator to all bits of rDX. */
const cwd: Semantics = (x) => {
  const size = x.shape.operandSize;
  x.setReg(RDX, x.sar(x.sext(x.reg(RAX, size), size), x.const(63)), size);
};

const conditional: Instruction[] = CONDITIONS.flatMap((cc, code) => [
  /** The source is read, and a 32-bit destination's upper half cleared, whatever the condition [SDM 2A "CMOVcc"]. */
  instruction(`cmov${cc}`, [form(`0F ${hex(0x40 + code)} /r`, "Gv,Ev", { feature: "cmov" })], (x, dst, src) => {
    const value = x.read(src);
    x.write(dst, x.select(x.condition(code), value, x.read(dst)));
  }),
  instruction(`set${cc}`, [form(`0F ${hex(0x90 + code)} /r`, "Eb")], (x, dst) => x.write(dst, x.condition(code))),
]);

/** Bits of AH as LAHF and SAHF know them, by position. */
const AH_FLAGS = [["CF", 0], ["PF", 2], ["AF", 4], ["ZF", 6], ["SF", 7]] as const;
const AH = S.GPR + 8 * RAX + 1;

const lahf: Semantics = (x) => {
  let flags = x.const(2);
  for (const [name, at] of AH_FLAGS) flags = x.or(flags, x.shl(x.flag(name), x.const(at)));
  x.setState(AH, flags, 1);
};
const sahf: Semantics = (x) => {
  const flags = x.state(AH, 1);
  x.setFlags(Object.fromEntries(AH_FLAGS.map(([name, at]) => [name, x.bit(flags, at)])));
};
const inAH = (opcode: string) => [form(opcode, "", { not64: true }), form(opcode, "", { only64: true, feature: "lahf64" })];

const DF = 0x400;
const setDirection = (down: boolean): Semantics => (x) => {
  const flags = x.state(S.FLAGS, 4);
  x.setState(S.FLAGS, down ? x.or(flags, x.const(DF)) : x.and(flags, x.const(~DF)), 4);
};

/** Offset of a memory operand, for LEA: cut to the address size, then to the destination. */
const lea: Semantics = (x, dst: Operand, src: Operand) => x.write(dst, x.address(src));

export const moves: Instruction[] = [
  instruction("mov", [
    form("88 /r", "Eb,Gb"), form("89 /r", "Ev,Gv"), form("8A /r", "Gb,Eb"), form("8B /r", "Gv,Ev"),
    form("B0+r", "Zb,Ib"), form("C6 /0", "Eb,Ib"), form("C7 /0", "Ev,Iz"),
  ], mov),
  instruction("mov", [form("B8+r", "Zv,Iv")], mov, { names: { by: "operandSize", of: { 16: "mov", 32: "mov", 64: "movabs" } } }),
  instruction("mov", [form("A0", "AL,Ob"), form("A1", "rAX,Ov"), form("A2", "Ob,AL"), form("A3", "Ov,rAX")], mov,
    { names: { by: "addressSize", of: { 16: "mov", 32: "mov", 64: "movabs" } } }),
  instruction("movzx", [form("0F B6 /r", "Gv,Eb"), form("0F B7 /r", "Gv,Ew")], mov),
  instruction("movsx", [form("0F BE /r", "Gv,Eb"), form("0F BF /r", "Gv,Ew")], movsx),
  instruction("movsxd", [form("63 /r", "Gv,Ez", { only64: true })], movsx,
    { vectors: { vendor: "with operand size 16 Intel reads 16 bits of memory, AMD 32", vendorWhen: (form) => form.operandSize === 16 && form.rm === "mem" } }),
  instruction("lea", [form("8D /r", "Gv,M")], lea),

  instruction("xchg", [form("86 /r", "Eb,Gb"), form("87 /r", "Ev,Gv")], xchg, { lockable: true }),
  // 90 is NOP; with REX.B it exchanges R8 with rAX.
  instruction("xchg", [form("90", "Zv,rAX", { rexB: true }), ...[1, 2, 3, 4, 5, 6, 7].map((n) => form(hex(0x90 + n), "Zv,rAX"))], xchg),
  /** With operand size 16 the manual leaves the result undefined; processors of both vendors clear the register's low half. */
  instruction("bswap", [form("0F C8+r", "Zv")], (x, dst) => {
    x.write(dst, dst.size === 16 ? x.const(0) : swapBytes(x, x.read(dst), dst.size as Size));
  }, { vectors: { undefinedResult: ({ size }) => size === 16 } }),
  instruction("movbe", [
    form("NFx 0F 38 F0 /r", "Gv,Mv", { feature: "movbe" }), form("NFx 0F 38 F1 /r", "Mv,Gv", { feature: "movbe" }),
  ], (x, dst, src) => x.write(dst, swapBytes(x, x.read(src), dst.size as Size))),
  instruction("xlat", [form("D7")], (x) => {
    const offset = x.zext(x.add(x.reg(RBX), x.reg(RAX, 8)), x.shape.addressSize);
    x.setReg(RAX, x.load("operand", offset, 8), 8);
  }),

  instruction("cbw", [form("98")], cbw, { names: { by: "operandSize", of: { 16: "cbw", 32: "cwde", 64: "cdqe" } } }),
  instruction("cwd", [form("99")], cwd, { names: { by: "operandSize", of: { 16: "cwd", 32: "cdq", 64: "cqo" } } }),
  ...conditional,

  instruction("lahf", inAH("9F"), lahf),
  instruction("sahf", inAH("9E"), sahf),
  instruction("cmc", [form("F5")], (x) => x.setFlags({ CF: x.xor(x.flag("CF"), x.const(1)) })),
  instruction("clc", [form("F8")], (x) => x.setFlags({ CF: x.const(0) })),
  instruction("stc", [form("F9")], (x) => x.setFlags({ CF: x.const(1) })),
  instruction("cld", [form("FC")], setDirection(false)),
  instruction("std", [form("FD")], setDirection(true)),
  /** AL = CF ? FF : 0. Undocumented by Intel for long, but in every processor. */
  instruction("salc", [form("D6", "", { not64: true })], (x) => x.setReg(RAX, x.neg(x.flag("CF")), 8)),
];
