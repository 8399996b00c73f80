/**
 * Handlers of the interpreter: one small WebAssembly function for each specialisation of a form that has been met, made
 * when it is first needed and shared by every machine of the process.
 */

import { Code, I32, I64, Module, type ValueType } from "@castaway/kit/wasm";
import { type Decoded, NO_REGISTER, RIP_BASE } from "../core/decode.ts";
import type { Operand, Shape } from "../core/exec.ts";
import { helpers, vectorHelpers } from "../core/helpers.ts";
import { FS, GS, S } from "../core/state.ts";
import { Emitter, type HelperNumbers, type Imports } from "./emitter.ts";
import { Generator, type Node } from "./graph.ts";
import { REC, STATUS } from "./records.ts";

/**
 * How a memory operand is reached: not at all; [base+disp], [base+index+disp] or [RIP+disp] in flat 64-bit addressing;
 * or by all there is, relative to RIP or not.
 */
export type MemoryKind = "none" | "base" | "index" | "relative" | "general" | "generalRelative";
export function memoryKind(insn: Decoded): MemoryKind {
  if (!insn.hasMemory) return "none";
  const relative = insn.base === RIP_BASE;
  if (!insn.long || insn.addressSize !== 64 || insn.segment === FS || insn.segment === GS)
    return relative ? "generalRelative" : "general";
  return relative ? "relative" : insn.index === NO_REGISTER ? "base" : "index";
}
/** MOV with the offset in the instruction: it may have 64 bits, so its record keeps it as an immediate. */
export const hasLongOffset = (insn: Decoded): boolean => insn.form.operands.some((o) => o.method === "O");

/** All static facts of an instruction as one number: two instructions with the same key share a handler. */
export function handlerKey(insn: Decoded): number {
  const size = insn.operandSize >> 5,
    address = insn.addressSize >> 5,
    repeat = insn.repeat === "none" ? 0 : insn.repeat === "rep" ? 1 : 2;
  const key = (((insn.id * 3 + size) * 3 + address) * 3 + repeat) * 16 + KINDS[memoryKind(insn)] + (insn.long ? 1 : 0);
  return key * 256 + (immediateForms.has(insn.id) ? insn.immLow & 0xff : 0);
}
const KINDS = { none: 0, base: 2, index: 4, relative: 6, general: 8, generalRelative: 10 } as const;
/** Forms whose immediate must be known when their handler is made (a shuffle's selector): one handler for each value. */
const immediateForms = new Set<number>();

