/**
 * The vocabulary in which every instruction is written, once.
 *
 * A semantics is a function over an abstract value `V`. The evaluator runs it with `V = bigint`; the emitters run it
 * once per specialisation with `V` = a node of a small expression graph, which becomes WebAssembly. So a semantics
 * never looks at a value with TypeScript operators: it looks only at what is static (operand kinds, sizes, modes).
 *
 * Values are 64-bit words unless said otherwise; a narrower value is zero-extended. Conditions are 0 or 1. Vectors are
 * 128 bits. Sizes are in bits, as in the manual.
 */
import type { Exception } from "./exceptions.ts";
import { RSP, S, SEG, SS, segment } from "./state.ts";

export type Size = 8 | 16 | 32 | 64;
/** The condition codes of Jcc, SETcc and CMOVcc in their encoding's order [SDM 1 appendix B]. */
export const CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split(" ");
export type ArithmeticFlag = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF";

/** Which unit's availability is checked before anything else (CR0.EM, CR0.TS, CR4.OSFXSR, pending x87 exceptions). */
export type Unit = "x87" | "x87control" | "mmx" | "sse" | "wait";

/** What an operand of a semantics is; the executor that made it knows where its value is. */
export interface Operand {
  readonly kind: "gpr" | "imm" | "mem" | "xmm" | "mm" | "st" | "seg" | "cr" | "dr" | "rel" | "far";
  /** Bits. For `mem` without a size (LEA, INVLPG): 0. */
  readonly size: number;
}

/** What is known of an instruction before it runs: the dimensions in which emitted code is specialised. */
export interface Shape {
  /** Operand size in bits as prefixes, mode and form decide: 16, 32 or 64. */
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  /** True in 64-bit mode. */
  readonly long: boolean;
  /** The REP prefix in force: F3 (rep, repe), F2 (repne), or none. */
  readonly repeat: "none" | "rep" | "repne";
}

/** Helpers in plain TypeScript that a semantics may call by name, see helpers.ts. Arguments and result are 64-bit. */
export type HelperName = string;

/** Lane kinds of vector operations: bits per lane. */
export type Lane = 8 | 16 | 32 | 64;
export type VectorUnary = "abs" | "neg";
/** Lane-wise integer operations; `s` and `u` say how lanes are read. Comparisons give all ones or zero per lane. */
export type VectorBinary =
  | "add"
  | "sub"
  | "mul"
  | "addSatS"
  | "addSatU"
  | "subSatS"
  | "subSatU"
  | "minS"
  | "minU"
  | "maxS"
  | "maxU"
  | "avgU"
  | "eq"
  | "gtS";
export type VectorLogic = "and" | "or" | "xor" | "andnot";
export type FloatFormat = 32 | 64;
export type FloatBinary = "add" | "sub" | "mul" | "div" | "min" | "max";
/** What `floatConvert` converts: signed integers and floating-point numbers. */
export type NumberKind = "i32" | "i64" | "f32" | "f64";

/** The abstract machine. Primitives are abstract; everything that can be said in terms of them is said here, once. */
export abstract class Exec<V> {
  /** The instruction at hand. */
  abstract readonly shape: Shape;

  // ---- 64-bit integers ----
  abstract const(value: number | bigint): V;
  abstract add(a: V, b: V): V;
  abstract sub(a: V, b: V): V;
  /** Low 64 bits of the product. */
  abstract mul(a: V, b: V): V;
  /** Quotient and remainder; the divisor is not zero, and for the signed forms not (−2⁶³ / −1). */
  abstract divU(a: V, b: V): V;
  abstract remU(a: V, b: V): V;
  abstract divS(a: V, b: V): V;
  abstract remS(a: V, b: V): V;
  abstract and(a: V, b: V): V;
  abstract or(a: V, b: V): V;
  abstract xor(a: V, b: V): V;
  /** Shifts of 64-bit words; only the low six bits of the count matter. */
  abstract shl(a: V, count: V): V;
  abstract shr(a: V, count: V): V;
  abstract sar(a: V, count: V): V;
  /** Leading and trailing zeros (64 for zero), ones. */
  abstract clz(a: V): V;
  abstract ctz(a: V): V;
  abstract popcnt(a: V): V;
  abstract eq(a: V, b: V): V;
  abstract ltU(a: V, b: V): V;
  abstract ltS(a: V, b: V): V;
  /** `condition ? a : b`; both are computed, so neither may have an effect. */
  abstract select(condition: V, a: V, b: V): V;
  /** Sign-extends the low `bits` bits; zero-extends them. */
  abstract sext(a: V, bits: number): V;
  abstract zext(a: V, bits: number): V;

