/** Multiplication, division and decimal adjustment [SDM 2A "MUL", "IMUL", "DIV", "IDIV", "AAA" .. "DAS"]. */
import type { Exec, Operand, Semantics, Size } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { RAX, RDX } from "../core/state.ts";

/** Upper 64 bits of the unsigned product of two words, by halves. */
function highU<V>(x: Exec<V>, a: V, b: V): V {
  const half = x.const(32), low = (v: V) => x.zext(v, 32), high = (v: V) => x.shr(v, half);
  const middle = x.add(x.mul(high(a), low(b)), high(x.mul(low(a), low(b))));
  const other = x.add(x.mul(low(a), high(b)), low(middle));
  return x.add(x.add(x.mul(high(a), high(b)), high(middle)), high(other));
}
/** The same for signed words: each negative factor counts the other one too much. */
function highS<V>(x: Exec<V>, a: V, b: V): V {
  const excess = (sign: V, other: V) => x.and(x.sar(sign, x.const(63)), other);
  return x.sub(x.sub(highU(x, a, b), excess(a, b)), excess(b, a));
}

/** rDX:rAX, or AX for bytes: writes both halves of a double-width result. */
function writeDouble<V>(x: Exec<V>, size: Size, low: V, high: V): void {
  if (size === 8) return x.setReg(RAX, x.or(x.shl(high, x.const(8)), x.zext(low, 8)), 16);
  x.setReg(RAX, low, size);
  x.setReg(RDX, high, size);
}
/** CF and OF say that the upper half is significant. The other flags, undefined, stay. */
const significant = <V>(x: Exec<V>, condition: V): void => x.setFlags({ CF: condition, OF: condition });

const mul: Semantics = (x, src) => {
  const size = src.size as Size, a = x.reg(RAX, size), b = x.read(src), product = x.mul(a, b);
  const high = size === 64 ? highU(x, a, b) : x.shr(product, x.const(size));
  writeDouble(x, size, product, high);
  significant(x, x.isNonZero(high));
};
const imul: Semantics = (x, src) => {
  const size = src.size as Size, a = x.sext(x.reg(RAX, size), size), b = x.sext(x.read(src), size), product = x.mul(a, b);
  const high = size === 64 ? highS(x, a, b) : x.sar(product, x.const(size));
  writeDouble(x, size, product, high);
  significant(x, x.ne(x.sar(x.sext(product, size), x.const(63)), high));
};
/** The truncated product, as for two and three operands. */
function imulTruncated<V>(x: Exec<V>, dst: Operand, left: Operand, right: Operand): void {
  const { size } = dst, a = x.sext(x.read(left), size), b = x.sext(x.read(right), size), product = x.mul(a, b);
  const fits = size === 64 ? x.eq(highS(x, a, b), x.sar(product, x.const(63))) : x.eq(x.sext(product, size), product);
  x.write(dst, product);
  significant(x, x.xor(fits, x.const(1)));
}

/** The dividend is AX, or rDX:rAX; quotient and remainder go where its halves were. Flags, undefined, stay. */
const div: Semantics = (x, src) => {
  const size = src.size as Size, b = x.read(src), low = x.reg(RAX, size);
  const high = size === 8 ? x.shr(x.reg(RAX, 16), x.const(8)) : x.reg(RDX, size);
  x.raiseIf(x.xor(x.ltU(high, b), x.const(1)), "DE"); // the quotient does not fit, or b is 0
  const dividend = size < 64 ? x.or(x.shl(high, x.const(size)), low) : low;
  const short = () => x.divU(dividend, b);
  const quotient = size < 64 ? short() : x.choose(x.isZero(high), short, () => x.call("div.unsigned", high, low, b));
  writeDouble(x, size, quotient, x.sub(dividend, x.mul(quotient, b)));
};

/** The quotient is rounded toward zero; the remainder has the dividend's sign. */
const idiv: Semantics = (x, src) => {
  const size = src.size as Size, b = x.sext(x.read(src), size), low = x.reg(RAX, size);
  x.raiseIf(x.isZero(b), "DE");
  if (size < 64) {
    const pair = x.or(x.shl(size === 8 ? x.shr(x.reg(RAX, 16), x.const(8)) : x.reg(RDX, size), x.const(size)), low);
    const dividend = x.sext(pair, 2 * size);
    if (size === 32) x.raiseIf(tooLarge(x, dividend, b), "DE");
    const quotient = x.divS(dividend, b);
    x.raiseIf(x.ne(x.sext(quotient, size), quotient), "DE");
    writeDouble(x, size, quotient, x.sub(dividend, x.mul(quotient, b)));
    return;
  }
  const high = x.reg(RDX), short = x.eq(high, x.sar(low, x.const(63)));
  x.raiseIf(x.and(short, tooLarge(x, low, b)), "DE");
  const quotient = x.choose(short, () => x.divS(low, b), () => x.call("div.signed", high, low, b));
  writeDouble(x, size, quotient, x.sub(low, x.mul(quotient, b)));
};
/** -2^63 / -1: the one quotient of words that is not a word. */
const tooLarge = <V>(x: Exec<V>, dividend: V, divisor: V): V =>
  x.and(x.eq(dividend, x.const(-(1n << 63n))), x.eq(divisor, x.const(-1)));

