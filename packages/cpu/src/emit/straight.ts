/**
 * Straight-line code with registers and flags in WebAssembly locals: a run of instructions without control transfers
 * becomes one function that loads what it uses, computes in locals, and stores what it changed at its one exit. It is the
 * form in which the compiler will emit; here it proves that definitions can be emitted so.
 */

import { Code, I32, I64, type ValueType } from "@castaway/kit/wasm";
import { type Decoded, NO_REGISTER, RIP_BASE } from "../core/decode.ts";
import type { Operand } from "../core/exec.ts";
import { FS, GS, S, segment } from "../core/state.ts";
import { Emitter, type HelperNumbers, type Imports } from "./emitter.ts";
import { Generator, type Node } from "./graph.ts";
import { STATUS } from "./records.ts";

/** What a run of instructions keeps in locals: addresses of 8-byte state fields and the locals that stand for them. */
class Variables {
  readonly #locals = new Map<number, number>();
  readonly #written = new Set<number>();
  readonly #code: Code;
  constructor(code: Code) {
    this.#code = code;
  }

  /** General registers and the two lazy flag words; everything else stays in memory. */
  holds(at: number): boolean {
    return (at >= S.GPR && at < S.GPR + 16 * 8) || at === S.LAZY_RESULT || at === S.LAZY_AUX;
  }
  local(at: number): number {
    let local = this.#locals.get(at);
    if (local === undefined) this.#locals.set(at, (local = this.#code.local(I64)));
    return local;
  }
  written(at: number): number {
    this.#written.add(at);
    return this.local(at);
  }
  addresses(): Iterable<number> {
    return this.#locals.keys();
  }
  writes(): Iterable<number> {
    return this.#written;
  }
  load(code: Code): void {
    for (const [at, local] of this.#locals) code.i32(0).memory("i64.load", at).set(local);
  }
  store(code: Code): void {
    for (const at of this.#written) code.i32(0).get(this.local(at)).memory("i64.store", at);
  }
}

/** One instruction with its operands known: registers by number, immediates and displacements as constants. */
class LocalEmitter extends Emitter {
  readonly #insn: Decoded;
  readonly #variables: Variables;
  readonly #offset: number;
  readonly #exit: (code: Code, status: number) => void;

  constructor(
    insn: Decoded,
    offset: number,
    variables: Variables,
    imports: Imports,
    numbers: HelperNumbers,
    exit: (code: Code, status: number) => void,
  ) {
    super(insn, imports, numbers);
    this.#insn = insn;
    this.#offset = offset;
    this.#variables = variables;
    this.#exit = exit;
  }
  protected pushRecord(code: Code): void {
    code.i32(this.#offset);
  }
  protected leave(code: Code, status: number): void {
    this.#exit(code, status);
  }

  override state(at: number, bytes: 1 | 2 | 4 | 8 = 8): Node {
    const whole = at & ~7;
    if (!this.#variables.holds(whole)) return super.state(at, bytes);
    const local = this.#variables.local(whole),
      value = this.graph.read(I64, [], (code) => code.get(local));
    return this.zext(this.shr(value, this.const(8 * (at - whole))), 8 * bytes);
  }
  override setState(at: number, value: Node, bytes: 1 | 2 | 4 | 8 = 8): void {
    const whole = at & ~7;
    if (!this.#variables.holds(whole)) {
      super.setState(at, value, bytes);
      return;
    }
    const merged = bytes === 8 ? this.word(value) : this.#merge(this.state(whole), value, 8 * (at - whole), 8 * bytes);
    const local = this.#variables.written(whole);
    this.graph.effect([merged], (g) => {
      g.value(merged);
      g.code.set(local);
    });
  }
  #merge(old: Node, value: Node, shift: number, size: number): Node {
    const mask = ((1n << BigInt(size)) - 1n) << BigInt(shift);
    return this.or(this.and(old, this.const(~mask)), this.shl(this.zext(value, size), this.const(shift)));
  }
  override read(operand: Operand): Node {
    return operand.kind === "gpr"
      ? this.state(S.GPR + this.#register(operand), (operand.size >> 3) as 1 | 2 | 4 | 8)
      : super.read(operand);
  }
  override write(operand: Operand, value: Node): void {
    if (operand.kind !== "gpr") {
      super.write(operand, value);
      return;
    }
    const at = S.GPR + this.#register(operand);
    if (operand.size === 32) this.setState(at, this.zext(value, 32), 8);
    else this.setState(at, value, (operand.size >> 3) as 1 | 2 | 8);
  }
  #register(operand: Operand): number {
    return (operand as Decoded["operands"][number]).reg;
  }
  protected operandAddress(operand: Operand): { base: Node; offset: number } {
    const reg = this.#register(operand),
      zero = this.graph.constant(I32, 0n);
    if (operand.kind === "xmm") return { base: zero, offset: S.YMM + 32 * reg };
    if (operand.kind === "mm") return { base: zero, offset: S.FPR + 16 * reg };
    return { base: zero, offset: segment(reg) };
  }
  protected immediate(operand: Operand): Node {
    const { immLow, immHigh } = this.#insn;
    return this.const(BigInt.asUintN(operand.size, (BigInt(immHigh) << 32n) | BigInt(immLow >>> 0)));
  }
  protected flatMemory(): boolean {
    const { long, addressSize, segment: n } = this.#insn;
    return long && addressSize === 64 && n !== FS && n !== GS;
  }
  protected memoryOffset(): Node {
    const { base, index, scale, dispLow, dispHigh } = this.#insn;
    let offset = this.const((BigInt(dispHigh) << 32n) | BigInt(dispLow >>> 0));
    if (base === RIP_BASE) offset = this.add(this.nextIP(), offset);
    else if (base !== NO_REGISTER) offset = this.add(this.reg(base), offset);
    if (index !== NO_REGISTER) offset = this.add(this.shl(this.reg(index), this.const(scale)), offset);
    return this.zext(offset, this.shape.addressSize);
  }
  protected segmentAddress(): Node {
    return this.graph.constant(I32, BigInt(segment(this.#insn.segment)));
  }
  nextIP(): Node {
    return this.zext(
      this.add(this.state(S.RIP), this.const(this.#offset + this.#insn.length)),
      this.shape.long ? 64 : 32,
    );
  }
  protected targetIP(operand: Operand): Node {
    return this.zext(this.add(this.nextIP(), this.const(this.#insn.immLow)), operand.size);
  }
}

/**
 * Emits a function body (no parameters, one i32 result) that runs the instructions from state in the window to state in
 * the window. The result is 0, or the offset of the instruction that left times 16 plus its `STATUS`; then the window
 * holds the state before that instruction's remaining effects, as the interpreter would leave it.
 */
export function emitStraightLine(
  insns: readonly Decoded[],
  code: Code,
  imports: Imports,
  numbers: HelperNumbers,
): void {
  const variables = new Variables(code);
  const emit = (target: Code, vars: Variables) => {
    const pool = new Map<ValueType, number[]>();
    let offset = 0;
    target.open("block", I32);
    const exit = target.depth;
    for (const insn of insns) {
      const at = offset;
      const x = new LocalEmitter(insn, at, vars, imports, numbers, (c, status) => c.i32(at * 16 + status).branch(exit));
      x.begin(insn.def);
      insn.def.run!<Node>(x, ...insn.operands);
      new Generator(target, pool).run(x.graph.root);
      offset += insn.length;
    }
    target.i32(STATUS.next).end();
  };
  const scratch = new Code(0),
    found = new Variables(scratch);
  emit(scratch, found); // finds which locals are needed, so that they can be loaded before the code proper
  for (const at of found.addresses()) variables.local(at);
  for (const at of found.writes()) variables.written(at);
  variables.load(code);
  emit(code, variables);
  variables.store(code);
}