  // ---- control ----
  /** Runs one arm. Values made inside an arm must not be used outside of it. */
  abstract when(condition: V, then: () => void, otherwise?: () => void): void;
  /** As `when`, for a value: only the chosen arm has its effects. */
  abstract choose(condition: V, then: () => V, otherwise: () => V): V;
  /** Ends the instruction with an exception; nothing after it happens. */
  abstract raise(exception: Exception, code?: V): void;
  /** Ends the block: execution goes on at this offset in CS, which is checked first (canonical, or within the limit). */
  abstract jump(target: V): void;
  /** As `jump` to the displacement operand's target, if the condition holds. Emitters link the two ways. */
  abstract branch(target: Operand, condition?: V): void;
  /** Where a displacement operand leads: cut to its size. */
  abstract target(operand: Operand): V;
  /** Offset of the next instruction, within the width of the mode. */
  abstract nextIP(): V;
  /** Calls a TypeScript helper; it may raise. The result is the helper's 64-bit answer (0 if it has none). */
  abstract call(helper: HelperName, ...args: V[]): V;

  // ---- operands ----
  /** The operand's value, zero-extended (immediates: extended as their encoding says, cut to `size`). */
  abstract read(operand: Operand): V;
  /** As `read`, of an operand that will be written: memory faults as a write would. */
  abstract modify(operand: Operand): V;
  /** Writes the low `size` bits. A 32-bit general register is zero-extended to 64 bits; 8 and 16 bits merge. */
  abstract write(operand: Operand, value: V): void;
  /** Offset of a memory operand within its segment, cut to the address size. */
  abstract address(operand: Operand): V;

  // ---- state ----
  /** A field of the state table, at one of the addresses in `S`, zero-extended; `bytes` is its width. */
  abstract state(at: number, bytes?: 1 | 2 | 4 | 8): V;
  abstract setState(at: number, value: V, bytes?: 1 | 2 | 4 | 8): void;

  /** Number of a segment register that is an operand, as encoded: 0 to 7. */
  abstract segmentNumber(operand: Operand): V;
  /** Real-address mode: loads a segment register other than SS. Nothing but its selector and bases changes. */
  abstract loadParagraph(operand: Operand, selector: V): void;

  // ---- memory, by segment and offset: segment checks, then paging ----
  /** `segmentNumber` as encoded, or "operand" for the segment of the instruction's memory operand (override included). */
  abstract load(segmentNumber: number | "operand", offset: V, size: Size): V;
  abstract store(segmentNumber: number | "operand", offset: V, size: Size, value: V): void;
  /** Faults if `bytes` bytes there could not be written; writes nothing. `aligned`: #GP(0) unless on a boundary of 16 bytes. */
  abstract probeWrite(segmentNumber: number | "operand", offset: V, bytes: number, aligned?: boolean): void;

