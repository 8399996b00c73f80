/** x87 addition to division with their reversed, popping and integer kin, and all that works on ST(0) alone or with ST(1) [SDM 1 8.3]. */
import type { Operand, Semantics } from "../core/exec.ts";
import { form, type Instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import * as fp from "../fp/index.ts";
import { begin, C0, C1, C2, C3, INDEFINITE, type Unit, x87 } from "./x87-state.ts";

/** Where an operand comes from: a number that semantics pass to helpers. */
export const SOURCE = { register: 0, f32: 1, f64: 2, i16: 3, i32: 4, i64: 5 } as const;
export const realSource = ({ size }: Operand): number => (size === 32 ? SOURCE.f32 : SOURCE.f64);
export const integerSource = ({ size }: Operand): number => (size === 16 ? SOURCE.i16 : size === 32 ? SOURCE.i32 : SOURCE.i64);

/** The operand of a helper and its format: ST(i), or the bits that were read from memory. Integers are exact in a register. */
export function operand(u: Unit, source: number, bits: bigint): { readonly value: bigint; readonly format: fp.Format } {
  if (source === SOURCE.register) return { value: u.st(u.i), format: fp.F80 };
  if (source === SOURCE.f32) return { value: bits, format: fp.F32 };
  if (source === SOURCE.f64) return { value: bits, format: fp.F64 };
  const width = source === SOURCE.i16 ? 16 : source === SOURCE.i32 ? 32 : 64;
  return { value: fp.fromInteger(u.env, fp.F80, BigInt.asIntN(width, bits)), format: fp.F80 };
}
/** Is ST(0) empty, or ST(i) where that is the source? */
export const lacks = (u: Unit, source: number): boolean => u.isEmpty(0) || (source === SOURCE.register && u.isEmpty(u.i));

// ---- two operands, one of them anywhere ----

type Binary = (env: fp.FpEnv, format: fp.Format, a: bigint, b: bigint, aFormat?: fp.Format, bFormat?: fp.Format) => bigint;
const reversed = (f: Binary): Binary => (env, format, a, b, aFormat, bFormat) => f(env, format, b, a, bFormat, aFormat);

/** ST(0) = ST(0) op source. */
const toTop = (f: Binary): Helper => (cpu, [which, bits]) => {
  const u = begin(cpu), source = Number(which);
  if (lacks(u, source)) {
    if (u.underflow()) u.setSt(0, INDEFINITE);
    return 0n;
  }
  const { value, format } = operand(u, source, bits!), result = f(u.env, fp.F80, u.st(0), value, fp.F80, format);
  if (u.finish()) u.setSt(0, result);
  return 0n;
};
/** ST(i) = ST(i) op ST(0), and as many pops. */
const toRegister = (f: Binary): Helper => (cpu, [pops]) => {
  const u = begin(cpu), { i } = u, empty = lacks(u, SOURCE.register);
  const result = empty ? INDEFINITE : f(u.env, fp.F80, u.st(i), u.st(0));
  if (empty ? !u.underflow() : !u.finish()) return 0n;
  u.setSt(i, result);
  u.pop(Number(pops));
  return 0n;
};

/** In the order of their opcode extension; no entry: FCOM and FCOMP. */
const OPERATIONS: readonly (readonly [name: string, operation: Binary] | null)[] = [
  ["add", fp.add], ["mul", fp.mul], null, null, ["sub", fp.sub], ["subr", reversed(fp.sub)], ["div", fp.div], ["divr", reversed(fp.div)],
];
const registers = (row: number) => `${(0xc0 + 8 * row).toString(16).toUpperCase()}+i`;

/** Forms are told apart by where their operands are. With ST(i) as destination the reversed ones have changed places. */
const arithmetic: Instruction[] = OPERATIONS.flatMap((entry, row) => {
  if (entry === null) return [];
  const [op] = entry, toI = registers(row < 4 ? row : row ^ 1);
  const memory = (source: (operand: Operand) => number): Semantics => (x, src) => { x.call(`x87.${op}`, x.const(source(src!)), x.read(src!)); };
  const register = (pops: number): Semantics => (x) => { x.call(`x87.${op}To`, x.const(pops)); };
  return [
    x87(`f${op}`, [form(`D8 /${row}`, "Md"), form(`DC /${row}`, "Mq")], memory(realSource)),
    x87(`f${op}`, [form(`D8 ${registers(row)}`, "ST,STi")], (x) => { x.call(`x87.${op}`, x.const(SOURCE.register)); }),
    x87(`f${op}`, [form(`DC ${toI}`, "STi,ST")], register(0)),
    x87(`f${op}p`, [form(`DE ${toI}`, "STi,ST")], register(1)),
    x87(`fi${op}`, [form(`DA /${row}`, "Md"), form(`DE /${row}`, "Mw")], memory(integerSource)),
  ];
});
const arithmeticHelpers: Record<string, Helper> = {};
for (const entry of OPERATIONS) {
  if (entry === null) continue;
  arithmeticHelpers[`x87.${entry[0]}`] = toTop(entry[1]);
  arithmeticHelpers[`x87.${entry[0]}To`] = toRegister(entry[1]);
}

// ---- ST(0), or ST(0) and ST(1) ----

/** ST(0) = f(ST(0)). `ranged`: C2 tells that the operand is out of range, and the result is the operand. */
const unary = (f: (env: fp.FpEnv, a: bigint) => bigint, ranged = false): Helper => (cpu) => {
  const u = begin(cpu, ranged ? C1 | C2 : C1);
  if (u.isEmpty(0)) {
    if (u.underflow()) u.setSt(0, INDEFINITE);
    return 0n;
  }
  const result = f(u.env, u.st(0));
  if (u.env.incomplete) u.setCodes(C2, C2);
  if (u.finish()) u.setSt(0, result);
  return 0n;
};
type Two = (env: fp.FpEnv, a: bigint, b: bigint) => bigint;
/** ST(0) = f(ST(0), ST(1)). `divides`: condition codes tell of the quotient. */
const byNext = (f: Two, divides = false): Helper => (cpu) => {
  const u = begin(cpu, divides ? C1 | C2 : C1);
  if (u.isEmpty(0) || u.isEmpty(1)) {
    if (u.underflow()) u.setSt(0, INDEFINITE);
    return 0n;
  }
  const result = f(u.env, u.st(0), u.st(1));
  if (!u.finish()) return 0n;
  if (divides && (result & fp.F80.infinity) < fp.F80.infinity) quotientCodes(u); // a NaN keeps C0 and C3
  u.setSt(0, result);
  return 0n;
};
/** ST(1) = f(ST(0), ST(1)), then a pop. */
const intoNext = (f: Two): Helper => (cpu) => {
  const u = begin(cpu), empty = u.isEmpty(0) || u.isEmpty(1), result = empty ? INDEFINITE : f(u.env, u.st(0), u.st(1));
  if (empty ? !u.underflow() : !u.finish()) return 0n;
  u.setSt(1, result);
  u.pop();
  return 0n;
};
/** ST(0) = f(ST(0)), then a push of the second result. `ranged` as above. */
const twoResults = (f: (env: fp.FpEnv, a: bigint) => bigint, ranged = true): Helper => (cpu) => {
  const u = begin(cpu, ranged ? C1 | C2 : C1), empty = u.isEmpty(0), full = !u.isEmpty(-1);
  if (empty || full) {
    if (empty ? !u.underflow() : !u.overflow()) return 0n;
    u.setSt(0, INDEFINITE);
    u.push(INDEFINITE);
    return 0n;
  }
  const result = f(u.env, u.st(0));
  if (u.env.incomplete) u.setCodes(C2, C2);
  if (!u.finish() || u.env.incomplete) return 0n;
  u.setSt(0, result);
  u.push(u.env.second);
  return 0n;
};

/** Bits 2, 0 and 1 of the quotient are C0, C1 and C3 [SDM 2A "FPREM"]. */
function quotientCodes(u: Unit): void {
  const { quotient, incomplete } = u.env;
  u.setCodes(C0 | C1 | C2 | C3, (quotient & 4 ? C0 : 0) | (quotient & 1 ? C1 : 0) | (quotient & 2 ? C3 : 0) | (incomplete ? C2 : 0));
}

/** Ours are correctly rounded, which the manual does not ask for; with another last bit, C1 is another too. */
const TRANSCENDENTAL = /^f(2xm1|yl2x|yl2xp1|ptan|patan|sin|cos|sincos)$/, APPROXIMATE = { vectors: { ulps: 1, undefinedFlags: "C1" } };
const ALONE: readonly (readonly [name: string, byte: string, operation: Helper])[] = [
  ["fchs", "E0", unary((_, a) => a ^ fp.F80.signBit)],
  ["fabs", "E1", unary((_, a) => a & ~fp.F80.signBit)],
  ["f2xm1", "F0", unary(fp.f2xm1)],
  ["fyl2x", "F1", intoNext(fp.fyl2x)],
  ["fptan", "F2", twoResults(fp.fptan)],
  ["fpatan", "F3", intoNext(fp.fpatan)],
  ["fxtract", "F4", twoResults(fp.extract, false)],
  ["fprem1", "F5", byNext(fp.ieeeRemainder, true)],
  ["fprem", "F8", byNext(fp.remainder, true)],
  ["fyl2xp1", "F9", intoNext(fp.fyl2xp1)],
  ["fsqrt", "FA", unary((env, a) => fp.sqrt(env, fp.F80, a))],
  ["fsincos", "FB", twoResults(fp.fsincos)],
  ["frndint", "FC", unary((env, a) => fp.roundToIntegral(env, fp.F80, a))],
  ["fscale", "FD", byNext(fp.scale)],
  ["fsin", "FE", unary(fp.fsin, true)],
  ["fcos", "FF", unary(fp.fcos, true)],
];

export const x87Arithmetic: Instruction[] = [
  ...arithmetic,
  ...ALONE.map(([name, byte]) => x87(name, [form(`D9 ${byte}`)], (x) => { x.call(`x87.${name}`); }, TRANSCENDENTAL.test(name) ? APPROXIMATE : {})),
];
export const x87ArithmeticHelpers: Record<string, Helper> = {
  ...arithmeticHelpers,
  ...Object.fromEntries(ALONE.map(([name, , helper]) => [`x87.${name}`, helper])),
};
