/**
 * Integer addition, subtraction, comparison and logic [SDM 2A, 2B]: the eight operations that share ten encodings, and
 * INC, DEC, NEG, NOT, TEST, XADD, CMPXCHG.
 */
import type { Exec, Semantics } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";

/** The eight ALU operations share ten encodings; `row` is opcode bits 5:3. */
const alu = (name: string, row: number, run: Semantics, rest: Partial<Instruction> = {}): Instruction => {
  const op = (low: number) => (row << 3 | low).toString(16).toUpperCase().padStart(2, "0");
  return instruction(name, [
    form(`${op(0)} /r`, "Eb,Gb"), form(`${op(1)} /r`, "Ev,Gv"), form(`${op(2)} /r`, "Gb,Eb"), form(`${op(3)} /r`, "Gv,Ev"),
    form(op(4), "AL,Ib"), form(op(5), "rAX,Iz"),
    form(`80 /${row}`, "Eb,Ib"), form(`81 /${row}`, "Ev,Iz"), form(`83 /${row}`, "Ev,Ibs"),
    form(`82 /${row}`, "Eb,Ib", { not64: true }), // an alias of 80
  ], run, { lockable: true, ...rest });
};

/** Bit n of `carries` is the carry out of bit n, whatever the carry in was: so AF is bit 3 and CF the top bit. */
export function addFlags<V>(x: Exec<V>, size: number, a: V, b: V, sum: V, keepCF = false): void {
  x.arithFlags(size, sum, x.or(x.and(a, b), x.and(x.or(a, b), x.not(sum))), keepCF);
}
/** The same for borrows. */
export function subFlags<V>(x: Exec<V>, size: number, a: V, b: V, difference: V, keepCF = false): void {
  const notA = x.not(a);
  x.arithFlags(size, difference, x.or(x.and(notA, b), x.and(x.or(notA, b), difference)), keepCF);
}

const add: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.modify(dst), sum = x.add(a, b);
  x.write(dst, sum);
  addFlags(x, dst.size, a, b, sum);
};
const adc: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.modify(dst), sum = x.add(x.add(a, b), x.flag("CF"));
  x.write(dst, sum);
  addFlags(x, dst.size, a, b, sum);
};
const sub: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.modify(dst), difference = x.sub(a, b);
  x.write(dst, difference);
  subFlags(x, dst.size, a, b, difference);
};
const sbb: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.modify(dst), difference = x.sub(x.sub(a, b), x.flag("CF"));
  x.write(dst, difference);
  subFlags(x, dst.size, a, b, difference);
};
const cmp: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.read(dst);
  subFlags(x, dst.size, a, b, x.sub(a, b));
};
const logic = (op: "and" | "or" | "xor"): Semantics => (x, dst, src) => {
  const b = x.read(src), result = x[op](x.modify(dst), b);
  x.write(dst, result);
  x.resultFlags(dst.size, result);
};
const test: Semantics = (x, a, b) => x.resultFlags(a.size, x.and(x.read(a), x.read(b)));

const AF_UNDEFINED = { vectors: { undefinedFlags: "AF" } };

export const arith: Instruction[] = [
  alu("add", 0, add),
  alu("or", 1, logic("or"), AF_UNDEFINED),
  alu("adc", 2, adc),
  alu("sbb", 3, sbb),
  alu("and", 4, logic("and"), AF_UNDEFINED),
  alu("sub", 5, sub),
  alu("xor", 6, logic("xor"), AF_UNDEFINED),
  alu("cmp", 7, cmp, { lockable: false }),

  instruction("test", [
    form("84 /r", "Eb,Gb"), form("85 /r", "Ev,Gv"), form("A8", "AL,Ib"), form("A9", "rAX,Iz"),
    form("F6 /0", "Eb,Ib"), form("F7 /0", "Ev,Iz"), form("F6 /1", "Eb,Ib"), form("F7 /1", "Ev,Iz"), // /1 is an alias
  ], test, AF_UNDEFINED),

  instruction("inc", [form("FE /0", "Eb"), form("FF /0", "Ev"), form("40+r", "Zv", { not64: true })], (x, dst) => {
    const a = x.modify(dst), one = x.const(1), sum = x.add(a, one);
    x.write(dst, sum);
    addFlags(x, dst.size, a, one, sum, true);
  }, { lockable: true }),
  instruction("dec", [form("FE /1", "Eb"), form("FF /1", "Ev"), form("48+r", "Zv", { not64: true })], (x, dst) => {
    const a = x.modify(dst), one = x.const(1), difference = x.sub(a, one);
    x.write(dst, difference);
    subFlags(x, dst.size, a, one, difference, true);
  }, { lockable: true }),
  instruction("neg", [form("F6 /3", "Eb"), form("F7 /3", "Ev")], (x, dst) => {
    const b = x.modify(dst), zero = x.const(0), difference = x.sub(zero, b);
    x.write(dst, difference);
    subFlags(x, dst.size, zero, b, difference);
  }, { lockable: true }),
  instruction("not", [form("F6 /2", "Eb"), form("F7 /2", "Ev")], (x, dst) => x.write(dst, x.not(x.modify(dst))), { lockable: true }),

  instruction("xadd", [form("0F C0 /r", "Eb,Gb"), form("0F C1 /r", "Ev,Gv")], (x, dst, src) => {
    const b = x.read(src), a = x.modify(dst), sum = x.add(a, b);
    if (dst.kind === "mem") { x.write(dst, sum); x.write(src, a); }
    else { x.write(src, a); x.write(dst, sum); } // both may be the same register: the sum stays
    addFlags(x, dst.size, a, b, sum);
  }, { lockable: true }),
  /** The destination is written even when the comparison fails: with its own old value [SDM 2A "CMPXCHG"]. */
  instruction("cmpxchg", [form("0F B0 /r", "Eb,Gb"), form("0F B1 /r", "Ev,Gv")], (x, dst, src) => {
    const size = dst.size as 8 | 16 | 32 | 64;
    const b = x.read(src), a = x.modify(dst), accumulator = x.reg(0, size), equal = x.eq(accumulator, a);
    if (dst.kind === "mem") x.write(dst, x.select(equal, b, a));
    // Of the accumulator and a register destination only the one that changes is written: a 32-bit write clears the upper half.
    x.when(equal, () => { if (dst.kind !== "mem") x.write(dst, b); }, () => x.setReg(0, a, size));
    subFlags(x, size, accumulator, a, x.sub(accumulator, a));
  }, { lockable: true }),
];
