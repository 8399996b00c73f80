/** Integer arithmetic, comparisons, conversions. */
import { Label } from "../x64/assembler.ts";
import {
  type AluOperation,
  CC,
  type Condition,
  type Memory,
  memory,
  RAX,
  RCX,
  RDX,
  type Register,
  type ShiftOperation,
  type Size,
  swapped,
} from "../x64/operands.ts";
import { callSymbol } from "./calls.ts";
import type { Generator } from "./generator.ts";
import { constant, immediateOf, type Operand, ownedBy } from "./operand.ts";

export type Handler = (g: Generator) => void;

const sizeOf = (wide: boolean): Size => (wide ? 8 : 4);

// ---- addition and its like ----

/** `to operation= v`; the value is used up. */
function combine(g: Generator, operation: AluOperation, to: Register, v: Operand, wide: boolean): void {
  const immediate = immediateOf(v);
  const from = g.inMemory(v);
  if (immediate !== null) g.asm.aluConstant(operation, to, immediate, sizeOf(wide));
  else if (from !== null) g.asm.alu(operation, to, from, sizeOf(wide));
  else {
    const register = g.use(v, to);
    g.asm.alu(operation, to, register, sizeOf(wide));
    if (register !== to) g.release(v, register);
  }
}

function binary(g: Generator, operation: AluOperation, wide: boolean): void {
  let right = g.pop();
  let left = g.pop();
  const commutes = operation !== "sub";
  if (commutes && (left.kind === "constant" || (right.kind === "register" && left.kind !== "register")))
    [left, right] = [right, left];
  if (operation === "and" && testInstead(g, left, right, wide)) return;
  if (commutes && g.settableHome(right) === null && g.settableHome(left) !== null) [left, right] = [right, left];
  const home = g.settableHome(right);
  if (home !== null) {
    g.ownIn(home, left);
    combine(g, operation, home, right, wide);
    return g.pushRegister(home, wide);
  }
  const to = g.own(left, ...ownedBy(right));
  combine(g, operation, to, right, wide);
  g.pushRegister(to, wide);
}

/** AND whose result is only asked whether it is zero: TEST. */
function testInstead(g: Generator, left: Operand, right: Operand, wide: boolean): boolean {
  const zero = g.nameAfter() === (wide ? "i64.eqz" : "i32.eqz") && ["br_if", "if", "select"].includes(g.nameAfter(2));
  if (!zero && (wide || !["br_if", "if"].includes(g.nameAfter()))) return false;
  const a = g.use(left, ...ownedBy(right));
  const mask = immediateOf(right);
  if (mask === null) {
    const b = g.use(right, a);
    g.asm.test(a, b, sizeOf(wide));
    g.release(right, b);
  } else if (mask >= 0 && mask < 256 && a <= 3) g.asm.modRm(0xf6, 0, a, 1).u8(mask);
  else g.asm.modRm(0xf7, 0, a, sizeOf(wide && mask < 0)).u32(mask);
  g.release(left, a);
  if (zero) g.at++;
  g.push({ kind: "flags", condition: zero ? CC.E : CC.NE, wide: false });
  return true;
}

/** An i32 that can be part of an address, as one; null if it must be computed first. */
function asSum(g: Generator, v: Operand) {
  if (v.kind === "sum") return v;
  const base = v.kind === "register" ? v.register : v.kind === "local" ? g.home(v.index) : null;
  if (base === null || v.wide) return null;
  const locals = v.kind === "local" ? [v.index] : [];
  return { address: memory(base, 0, { narrow: true }), owned: ownedBy(v), locals };
}
type Sum = NonNullable<ReturnType<typeof asSum>>;

/** `base + index * scale + displacement` of both, if there are registers for no more than one base and one index. */
function joined(a: Sum, b: Sum): Sum | null {
  const [x, y] = a.address.index === null ? [a.address, b.address] : [b.address, a.address];
  if (x.index !== null || x.base === null || (y.index !== null && y.base !== null)) return null;
  const [index, scale] = y.index === null ? [y.base, 1 as const] : [y.index, y.scale];
  const displacement = (x.displacement + y.displacement) | 0;
  return {
    address: { base: x.base, index, scale, displacement, narrow: true },
    owned: [...a.owned, ...b.owned],
    locals: [...a.locals, ...b.locals],
  };
}

/** 32-bit addition stays lazy: addressing does it, wrapping as i32.add does. */
function add32(g: Generator): void {
  const [right, left] = [g.pop(), g.pop()];
  const [v, other] = left.kind === "constant" ? [right, left] : [left, right];
  const a = asSum(g, v);
  if (a !== null && other.kind === "constant") {
    const displacement = (a.address.displacement + Number(other.value)) | 0;
    return pushSum(g, { ...a, address: { ...a.address, displacement } });
  }
  const b = a && asSum(g, other);
  const sum = a && b && joined(a, b);
  if (sum) return pushSum(g, sum);
  g.push(left);
  g.push(right);
  binary(g, "add", false);
}