/** Numbers for TypeScript helpers, process-wide. */
class Numbering<T> {
  readonly #table: Record<string, T>;
  readonly #numbers = new Map<string, number>();
  readonly bodies: T[] = [];
  constructor(table: Record<string, T>) {
    this.#table = table;
  }
  number(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) this.#numbers.set(name, (number = this.bodies.push(this.#table[name]!) - 1));
    return number;
  }
}
export const numberedHelpers = new Numbering(helpers);
export const numberedVectorHelpers = new Numbering(vectorHelpers);
const numbers: HelperNumbers = {
  helper: (name) => numberedHelpers.number(name),
  vectorHelper: (name) => numberedVectorHelpers.number(name),
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
    const kind = memoryKind(this.#insn);
    return kind === "base" || kind === "index" || kind === "relative";
  }
  protected memoryOffset(): Node {
    const kind = memoryKind(this.#insn);
    if (hasLongOffset(this.#insn)) return this.zext(this.#field64(REC.imm), this.shape.addressSize);
    const base = this.#field16(REC.base),
      disp = this.graph.read(I64, [], (code) => code.get(this.#record).memory("i64.load32_s", REC.disp));
    let offset = this.add(
      this.graph.read(I64, [base], (code) => code.memory("i64.load")),
      disp,
    );
    if (kind === "relative" || kind === "generalRelative") offset = this.add(offset, this.#next());
    else if (kind !== "base") {
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
  /** From the block's start to the next instruction. */
  #next(): Node {
    return this.graph.read(I64, [], (code) => code.get(this.#record).memory("i64.load16_u", REC.next));
  }
  nextIP(): Node {
    return this.zext(this.add(this.state(S.RIP), this.#next()), this.shape.long ? 64 : 32);
  }
  instructionIP(): Node {
    const length = this.graph.read(I64, [], (code) => code.get(this.#record).memory("i64.load8_u", REC.length));
    return this.sub(this.add(this.state(S.RIP), this.#next()), length);
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
  const branchIf = (fill: (x: RecordEmitter) => Node, label: number) =>
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
  branchIf((x) => x.eq(x.reg(1, addressSize), x.const(0)), done);
  if (def.name === "movs" || def.name === "stos") {
    // Whole strides in TypeScript where the rules allow, unless so few iterations are left that the call costs more.
    code.open("block");
    const did = code.depth;
    code.open("block");
    branchIf((x) => x.ltU(x.reg(1, addressSize), x.const(8)), code.depth);
    code.get(0).call(imports.stride).branchIf(did).end();
    piece((x) => oneIteration(x, insn));
    code.end();
  } else piece((x) => oneIteration(x, insn));
  branchIf((x) => x.eq(x.reg(1, addressSize), x.const(0)), done);
  if (def.repeat === "repz")
    branchIf((x) => (insn.repeat === "rep" ? x.eq(x.flag("ZF"), x.const(0)) : x.flag("ZF")), done);
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

/** A module of handlers: of those in the table's slots from some slot on and below `end`. */
export interface HandlerModule {
  readonly module: WebAssembly.Module;
  readonly end: number;
}

/** Slots of the function table: the fixed ones come first. */
export const SLOT = { end: 0, stale: 1, first: 2 } as const;

/** Handlers are put together into one module once so many modules hold at least as many as the last such one. */
const SCATTERED_MODULES = 8;

/** Handlers made so far, process-wide. */
export class HandlerStore {
  /** Modules by number, from the last one on that holds all handlers of its time. */
  readonly #modules: HandlerModule[] = [];
  /** Number of the first of them; how many handlers it holds. */
  #first = 0;
  #gathered = 0;
  /** The code of each handler, and its slot in the table. */
  readonly #codes: Code[] = [];
  readonly #slots = new Map<number, number>();
  /** Handlers that blocks need and that do not exist yet, and the instructions that were evaluated for want of them. */
  readonly #missing = new Map<number, Decoded>();
  #evaluated = 0;

  /** The modules to instantiate, in order, for who has instantiated those below number `known`; and the next number. */
  since(known: number): { modules: readonly HandlerModule[]; next: number } {
    const modules = this.#modules.slice(Math.max(known - this.#first, 0));
    return { modules, next: this.#first + this.#modules.length };
  }

  /**
   * Can this block be translated? Then its instructions know their handlers. A module takes as long to make as a thousand instructions to evaluate, however few
   * handlers are in it. So missing handlers are noted, and made together once the evaluator has run `patience`
   * instructions in their place; at once where an instruction repeats, for that can take any time.
   */
  ready(insns: readonly Decoded[], patience: number): boolean {
    const missing = this.#missing;
    let lacks = false;
    for (const insn of insns) {
      if (insn.handler !== 0) continue;
      const key = handlerKey(insn);
      insn.handler = this.#slots.get(key) ?? 0;
      if (insn.handler !== 0) continue;
      lacks = true;
      missing.set(key, insn);
    }
    if (!lacks) return true;
    this.#evaluated += insns.length;
    if (this.#evaluated <= patience && insns.at(-1)!.repeat === "none") return false;
    this.#make();
    return this.ready(insns, patience); // the key of a form that was made may have become finer: then more are missing
  }
  /**
   * Makes the missing handlers. A call to another module is slower than one within, so many modules are made into one
   * now and then: seldom enough that it doubles the work at most.
   */
  #make(): void {
    const first = this.#codes.length;
    for (const insn of this.#missing.values()) {
      const code = new Code(1);
      emitBody(insn, IMPORTS, code, new Map(), (c, status) => c.i32(status).op("return"));
      code.i32(STATUS.next);
      this.#slots.set(handlerKey(insn), SLOT.first + this.#codes.push(code) - 1);
    }
    this.#missing.clear();
    this.#evaluated = 0;
    if (this.#modules.length >= SCATTERED_MODULES && this.#codes.length >= 2 * this.#gathered) {
      this.#gathered = this.#codes.length;
      this.#first += this.#modules.length;
      this.#modules.length = 0;
      this.#modules.push(this.#compile(0));
    } else this.#modules.push(this.#compile(first));
  }
  /** The handlers from a number on as one module. */
  #compile(first: number): HandlerModule {
    const module = new Module();
    declareImports(module);
    const functions = this.#codes.slice(first).map((code) => module.function(code, [I32], [I32]));
    module.elements(SLOT.first + first, functions);
    return { module: new WebAssembly.Module(module.encode()), end: SLOT.first + this.#codes.length };
  }
}
/** Every module declares the same. */
const IMPORTS = declareImports(new Module());
export const handlerStore = new HandlerStore();
