/** Calls by the System V convention: six arguments in registers, the others on the stack, the result in RAX. */
import { impossible } from "@castaway/kit";
import { type FunctionType, typeKey, type WasmModule } from "../wasm/module.ts";
import type { ValueType } from "../wasm/opcodes.ts";
import type { Assembler } from "../x64/assembler.ts";
import { CC, memory, RAX, type Register, RSP } from "../x64/operands.ts";
import type { Handler } from "./arithmetic.ts";
import type { Generator } from "./generator.ts";
import { intrinsicOf } from "./intrinsics.ts";
import { type Operand, ownedBy, renamed } from "./operand.ts";
import { ARGUMENTS } from "./plan.ts";

/** The symbol of a function of the module. */
export const functionSymbol = (index: number): string => `function:${index}`;
/** What a call by pointer calls: any function of the table with this type. */
export const pointerSymbol = (type: FunctionType): string => `pointer:${typeKey(type)}`;

/** The number of a type that the function table has beside each function. */
export function typeNumber({ types }: WasmModule, type: FunctionType): number {
  const key = typeKey(type);
  return types.findIndex((other) => typeKey(other) === key);
}

/** Calls a helper of the linker. */
export function callSymbol(g: Generator, symbol: string, count: number, result: ValueType | null): void {
  g.calls.add(symbol);
  call(g, count, result, () => g.asm.call(symbol));
}

function call(g: Generator, count: number, result: ValueType | null, emit: () => void): void {
  const first = g.stack.length - count;
  storeArguments(g, first);
  const values = g.stack.splice(first).slice(0, ARGUMENTS.length);
  g.settleForCall();
  moveTogether(g.asm, ARGUMENTS.slice(0, values.length), values, (to, v) => g.load(to, v));
  for (const v of values) g.drop(v);
  emit();
  if (result === null) return;
  g.claim(RAX);
  g.pushRegister(RAX, result === "i64");
}

/** The arguments beyond the sixth. */
function storeArguments(g: Generator, first: number): void {
  for (let position = first + ARGUMENTS.length; position < g.stack.length; position++) {
    const v = g.stack[position]!;
    const at = memory(RSP, 8 * (position - first - ARGUMENTS.length));
    const register = g.use(v);
    g.asm.store(at, register, 8);
    g.release(v, register);
    g.stack[position] = { kind: "constant", value: 0n, wide: false };
  }
}

/**
 * Moves values into registers that other values may still be in.
 * A value whose target nobody else reads is moved first; when all are blocked, two registers change contents.
 */
export function moveTogether(
  asm: Assembler,
  targets: readonly Register[],
  values: readonly Operand[],
  load: (to: Register, v: Operand) => void,
): void {
  const pending = targets.map((to, n) => ({ to, v: values[n]! }));
  while (pending.length > 0) {
    const ready = pending.findIndex(
      ({ to }, n) => !pending.some(({ v }, other) => other !== n && ownedBy(v).includes(to)),
    );
    if (ready >= 0) {
      const [{ to, v }] = pending.splice(ready, 1) as [(typeof pending)[number]];
      load(to, v);
      continue;
    }
    const sum = pending.find(({ v }) => v.kind === "sum" && v.owned.length > 0);
    if (sum !== undefined) {
      const [register] = ownedBy(sum.v) as [Register];
      load(register, sum.v);
      sum.v = { kind: "register", register, wide: sum.v.wide };
      continue;
    }
    const blocked = pending.findIndex(({ v }) => v.kind === "register");
    const [{ to, v }] = pending.splice(blocked, 1) as [(typeof pending)[number]];
    const [from] = ownedBy(v) as [Register];
    asm.modRm(0x87, from, to, 8); // XCHG
    for (const other of pending) other.v = renamed(other.v, (r) => (r === to ? from : r === from ? to : r));
  }
}

function callFunction(g: Generator): void {
  const callee = g.module.functions[g.instruction.operand] ?? impossible("a function that is called exists");
  if (callee.imported) return intrinsicOf(callee).emit(g);
  callSymbol(g, functionSymbol(callee.index), callee.type.parameters.length, callee.type.results[0] ?? null);
}

/** An entry of the table is the function's address and the number of its type. */
function callPointer(g: Generator): void {
  const type = g.module.types[g.instruction.operand] ?? impossible("a type that is called by exists");
  const index = g.own(g.pop(), ...ARGUMENTS);
  const entry = (displacement: number) => memory(null, displacement, { index, scale: 8, symbol: "table" });
  g.asm.aluConstant("cmp", index, g.module.table.length, 4);
  g.trapIf(CC.AE);
  g.asm.aluConstant("cmp", entry(4), typeNumber(g.module, type), 4);
  g.trapIf(CC.NE);
  g.asm.load(index, entry(0), 4);
  g.calls.add(pointerSymbol(type));
  call(g, type.parameters.length, type.results[0] ?? null, () => {
    g.asm.modRm(0xff, 2, index, 4);
    g.free(index);
  });
}

/** Arguments beyond the sixth of the calls in a function, at most. */
export function outgoingSlots(
  { types, functions }: WasmModule,
  body: readonly { name: string; operand: number }[],
): number {
  const counts = body.map(({ name, operand }) => {
    if (name === "call" && functions[operand]?.imported === undefined)
      return functions[operand]!.type.parameters.length;
    return name === "call_indirect" ? types[operand]!.parameters.length : 0;
  });
  return Math.max(0, ...counts.map((count) => count - ARGUMENTS.length));
}

/** True if the instruction needs caller-saved registers beyond RAX, RCX and RDX. */
export function clobbers({ functions }: WasmModule, { name, operand }: { name: string; operand: number }): boolean {
  if (name === "call") {
    const callee = functions[operand]!;
    return callee.imported === undefined || intrinsicOf(callee).calls === true;
  }
  return name === "call_indirect" || name === "memory.copy" || name === "memory.fill" || name.endsWith(".popcnt");
}

export const calls: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["call", callFunction],
  ["call_indirect", callPointer],
]);