function sub32(g: Generator): void {
  const right = g.stack.at(-1)!;
  if (right.kind !== "constant") return binary(g, "sub", false);
  g.pop();
  g.push(constant(-right.value, false));
  add32(g);
}

/** If a local is set to the sum at once, ADD or LEA into its home. */
function pushSum(g: Generator, { address, owned, locals }: Sum): void {
  const home = g.settableHome();
  const v: Operand = { kind: "sum", address, owned, locals, wide: false };
  if (home === null) return g.push(v);
  addInto(g, home, address, v);
  g.drop(v);
  g.pushRegister(home, false);
}
function addInto(g: Generator, home: Register, { base, index, scale, displacement }: Memory, v: Operand): void {
  if (index === null && base === home) {
    if (displacement !== 0) g.asm.aluConstant("add", home, displacement, 4);
  } else if (displacement === 0 && scale === 1 && index !== null && (base === home || index === home))
    g.asm.alu("add", home, base === home ? index : base!, 4);
  else g.load(home, v);
}

function multiply(g: Generator, wide: boolean): void {
  let [right, left] = [g.pop(), g.pop()];
  if (left.kind === "constant") [left, right] = [right, left];
  const factor = immediateOf(right);
  if (factor !== null) {
    const from = g.use(left);
    g.release(left, from);
    const to = g.target();
    const short = factor >= -128 && factor <= 127;
    g.asm.modRm(short ? 0x6b : 0x69, to, from, sizeOf(wide));
    if (short) g.asm.u8(factor);
    else g.asm.u32(factor);
    return g.pushRegister(to, wide);
  }
  const home = g.settableHome(right);
  const to = home === null ? g.own(left, ...ownedBy(right)) : g.ownIn(home, left);
  const by = g.inMemory(right);
  if (by !== null) g.asm.modRm(0x0faf, to, by, sizeOf(wide));
  else {
    const from = g.use(right, to);
    g.asm.modRm(0x0faf, to, from, sizeOf(wide));
    g.release(right, from);
  }
  g.pushRegister(to, wide);
}

// ---- division: RDX:RAX by a register ----

function divide(g: Generator, wide: boolean, signed: boolean, remainder: boolean): void {
  g.take(RAX, RDX);
  const [right, left] = [g.pop(), g.pop()];
  const divisor = g.use(right);
  g.ownIn(RAX, left);
  const end = new Label();
  if (signed && remainder) {
    // the remainder by -1 is 0; IDIV faults for the least number, whose quotient does not fit
    g.asm.constant(RDX, 0).aluConstant("cmp", divisor, -1, sizeOf(wide)).jump(end, CC.E);
  }
  if (signed)
    g.asm.u8(...(wide ? [0x48, 0x99] : [0x99])); // CQO or CDQ
  else g.asm.alu("xor", RDX, RDX, 4);
  g.asm.modRm(0xf7, signed ? 7 : 6, divisor, sizeOf(wide)).bind(end);
  g.release(right, divisor);
  g.free(RAX, RDX);
  const result = remainder ? RDX : RAX;
  g.claim(result);
  g.pushRegister(result, wide);
}

// ---- shifts and rotations ----

function shift(g: Generator, operation: ShiftOperation, wide: boolean): void {
  const count = g.stack.at(-1)!;
  if (count.kind === "constant") return shiftByConstant(g, operation, Number(count.value & (wide ? 63n : 31n)), wide);
  if (!(count.kind === "register" && count.register === RCX)) {
    g.take(RCX);
    g.ownIn(RCX, g.pop());
  } else g.pop();
  const to = g.own(g.pop(), RCX);
  g.asm.shiftByCl(operation, to, sizeOf(wide));
  g.free(RCX);
  g.pushRegister(to, wide);
}

function shiftByConstant(g: Generator, operation: ShiftOperation, count: number, wide: boolean): void {
  g.pop();
  const v = g.pop();
  const sum = operation === "shl" && !wide && count >= 1 && count <= 3 ? asSum(g, v) : null;
  if (sum !== null && sum.address.index === null && sum.address.displacement === 0) {
    const address = memory(null, 0, { index: sum.address.base, scale: (1 << count) as 2 | 4 | 8, narrow: true });
    return pushSum(g, { ...sum, address });
  }
  const home = g.settableHome();
  const to = home === null ? g.own(v) : g.ownIn(home, v);
  if (count !== 0) g.asm.shift(operation, to, count, sizeOf(wide));
  g.pushRegister(to, wide);
}

// ---- comparisons ----