  // ---- vectors of 128 bits ----
  /**
   * The whole register (128 bits whatever `operand.size`; MMX: 64 bits with zeros above), or memory of `operand.size`
   * bits (32, 64 or 128) with zeros above. `aligned`: #GP(0) unless a memory operand is on a 16-byte boundary.
   */
  abstract readVector(operand: Operand, aligned?: boolean): V;
  /** Writes the whole register (MMX: the low 64 bits, and ones to the exponent), or the low `operand.size` bits to memory. */
  abstract writeVector(operand: Operand, value: V, aligned?: boolean): void;
  abstract vectorConst(low: bigint, high: bigint): V;
  /** Lane as a zero-extended word; a vector with that lane replaced. */
  abstract lane(vector: V, width: Lane, index: number): V;
  abstract withLane(vector: V, width: Lane, index: number, value: V): V;
  abstract vectorLogic(op: VectorLogic, a: V, b: V): V;
  abstract vectorBinary(op: VectorBinary, width: Lane, a: V, b: V): V;
  /** Shifts each lane by the same count (a word); counts of the lane width or more give zeros (sign copies for sar). */
  abstract vectorShift(op: "shl" | "shr" | "sar", width: Lane, a: V, count: V): V;
  /** Bytes of `a` then `b` chosen by static indices 0..31. */
  abstract shuffle(a: V, b: V, bytes: readonly number[]): V;
  /** As `shuffle`, by the 16 indices that `bytes` gives for the low 8 bits of `selector`. `bytes` is pure: it may become a table. */
  abstract shuffleBy(selector: V, a: V, b: V, bytes: (selector: number) => readonly number[]): V;
  /** Lanes of `a` then `b`, of twice `width` and read as signed, clamped to lanes of `width`, signed or unsigned. */
  abstract vectorNarrow(to: "s" | "u", width: 8 | 16, a: V, b: V): V;
  /** Products, in lanes of twice `width`, of the lanes in the low or high halves of `a` and `b`, read as signed or unsigned. */
  abstract vectorMulWide(half: "low" | "high", lanes: "s" | "u", width: 8 | 16 | 32, a: V, b: V): V;
  /** Sums of neighbouring products of signed 16-bit lanes, in 32-bit lanes (they wrap). */
  abstract vectorDot(a: V, b: V): V;
  /** Sums of neighbouring lanes, read as signed or unsigned, in lanes of twice `width`. */
  abstract vectorAddPairs(lanes: "s" | "u", width: 8 | 16, a: V): V;
  /** The top bit of each lane, as bits of a word: lane 0 is bit 0. */
  abstract vectorSigns(width: Lane, a: V): V;

  // ---- floating point (SSE); exact, MXCSR flags are accumulated, unmasked exceptions raise #XM before any write ----
  /** Lane-wise arithmetic over the first `lanes` lanes; the other lanes come from `a`. */
  abstract floatBinary(op: FloatBinary, format: FloatFormat, lanes: number, a: V, b: V): V;
  /** Square roots of the first `lanes` lanes of `b`; the other lanes come from `a`. */
  abstract floatSqrt(format: FloatFormat, lanes: number, a: V, b: V): V;
  /**
   * All ones or zero in each of the first `lanes` lanes: does the predicate hold between `a` and `b`? The other lanes come
   * from `a`. `predicate` is a word, of which bits 4:0 count, as in imm8 of VCMPPS (CMPPS clears bits 4:3).
   */
  abstract floatCompare(format: FloatFormat, lanes: number, a: V, b: V, predicate: V): V;
  /** Relation of lane 0 of `a` to lane 0 of `b`: 0 less, 1 equal, 2 greater, 3 unordered. `signals`: a QNaN is invalid too. */
  abstract floatRelation(format: FloatFormat, a: V, b: V, signals: boolean): V;
  /**
   * The first `lanes` lanes of `a`, of kind `from`, as the first lanes of a vector of kind `to`; its other lanes are zero.
   * Rounds as MXCSR says, or toward zero with `truncate`; what no integer can hold becomes the integer indefinite.
   */
  abstract floatConvert(from: NumberKind, to: NumberKind, lanes: number, a: V, truncate?: boolean): V;
  /** Any other vector operation: a TypeScript helper of two vectors and words. It may raise. See helpers.ts. */
  abstract callVector(helper: HelperName, a: V, b: V, ...words: V[]): V;

  // ==== said in terms of the above ====

  /** What comes before every semantics: is the unit available, is the privilege sufficient? */
  begin(def: { readonly unit?: Unit; readonly privileged?: boolean }): void {
    const { unit } = def;
    if (unit !== undefined) {
      const trap = this.state(
        unit === "sse" ? S.SSE_TRAP : unit === "mmx" ? S.MMX_TRAP : unit === "wait" ? S.WAIT_TRAP : S.X87_TRAP,
        4,
      );
      this.when(this.isNonZero(trap), () => {
        this.call("unit.trap", trap);
      });
      // An unmasked x87 exception that waits is reported by the next waiting x87, MMX or WAIT instruction [SDM 1 8.7].
      if (unit !== "sse" && unit !== "x87control")
        this.when(this.bit(this.state(S.FSW, 2), 7), () => {
          this.call("x87.pending");
        });
    }
    if (def.privileged) this.when(this.isNonZero(this.state(S.CPL, 4)), () => this.raise("GP", this.const(0)));
  }

