/**
 * Shifts and rotates [SDM 2B "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD"]. Counts are masked to 5 bits, with
 * 64-bit operands to 6; a masked count of 0 changes no flag, but clears the upper half of a 32-bit register as every
 * write does. Where the manual leaves OF undefined (counts other than 1) it is what the formula for 1 gives, as in processors.
 */
import type { Exec, Operand, Semantics, Size } from "../core/exec.ts";
import { form, type Instruction, instruction, type VectorFacts, type VectorRule } from "../core/forms.ts";

/** The result, and what sets the flags if the count is not 0. With count 0 the result is the operand itself. */
interface Outcome<V> { readonly result: V; readonly flags: () => void }
type Shifter = <V>(x: Exec<V>, size: Size, a: V, count: V) => Outcome<V>;
type DoubleShifter = <V>(x: Exec<V>, size: Size, a: V, b: V, count: V) => Outcome<V>;

const maskedCount = <V>(x: Exec<V>, size: number, count: Operand): V => x.and(x.read(count), x.const(size === 64 ? 63 : 31));
const minus1 = <V>(x: Exec<V>, count: V): V => x.sub(count, x.const(1));
const from = <V>(x: Exec<V>, n: number, count: V): V => x.sub(x.const(n), count);
/** The sign of a result, and the bit below it. */
const sign = <V>(x: Exec<V>, size: number, value: V): V => x.bit(value, size - 1);
const second = <V>(x: Exec<V>, size: number, value: V): V => x.bit(value, size - 2);

const byOne = (shifter: Shifter): Semantics => (x, dst) => {
  const { result, flags } = shifter(x, dst.size as Size, x.modify(dst), x.const(1));
  x.write(dst, result);
  flags();
};
const byCount = (shifter: Shifter): Semantics => (x, dst, src) => {
  const count = maskedCount(x, dst.size, src), { result, flags } = shifter(x, dst.size as Size, x.modify(dst), count);
  x.write(dst, result);
  x.when(x.isNonZero(count), flags);
};
const double = (shifter: DoubleShifter): Semantics => (x, dst, src, by) => {
  const count = maskedCount(x, dst.size, by), b = x.read(src);
  const { result, flags } = shifter(x, dst.size as Size, x.modify(dst), b, count);
  x.write(dst, result);
  x.when(x.isNonZero(count), flags);
};

// ---- shifts: CF is the last bit out ----

const shl: Shifter = (x, size, a, count) => {
  const result = x.shl(a, count);
  return { result, flags: () => {
    const CF = sign(x, size, x.shl(a, minus1(x, count)));
    x.resultFlags(size, result, { CF, OF: x.xor(sign(x, size, result), CF) });
  } };
};
/** OF is the operand's sign, which the formula finds below the result's sign; with higher counts there is a 0. */
const shr: Shifter = (x, size, a, count) => {
  const result = x.shr(a, count);
  return { result, flags: () => {
    x.resultFlags(size, result, { CF: x.bit(x.shr(a, minus1(x, count)), 0), OF: second(x, size, result) });
  } };
};
const sar: Shifter = (x, size, a, count) => {
  const signed = x.sext(a, size), result = x.sar(signed, count);
  return { result, flags: () => x.resultFlags(size, result, { CF: x.bit(x.sar(signed, minus1(x, count)), 0) }) };
};

// ---- rotates: only CF and OF change ----

const rol: Shifter = (x, size, a, count) => {
  const n = x.and(count, x.const(size - 1)), result = x.or(x.shl(a, n), x.shr(a, from(x, size, n)));
  return { result, flags: () => {
    const CF = x.bit(result, 0);
    x.setFlags({ CF, OF: x.xor(sign(x, size, result), CF) });
  } };
};
const ror: Shifter = (x, size, a, count) => {
  const n = x.and(count, x.const(size - 1)), result = x.or(x.shr(a, n), x.shl(a, from(x, size, n)));
  return { result, flags: () => {
    const CF = sign(x, size, result);
    x.setFlags({ CF, OF: x.xor(CF, second(x, size, result)) });
  } };
};

