/**
 * Handlers of the interpreter: one small WebAssembly function for each specialisation of a form that has been met, made
 * when it is first needed and shared by every machine of the process.
 */
import { type Decoded, NO_REGISTER } from "../core/decode.ts";
import type { Operand, Shape } from "../core/exec.ts";
import { FS, GS, S } from "../core/state.ts";
import { Emitter, type HelperNumbers, type Imports } from "./emitter.ts";
import { Generator, type Node } from "./graph.ts";
import { REC, STATUS } from "./records.ts";
import { Code, I32, I64, Module, type ValueType } from "./wasm.ts";

/** How a memory operand is reached: not at all, [base+disp] or [base+index+disp] in flat 64-bit addressing, or in general. */
export type MemoryKind = "none" | "base" | "index" | "general";
export function memoryKind(insn: Decoded): MemoryKind {
  if (!insn.hasMemory) return "none";
  if (!insn.long || insn.addressSize !== 64 || insn.segment === FS || insn.segment === GS) return "general";
  return insn.index === NO_REGISTER ? "base" : "index";
}

/** All static facts of an instruction as one number: two instructions with the same key share a handler. */
export function handlerKey(insn: Decoded): number {
  const size = insn.operandSize >> 5,
    address = insn.addressSize >> 5,
    repeat = ["none", "rep", "repne"].indexOf(insn.repeat);
  const memory = ["none", "base", "index", "general"].indexOf(memoryKind(insn));
  const key = (((insn.id * 3 + size) * 3 + address) * 3 + repeat) * 8 + memory * 2 + (insn.long ? 1 : 0);
  return key * 256 + (immediateForms.has(insn.id) ? insn.immLow & 0xff : 0);
}
/** Forms whose immediate must be known when their handler is made (a shuffle's selector): one handler for each value. */
const immediateForms = new Set<number>();

/** Numbers for TypeScript helpers, process-wide. */
class Names {
  readonly names: string[] = [];
  number(name: string): number {
    const known = this.names.indexOf(name);
    return known >= 0 ? known : this.names.push(name) - 1;
  }
}
export const helperNames = new Names();
export const vectorHelperNames = new Names();
const numbers: HelperNumbers = {
  helper: (name) => helperNames.number(name),
  vectorHelper: (name) => vectorHelperNames.number(name),
};

/** Declares what handlers import, in a fixed order. */
export function declareImports(module: Module): Imports {
  const f = (name: string, parameters: number) =>
    module.importFunction(name, new Array<ValueType>(parameters).fill(I32), [I32]);
  return {
    load: f("load", 2),
    store: f("store", 2),
    modify: f("modify", 2),
    probe: f("probe", 2),
    helper: f("helper", 2),
    vectorHelper: f("vectorHelper", 2),
    rare: f("rare", 1),
    stride: f("stride", 1),
  };
}

/** Emits one instruction's handler with its operands read from a record, whose address is local 0. */
class RecordEmitter extends Emitter {
  readonly #insn: Decoded;
  readonly #record = 0;
  readonly #leave: (code: Code, status: number) => void;

