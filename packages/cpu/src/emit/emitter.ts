/** The vector part of the vocabulary over graph nodes; the scalar part is in scalar-emitter.ts. */

import { I64, V128 } from "@castaway/kit/wasm";
import type {
  FloatBinary,
  FloatFormat,
  HelperName,
  Lane,
  NumberKind,
  Operand,
  VectorBinary,
  VectorLogic,
} from "../core/exec.ts";
import { S } from "../core/state.ts";
import { READ, WRITE } from "../core/tlb.ts";
import * as float from "./float.ts";
import type { Node } from "./graph.ts";
import { ScalarEmitter, STORES } from "./scalar-emitter.ts";
import * as simd from "./simd.ts";

export type { HelperNumbers, Imports } from "./scalar-emitter.ts";

export abstract class Emitter extends ScalarEmitter {
  // ---- vectors ----
  readVector(operand: Operand, aligned = operand.size === 128): Node {
    if (operand.kind === "mem") return this.#loadVector(this.address(operand), operand.size, aligned);
    const { base, offset } = this.operandAddress(operand),
      half = operand.kind === "mm";
    return this.graph.read(V128, [base], (code) => code.simdMemory(half ? simd.LOAD64_ZERO : simd.LOAD, offset));
  }
  #loadVector(offset: Node, size: number, aligned: boolean): Node {
    const linear = this.linear("operand", offset, size >> 3, false, aligned);
    const host = this.look(READ, linear, size >> 3);
    return this.graph.effect(
      [host, host, linear, linear],
      (g, result) => {
        g.value(host);
        g.code.open("if", V128);
        g.value(host);
        g.code.simdMemory(size === 128 ? simd.LOAD : size === 64 ? simd.LOAD64_ZERO : simd.LOAD32_ZERO).otherwise();
        this.slow(g, linear, size >> 3, this.imports.load, "operand");
        g.code
          .i32(0)
          .simdMemory(size === 128 ? simd.LOAD : simd.LOAD64_ZERO, S.RESULT)
          .end();
        g.provide(result!);
      },
      V128,
    )!;
  }
  writeVector(operand: Operand, value: Node, aligned = operand.size === 128): void {
    if (operand.kind === "mem") {
      this.#storeVector(this.address(operand), operand.size, value, aligned);
      return;
    }
    const { base, offset } = this.operandAddress(operand),
      half = operand.kind === "mm";
    this.graph.effect([base, value, base], (g) => {
      g.value(base);
      g.value(value);
      if (!half) {
        g.code.simdMemory(simd.STORE, offset);
        return;
      }
      g.code.simd(simd.EXTRACT_LANE[64]).u8(0).memory("i64.store", offset);
      g.value(base);
      g.code.i64(0xffffn).memory("i64.store16", offset + 8);
    });
  }
  #storeVector(offset: Node, size: number, value: Node, aligned: boolean): void {
    const linear = this.linear("operand", offset, size >> 3, true, aligned);
    const host = this.look(WRITE, linear, size >> 3);
    this.graph.effect([host, host, linear, linear, value, value], (g) => {
      g.value(host);
      g.code.open("if");
      g.value(host);
      g.value(value);
      if (size === 128) g.code.simdMemory(simd.STORE);
      else g.code.simd(simd.EXTRACT_LANE[64]).u8(0).memory(STORES[size]!);
      g.code.otherwise().i32(0);
      g.value(value);
      g.code.simdMemory(simd.STORE, S.ARG0);
      this.slow(g, linear, size >> 3, this.imports.store, "operand");
      g.code.end();
    });
  }
  protected override fromWord(value: Node): Node {
    const v = this.word(value);
    return this.graph.pure(V128, [v], (code) => simd.fromWord(code));
  }
  vectorConst(low: bigint, high: bigint): Node {
    return this.graph.pure(V128, [], (code) => simd.constant(code, low, high));
  }
  lane(vector: Node, width: Lane, index: number): Node {
    return this.graph.pure(I64, [vector], (code) => simd.extract(code, width, index));
  }
  withLane(vector: Node, width: Lane, index: number, value: Node): Node {
    return this.graph.pure(V128, [vector, this.word(value)], (code) => simd.replace(code, width, index));
  }
  vectorLogic(op: VectorLogic, a: Node, b: Node): Node {
    const args = op === "andnot" ? [b, a] : [a, b]; // Wasm's andnot complements its second operand
    return this.graph.pure(V128, args, (code) => code.simd(simd.LOGIC[op]));
  }
  vectorBinary(op: VectorBinary, width: Lane, a: Node, b: Node): Node {
    return simd.binary(this, op, width, a, b);
  }
  vectorShift(op: "shl" | "shr" | "sar", width: Lane, a: Node, count: Node): Node {
    return simd.shift(this, op, width, a, this.word(count));
  }
  shuffle(a: Node, b: Node, bytes: readonly number[]): Node {
    return this.graph.pure(V128, [a, b], (code) => {
      code.simd(simd.SHUFFLE);
      for (const n of bytes) code.u8(n);
    });
  }
  /** Set when a static selector was needed and the immediate was not known: the handler must be made for one immediate. */
  needsImmediate = false;
  shuffleBy(selector: Node, a: Node, b: Node, bytes: (selector: number) => readonly number[]): Node {
    if (selector.value === undefined) this.needsImmediate = true;
    return this.shuffle(a, b, bytes(Number((selector.value ?? 0n) & 0xffn)));
  }
  vectorNarrow(to: "s" | "u", width: 8 | 16, a: Node, b: Node): Node {
    return this.graph.pure(V128, [a, b], (code) => code.simd(simd.NARROW[to][width]));
  }
  vectorMulWide(half: "low" | "high", lanes: "s" | "u", width: 8 | 16 | 32, a: Node, b: Node): Node {
    return this.graph.pure(V128, [a, b], (code) =>
      code.simd(simd.MUL_WIDE[width] + (half === "high" ? 1 : 0) + (lanes === "u" ? 2 : 0)),
    );
  }
  vectorDot(a: Node, b: Node): Node {
    return this.graph.pure(V128, [a, b], (code) => code.simd(simd.DOT));
  }
  vectorAddPairs(lanes: "s" | "u", width: 8 | 16, a: Node): Node {
    return this.graph.pure(V128, [a], (code) =>
      code.simd((width === 8 ? simd.ADD_PAIRS8 : simd.ADD_PAIRS16) + (lanes === "u" ? 1 : 0)),
    );
  }
  vectorSigns(width: Lane, a: Node): Node {
    return this.graph.pure(I64, [a], (code) => code.simd(simd.BITMASK[width]).op("i64.extend_i32_u"));
  }
  /** As `choose`, for vectors. */
  chooseVector(condition: Node, then: () => Node, otherwise: () => Node): Node {
    return this.graph.branch(this.truth(condition), then, otherwise, V128)!;
  }
  floatBinary(op: FloatBinary, format: FloatFormat, lanes: number, a: Node, b: Node): Node {
    return float.floatBinary(this, op, format, lanes, a, b);
  }
  floatSqrt(format: FloatFormat, lanes: number, a: Node, b: Node): Node {
    return float.floatSqrt(this, format, lanes, a, b);
  }
  floatCompare(format: FloatFormat, lanes: number, a: Node, b: Node, predicate: Node): Node {
    return float.floatCompare(this, format, lanes, a, b, predicate);
  }
  floatRelation(format: FloatFormat, a: Node, b: Node, signals: boolean): Node {
    return float.floatRelation(this, format, a, b, signals);
  }
  floatConvert(from: NumberKind, to: NumberKind, lanes: number, a: Node, truncate = false): Node {
    return float.floatConvert(this, from, to, lanes, a, truncate);
  }
  callVector(helper: HelperName, a: Node, b: Node, ...words: Node[]): Node {
    for (const [at, v] of [
      [S.VECTOR_A, a],
      [S.VECTOR_B, b],
    ] as const) {
      this.graph.effect([v], (g) => {
        g.code.i32(0);
        g.value(v);
        g.code.simdMemory(simd.STORE, at);
      });
    }
    for (const [i, w] of words.entries()) this.poke(S.ARG0 + 8 * i, this.word(w));
    this.callOut(this.imports.vectorHelper, this.numbers.vectorHelper(helper) | (words.length << 16));
    return this.graph.read(V128, [], (code) => code.i32(0).simdMemory(simd.LOAD, S.RESULT));
  }
}