  not(a: V): V {
    return this.xor(a, this.const(-1));
  }
  neg(a: V): V {
    return this.sub(this.const(0), a);
  }
  isZero(a: V): V {
    return this.eq(a, this.const(0));
  }
  isNonZero(a: V): V {
    return this.ltU(this.const(0), a);
  }
  ne(a: V, b: V): V {
    return this.xor(this.eq(a, b), this.const(1));
  }
  /** Bit `n` (static) of a word, as 0 or 1. */
  bit(a: V, n: number): V {
    return this.and(n === 0 ? a : this.shr(a, this.const(n)), this.const(1));
  }
  raiseIf(condition: V, exception: Exception, code?: V): void {
    this.when(condition, () => this.raise(exception, code));
  }

  /** A general register by number, zero-extended from its low `size` bits. */
  reg(n: number, size: Size = 64): V {
    return this.state(S.GPR + 8 * n, (size >> 3) as 1 | 2 | 4 | 8);
  }
  /** Writes a general register as an operand of that size would be written. */
  setReg(n: number, value: V, size: Size = 64): void {
    if (size >= 32) this.setState(S.GPR + 8 * n, this.zext(value, size), 8);
    else this.setState(S.GPR + 8 * n, value, (size >> 3) as 1 | 2);
  }

  // ---- flags: a result (SF, ZF, PF) and an auxiliary word (CF, OF, AF, and corrections to PF and SF), see flags.ts ----

  flag(name: ArithmeticFlag): V {
    const result = () => this.state(S.LAZY_RESULT),
      aux = () => this.state(S.LAZY_AUX);
    switch (name) {
      case "CF":
        return this.bit(aux(), 1);
      case "OF": {
        const a = aux();
        return this.xor(this.bit(a, 1), this.bit(a, 0));
      }
      case "AF":
        return this.bit(aux(), 3);
      case "ZF":
        return this.isZero(result());
      case "SF":
        return this.xor(this.shr(result(), this.const(63)), this.bit(aux(), 16));
      case "PF": {
        const odd = this.popcnt(this.and(this.xor(result(), this.shr(aux(), this.const(8))), this.const(0xff)));
        return this.xor(this.bit(odd, 0), this.const(1));
      }
    }
  }