  constructor(insn: Decoded, imports: Imports, leave: (code: Code, status: number) => void) {
    super(insn as Shape, imports, numbers);
    this.#insn = insn;
    this.#leave = leave;
  }
  protected pushRecord(code: Code): void {
    code.get(this.#record);
  }
  protected leave(code: Code, status: number): void {
    this.#leave(code, status);
  }
  #field32(offset: number): Node {
    return this.graph.read(I32, [], (code) => code.get(this.#record).memory("i32.load", offset));
  }
  #field16(offset: number): Node {
    return this.graph.read(I32, [], (code) => code.get(this.#record).memory("i32.load16_u", offset));
  }
  #field64(offset: number): Node {
    return this.graph.read(I64, [], (code) => code.get(this.#record).memory("i64.load", offset));
  }

  protected operandAddress(operand: Operand): { base: Node; offset: number } {
    return {
      base: this.#field16(REC.operands + 2 * this.#insn.operands.indexOf(operand as Decoded["operands"][number])),
      offset: 0,
    };
  }
  protected immediate(_operand: Operand): Node {
    return immediateForms.has(this.#insn.id) ? this.const(this.#insn.immLow & 0xff) : this.#field64(REC.imm);
  }
  protected flatMemory(): boolean {
    return memoryKind(this.#insn) !== "general" && this.#insn.hasMemory;
  }
  protected memoryOffset(): Node {
    const base = this.#field16(REC.base),
      disp = this.#field64(REC.disp);
    let offset = this.add(
      this.graph.read(I64, [base], (code) => code.memory("i64.load")),
      disp,
    );
    if (memoryKind(this.#insn) !== "base") {
      const index = this.#field16(REC.index);
      const scale = this.graph.read(I64, [], (code) => code.get(this.#record).memory("i64.load8_u", REC.scale));
      offset = this.add(
        offset,
        this.shl(
          this.graph.read(I64, [index], (code) => code.memory("i64.load")),
          scale,
        ),
      );
    }
    return this.zext(offset, this.shape.addressSize);
  }
  protected segmentAddress(): Node {
    return this.#field16(REC.segment);
  }
  #fromStart(offset: number): Node {
    const field = this.#field32(offset);
    return this.add(this.state(S.RIP), this.graph.op(I64, "i64.extend_i32_s", field));
  }
  nextIP(): Node {
    return this.zext(this.#fromStart(REC.next), this.shape.long ? 64 : 32);
  }
  instructionIP(): Node {
    return this.#fromStart(REC.delta);
  }
  protected targetIP(operand: Operand): Node {
    return this.zext(this.add(this.state(S.RIP), this.#field64(REC.imm)), operand.size);
  }
}

/** Emits the body of a handler into a function; falls through when the next record is to be run. */
export function emitBody(
  insn: Decoded,
  imports: Imports,
  code: Code,
  pool: Map<ValueType, number[]>,
  leave: (code: Code, status: number) => void,
): void {
  const { def } = insn;
  const x = new RecordEmitter(insn, imports, leave);
  if (def.helper) {
    x.rare();
  } else {
    x.begin(def);
    if (insn.repeat !== "none") {
      emitRepeated(insn, imports, code, pool, leave);
      return;
    }
    def.run!<Node>(x, ...insn.operands);
    if (x.needsImmediate) {
      immediateForms.add(insn.id);
      emitBody(insn, imports, code, pool, leave);
      return;
    }
  }
  new Generator(code, pool).run(x.graph.root);
}

/** The loop of a repeated string instruction, iteration by iteration; see `repeat` in run.ts for the rules. */
function emitRepeated(
  insn: Decoded,
  imports: Imports,
  code: Code,
  pool: Map<ValueType, number[]>,
  leave: (code: Code, status: number) => void,
): void {
  const { def, addressSize } = insn;
  const piece = (fill: (x: RecordEmitter) => void) => {
    const x = new RecordEmitter(insn, imports, leave);
    fill(x);
    new Generator(code, pool).run(x.graph.root);
  };
  const exitUnless = (fill: (x: RecordEmitter) => Node, label: number) =>
    piece((x) => {
      const condition = fill(x);
      x.graph.effect([condition], (g) => {
        g.value(condition);
        g.code.branchIf(label);
      });
    });
  piece((x) => x.begin(def));
  code.open("block");
  const done = code.depth;
  code.open("loop");
  const again = code.depth;
  exitUnless((x) => x.eq(x.reg(1, addressSize), x.const(0)), done);
  if (def.name === "movs" || def.name === "stos") {
    // whole strides in TypeScript where the rules allow
    code.get(0).call(imports.stride).op("i32.eqz").open("if");
    piece((x) => oneIteration(x, insn));
    code.end();
  } else piece((x) => oneIteration(x, insn));
  exitUnless((x) => x.eq(x.reg(1, addressSize), x.const(0)), done);
  if (def.repeat === "repz")
    exitUnless((x) => (insn.repeat === "rep" ? x.eq(x.flag("ZF"), x.const(0)) : x.flag("ZF")), done);
  piece((x) => {
    const spent = x.ltS(x.sext(x.state(S.BUDGET, 4), 32), x.const(1));
    x.when(x.or(spent, x.isNonZero(x.state(S.ATTENTION, 4))), () => {
      x.setState(S.RIP, x.zext(x.instructionIP(), x.shape.long ? 64 : 32));
      x.setState(S.MID_REPEAT, x.const(1), 4);
      x.graph.effect([], (g) => leave(g.code, STATUS.jumped));
    });
    x.setState(S.BUDGET, x.sub(x.state(S.BUDGET, 4), x.const(1)), 4);
  });
  code.branch(again).end().end();
}
function oneIteration(x: RecordEmitter, insn: Decoded): void {
  insn.def.run!<Node>(x, ...insn.operands);
  x.setReg(1, x.sub(x.reg(1, insn.addressSize), x.const(1)), insn.addressSize);
}

/** A module of handlers; `keys[i]` goes to table slot `first + i`. */
export interface HandlerModule {
  readonly module: WebAssembly.Module;
  readonly first: number;
  readonly count: number;
}

/** Slots of the function table: the fixed ones come first. */
export const SLOT = { end: 0, stale: 1, first: 2 } as const;

/** Handlers made so far, process-wide. */
class HandlerStore {
  readonly modules: HandlerModule[] = [];
  readonly #slots = new Map<number, number>();
  #next: number = SLOT.first;

  slot(insn: Decoded): number | undefined {
    return this.#slots.get(handlerKey(insn));
  }
  /** Makes the handlers that a block needs and that do not exist yet, in one module. */
  prepare(insns: readonly Decoded[]): void {
    const missing = new Map<number, Decoded>();
    for (const insn of insns) if (!this.#slots.has(handlerKey(insn))) missing.set(handlerKey(insn), insn);
    if (missing.size === 0) return;
    const module = new Module(),
      imports = declareImports(module),
      functions: number[] = [],
      first = this.#next;
    for (const insn of missing.values()) {
      const code = new Code(1);
      emitBody(insn, imports, code, new Map(), (c, status) => c.i32(status).op("return"));
      code.i32(STATUS.next);
      functions.push(module.function(code, [I32], [I32]));
      this.#slots.set(handlerKey(insn), this.#next++); // the key may have become finer while the handler was made
    }
    module.elements(first, functions);
    this.modules.push({ module: new WebAssembly.Module(module.encode()), first, count: functions.length });
  }
}
export const handlerStore = new HandlerStore();
