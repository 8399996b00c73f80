/** One function of the module as machine code. */
import { impossible } from "@castaway/kit";
import { UnsupportedError } from "../errors.ts";
import type { Instruction, WasmFunction, WasmModule } from "../wasm/module.ts";
import { Assembler, Label } from "../x64/assembler.ts";
import type { ObjectCode } from "../x64/object-code.ts";
import { memory, RAX, RSP } from "../x64/operands.ts";
import { arithmetic } from "./arithmetic.ts";
import { calls, clobbers, functionSymbol, moveTogether, outgoingSlots } from "./calls.ts";
import { control } from "./control.ts";
import { Generator } from "./generator.ts";
import { memoryAccess } from "./memory.ts";
import { ARGUMENTS, plan } from "./plan.ts";

export interface CompiledFunction {
  readonly code: ObjectCode;
  /** What it takes of the stack, with its return address, without what it calls. */
  readonly stackBytes: number;
  /** The symbols that it calls; `pointer:TYPE` for a call by pointer. */
  readonly calls: ReadonlySet<string>;
}

const handlers = new Map([...arithmetic, ...memoryAccess, ...control, ...calls]);

/** @throws {UnsupportedError} at an import that is unknown */
export function compileFunction(module: WasmModule, fn: WasmFunction): CompiledFunction {
  const leaf = !fn.body.some((instruction) => located(instruction, fn, () => clobbers(module, instruction)));
  const g = new Generator(module, fn, plan(fn, leaf));
  g.outgoing = 8 * outgoingSlots(module, fn.body);
  body(g);
  const frame = 8 * g.slotCount + g.outgoing;
  epilogue(g, frame);
  const asm = prologue(g, frame).append(g.asm);
  return {
    code: asm.finish(functionSymbol(fn.index)),
    stackBytes: frame + 8 * g.plan.saved.length + 8,
    calls: g.calls,
  };
}

function body(g: Generator): void {
  const { fn } = g;
  const end = new Label();
  g.blocks.push({
    kind: "block",
    target: end,
    end,
    otherwise: null,
    height: 0,
    result: fn.type.results.length > 0,
    wide: fn.type.results[0] === "i64",
    dead: false,
    reached: false,
  });
  for (g.at = 0; g.at < fn.body.length; g.at++) {
    const { name, at } = g.instruction;
    const handler = handlers.get(name) ?? impossible("every opcode of the subset has a handler", { name });
    g.asm.line(at);
    located(g.instruction, fn, () => handler(g));
  }
}

/** Complaints are about this instruction. */
function located<T>({ at }: Instruction, fn: WasmFunction, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof UnsupportedError ? new UnsupportedError(error.message, at, fn.index) : error;
  }
}

/** Saves registers, makes room, and puts parameters where they live. */
function prologue(g: Generator, frame: number): Assembler {
  const { homes, slots, saved, zeroed } = g.plan;
  const asm = new Assembler().line(g.fn.body[0]!.at);
  for (const register of saved) asm.push(register);
  if (frame > 0) asm.aluConstant("sub", RSP, frame, 8);
  const parameters = g.fn.type.parameters.map((_, index) => index);
  const inRegisters = parameters.slice(0, ARGUMENTS.length);
  for (const n of inRegisters) if (slots[n] !== null) asm.store(g.localSlot(n), ARGUMENTS[n]!, 8);
  const housed = inRegisters.filter((n) => homes[n] !== null);
  const arrived = housed.map((n) => ({ kind: "register", register: ARGUMENTS[n]!, wide: true }) as const);
  moveTogether(
    asm,
    housed.map((n) => homes[n]!),
    arrived,
    (to, v) => v.kind === "register" && asm.copy(to, v.register),
  );
  const above = frame + 8 * saved.length + 8; // the return address is the last that lies between
  for (const n of parameters.slice(ARGUMENTS.length)) {
    if (homes[n] === null && slots[n] === null) continue;
    const to = homes[n] ?? RAX;
    asm.load(to, memory(RSP, above + 8 * (n - ARGUMENTS.length)), 8);
    if (homes[n] === null) asm.store(g.localSlot(n), RAX, 8);
  }
  for (const n of zeroed) {
    const home = homes[n] ?? null;
    if (home !== null) asm.alu("xor", home, home, 4);
    else if (slots[n] !== null) asm.storeConstant(g.localSlot(n), 0, 8);
  }
  return asm;
}

function epilogue(g: Generator, frame: number): void {
  const { asm, plan } = g;
  if (frame > 0) asm.aluConstant("add", RSP, frame, 8);
  for (const register of [...plan.saved].reverse()) asm.pop(register);
  asm.ret();
  for (const { label, from } of g.traps) asm.line(from).bind(label).undefined();
  for (const { at, targets } of g.jumpTables) {
    asm.bind(at);
    for (const target of targets) asm.reference(target, "absolute8");
  }
}
