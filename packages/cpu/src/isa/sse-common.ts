/**
 * What the vector families share: how MMX and XMM twins are declared, how results are written.
 *
 * An operation is a pure function of vectors, `(x, a, b) => result`, so that encodings with three operands can use it as
 * well. `mm` (static) tells the few operations to which 64 bits mean something else than the low half of 128.
 */
import type { Exec, Operand, Semantics } from "../core/exec.ts";
import { type Feature, form, type Instruction, instruction } from "../core/forms.ts";
import { S } from "../core/state.ts";

export type VectorOperation = <V>(x: Exec<V>, a: V, b: V, mm: boolean) => V;

/** What MMX instructions do to the x87 state besides their work: TOP = 0, every tag valid [SDM 1 9.5.1]. */
export function enterMmx<V>(x: Exec<V>): void {
  x.setState(S.FSW, x.and(x.state(S.FSW, 2), x.const(~0x3800)), 2);
  x.setState(S.FTW, x.const(0xff), 2);
}
/** An unmasked x87 exception that waits; MMX instructions report it in `begin`, those that mix MMX with XMM registers here. */
export function reportPending<V>(x: Exec<V>): void {
  x.when(x.bit(x.state(S.FSW, 2), 7), () => { x.call("x87.pending"); });
}

/** Writes a vector result. What else is to be done for an MMX source: `used`, after the last access that can fault. */
export function put<V>(x: Exec<V>, dst: Operand, value: V, aligned?: boolean): void {
  if (dst.kind === "mm") enterMmx(x);
  x.writeVector(dst, value, aligned);
}
export function used<V>(x: Exec<V>, src: Operand): void {
  if (src.kind === "mm") enterMmx(x);
}

export const zeroVector = <V>(x: Exec<V>): V => x.vectorConst(0n, 0n);
/** A word in the low half, zeros above. */
export const fromWord = <V>(x: Exec<V>, word: V): V => x.withLane(zeroVector(x), 64, 0, word);
export const toWord = <V>(x: Exec<V>, vector: V): V => x.lane(vector, 64, 0);

/** dst = operation(dst, src). */
export const binary = (operation: VectorOperation): Semantics => (x, dst, src) => {
  const b = x.readVector(src);
  put(x, dst, operation(x, x.readVector(dst), b, dst.kind === "mm"));
};

/** One text, two instructions: on MMX registers (whose feature bit is given) and on XMM registers (SSE2). */
export const twins = (name: string, opcode: string, run: Semantics, mmx: Feature = "mmx", sources = "Qq,Wdq"): Instruction[] => {
  const [q, w] = sources.split(",");
  return [
    instruction(name, [form(`NP 0F ${opcode} /r`, `Pq,${q}`, { feature: mmx })], run, { unit: "mmx" }),
    instruction(name, [form(`66 0F ${opcode} /r`, `Vdq,${w}`, { feature: "sse2" })], run, { unit: "sse" }),
  ];
};
/** An SSE or SSE2 instruction with one form. */
export const sse = (name: string, opcode: string, operands: string, run: Semantics, feature: Feature = "sse2", rest: Partial<Instruction> = {}): Instruction =>
  instruction(name, [form(opcode, operands, { feature })], run, { unit: "sse", ...rest });
/** An instruction on MMX registers with one form. */
export const mmx = (name: string, opcode: string, operands: string, run: Semantics, feature: Feature = "mmx", rest: Partial<Instruction> = {}): Instruction =>
  instruction(name, [form(opcode, operands, { feature })], run, { unit: "mmx", ...rest });
