/**
 * The vocabulary over graph nodes: semantics run with it become WebAssembly. How operands are reached differs between
 * the interpreter (through a record) and compiled code (known registers), so that is left to subclasses.
 */

import { type Code, I32, I64, type Op, V128 } from "@castaway/kit/wasm";
import { type Exception, VECTORS } from "../core/exceptions.ts";
import { Exec, type HelperName, type Operand, type Shape, type Size } from "../core/exec.ts";
import { TLB_ENTRIES, TLB_ENTRY_BYTES } from "../core/physical.ts";
import { S, SEG, SEGMENT_BYTES, SS, segment } from "../core/state.ts";
import { ENTRY, READ, WRITE } from "../core/tlb.ts";
import { type Generator, Graph, type Node } from "./graph.ts";
import { STATUS } from "./records.ts";

/** Function indices of the imports that emitted code calls; see interpreter.ts for what they do. */
export interface Imports {
  readonly load: number;
  readonly store: number;
  readonly modify: number;
  readonly probe: number;
  readonly helper: number;
  readonly vectorHelper: number;
  readonly rare: number;
  readonly stride: number;
}
/** Names by which emitted code refers to TypeScript helpers: one number each, process-wide. */
export interface HelperNumbers {
  helper(name: string): number;
  vectorHelper(name: string): number;
}

const isCondition = (node: Node) => node.condition;
const LOADS: Record<number, Op> = { 8: "i64.load8_u", 16: "i64.load16_u", 32: "i64.load32_u", 64: "i64.load" };
export const STORES: Record<number, Op> = { 8: "i64.store8", 16: "i64.store16", 32: "i64.store32", 64: "i64.store" };

export abstract class ScalarEmitter extends Exec<Node> {
  readonly shape: Shape;
  readonly graph = new Graph();
  protected readonly imports: Imports;
  protected readonly numbers: HelperNumbers;

  constructor(shape: Shape, imports: Imports, numbers: HelperNumbers) {
    super();
    this.shape = shape;
    this.imports = imports;
    this.numbers = numbers;
  }

  // ---- what subclasses say ----
  /** Pushes the i32 that out-of-line calls receive to know the instruction. */
  protected abstract pushRecord(code: Code): void;
  /** Leaves the instruction with a status (`STATUS`): a branch or a return. */
  protected abstract leave(code: Code, status: number): void;
  /** Address of a register operand, or undefined where the operand is not in memory. */
  protected abstract operandAddress(operand: Operand): { base: Node; offset: number };
  protected abstract immediate(operand: Operand): Node;
  /** A vector with a word in its low lane and zeros above. */
  protected abstract fromWord(value: Node): Node;
  /** Linear address of the memory operand without a segment check, where that is known to be enough; else null. */
  protected abstract flatMemory(): boolean;
  protected abstract memoryOffset(): Node;
  /** Address of the operand's segment register. */
  protected abstract segmentAddress(): Node;
  protected abstract targetIP(operand: Operand): Node;

