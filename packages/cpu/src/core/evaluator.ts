/**
 * The evaluator: the vocabulary over bigint, in plain TypeScript. Slow and obvious; it is the oracle that the emitted
 * executors are compared with, it steps and traces, and helpers read and write their operands through it.
 */
import { type BoundOperand, type Decoded, NO_REGISTER, RIP_BASE } from "./decode.ts";
import type { Exception } from "./exceptions.ts";
import {
  Exec,
  type FloatBinary,
  type FloatFormat,
  type HelperName,
  type Lane,
  type NumberKind,
  type Operand,
  type Size,
  type VectorBinary,
  type VectorLogic,
} from "./exec.ts";
import { helpers, vectorHelpers } from "./helpers.ts";
import { isCanonical, type Processor } from "./processor.ts";
import { loadSegment } from "./segments.ts";
import { CS, S, SEG, SS, segment } from "./state.ts";
import * as vectors from "./vectors.ts";

const WORD = 0xffffffffffffffffn;
const word = (a: bigint) => BigInt.asUintN(64, a);
const signed = (a: bigint) => BigInt.asIntN(64, a);

export class Evaluator extends Exec<bigint> {
  readonly #cpu: Processor;
  /** The instruction at hand. */
  insn!: Decoded;

  constructor(cpu: Processor) {
    super();
    this.#cpu = cpu;
  }
  get shape(): Decoded {
    return this.insn;
  }

  /** Runs one instruction whose offset in CS is `ip`. Faults unwind, or see `cpu.unwinds`. RIP is not advanced here; see `cpu.jumped`. */
  run(insn: Decoded, ip: number, nextIP: number): void {
    const cpu = this.#cpu;
    this.insn = insn;
    cpu.ip = ip;
    cpu.nextIP = nextIP;
    cpu.jumped = false;
    const { def } = insn;
    this.begin(def);
    if (def.helper) def.helper(cpu, insn);
    else def.run!<bigint>(this, ...insn.operands);
  }
  const(value: number | bigint): bigint {
    return word(BigInt(value));
  }
  add(a: bigint, b: bigint): bigint {
    return word(a + b);
  }
  sub(a: bigint, b: bigint): bigint {
    return word(a - b);
  }
  mul(a: bigint, b: bigint): bigint {
    return word(a * b);
  }
  divU(a: bigint, b: bigint): bigint {
    return a / b;
  }
  remU(a: bigint, b: bigint): bigint {
    return a % b;
  }
  divS(a: bigint, b: bigint): bigint {
    return word(signed(a) / signed(b));
  }
  remS(a: bigint, b: bigint): bigint {
    return word(signed(a) % signed(b));
  }
  and(a: bigint, b: bigint): bigint {
    return a & b;
  }
  or(a: bigint, b: bigint): bigint {
    return a | b;
  }
  xor(a: bigint, b: bigint): bigint {
    return a ^ b;
  }
  shl(a: bigint, count: bigint): bigint {
    return word(a << (count & 63n));
  }
  shr(a: bigint, count: bigint): bigint {
    return a >> (count & 63n);
  }
  sar(a: bigint, count: bigint): bigint {
    return word(signed(a) >> (count & 63n));
  }
  clz(a: bigint): bigint {
    const high = Number(a >> 32n);
    return BigInt(high !== 0 ? Math.clz32(high) : 32 + Math.clz32(Number(a & 0xffffffffn)));
  }
  ctz(a: bigint): bigint {
    return a === 0n ? 64n : 63n - this.clz(a & word(-a));
  }
  popcnt(a: bigint): bigint {
    let n = 0n;
    for (let rest = a; rest !== 0n; rest &= rest - 1n) n++;
    return n;
  }
  eq(a: bigint, b: bigint): bigint {
    return a === b ? 1n : 0n;
  }
  ltU(a: bigint, b: bigint): bigint {
    return a < b ? 1n : 0n;
  }
  ltS(a: bigint, b: bigint): bigint {
    return signed(a) < signed(b) ? 1n : 0n;
  }
  select(condition: bigint, a: bigint, b: bigint): bigint {
    return condition !== 0n ? a : b;
  }
  sext(a: bigint, bits: number): bigint {
    return word(BigInt.asIntN(bits, a));
  }
  zext(a: bigint, bits: number): bigint {
    return BigInt.asUintN(bits, a);
  }

