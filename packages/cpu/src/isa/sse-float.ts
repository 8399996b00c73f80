/** SSE and SSE2 floating-point arithmetic, comparison and logic, packed and scalar [SDM 1 10.4, 11.4]. */
import type { Exec, FloatBinary, FloatFormat, Semantics } from "../core/exec.ts";
import { type Feature, form, type Instruction, instruction } from "../core/forms.ts";
import type { VectorHelper } from "../core/helpers.ts";
import { binary, sse, type VectorOperation } from "./sse-common.ts";
import { bitwise } from "./sse-integer.ts";

/** The four kinds of operands: suffix, mandatory prefix, format, lanes, feature. */
export interface FloatKind {
  readonly suffix: "ps" | "pd" | "ss" | "sd";
  readonly prefix: "NP" | "66" | "F3" | "F2";
  readonly format: FloatFormat;
  readonly lanes: number;
  readonly feature: Feature;
}
export const PS: FloatKind = { suffix: "ps", prefix: "NP", format: 32, lanes: 4, feature: "sse" };
export const PD: FloatKind = { suffix: "pd", prefix: "66", format: 64, lanes: 2, feature: "sse2" };
export const SS: FloatKind = { suffix: "ss", prefix: "F3", format: 32, lanes: 1, feature: "sse" };
export const SD: FloatKind = { suffix: "sd", prefix: "F2", format: 64, lanes: 1, feature: "sse2" };
const ALL = [PS, PD, SS, SD];

const one = (name: string, opcode: string, { suffix, prefix, feature }: FloatKind, run: Semantics, more = ""): Instruction =>
  sse(name, `${prefix} 0F ${opcode} /r`, `V${suffix},W${suffix}${more}`, run, feature);

export const floatBinary = (op: FloatBinary, { format, lanes }: FloatKind): VectorOperation => (x, a, b) => x.floatBinary(op, format, lanes, a, b);
export const floatSqrt = ({ format, lanes }: FloatKind): VectorOperation => (x, a, b) => x.floatSqrt(format, lanes, a, b);
const arithmetic = (op: FloatBinary, opcode: string): Instruction[] =>
  ALL.map((kind) => one(op + kind.suffix, opcode, kind, binary(floatBinary(op, kind))));

/** CMPPS and the like: without VEX imm8 has three bits that count. */
const compare = ({ format, lanes }: FloatKind): Semantics => (x, dst, src, imm) => {
  const b = x.readVector(src);
  x.writeVector(dst, x.floatCompare(format, lanes, x.readVector(dst), b, x.and(x.read(imm), x.const(7))));
};
/** COMISS (`signals`), UCOMISS: the relation as ZF, PF, CF; the other flags are cleared. */
const compareFlags = (format: FloatFormat, signals: boolean): Semantics => (x, dst, src) => {
  const b = x.readVector(src);
  relationFlags(x, x.floatRelation(format, x.readVector(dst), b, signals));
};
/** 0 less: CF. 1 equal: ZF. 2 greater: none. 3 unordered: ZF, PF, CF. FCOMI sets them alike [SDM 1 table 8-7]. */
export function relationFlags<V>(x: Exec<V>, relation: V): void {
  const zero = x.const(0), equal = x.bit(relation, 0), unordered = x.and(equal, x.bit(relation, 1));
  const less = x.isZero(relation);
  x.setFlags({ ZF: equal, PF: unordered, CF: x.or(less, unordered), OF: zero, SF: zero, AF: zero });
}

/**
 * RCPPS and RSQRTPS: within 1.5 * 2^-12 of the exact value [SDM 2B "RCPPS"]. Processors differ here. Ours are the correctly
 * rounded single-precision quotient 1 / b, or 1 / sqrt(b), without the low 11 bits of its significand: so powers of two
 * are exact. MXCSR is neither obeyed nor changed: denormals are zeros, tiny results become zeros, SNaNs become quiet.
 */
const VENDOR = { vectors: { vendor: "the approximation of each processor is its own, within the same bound" } };
const approximate = (op: "rcp" | "rsqrt", opcode: string): Instruction[] => [PS, SS].map((kind) => {
  const { suffix, prefix, lanes } = kind, operands = `V${suffix},W${suffix}`;
  const run: VectorOperation = (x, a, b) => x.callVector(`sse.${op}`, a, b, x.const(lanes));
  return instruction(op + suffix, [form(`${prefix} 0F ${opcode} /r`, operands, { feature: "sse" })], binary(run), { unit: "sse", ...VENDOR });
});

const single = new Float32Array(1), bits = new Uint32Array(single.buffer);
function approximation(op: "rcp" | "rsqrt", b: number): number {
  const sign = b & 0x80000000, magnitude = b & 0x7fffffff;
  if (magnitude > 0x7f800000) return b | 0x00400000;
  if (magnitude < 0x00800000) return sign | 0x7f800000;
  if (op === "rsqrt" && sign !== 0) return 0xffc00000;
  bits[0] = magnitude;
  single[0] = op === "rcp" ? 1 / single[0]! : 1 / Math.fround(Math.sqrt(single[0]!));
  return sign | (bits[0]! < 0x00800000 ? 0 : bits[0]! & 0xfffff800);
}
const approximations = (op: "rcp" | "rsqrt"): VectorHelper => (_cpu, a, b, [lanes]) => {
  let result = a;
  for (let i = 0n; i < lanes!; i++) {
    const at = 32n * i, value = approximation(op, Number((b >> at) & 0xffffffffn)) >>> 0;
    result = (result & ~(0xffffffffn << at)) | (BigInt(value) << at);
  }
  return result;
};
export const sseVectorHelpers: Record<string, VectorHelper> = {
  "sse.rcp": approximations("rcp"),
  "sse.rsqrt": approximations("rsqrt"),
};

export const sseFloat: Instruction[] = [
  ...arithmetic("add", "58"),
  ...arithmetic("mul", "59"),
  ...arithmetic("sub", "5C"),
  ...arithmetic("min", "5D"),
  ...arithmetic("div", "5E"),
  ...arithmetic("max", "5F"),
  ...ALL.map((kind) => one(`sqrt${kind.suffix}`, "51", kind, binary(floatSqrt(kind)))),
  ...approximate("rsqrt", "52"),
  ...approximate("rcp", "53"),
  ...[PS, PD].map((kind) => one(`and${kind.suffix}`, "54", kind, binary(bitwise("and")))),
  ...[PS, PD].map((kind) => one(`andn${kind.suffix}`, "55", kind, binary(bitwise("andnot")))),
  ...[PS, PD].map((kind) => one(`or${kind.suffix}`, "56", kind, binary(bitwise("or")))),
  ...[PS, PD].map((kind) => one(`xor${kind.suffix}`, "57", kind, binary(bitwise("xor")))),
  ...ALL.map((kind) => one(`cmp${kind.suffix}`, "C2", kind, compare(kind), ",Ib")),
  sse("ucomiss", "NP 0F 2E /r", "Vss,Wss", compareFlags(32, false), "sse"),
  sse("ucomisd", "66 0F 2E /r", "Vsd,Wsd", compareFlags(64, false)),
  sse("comiss", "NP 0F 2F /r", "Vss,Wss", compareFlags(32, true), "sse"),
  sse("comisd", "66 0F 2F /r", "Vsd,Wsd", compareFlags(64, true)),
];