  /** Condition `code` (0..15) as 0 or 1. */
  condition(code: number): V {
    const base = this.#conditionPair(code >> 1);
    return code & 1 ? this.xor(base, this.const(1)) : base;
  }
  #conditionPair(pair: number): V {
    switch (pair) {
      case 0:
        return this.flag("OF");
      case 1:
        return this.flag("CF");
      case 2:
        return this.flag("ZF");
      case 3:
        return this.or(this.flag("CF"), this.flag("ZF"));
      case 4:
        return this.flag("SF");
      case 5:
        return this.flag("PF");
      case 6:
        return this.xor(this.flag("SF"), this.flag("OF"));
      default:
        return this.or(this.flag("ZF"), this.xor(this.flag("SF"), this.flag("OF")));
    }
  }

  /**
   * Sets all six flags from a result and the vector of its carries (bit n = carry, or borrow, out of bit n).
   * With `keepCF`, CF stays (INC, DEC). Bits of both above `size` are ignored.
   */
  arithFlags(size: number, result: V, carries: V, keepCF = false): void {
    let aux = this.or(
      this.and(this.shr(carries, this.const(size - 2)), this.const(3)),
      this.and(carries, this.const(8)),
    );
    if (keepCF) {
      const cf = this.flag("CF"),
        of = this.xor(this.bit(aux, 1), this.bit(aux, 0));
      aux = this.or(this.and(aux, this.const(8)), this.#carryBits(cf, of));
    }
    this.setState(S.LAZY_RESULT, this.sext(result, size));
    this.setState(S.LAZY_AUX, aux);
  }
  #carryBits(cf: V, of: V): V {
    return this.or(this.shl(cf, this.const(1)), this.xor(cf, of));
  }

  /** SF, ZF, PF from a result; CF, OF, AF as given (0 where absent). */
  resultFlags(size: number, result: V, given: { CF?: V; OF?: V; AF?: V } = {}): void {
    const zero = this.const(0),
      cf = given.CF ?? zero,
      of = given.OF ?? zero;
    let aux = this.#carryBits(cf, of);
    if (given.AF !== undefined) aux = this.or(aux, this.shl(given.AF, this.const(3)));
    this.setState(S.LAZY_RESULT, this.sext(result, size));
    this.setState(S.LAZY_AUX, aux);
  }

  /** Sets the flags that are given (0 or 1) and keeps the others. */
  setFlags(given: Partial<Record<ArithmeticFlag, V>>): void {
    if (given.ZF === undefined && given.SF === undefined && given.PF === undefined) return this.#setCarries(given);
    const f = (name: ArithmeticFlag) => given[name] ?? this.flag(name);
    const cf = f("CF"),
      of = f("OF"),
      af = f("AF"),
      zf = f("ZF"),
      sf = f("SF"),
      pf = f("PF");
    // Result 0 or 1 says ZF and has even or odd parity; the auxiliary word corrects SF, and PF through its low parity bit.
    const one = this.const(1),
      result = this.xor(zf, one);
    const parityFix = this.xor(this.xor(pf, one), result);
    const aux = this.or(
      this.or(this.#carryBits(cf, of), this.shl(af, this.const(3))),
      this.or(this.shl(parityFix, this.const(8)), this.shl(sf, this.const(16))),
    );
    this.setState(S.LAZY_RESULT, result);
    this.setState(S.LAZY_AUX, aux);
  }
  #setCarries(given: Partial<Record<ArithmeticFlag, V>>): void {
    const cf = given.CF ?? this.flag("CF"),
      of = given.OF ?? this.flag("OF"),
      af = given.AF ?? this.flag("AF");
    const kept = this.and(this.state(S.LAZY_AUX), this.const(~0xb));
    this.setState(S.LAZY_AUX, this.or(kept, this.or(this.#carryBits(cf, of), this.shl(af, this.const(3)))));
  }

  // ---- control transfers ----

  /** #GP(0) if `jump` would refuse this target: for instructions that write before they jump. `first` may fault before that. */
  checkTarget(target: V, first = () => {}): void {
    this.when(
      this.shape.long ? this.ne(this.sext(target, 48), target) : this.ltU(this.state(S.CODE_LAST), target),
      () => {
        first();
        this.raise("GP", this.const(0));
      },
    );
  }

  // ---- the stack ----

  /** The value of the stack pointer after moving by `bytes`, wrapped at the stack's width. */
  stackPointer(bytes: number): V {
    return this.stackMoved(this.const(bytes));
  }
  /** The same for a number of bytes that is a value. */
  stackMoved(bytes: V): V {
    return this.atStackWidth(this.add(this.reg(RSP), bytes));
  }
  /** RSP with as many of its low bits replaced by those of `value` as the stack is wide. */
  atStackWidth(value: V): V {
    if (this.shape.long) return value;
    const mask = this.state(S.STACK_MASK);
    return this.or(this.and(this.reg(RSP), this.not(mask)), this.and(value, mask));
  }
  /** The offset in SS of a stack pointer value. */
  stackOffset(sp: V): V {
    return this.shape.long ? sp : this.and(sp, this.state(S.STACK_MASK));
  }
  push(value: V, size: Size): void {
    const sp = this.stackPointer(-(size >> 3));
    this.store(SS, this.stackOffset(sp), size, value);
    this.setReg(RSP, sp);
  }
  /** Reads the top of the stack; `popped` moves the pointer, to be called after the last access that can fault. */
  top(size: Size, depth = 0): V {
    return this.load(SS, this.stackOffset(this.stackPointer(depth)), size);
  }
  popped(bytes: number): void {
    this.setReg(RSP, this.stackPointer(bytes));
  }

  /** Selector of a segment register. */
  selector(n: number): V {
    return this.state(segment(n) + SEG.selector, 4);
  }
}

/** One text per instruction. */
export type Semantics = <V>(x: Exec<V>, ...operands: Operand[]) => void;
