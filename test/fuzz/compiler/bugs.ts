/** A test of the fuzzer: bugs put into the back end on purpose, one at a time, are all found within a few programs. */
import { Generator } from "../../../packages/vmm/compiler/codegen/generator.ts";
import { Assembler } from "../../../packages/vmm/compiler/x64/assembler.ts";
import { ALU, CC } from "../../../packages/vmm/compiler/x64/operands.ts";
import { compareProgram } from "./compare.ts";

const PROGRAMS = 150;

type Methods = Record<string, (this: any, ...values: any[]) => any>;
const assembler = Assembler.prototype as unknown as Methods;
const generator = Generator.prototype as unknown as Methods;

/** A method of the back end, and what it does instead; `right` is the method as it should be. */
type Bug = readonly [
  about: string,
  of: Methods,
  method: string,
  wrong: (right: (...values: any[]) => any) => (this: any, ...values: any[]) => any,
];

const opcode =
  (from: number, to: number): Bug[3] =>
  (right) =>
    function (code, ...rest) {
      return right.call(this, code === from ? to : code, ...rest);
    };
const condition =
  (from: number, to: number): Bug[3] =>
  (right) =>
    function (target, cc) {
      return right.call(this, target, cc === from ? to : cc);
    };

// biome-ignore format: a table
const bugs: readonly Bug[] = [
  ["addresses do not wrap", assembler, "modRm", (right) => function (code, reg, rm, ...rest) {
    return right.call(this, code, reg, typeof rm === "number" ? rm : { ...rm, narrow: false }, ...rest);
  }],
  ["MOVSX of a byte is MOVZX", assembler, "modRm", opcode(0x0fbe, 0x0fb6)],
  ["MOVSX of a word is MOVZX", assembler, "modRm", opcode(0x0fbf, 0x0fb7)],
  ["XCHG between arguments is MOV", assembler, "modRm", opcode(0x87, 0x8b)],
  ["BSF is BSR", assembler, "modRm", opcode(0x0fbc, 0x0fbd)],
  ["IDIV is DIV", assembler, "modRm", (right) => function (code, reg, ...rest) {
    return right.call(this, code, code === 0xf7 && reg === 7 ? 6 : reg, ...rest);
  }],
  ["a signed branch is unsigned", assembler, "jump", condition(CC.L ^ 1, CC.B ^ 1)],
  ["a signed value of a comparison is unsigned", assembler, "setCondition", condition(CC.LE, CC.BE)],
  ["a conditional move is the other way round", assembler, "conditionalMove", (right) => function (to, from, cc, size) {
    return right.call(this, to, from, cc ^ 1, size);
  }],
  ["br_table's bound is one too many", assembler, "jump", condition(CC.AE, CC.A)],
  ["constants have 32 bits", assembler, "constant", (right) => function (to, value) {
    return right.call(this, to, BigInt.asIntN(32, BigInt(value)));
  }],
  ["i32 keeps its upper half", assembler, "load", (right) => function (to, from, size) {
    return right.call(this, to, from, size === 4 && typeof from === "number" ? 8 : size);
  }],
  ["stores of 64 bits store 32", assembler, "store", (right) => function (to, from, size) {
    return right.call(this, to, from, size === 8 && to.base !== 4 ? 4 : size);
  }],
  ["locals do not start as zero", assembler, "alu", (right) => function (operation, to, from, size) {
    return operation === "xor" && to === from ? this : right.call(this, operation, to, from, size);
  }],
  ["a remainder by -1 is divided", assembler, "aluConstant", (right) => function (operation, to, value, size) {
    return right.call(this, operation, to, operation === "cmp" && value === -1 ? -2 : value, size);
  }],
  ["immediates of a byte are not sign-extended", assembler, "aluConstant", (right) => function (operation, to, value, size) {
    if (typeof to !== "number" || value < 128 || value > 255) return right.call(this, operation, to, value, size);
    return this.modRm(0x83, ALU[operation as keyof typeof ALU], to, size).u8(value);
  }],
  ["memory.copy never goes backwards", assembler, "u8", (right) => function (...bytes) {
    return bytes[0] === 0xfd ? this : right.call(this, ...bytes);
  }],
  ["registers are restored in the wrong order", assembler, "pop", (right) => function (register) {
    return right.call(this, register === 12 ? 13 : register === 13 ? 12 : register);
  }],
  ["a call by pointer does not look at types", generator, "trapIf", (right) => function (cc) {
    if (cc !== CC.NE) right.call(this, cc);
  }],
  ["calls lose what registers hold", generator, "settleForCall", () => () => {}],
  ["blocks lose locals that they write", generator, "settle", (right) => function () {
    return right.call(this, new Set());
  }],
  ["a local is overwritten while the stack needs it", generator, "settableHome", (right) => function () {
    const { name, operand } = this.fn.body[this.at + 1] ?? {};
    return name === "local.set" ? this.home(operand) : right.call(this);
  }],
  ["who has a register that is taken is forgotten", generator, "take", () => function (...registers) {
    for (const register of registers) this.claim(register);
  }],
  ["an operand is freed too early", generator, "use", (right) => function (v, ...avoid) {
    const register = right.call(this, v, ...avoid);
    this.free(register);
    return register;
  }],
];

/** Returns the bugs that were not found. */
export async function undetectedBugs(): Promise<string[]> {
  const survivors: string[] = [];
  for (const [about, of, method, wrong] of bugs) {
    const right = of[method]!;
    of[method] = wrong(right);
    if (!(await isFound())) survivors.push(about);
    of[method] = right;
  }
  return survivors;
}
export const bugCount = bugs.length;

async function isFound(): Promise<boolean> {
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    try {
      if ((await compareProgram(seed)).difference !== null) return true;
    } catch {
      return true; // the back end noticed it itself
    }
  }
  return false;
}