  // ---- integers ----
  const(value: number | bigint): Node {
    return this.graph.constant(I64, BigInt.asUintN(64, BigInt(value)));
  }
  protected word(node: Node): Node {
    if (node.type === I64) return node;
    return node.value !== undefined ? this.const(node.value) : this.graph.op(I64, "i64.extend_i32_u", node);
  }
  protected truth(node: Node): Node {
    if (node.type === I32) return node;
    return node.value !== undefined
      ? this.graph.constant(I32, node.value & 1n)
      : this.graph.op(I32, "i32.wrap_i64", node);
  }
  #binary(op: Op, a: Node, b: Node, fold: (a: bigint, b: bigint) => bigint): Node {
    if (a.value !== undefined && b.value !== undefined) return this.const(fold(a.value, b.value));
    return this.graph.op(I64, op, this.word(a), this.word(b));
  }
  add(a: Node, b: Node): Node {
    return b.value === 0n ? this.word(a) : this.#binary("i64.add", a, b, (p, q) => p + q);
  }
  sub(a: Node, b: Node): Node {
    return b.value === 0n ? this.word(a) : this.#binary("i64.sub", a, b, (p, q) => p - q);
  }
  mul(a: Node, b: Node): Node {
    return this.#binary("i64.mul", a, b, (p, q) => p * q);
  }
  divU(a: Node, b: Node): Node {
    return this.graph.op(I64, "i64.div_u", this.word(a), this.word(b));
  }
  remU(a: Node, b: Node): Node {
    return this.graph.op(I64, "i64.rem_u", this.word(a), this.word(b));
  }
  divS(a: Node, b: Node): Node {
    return this.graph.op(I64, "i64.div_s", this.word(a), this.word(b));
  }
  remS(a: Node, b: Node): Node {
    return this.graph.op(I64, "i64.rem_s", this.word(a), this.word(b));
  }
  #logic(a: Node, b: Node, short: Op, long: Op, fold: (a: bigint, b: bigint) => bigint): Node {
    const bool = (n: Node) => n.condition || n.value === 0n || n.value === 1n;
    if (bool(a) && bool(b) && (isCondition(a) || isCondition(b)))
      return this.graph.test(short, this.truth(a), this.truth(b));
    return this.#binary(long, a, b, fold);
  }
  and(a: Node, b: Node): Node {
    if (b.value === 0n || a.value === 0n) return this.const(0);
    return this.#logic(a, b, "i32.and", "i64.and", (p, q) => p & q);
  }
  or(a: Node, b: Node): Node {
    if (b.value === 0n) return a;
    return a.value === 0n ? b : this.#logic(a, b, "i32.or", "i64.or", (p, q) => p | q);
  }
  xor(a: Node, b: Node): Node {
    if (b.value === 0n) return a;
    return a.value === 0n ? b : this.#logic(a, b, "i32.xor", "i64.xor", (p, q) => p ^ q);
  }
  shl(a: Node, count: Node): Node {
    return count.value === 0n ? this.word(a) : this.#binary("i64.shl", a, count, (p, q) => p << (q & 63n));
  }
  shr(a: Node, count: Node): Node {
    return count.value === 0n ? this.word(a) : this.#binary("i64.shr_u", a, count, (p, q) => p >> (q & 63n));
  }
  sar(a: Node, count: Node): Node {
    return this.#binary("i64.shr_s", a, count, (p, q) => BigInt.asIntN(64, p) >> (q & 63n));
  }
  clz(a: Node): Node {
    return this.graph.op(I64, "i64.clz", this.word(a));
  }
  ctz(a: Node): Node {
    return this.graph.op(I64, "i64.ctz", this.word(a));
  }
  popcnt(a: Node): Node {
    return this.graph.op(I64, "i64.popcnt", this.word(a));
  }
  eq(a: Node, b: Node): Node {
    if (a.value !== undefined && b.value !== undefined) return this.graph.constant(I32, a.value === b.value ? 1n : 0n);
    if (b.value === 0n) return this.graph.test("i64.eqz", this.word(a));
    return this.graph.test("i64.eq", this.word(a), this.word(b));
  }
  ltU(a: Node, b: Node): Node {
    return this.graph.test("i64.lt_u", this.word(a), this.word(b));
  }
  ltS(a: Node, b: Node): Node {
    return this.graph.test("i64.lt_s", this.word(a), this.word(b));
  }
  override isNonZero(a: Node): Node {
    return this.graph.test("i64.ne", this.word(a), this.const(0));
  }
  select(condition: Node, a: Node, b: Node): Node {
    if (a.type === V128) return this.graph.pure(V128, [a, b, this.truth(condition)], (code) => code.op("select"));
    return this.graph.op(I64, "select", this.word(a), this.word(b), this.truth(condition));
  }
  sext(a: Node, bits: number): Node {
    if (bits === 64) return this.word(a);
    if (a.value !== undefined) return this.const(BigInt.asIntN(bits, a.value));
    if (bits === 8 || bits === 16 || bits === 32) return this.graph.op(I64, `i64.extend${bits}_s`, this.word(a));
    return this.sar(this.shl(a, this.const(64 - bits)), this.const(64 - bits));
  }
  zext(a: Node, bits: number): Node {
    return bits === 64 ? this.word(a) : this.and(this.word(a), this.const((1n << BigInt(bits)) - 1n));
  }

  // ---- control ----
  when(condition: Node, then: () => void, otherwise?: () => void): void {
    this.graph.branch(
      this.truth(condition),
      () => {
        then();
        return null;
      },
      () => {
        otherwise?.();
        return null;
      },
    );
  }
  choose(condition: Node, then: () => Node, otherwise: () => Node): Node {
    return this.graph.branch(
      this.truth(condition),
      () => this.#settled(then()),
      () => this.#settled(otherwise()),
      I64,
    )!;
  }
  #settled(node: Node): Node {
    return node.type === V128 ? node : this.word(node);
  }
  raise(exception: Exception, code?: Node): void {
    this.poke(S.ARG0, this.const(VECTORS[exception]));
    this.poke(S.ARG0 + 8, code === undefined ? this.const(0) : this.word(code));
    this.#leave(STATUS.raise);
  }
  #leave(status: number): void {
    this.graph.effect([], (g) => this.leave(g.code, status));
  }
  protected poke(at: number, value: Node): void {
    this.graph.effect([value], (g) => {
      g.code.i32(0);
      g.value(value);
      g.code.memory("i64.store", at);
    });
  }
  jump(target: Node): void {
    const to = this.word(target);
    const bad = this.shape.long ? this.ne(this.sext(to, 48), to) : this.ltU(this.state(S.CODE_LAST), to);
    this.raiseIf(bad, "GP", this.const(0));
    this.setState(S.RIP, to);
    this.#leave(STATUS.jumped);
  }
  target(operand: Operand): Node {
    return this.targetIP(operand);
  }
  branch(target: Operand, condition?: Node): void {
    if (condition === undefined) this.jump(this.targetIP(target));
    else this.when(condition, () => this.jump(this.targetIP(target)));
  }
  call(helper: HelperName, ...args: Node[]): Node {
    for (const [i, arg] of args.entries()) this.poke(S.ARG0 + 8 * i, this.word(arg));
    this.callOut(this.imports.helper, this.numbers.helper(helper) | (args.length << 16));
    return this.#result();
  }
  protected callOut(index: number, number: number): void {
    this.graph.effect([], (g) => {
      this.pushRecord(g.code);
      g.code.i32(number).call(index);
      this.#leaveIf(g.code);
    });
  }
  /** Leaves with the status that a call gave, if it is not zero. */
  #leaveIf(code: Code): void {
    code.open("if");
    this.leave(code, STATUS.fault);
    code.end();
  }
  #result(): Node {
    return this.graph.read(I64, [], (code) => code.i32(0).memory("i64.load", S.RESULT));
  }
  /** The whole instruction is a helper in TypeScript. */
  rare(): void {
    this.graph.effect([], (g) => {
      this.pushRecord(g.code);
      g.code.call(this.imports.rare);
      const status = g.local(I32);
      g.code.tee(status).open("if").get(status).i32(STATUS.jumped).op("i32.eq").open("if");
      this.leave(g.code, STATUS.jumped);
      g.code.end();
      this.leave(g.code, STATUS.fault);
      g.code.end();
    });
  }

  // ---- operands ----
  read(operand: Operand): Node {
    switch (operand.kind) {
      case "imm":
        return this.immediate(operand);
      case "mem":
        return this.load("operand", this.address(operand), operand.size as Size);
      case "seg":
        return this.readAt(this.operandAddress(operand), 16);
      case "mm":
      case "xmm":
        return this.readAt(this.operandAddress(operand), Math.min(operand.size, 64) as Size);
      case "gpr":
        return this.readAt(this.operandAddress(operand), operand.size as Size);
      default:
        throw new Error(`read of a ${operand.kind} operand`);
    }
  }
  protected readAt({ base, offset }: { base: Node; offset: number }, size: Size): Node {
    return this.graph.read(I64, [base], (code) => code.memory(LOADS[size]!, offset));
  }
  protected writeAt({ base, offset }: { base: Node; offset: number }, size: Size, value: Node): void {
    this.graph.effect([base, value], (g) => {
      g.value(base);
      g.value(value);
      g.code.memory(STORES[size]!, offset);
    });
  }
  /** Where the last `modify` found its memory: host address (0: slow) and linear address, as locals of this function. */
  #modified: { host: Node; linear: Node } | null = null;
  modify(operand: Operand): Node {
    if (operand.kind !== "mem") return this.read(operand);
    const linear = this.linear("operand", this.address(operand), operand.size >> 3, true);
    const host = this.look(WRITE, linear, operand.size >> 3);
    this.#modified = { host, linear };
    return this.#throughHost(host, linear, operand.size, this.imports.modify, "operand");
  }
  write(operand: Operand, value: Node): void {
    const size = operand.size as Size;
    switch (operand.kind) {
      case "gpr":
        if (size === 32) this.writeAt(this.operandAddress(operand), 64, this.zext(value, 32));
        else this.writeAt(this.operandAddress(operand), size, this.word(value));
        return;
      case "mem":
        if (this.#modified !== null)
          this.#storeHost(this.#modified.host, this.#modified.linear, size, this.word(value), "operand");
        else this.store("operand", this.address(operand), size, value);
        return;
      case "mm":
        this.writeVector(operand, this.fromWord(value));
        return;
      default:
        throw new Error(`write of a ${operand.kind} operand`);
    }
  }
  address(_operand: Operand): Node {
    return this.memoryOffset();
  }

  // ---- state ----
  state(at: number, bytes: 1 | 2 | 4 | 8 = 8): Node {
    return this.graph.read(I64, [], (code) => code.i32(0).memory(LOADS[8 * bytes]!, at));
  }
  setState(at: number, value: Node, bytes: 1 | 2 | 4 | 8 = 8): void {
    const v = this.word(value);
    this.graph.effect([v], (g) => {
      g.code.i32(0);
      g.value(v);
      g.code.memory(STORES[8 * bytes]!, at);
    });
  }

  segmentNumber(operand: Operand): Node {
    const { base, offset } = this.operandAddress(operand),
      first = this.const(segment(0) + SEG.selector - offset);
    return this.divU(this.sub(this.word(base), first), this.const(SEGMENT_BYTES));
  }
  loadParagraph(operand: Operand, selector: Node): void {
    const { base, offset } = this.operandAddress(operand),
      paragraph = this.shl(selector, this.const(4));
    for (const [at, value, size] of [
      [SEG.selector, selector, 32],
      [SEG.base, paragraph, 64],
      [SEG.effectiveBase, paragraph, 64],
    ] as const)
      this.writeAt({ base, offset: offset + at - SEG.selector }, size, value);
  }

  // ---- memory ----
  load(segmentNumber: number | "operand", offset: Node, size: Size): Node {
    const linear = this.linear(segmentNumber, offset, size >> 3, false);
    return this.#throughHost(this.look(READ, linear, size >> 3), linear, size, this.imports.load, segmentNumber);
  }
  store(segmentNumber: number | "operand", offset: Node, size: Size, value: Node): void {
    const linear = this.linear(segmentNumber, offset, size >> 3, true);
    this.#storeHost(this.look(WRITE, linear, size >> 3), linear, size, this.word(value), segmentNumber);
  }
  probeWrite(segmentNumber: number | "operand", offset: Node, bytes: number, aligned = false): void {
    const linear = this.linear(segmentNumber, offset, bytes, true, aligned);
    this.poke(S.ARG2, linear);
    this.callOut(this.imports.probe, describe(bytes, segmentNumber));
  }

  /**
   * Segment check and base. Non-canonical addresses never hit the TLB; the slow path raises for them. `aligned`: #GP(0)
   * unless on a 16-byte boundary, before the limit is looked at, as processors do.
   */
  protected linear(
    segmentNumber: number | "operand",
    offset: Node,
    bytes: number,
    write: boolean,
    aligned = false,
  ): Node {
    const flat = segmentNumber === "operand" ? this.flatMemory() : this.shape.long && segmentNumber < 4;
    const at =
      segmentNumber === "operand" ? this.segmentAddress() : this.graph.constant(I32, BigInt(segment(segmentNumber)));
    const part = (which: number) => this.graph.read(I64, [at], (code) => code.memory("i64.load", which));
    const sum = flat ? this.word(offset) : this.add(part(SEG.effectiveBase), offset);
    const linear = this.shape.long ? sum : this.zext(sum, 32);
    if (aligned) this.raiseIf(this.isNonZero(this.and(linear, this.const(15))), "GP", this.const(0));
    if (!this.shape.long) {
      const first = part(write ? SEG.writeFirst : SEG.readFirst),
        last = part(write ? SEG.writeLast : SEG.readLast);
      const outside = this.or(this.ltU(offset, first), this.ltU(last, this.add(offset, this.const(bytes - 1))));
      this.when(outside, () => this.#segmentFault(segmentNumber));
    }
    return linear;
  }
  #segmentFault(segmentNumber: number | "operand"): void {
    this.poke(S.ARG0, this.const(segmentNumber === "operand" ? -1 : segmentNumber));
    this.#leave(STATUS.segment);
  }

  /** Host address of a linear address by the TLB, or 0 if the slow path must be taken. */
  protected look(access: 0 | 1, linear: Node, bytes: number): Node {
    return this.graph.effect(
      [linear],
      (g, result) => {
        const { code } = g,
          entry = g.local(I32),
          address = g.local(I64);
        g.value(linear);
        code
          .tee(address)
          .i64(12n)
          .op("i64.shr_u")
          .op("i32.wrap_i64")
          .i32(TLB_ENTRIES - 1)
          .op("i32.and")
          .i32(31 - Math.clz32(TLB_ENTRY_BYTES))
          .op("i32.shl");
        code.i32(0).memory("i32.load", S.TLB_BASE).op("i32.add").tee(entry);
        const array = access * TLB_ENTRIES * TLB_ENTRY_BYTES;
        code.memory("i64.load", array + ENTRY.tag);
        code.get(address);
        if (bytes > 1) code.i64(BigInt(bytes - 1)).op("i64.add"); // an access that crosses its page compares unequal
        code
          .i64(-4096n)
          .op("i64.and")
          .i32(0)
          .memory("i64.load32_u", S.TLB_CONTEXT)
          .op("i64.or")
          .op("i64.eq")
          .open("if", I32);
        code
          .get(entry)
          .memory("i32.load", array + ENTRY.host)
          .get(address)
          .op("i32.wrap_i64")
          .i32(4095)
          .op("i32.and")
          .op("i32.or");
        code.otherwise().i32(0).end();
        if (result!.uses === 0) code.op("drop");
        else g.provide(result!);
      },
      I32,
    )!;
  }
  protected slow(g: Generator, linear: Node, bytes: number, call: number, segmentNumber: number | "operand"): void {
    const { code } = g;
    code.i32(0);
    g.value(linear);
    code.memory("i64.store", S.ARG2);
    this.pushRecord(code);
    code.i32(describe(bytes, segmentNumber)).call(call);
    this.#leaveIf(code);
  }
  #throughHost(host: Node, linear: Node, size: number, call: number, segmentNumber: number | "operand"): Node {
    return this.graph.effect(
      [host, linear, linear],
      (g, result) => {
        g.value(host);
        g.code.open("if", I64);
        g.value(host);
        g.code.memory(LOADS[size]!).otherwise();
        this.slow(g, linear, size >> 3, call, segmentNumber);
        g.code.i32(0).memory("i64.load", S.RESULT).end();
        g.provide(result!);
      },
      I64,
    )!;
  }
  #storeHost(host: Node, linear: Node, size: number, value: Node, segmentNumber: number | "operand"): void {
    this.graph.effect([host, host, linear, linear, value, value], (g) => {
      g.value(host);
      g.code.open("if");
      g.value(host);
      g.value(value);
      g.code.memory(STORES[size]!).otherwise().i32(0);
      g.value(value);
      g.code.memory("i64.store", S.ARG0);
      this.slow(g, linear, size >> 3, this.imports.store, segmentNumber);
      g.code.end();
    });
  }
}

/** Size of an access for an out-of-line call, and which exception a non-canonical address raises: bit 8 #SS, bit 9 as the operand's segment says. */
const describe = (bytes: number, segmentNumber: number | "operand") =>
  bytes | (segmentNumber === "operand" ? 0x200 : segmentNumber === SS ? 0x100 : 0);
