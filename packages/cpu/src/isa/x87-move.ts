/** x87 loads, stores, exchanges, conditional moves and constants [SDM 1 8.3.3, 8.3.4]. */
import type { Exec, Operand, Semantics, Size } from "../core/exec.ts";
import { form, type Instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import type { Processor } from "../core/processor.ts";
import * as fp from "../fp/index.ts";
import { integerSource, operand, realSource } from "./x87-arithmetic.ts";
import { begin, INDEFINITE, type Unit, x87 } from "./x87-state.ts";

// ---- loads ----

/** Pushes what `f` gives, if there is room and no exception forbids. */
function pushing(cpu: Processor, f: (u: Unit) => bigint): bigint {
  const u = begin(cpu);
  if (!u.isEmpty(-1)) {
    if (u.overflow()) u.push(INDEFINITE);
    return 0n;
  }
  const value = f(u);
  if (u.finish()) u.push(value);
  return 0n;
}
/** 80 bits of memory, as two words. */
function readTen<V>(x: Exec<V>, src: Operand): [low: V, high: V] {
  const offset = x.address(src);
  return [x.load("operand", offset, 64), x.load("operand", x.add(offset, x.const(8)), 16)];
}
const ten = (low: bigint, high: bigint) => (high << 64n) | low;
const load = (source: (operand: Operand) => number): Semantics => (x, src) => { x.call("x87.load", x.const(source(src!)), x.read(src!)); };

// ---- stores ----

/** What a store makes of ST(0): bits in memory, and what is stored where ST(0) is empty. */
interface Storage {
  readonly bytes: 2 | 4 | 8 | 10;
  readonly indefinite: bigint;
  convert(u: Unit, value: bigint): bigint;
}
const real = (bytes: 4 | 8, format: fp.Format): Storage =>
  ({ bytes, indefinite: format.indefinite, convert: (u, value) => fp.convert(u.env, fp.F80, format, value) });
const integer = (bytes: 2 | 4 | 8, truncates = false): Storage => ({
  bytes, indefinite: fp.integerIndefinite(8 * bytes),
  convert: (u, value) => fp.toInteger(u.env, fp.F80, value, 8 * bytes, truncates ? fp.TOWARD_ZERO : u.env.rounding),
});
/** Helpers get an index. */
const STORAGES: readonly Storage[] = [
  real(4, fp.F32), real(8, fp.F64), { bytes: 10, indefinite: INDEFINITE, convert: (_, value) => value },
  integer(2), integer(4), integer(8), integer(2, true), integer(4, true), integer(8, true),
  { bytes: 10, indefinite: fp.BCD_INDEFINITE, convert: (u, value) => fp.toBcd(u.env, value) },
];
const EXTENDED = 2, INTEGER = 3, TRUNCATED = 6, BCD = 9;

/** Probes, computes, then stores: an unmasked exception may forbid the store, the pop with it. */
function storeTop(cpu: Processor, { bytes, indefinite, convert }: Storage, pops: number): bigint {
  const { x } = cpu, offset = x.address(x.insn.operands[0]!);
  x.probeWrite("operand", offset, bytes);
  const u = begin(cpu), empty = u.isEmpty(0), value = empty ? indefinite : convert(u, u.st(0));
  if (empty ? !u.underflow() : !u.finish(u.env.storeSuppressed)) return 0n;
  x.store("operand", offset, Math.min(8 * bytes, 64) as Size, BigInt.asUintN(64, value));
  if (bytes === 10) x.store("operand", x.add(offset, 8n), 16, value >> 64n);
  u.pop(pops);
  return 0n;
}
const store = (storage: (operand: Operand) => number, pops: number): Semantics => (x, dst) => {
  x.call("x87.store", x.const(storage(dst!)), x.const(pops));
};
const realStorage = ({ size }: Operand): number => (size === 32 ? 0 : 1);
const integerStorage = (first: number) => ({ size }: Operand): number => first + (size === 16 ? 0 : size === 32 ? 1 : 2);

export const x87MoveHelpers: Record<string, Helper> = {
  "x87.load": (cpu, [source, bits]) => pushing(cpu, (u) => {
    u.env.masks |= fp.DE; // a denormal is pushed even if that is not masked
    const { value, format } = operand(u, Number(source), bits!);
    return format === fp.F80 ? value : fp.convert(u.env, format, fp.F80, value);
  }),
  "x87.loadTen": (cpu, [low, high]) => pushing(cpu, () => ten(low!, high!)),
  "x87.loadBcd": (cpu, [low, high]) => pushing(cpu, () => fp.fromBcd(ten(low!, high!))),
  "x87.loadRegister": (cpu) => {
    const u = begin(cpu), { i } = u;
    if (u.isEmpty(i)) {
      if (u.underflow()) u.push(INDEFINITE);
    } else if (u.isEmpty(-1)) u.push(u.st(i));
    else if (u.overflow()) u.push(INDEFINITE);
    return 0n;
  },
  "x87.loadConstant": (cpu, [n]) => pushing(cpu, (u) => fp.constant(u.env, CONSTANTS[Number(n)]!)),
  "x87.store": (cpu, [storage, pops]) => storeTop(cpu, STORAGES[Number(storage)]!, Number(pops)),
  /** FST ST(i), FSTP ST(i). */
  "x87.storeRegister": (cpu, [pops]) => {
    const u = begin(cpu), { i } = u, empty = u.isEmpty(0);
    if (empty && !u.underflow()) return 0n;
    u.setSt(i, empty ? INDEFINITE : u.st(0));
    u.pop(Number(pops));
    return 0n;
  },
  "x87.storeAny": (cpu) => {
    const u = begin(cpu);
    if (!u.isEmpty(0)) u.setSt(u.i, u.st(0));
    u.pop();
    return 0n;
  },
  "x87.exchange": (cpu) => {
    const u = begin(cpu), { i } = u;
    if ((u.isEmpty(0) || u.isEmpty(i)) && !u.underflow()) return 0n;
    const a = u.isEmpty(0) ? INDEFINITE : u.st(0), b = u.isEmpty(i) ? INDEFINITE : u.st(i);
    u.setSt(0, b);
    u.setSt(i, a);
    return 0n;
  },
  "x87.moveIf": (cpu, [condition]) => {
    const u = begin(cpu, 0);
    if (u.isEmpty(0) || u.isEmpty(u.i)) {
      if (u.underflow()) u.setSt(0, INDEFINITE);
    } else if (condition !== 0n) u.setSt(0, u.st(u.i));
    return 0n;
  },
};

/** FCMOVcc: names, opcodes and the condition's number in CONDITIONS. */
const CONDITIONAL: readonly (readonly [condition: string, opcode: string, code: number])[] = [
  ["b", "DA C0", 2], ["e", "DA C8", 4], ["be", "DA D0", 6], ["u", "DA D8", 10],
  ["nb", "DB C0", 3], ["ne", "DB C8", 5], ["nbe", "DB D0", 7], ["nu", "DB D8", 11],
];
const CONSTANTS = ["FLD1", "FLDL2T", "FLDL2E", "FLDPI", "FLDLG2", "FLDLN2", "FLDZ"] as const;

export const x87Move: Instruction[] = [
  x87("fld", [form("D9 /0", "Md"), form("DD /0", "Mq")], load(realSource)),
  x87("fld", [form("DB /5", "Mt")], (x, src) => { x.call("x87.loadTen", ...readTen(x, src!)); }),
  x87("fld", [form("D9 C0+i", "STi")], (x) => { x.call("x87.loadRegister"); }),
  x87("fild", [form("DF /0", "Mw"), form("DB /0", "Md"), form("DF /5", "Mq")], load(integerSource)),
  x87("fbld", [form("DF /4", "Mt")], (x, src) => { x.call("x87.loadBcd", ...readTen(x, src!)); }),
  ...CONSTANTS.map((name, n) => x87(name.toLowerCase(), [form(`D9 E${8 + n < 10 ? 8 + n : (8 + n).toString(16).toUpperCase()}`)], (x) => { x.call("x87.loadConstant", x.const(n)); })),

  x87("fst", [form("D9 /2", "Md"), form("DD /2", "Mq")], store(realStorage, 0)),
  x87("fstp", [form("D9 /3", "Md"), form("DD /3", "Mq")], store(realStorage, 1)),
  x87("fstp", [form("DB /7", "Mt")], store(() => EXTENDED, 1)),
  x87("fist", [form("DF /2", "Mw"), form("DB /2", "Md")], store(integerStorage(INTEGER), 0)),
  x87("fistp", [form("DF /3", "Mw"), form("DB /3", "Md"), form("DF /7", "Mq")], store(integerStorage(INTEGER), 1)),
  x87("fisttp", ["DF /1,Mw", "DB /1,Md", "DD /1,Mq"].map((text) => form(text.slice(0, 5), text.slice(6), { feature: "sse3" })), store(integerStorage(TRUNCATED), 1)),
  x87("fbstp", [form("DF /6", "Mt")], store(() => BCD, 1)),
  x87("fst", [form("DD D0+i", "STi")], (x) => { x.call("x87.storeRegister", x.const(0)); }),
  x87("fstp", [form("DD D8+i", "STi"), form("DF D0+i", "STi"), form("DF D8+i", "STi")], // DF: aliases
    (x) => { x.call("x87.storeRegister", x.const(1)); }),
  x87("fstp", [form("D9 D8+i", "STi")], (x) => { x.call("x87.storeAny"); }), // an alias, but an empty ST(0) is not an exception

  x87("fxch", [form("D9 C8+i", "STi"), form("DD C8+i", "STi"), form("DF C8+i", "STi")], (x) => { x.call("x87.exchange"); }), // DD and DF: aliases
  ...CONDITIONAL.map(([name, opcode, code]) => x87(`fcmov${name}`, [form(`${opcode}+i`, "ST,STi", { feature: "cmov" })],
    (x) => { x.call("x87.moveIf", x.condition(code)); })),
];