/** Through carry, 9, 17 or 33 bits are rotated; 8-bit and 16-bit counts of 9 and 17 and their multiples change no bit. */
const throughCarry = (left: boolean): Shifter => (x, size, a, count) => {
  const width = size + 1, all = x.or(a, x.shl(x.flag("CF"), x.const(size)));
  const n = size < 32 ? x.remU(count, x.const(width)) : count, rest = from(x, width, n);
  const result = left ? x.or(x.shl(all, n), x.shr(all, rest)) : x.or(x.shr(all, n), x.shl(all, rest));
  return { result, flags: () => carryFlags(x, size, result, x.bit(result, size), left) };
};
/** The 65 bits of a 64-bit operand and CF do not fit into a word. */
const throughCarry64 = (left: boolean): Shifter => (x, size, a, count) => {
  const rest = from(x, 64, count), before = minus1(x, count), carry = x.flag("CF");
  const turned = left
    ? x.or(x.or(x.shl(a, count), x.shl(carry, before)), x.shr(x.shr(a, x.const(1)), rest))
    : x.or(x.or(x.shr(a, count), x.shl(carry, rest)), x.shl(x.shl(a, x.const(1)), rest));
  const result = x.select(x.isZero(count), a, turned);
  return { result, flags: () => carryFlags(x, size, result, left ? x.bit(x.shl(a, before), 63) : x.bit(x.shr(a, before), 0), left) };
};
function carryFlags<V>(x: Exec<V>, size: Size, result: V, CF: V, left: boolean): void {
  x.setFlags({ CF, OF: x.xor(sign(x, size, result), left ? CF : second(x, size, result)) });
}
const rcl: Shifter = (x, size, a, count) => (size === 64 ? throughCarry64 : throughCarry)(true)(x, size, a, count);
const rcr: Shifter = (x, size, a, count) => (size === 64 ? throughCarry64 : throughCarry)(false)(x, size, a, count);

// ---- double shifts ----

/** With 16-bit operands and counts above 16, which the manual leaves undefined, bits of the destination follow the source's. */
const shld: DoubleShifter = (x, size, a, b, count) => {
  const before = minus1(x, count);
  const bits = (by: typeof count) => size === 64 ? x.or(x.shl(a, by), x.shr(x.shr(b, x.const(1)), from(x, 63, by)))
    : x.shr(x.shl(size === 32 ? x.or(x.shl(a, x.const(32)), b) : three(x, a, b), by), x.const(32));
  const result = bits(count);
  return { result, flags: () => {
    const CF = sign(x, size, bits(before));
    x.resultFlags(size, result, { CF, OF: x.xor(sign(x, size, result), CF) });
  } };
};
const shrd: DoubleShifter = (x, size, a, b, count) => {
  const before = minus1(x, count);
  const bits = (by: typeof count) => size === 64 ? x.or(x.shr(a, by), x.shl(x.shl(b, x.const(1)), from(x, 63, by)))
    : x.shr(size === 32 ? x.or(x.shl(b, x.const(32)), a) : three(x, a, b), by);
  const result = bits(count);
  return { result, flags: () => {
    x.resultFlags(size, result, { CF: x.bit(bits(before), 0), OF: x.xor(sign(x, size, result), second(x, size, result)) });
  } };
};
/** 48 bits: the 16-bit operands a, b, a. */
const three = <V>(x: Exec<V>, a: V, b: V): V => x.or(x.or(x.shl(a, x.const(32)), x.shl(b, x.const(16))), a);

// ---- what the manual leaves undefined ----

const countOf = ({ size, last }: VectorFacts) => Number(last & (size === 64 ? 63n : 31n));
const undefinedOF = (facts: VectorFacts) => (countOf(facts) > 1 ? "OF" : "");
const undefinedAF = (facts: VectorFacts) => (countOf(facts) > 0 ? ` AF ${undefinedOF(facts)}` : "");
/** CF too if all bits are shifted out. */
const SHIFT: VectorRule = { undefinedFlags: (facts) => undefinedAF(facts) + (countOf(facts) >= facts.size ? " CF" : "") };
const SAR: VectorRule = { undefinedFlags: undefinedAF };
const ROTATE: VectorRule = { undefinedFlags: undefinedOF };
const DOUBLE: VectorRule = { undefinedFlags: undefinedAF, undefinedResult: (facts) => countOf(facts) > facts.size };

/** The forms by 1 are a definition of their own: they have no count to test. */
const family = (name: string, rows: number[], shifter: Shifter, vectors: VectorRule): Instruction[] => [
  instruction(name, rows.flatMap((r) => [form(`D0 /${r}`, "Eb,1"), form(`D1 /${r}`, "Ev,1")]), byOne(shifter), { vectors }),
  instruction(name, rows.flatMap((r) => [
    form(`C0 /${r}`, "Eb,Ib"), form(`C1 /${r}`, "Ev,Ib"), form(`D2 /${r}`, "Eb,CL"), form(`D3 /${r}`, "Ev,CL"),
  ]), byCount(shifter), { vectors }),
];

export const shifts: Instruction[] = [
  ...family("rol", [0], rol, ROTATE),
  ...family("ror", [1], ror, ROTATE),
  ...family("rcl", [2], rcl, ROTATE),
  ...family("rcr", [3], rcr, ROTATE),
  ...family("shl", [4, 6], shl, SHIFT), // 6 is an alias
  ...family("shr", [5], shr, SHIFT),
  ...family("sar", [7], sar, SAR),
  instruction("shld", [form("0F A4 /r", "Ev,Gv,Ib"), form("0F A5 /r", "Ev,Gv,CL")], double(shld), { vectors: DOUBLE }),
  instruction("shrd", [form("0F AC /r", "Ev,Gv,Ib"), form("0F AD /r", "Ev,Gv,CL")], double(shrd), { vectors: DOUBLE }),
];
