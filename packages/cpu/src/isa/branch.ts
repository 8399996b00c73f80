/**
 * Near control transfers [SDM 2A, 2B]: JMP, Jcc, JCXZ, LOOP, CALL, RET. In 64-bit mode their operand size is 64 whatever
 * prefix 66 says (Intel); elsewhere the target is cut to the operand size. Far transfers are in far.ts.
 *
 * A target is checked before anything is written: a refused one is a #GP of the instruction that jumps.
 */
import { CONDITIONS, type Exec, type Operand, type Semantics } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import { RCX, RSP, SS } from "../core/state.ts";

const hex = (byte: number) => byte.toString(16).toUpperCase();

const jump: Semantics = (x, target) => x.branch(target);
const jumpIndirect: Semantics = (x, target) => x.jump(x.read(target));

const call: Semantics = (x, operand) => {
  pushNext(x, x.target(operand));
  x.branch(operand);
};
const callIndirect: Semantics = (x, operand) => {
  const target = x.read(operand);
  pushNext(x, target);
  x.jump(target);
};
/** Pushes the return address if both the stack and the target are fit; the stack's fault comes first, as in processors. */
function pushNext<V>(x: Exec<V>, target: V): void {
  const bytes = x.shape.operandSize >> 3;
  x.checkTarget(target, () => x.probeWrite(SS, x.stackOffset(x.stackPointer(-bytes)), bytes));
  x.push(x.nextIP(), x.shape.operandSize);
}
/** RET imm16 frees that many bytes of arguments besides the return address. */
const ret: Semantics = (x, argumentBytes?: Operand) => {
  const size = x.shape.operandSize, target = x.top(size), bytes = x.const(size >> 3);
  x.checkTarget(target);
  x.setReg(RSP, x.stackMoved(argumentBytes === undefined ? bytes : x.add(bytes, x.read(argumentBytes))));
  x.jump(target);
};

/** Counts rCX, of the address size's width, down without touching flags, and jumps while it is not 0 and `goesOn` holds. */
const loop = (goesOn: <V>(x: Exec<V>) => V | null): Semantics => (x, target) => {
  const size = x.shape.addressSize, count = x.zext(x.sub(x.reg(RCX, size), x.const(1)), size), more = goesOn(x);
  const taken = more === null ? x.isNonZero(count) : x.and(x.isNonZero(count), more);
  x.when(taken, () => x.checkTarget(x.target(target)));
  x.setReg(RCX, count, size);
  x.branch(target, taken);
};
const jcxz: Semantics = (x, target) => x.branch(target, x.isZero(x.reg(RCX, x.shape.addressSize)));

const f64 = { f64: true };
/** AMD's processors obey prefix 66 in 64-bit mode, Intel's ignore it. */
const NEAR = { endsBlock: true, vectors: { vendor: "64-bit mode with prefix 66" } };

export const branches: Instruction[] = [
  instruction("jmp", [form("E9", "Jz", f64), form("EB", "Jb", f64)], jump, NEAR),
  instruction("jmp", [form("FF /4", "Ev", f64)], jumpIndirect, NEAR),
  ...CONDITIONS.map((cc, code) => instruction(`j${cc}`, [form(hex(0x70 + code), "Jb", f64), form(`0F ${hex(0x80 + code)}`, "Jz", f64)],
    (x, target) => x.branch(target, x.condition(code)), NEAR)),
  instruction("jcxz", [form("E3", "Jb", f64)], jcxz, { ...NEAR, names: { by: "addressSize", of: { 16: "jcxz", 32: "jecxz", 64: "jrcxz" } } }),
  instruction("loopne", [form("E0", "Jb", f64)], loop((x) => x.ne(x.flag("ZF"), x.const(1))), NEAR),
  instruction("loope", [form("E1", "Jb", f64)], loop((x) => x.flag("ZF")), NEAR),
  instruction("loop", [form("E2", "Jb", f64)], loop(() => null), NEAR),
  instruction("call", [form("E8", "Jz", f64)], call, NEAR),
  instruction("call", [form("FF /2", "Ev", f64)], callIndirect, NEAR),
  instruction("ret", [form("C3", "", f64), form("C2", "Iw", f64)], ret, NEAR),
];