function compare(g: Generator, condition: Condition, wide: boolean): void {
  let [right, left] = [g.pop(), g.pop()];
  let cc = condition;
  if (left.kind === "constant" && right.kind !== "constant") {
    [left, right] = [right, left];
    cc = swapped(cc);
  }
  const a = g.use(left, ...ownedBy(right));
  if (immediateOf(right) === 0 && (cc === CC.E || cc === CC.NE)) g.asm.test(a, a, sizeOf(wide));
  else combine(g, "cmp", a, right, wide);
  g.release(left, a);
  g.pushFlags(cc);
}

function equalsZero(g: Generator): void {
  const condition = g.truth(g.pop());
  g.pushFlags(condition ^ 1);
}

// ---- bits ----

/** BSR and BSF leave the destination open for zero: then it is set so that the answer is the operand's width. */
function countZeros(g: Generator, leading: boolean, wide: boolean): void {
  const v = g.pop();
  const from = g.use(v);
  const to = g.allocate(from);
  const found = new Label();
  g.asm.modRm(leading ? 0x0fbd : 0x0fbc, to, from, sizeOf(wide)).jump(found, CC.NE);
  const width = wide ? 64 : 32;
  g.asm.constant(to, leading ? 2 * width - 1 : width).bind(found);
  if (leading) g.asm.aluConstant("xor", to, width - 1, 4);
  g.release(v, from);
  g.pushRegister(to, wide);
}

/** One operand, one result, one instruction. */
function convert(g: Generator, wide: boolean, emit: (to: Register, from: Register) => void): void {
  const v = g.pop();
  const from = g.use(v);
  g.release(v, from);
  const to = g.target();
  emit(to, from);
  g.pushRegister(to, wide);
}

function wrap(g: Generator): void {
  const v = g.stack.at(-1)!;
  if (v.kind !== "constant") return convert(g, false, (to, from) => g.asm.load(to, from, 4));
  g.pop();
  g.push(constant(v.value, false));
}

function extendUnsigned(g: Generator): void {
  const v = g.pop();
  g.push(v.kind === "constant" ? constant(BigInt.asUintN(32, v.value), true) : { ...v, wide: true });
}

const movsx =
  (opcode: number, wide: boolean): Handler =>
  (g) =>
    convert(g, wide, (to, from) => g.asm.modRm(opcode, to, from, sizeOf(wide), { byteRm: opcode === 0x0fbe }));

// ---- the table ----

const CONDITIONS: Readonly<Record<string, Condition>> = {
  eq: CC.E,
  ne: CC.NE,
  lt_s: CC.L,
  lt_u: CC.B,
  gt_s: CC.G,
  gt_u: CC.A,
  le_s: CC.LE,
  le_u: CC.BE,
  ge_s: CC.GE,
  ge_u: CC.AE,
};
const SHIFTS: Readonly<Record<string, ShiftOperation>> = {
  shl: "shl",
  shr_s: "sar",
  shr_u: "shr",
  rotl: "rol",
  rotr: "ror",
};

function* handlers(): Iterable<[string, Handler]> {
  for (const wide of [false, true]) {
    const type = wide ? "i64" : "i32";
    for (const [name, cc] of Object.entries(CONDITIONS)) yield [`${type}.${name}`, (g) => compare(g, cc, wide)];
    for (const [name, operation] of Object.entries(SHIFTS)) yield [`${type}.${name}`, (g) => shift(g, operation, wide)];
    for (const operation of ["and", "or", "xor"] as const)
      yield [`${type}.${operation}`, (g) => binary(g, operation, wide)];
    yield [`${type}.add`, (g) => (wide ? binary(g, "add", true) : add32(g))];
    yield [`${type}.sub`, (g) => (wide ? binary(g, "sub", true) : sub32(g))];
    yield [`${type}.mul`, (g) => multiply(g, wide)];
    yield [`${type}.div_s`, (g) => divide(g, wide, true, false)];
    yield [`${type}.div_u`, (g) => divide(g, wide, false, false)];
    yield [`${type}.rem_s`, (g) => divide(g, wide, true, true)];
    yield [`${type}.rem_u`, (g) => divide(g, wide, false, true)];
    yield [`${type}.eqz`, equalsZero];
    yield [`${type}.clz`, (g) => countZeros(g, true, wide)];
    yield [`${type}.ctz`, (g) => countZeros(g, false, wide)];
    yield [`${type}.popcnt`, (g) => callSymbol(g, wide ? "popcnt64" : "popcnt32", 1, wide ? "i64" : "i32")];
    yield [`${type}.extend8_s`, movsx(0x0fbe, wide)];
    yield [`${type}.extend16_s`, movsx(0x0fbf, wide)];
  }
  yield ["i32.wrap_i64", wrap];
  yield ["i64.extend_i32_u", extendUnsigned];
  yield ["i64.extend_i32_s", movsx(0x63, true)];
  yield ["i64.extend32_s", movsx(0x63, true)];
}
export const arithmetic: ReadonlyMap<string, Handler> = new Map(handlers());