  when(condition: bigint, then: () => void, otherwise?: () => void): void {
    if (condition !== 0n) then();
    else otherwise?.();
  }
  choose(condition: bigint, then: () => bigint, otherwise: () => bigint): bigint {
    return condition !== 0n ? then() : otherwise();
  }
  raise(exception: Exception, code?: bigint): void {
    this.#cpu.fault(exception, Number(code ?? 0n));
  }

  jump(target: bigint): void {
    if (this.insn.long ? !isCanonical(target) : target > this.#cpu.u64(segment(CS) + SEG.limit))
      this.#cpu.fault("GP", 0);
    this.#cpu.setU64(S.RIP, target);
    this.#cpu.jumped = true;
  }
  branch(target: Operand, condition?: bigint): void {
    if (condition === 0n) return;
    this.jump(this.target(target));
  }
  /** Where a displacement leads: cut to the operand size, which is 64 in 64-bit mode. */
  target(operand: Operand): bigint {
    const { insn } = this;
    return BigInt.asUintN(operand.size, BigInt(this.#cpu.nextIP) + BigInt(insn.immLow));
  }
  nextIP(): bigint {
    return this.insn.long ? word(BigInt(this.#cpu.nextIP)) : BigInt.asUintN(32, BigInt(this.#cpu.nextIP));
  }
  call(helper: HelperName, ...args: bigint[]): bigint {
    const cpu = this.#cpu,
      result = helpers[helper]!(cpu, args);
    if (cpu.unwinds) throw cpu.pendingFault;
    return result;
  }

  read(operand: Operand): bigint {
    const { reg } = operand as BoundOperand,
      { insn } = this,
      { memory } = this.#cpu;
    switch (operand.kind) {
      case "gpr":
        return this.state(S.GPR + reg, (operand.size >> 3) as 1 | 2 | 4 | 8);
      case "imm":
        return BigInt.asUintN(operand.size, (BigInt(insn.immHigh) << 32n) | BigInt(insn.immLow >>> 0));
      case "mem":
        return this.load("operand", this.address(operand), operand.size as Size);
      case "seg":
        return BigInt(this.#cpu.selector(reg));
      case "mm":
        return BigInt.asUintN(operand.size, memory.u64[(S.FPR + 16 * reg) >> 3]!);
      case "xmm":
        return BigInt.asUintN(Math.min(operand.size, 64), memory.u64[(S.YMM + 32 * reg) >> 3]!);
      default:
        throw new Error(`read of a ${operand.kind} operand`);
    }
  }
  modify(operand: Operand): bigint {
    if (operand.kind !== "mem") return this.read(operand);
    const offset = this.address(operand),
      linear = this.#linear("operand", offset, operand.size >> 3, true);
    if (!this.#cpu.access.loadForWrite(linear, operand.size >> 3, S.RESULT)) throw this.#cpu.pendingFault;
    return this.#cpu.u64(S.RESULT);
  }
  write(operand: Operand, value: bigint): void {
    const { reg } = operand as BoundOperand;
    switch (operand.kind) {
      case "gpr":
        if (operand.size === 32) this.setState(S.GPR + reg, BigInt.asUintN(32, value), 8);
        else this.setState(S.GPR + reg, value, (operand.size >> 3) as 1 | 2 | 8);
        return;
      case "mem":
        this.store("operand", this.address(operand), operand.size as Size, value);
        return;
      case "mm":
        this.writeVector(operand, value);
        return;
      default:
        throw new Error(`write of a ${operand.kind} operand`);
    }
  }
  address(_operand: Operand): bigint {
    const { insn } = this,
      cpu = this.#cpu;
    let offset = (BigInt(insn.dispHigh) << 32n) | BigInt(insn.dispLow >>> 0);
    if (insn.base < NO_REGISTER) offset += cpu.gpr(insn.base);
    else if (insn.base === RIP_BASE) offset += BigInt(cpu.nextIP);
    if (insn.index < NO_REGISTER) offset += cpu.gpr(insn.index) << BigInt(insn.scale);
    return BigInt.asUintN(insn.addressSize, offset);
  }

  state(at: number, bytes: 1 | 2 | 4 | 8 = 8): bigint {
    const { memory } = this.#cpu;
    switch (bytes) {
      case 1:
        return BigInt(memory.u8[at]!);
      case 2:
        return BigInt(memory.u16[at >> 1]!);
      case 4:
        return BigInt(memory.u32[at >> 2]!);
      default:
        return memory.u64[at >> 3]!;
    }
  }
  setState(at: number, value: bigint, bytes: 1 | 2 | 4 | 8 = 8): void {
    const { memory } = this.#cpu;
    switch (bytes) {
      case 1:
        memory.u8[at] = Number(value & 0xffn);
        return;
      case 2:
        memory.u16[at >> 1] = Number(value & 0xffffn);
        return;
      case 4:
        memory.u32[at >> 2] = Number(value & 0xffffffffn);
        return;
      default:
        memory.u64[at >> 3] = value;
    }
  }

  segmentNumber(operand: Operand): bigint {
    return BigInt((operand as BoundOperand).reg);
  }
  loadParagraph(operand: Operand, selector: bigint): void {
    loadSegment(this.#cpu, (operand as BoundOperand).reg, Number(selector));
  }

  /** Segment checks and base: the linear address of an access, as a number. Faults unwind. */
  #linear(segmentNumber: number | "operand", offset: bigint, bytes: number, write: boolean, aligned = false): number {
    const cpu = this.#cpu,
      n = segmentNumber === "operand" ? this.insn.segment : segmentNumber,
      at = segment(n);
    const linear = (cpu.u64(at + SEG.effectiveBase) + offset) & cpu.u64(S.LINEAR_MASK);
    if (aligned && linear % 16n !== 0n) cpu.fault("GP", 0); // before the limit, as processors do
    const last = offset + BigInt(bytes - 1);
    const first = cpu.u64(at + (write ? SEG.writeFirst : SEG.readFirst)),
      limit = cpu.u64(at + (write ? SEG.writeLast : SEG.readLast));
    if (!this.insn.long && (offset < first || last > limit)) cpu.fault(n === SS ? "SS" : "GP", 0);
    if (!this.insn.long) return Number(linear);
    if (!isCanonical(linear) || !isCanonical(word(linear + BigInt(bytes - 1)))) cpu.fault(n === SS ? "SS" : "GP", 0);
    return Number(signed(linear));
  }
  load(segmentNumber: number | "operand", offset: bigint, size: Size): bigint {
    const cpu = this.#cpu,
      linear = this.#linear(segmentNumber, offset, size >> 3, false);
    if (!cpu.access.load(linear, size >> 3, S.RESULT)) throw cpu.pendingFault;
    return cpu.u64(S.RESULT);
  }
  store(segmentNumber: number | "operand", offset: bigint, size: Size, value: bigint): void {
    const cpu = this.#cpu,
      linear = this.#linear(segmentNumber, offset, size >> 3, true);
    cpu.setU64(S.ARG0, value);
    if (!cpu.access.store(linear, size >> 3, S.ARG0)) throw cpu.pendingFault;
  }
  probeWrite(segmentNumber: number | "operand", offset: bigint, bytes: number, aligned = false): void {
    const cpu = this.#cpu,
      linear = this.#linear(segmentNumber, offset, bytes, true, aligned);
    if (!cpu.access.probeWrite(linear, bytes)) throw cpu.pendingFault;
  }
  /** The linear address of a memory operand, checked for an access of `bytes` bytes; for helpers. */
  linear(offset: bigint, bytes: number, write: boolean): number {
    return this.#linear("operand", offset, bytes, write);
  }

  readVector(operand: Operand, aligned = operand.size === 128): bigint {
    const { reg } = operand as BoundOperand,
      { memory } = this.#cpu;
    if (operand.kind === "xmm") {
      const at = (S.YMM + 32 * reg) >> 3;
      return memory.u64[at]! | (memory.u64[at + 1]! << 64n);
    }
    if (operand.kind === "mm") return memory.u64[(S.FPR + 16 * reg) >> 3]!;
    return this.loadVector(this.address(operand), operand.size, aligned);
  }
  /** 32, 64 or 128 bits with zeros above; `aligned`: #GP(0) unless on a 16-byte boundary. */
  loadVector(offset: bigint, size: number, aligned: boolean): bigint {
    const cpu = this.#cpu,
      linear = this.#linear("operand", offset, size >> 3, false, aligned);
    if (!cpu.access.load(linear, size >> 3, S.RESULT)) throw cpu.pendingFault;
    return size > 64 ? cpu.u64(S.RESULT) | (cpu.u64(S.RESULT + 8) << 64n) : cpu.u64(S.RESULT);
  }
  writeVector(operand: Operand, value: bigint, aligned = operand.size === 128): void {
    const { reg } = operand as BoundOperand,
      cpu = this.#cpu;
    if (operand.kind === "xmm") {
      cpu.setU64(S.YMM + 32 * reg, value & WORD);
      cpu.setU64(S.YMM + 32 * reg + 8, value >> 64n);
    } else if (operand.kind === "mm") {
      cpu.setU64(S.FPR + 16 * reg, value & WORD);
      cpu.setU32(S.FPR + 16 * reg + 8, 0xffff); // exponent and sign read as ones [SDM 1 9.6.2]
    } else this.storeVector(this.address(operand), operand.size, value, aligned);
  }
  storeVector(offset: bigint, size: number, value: bigint, aligned: boolean): void {
    const cpu = this.#cpu,
      linear = this.#linear("operand", offset, size >> 3, true, aligned);
    cpu.setU64(S.ARG0, value & WORD);
    cpu.setU64(S.ARG0 + 8, value >> 64n);
    if (!cpu.access.store(linear, size >> 3, S.ARG0)) throw cpu.pendingFault;
  }
  vectorConst(low: bigint, high: bigint): bigint {
    return low | (high << 64n);
  }
  lane(vector: bigint, width: Lane, index: number): bigint {
    return vectors.lane(vector, width, index);
  }
  withLane(vector: bigint, width: Lane, index: number, value: bigint): bigint {
    return vectors.withLane(vector, width, index, value);
  }
  vectorLogic(op: VectorLogic, a: bigint, b: bigint): bigint {
    return vectors.logic(op, a, b);
  }
  vectorBinary(op: VectorBinary, width: Lane, a: bigint, b: bigint): bigint {
    return vectors.binary(op, width, a, b);
  }
  vectorShift(op: "shl" | "shr" | "sar", width: Lane, a: bigint, count: bigint): bigint {
    return vectors.shift(op, width, a, count);
  }
  shuffle(a: bigint, b: bigint, bytes: readonly number[]): bigint {
    return vectors.shuffle(a, b, bytes);
  }
  shuffleBy(selector: bigint, a: bigint, b: bigint, bytes: (selector: number) => readonly number[]): bigint {
    return vectors.shuffle(a, b, bytes(Number(selector & 0xffn)));
  }
  vectorNarrow(to: "s" | "u", width: 8 | 16, a: bigint, b: bigint): bigint {
    return vectors.narrow(to, width, a, b);
  }
  vectorMulWide(half: "low" | "high", lanes: "s" | "u", width: 8 | 16 | 32, a: bigint, b: bigint): bigint {
    return vectors.mulWide(half, lanes, width, a, b);
  }
  vectorDot(a: bigint, b: bigint): bigint {
    return vectors.dot(a, b);
  }
  vectorAddPairs(lanes: "s" | "u", width: 8 | 16, a: bigint): bigint {
    return vectors.addPairs(lanes, width, a);
  }
  vectorSigns(width: Lane, a: bigint): bigint {
    return vectors.signs(width, a);
  }
  floatBinary(op: FloatBinary, format: FloatFormat, lanes: number, a: bigint, b: bigint): bigint {
    return vectors.floatBinary(this.#cpu, op, format, lanes, a, b);
  }
  floatSqrt(format: FloatFormat, lanes: number, a: bigint, b: bigint): bigint {
    return vectors.floatSqrt(this.#cpu, format, lanes, a, b);
  }
  floatCompare(format: FloatFormat, lanes: number, a: bigint, b: bigint, predicate: bigint): bigint {
    return vectors.floatCompare(this.#cpu, format, lanes, a, b, Number(predicate & 31n));
  }
  floatRelation(format: FloatFormat, a: bigint, b: bigint, signals: boolean): bigint {
    return vectors.floatRelation(this.#cpu, format, a, b, signals);
  }
  floatConvert(from: NumberKind, to: NumberKind, lanes: number, a: bigint, truncate = false): bigint {
    return vectors.floatConvert(this.#cpu, from, to, lanes, a, truncate);
  }
  callVector(helper: HelperName, a: bigint, b: bigint, ...words: bigint[]): bigint {
    return vectorHelpers[helper]!(this.#cpu, a, b, words);
  }
}