const signed = (high: bigint, low: bigint) => BigInt.asIntN(128, (high << 64n) | low);
export const divideHelpers: Record<string, Helper> = {
  /** Quotient of the 128-bit word high:low; high is below the divisor. */
  "div.unsigned": (_cpu, [high, low, divisor]) => ((high! << 64n) | low!) / divisor!,
  "div.signed": (cpu, [high, low, divisor]) => {
    const quotient = signed(high!, low!) / BigInt.asIntN(64, divisor!);
    if (BigInt.asIntN(64, quotient) !== quotient) cpu.fault("DE");
    return BigInt.asUintN(64, quotient);
  },
};

// ---- decimal adjustment: none of these exists in 64-bit mode ----

const aam: Semantics = (x, base) => {
  const divisor = x.read(base), al = x.reg(RAX, 8);
  x.raiseIf(x.isZero(divisor), "DE");
  const digit = x.remU(al, divisor);
  x.setReg(RAX, x.or(x.shl(x.divU(al, divisor), x.const(8)), digit), 16);
  x.resultFlags(8, digit);
};
const aad: Semantics = (x, base) => {
  const ax = x.reg(RAX, 16), binary = x.zext(x.add(x.and(ax, x.const(0xff)), x.mul(x.shr(ax, x.const(8)), x.read(base))), 8);
  x.setReg(RAX, binary, 16);
  x.resultFlags(8, binary);
};
/** Is the low digit in need of adjustment: above 9, or AF from the operation before? */
const needsAdjustment = <V>(x: Exec<V>): V => x.or(x.ltU(x.const(9), x.and(x.reg(RAX, 8), x.const(15))), x.flag("AF"));

const ascii = (sign: "add" | "sub"): Semantics => (x) => {
  const adjust = needsAdjustment(x), ax = x.reg(RAX, 16);
  // AX + 106; or AX - 6 and then AH - 1 [SDM 2A "AAA", "AAS"]
  const adjusted = x[sign](ax, x.const(0x106)), result = x.select(adjust, adjusted, ax);
  x.setReg(RAX, x.and(result, x.const(0xff0f)), 16);
  x.setFlags({ AF: adjust, CF: adjust });
};
const decimal = (sign: "add" | "sub"): Semantics => (x) => {
  const al = x.reg(RAX, 8), adjust = needsAdjustment(x), carry = x.or(x.ltU(x.const(0x99), al), x.flag("CF")), zero = x.const(0);
  const correction = x.add(x.select(adjust, x.const(6), zero), x.select(carry, x.const(0x60), zero));
  const result = x.zext(x[sign](al, correction), 8);
  // DAS: a borrow from the low digit's adjustment counts, too
  const borrow = sign === "sub" ? x.and(adjust, x.ltU(al, x.const(6))) : zero;
  x.setReg(RAX, result, 8);
  x.resultFlags(8, result, { CF: x.or(carry, borrow), AF: adjust });
};

const not64 = { not64: true };
const PRODUCT = { vectors: { undefinedFlags: "SF ZF AF PF" } }, QUOTIENT = { vectors: { undefinedFlags: "CF OF SF ZF AF PF" } };

export const multiplication: Instruction[] = [
  instruction("mul", [form("F6 /4", "Eb"), form("F7 /4", "Ev")], mul, PRODUCT),
  instruction("imul", [form("F6 /5", "Eb"), form("F7 /5", "Ev")], imul, PRODUCT),
  instruction("imul", [form("0F AF /r", "Gv,Ev")], (x, dst, src) => imulTruncated(x, dst, dst, src), PRODUCT),
  instruction("imul", [form("69 /r", "Gv,Ev,Iz"), form("6B /r", "Gv,Ev,Ibs")], (x, dst, left, right) => imulTruncated(x, dst, left, right), PRODUCT),
  instruction("div", [form("F6 /6", "Eb"), form("F7 /6", "Ev")], div, QUOTIENT),
  instruction("idiv", [form("F6 /7", "Eb"), form("F7 /7", "Ev")], idiv, QUOTIENT),
  instruction("aam", [form("D4", "Ib", not64)], aam, { vectors: { undefinedFlags: "CF OF AF" } }),
  instruction("aad", [form("D5", "Ib", not64)], aad, { vectors: { undefinedFlags: "CF OF AF" } }),
  instruction("aaa", [form("37", "", not64)], ascii("add"), { vectors: { undefinedFlags: "OF SF ZF PF" } }),
  instruction("aas", [form("3F", "", not64)], ascii("sub"), { vectors: { undefinedFlags: "OF SF ZF PF" } }),
  instruction("daa", [form("27", "", not64)], decimal("add"), { vectors: { undefinedFlags: "OF" } }),
  instruction("das", [form("2F", "", not64)], decimal("sub"), { vectors: { undefinedFlags: "OF" } }),
];
