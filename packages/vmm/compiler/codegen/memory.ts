/** Loads, stores, constants, locals and globals. */
import { type Memory, memory, type Register, type Size } from "../x64/operands.ts";
import type { Handler } from "./arithmetic.ts";
import { callSymbol } from "./calls.ts";
import type { Generator } from "./generator.ts";
import { constant, immediateOf, type Operand, readsLocal } from "./operand.ts";

// ---- memory ----

interface Address {
  readonly at: Memory;
  readonly registers: readonly Register[];
}

/**
 * The memory operand for the address on top of the stack plus the instruction's offset. WebAssembly adds the two without
 * wrapping; so does this, except for a sum, where an access that would trap there goes wherever the sum wraps to.
 */
function address(g: Generator): Address {
  const { operand: offset } = g.instruction;
  const v = g.pop();
  if (v.kind === "constant") {
    const at = Number(BigInt.asUintN(32, v.value)) + offset;
    if (at <= 0x7fffffff) return { at: memory(null, at), registers: [] };
  }
  if (v.kind === "sum") {
    const displacement = v.address.displacement + offset;
    if (displacement === (displacement | 0)) return { at: { ...v.address, displacement }, registers: v.owned };
  }
  const base = g.use(v);
  const registers = v.kind === "local" && g.home(v.index) === base ? [] : [base];
  if (v.kind === "sum") g.free(...v.owned.filter((r) => r !== base));
  if (offset <= 0x7fffffff) return { at: memory(base, offset), registers };
  const index = g.allocate(...registers);
  g.asm.constant(index, offset);
  return { at: memory(base, 0, { index }), registers: [...registers, index] };
}

/** Loads by their opcode, and the size that its operand has. */
const LOADS: Readonly<Record<string, readonly [opcode: number, size: Size]>> = {
  "i32.load": [0x8b, 4],
  "i32.load8_s": [0x0fbe, 4],
  "i32.load8_u": [0x0fb6, 4],
  "i32.load16_s": [0x0fbf, 4],
  "i32.load16_u": [0x0fb7, 4],
  "i64.load": [0x8b, 8],
  "i64.load8_s": [0x0fbe, 8],
  "i64.load8_u": [0x0fb6, 4],
  "i64.load16_s": [0x0fbf, 8],
  "i64.load16_u": [0x0fb7, 4],
  "i64.load32_s": [0x63, 8],
  "i64.load32_u": [0x8b, 4],
};
const STORES: Readonly<Record<string, Size>> = {
  "i32.store": 4,
  "i32.store8": 1,
  "i32.store16": 2,
  "i64.store": 8,
  "i64.store8": 1,
  "i64.store16": 2,
  "i64.store32": 4,
};

function load(g: Generator, [opcode, size]: readonly [number, Size], wide: boolean): void {
  const { at, registers } = address(g);
  g.free(...registers);
  const to = g.target();
  g.asm.modRm(opcode, to, at, size);
  g.pushRegister(to, wide);
}

function store(g: Generator, size: Size): void {
  const v = g.pop();
  const { at, registers } = address(g);
  const immediate = immediateOf(v.kind === "constant" && size !== 8 ? constant(v.value, false) : v);
  if (immediate !== null) g.asm.storeConstant(at, immediate, size);
  else {
    const from = g.use(v);
    g.asm.store(at, from, size);
    g.release(v, from);
  }
  g.free(...registers);
}

// ---- locals and globals ----

function setLocal(g: Generator): void {
  const { operand: local } = g.instruction;
  const v = g.pop();
  for (const [position, other] of g.stack.entries()) {
    if (!readsLocal(other, local)) continue;
    g.stack[position] = { kind: "register", register: g.own(other), wide: other.wide };
  }
  const home = g.home(local);
  if (home !== null) {
    g.load(home, v);
    return g.drop(v);
  }
  if (g.plan.slots[local] === null) return g.drop(v);
  const immediate = immediateOf(v);
  if (immediate !== null && (v.wide || immediate >= 0)) g.asm.storeConstant(g.localSlot(local), immediate, 8);
  else {
    const from = g.use(v);
    g.asm.store(g.localSlot(local), from, 8);
    g.release(v, from);
  }
}

function getLocal(g: Generator): void {
  const { operand: index } = g.instruction;
  g.push({ kind: "local", index, wide: g.fn.locals[index] === "i64" });
}

/** Globals stand one after the other, 8 bytes each. */
const globalAt = (index: number) => memory(null, 8 * index, { symbol: "globals" });

function getGlobal(g: Generator): void {
  const { operand: index } = g.instruction;
  const { type, mutable, initial } = g.module.globals[index]!;
  const wide = type === "i64";
  if (!mutable) return g.push(constant(initial, wide));
  const to = g.target();
  g.asm.load(to, globalAt(index), wide ? 8 : 4);
  g.pushRegister(to, wide);
}

function setGlobal(g: Generator): void {
  const { operand: index } = g.instruction;
  const v = g.pop();
  const size = g.module.globals[index]!.type === "i64" ? 8 : 4;
  const immediate = immediateOf(v);
  if (immediate !== null) return void g.asm.storeConstant(globalAt(index), immediate, size);
  const from = g.use(v);
  g.asm.store(globalAt(index), from, size);
  g.release(v, from);
}

function pushConstant(g: Generator): void {
  const { name, operand, wide } = g.instruction;
  const v: Operand = name === "i32.const" ? constant(BigInt(operand), false) : constant(wide, true);
  g.push(v);
}

function drop(g: Generator): void {
  g.drop(g.pop());
}

/** How much there is for `new`: a word, so that allocation can be ended. */
function memorySize(g: Generator): void {
  const to = g.target();
  g.asm.load(to, memory(null, 0, { symbol: "memoryPages" }), 4);
  g.pushRegister(to, false);
}
/** There is never more. */
function memoryGrow(g: Generator): void {
  g.drop(g.pop());
  g.push(constant(-1n, false));
}

function* handlers(): Iterable<[string, Handler]> {
  for (const [name, row] of Object.entries(LOADS)) yield [name, (g) => load(g, row, name.startsWith("i64"))];
  for (const [name, size] of Object.entries(STORES)) yield [name, (g) => store(g, size)];
  yield ["local.get", getLocal];
  yield ["local.set", setLocal];
  yield ["local.tee", (g) => [setLocal(g), getLocal(g)]];
  yield ["global.get", getGlobal];
  yield ["global.set", setGlobal];
  yield ["i32.const", pushConstant];
  yield ["i64.const", pushConstant];
  yield ["drop", drop];
  yield ["memory.size", memorySize];
  yield ["memory.grow", memoryGrow];
  yield ["memory.copy", (g) => callSymbol(g, "memmove", 3, null)];
  yield ["memory.fill", (g) => callSymbol(g, "memset", 3, null)];
}
export const memoryAccess: ReadonlyMap<string, Handler> = new Map(handlers());
