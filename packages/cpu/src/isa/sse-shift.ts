/** Packed shifts of MMX and SSE2, by a register, memory or an immediate [SDM 1 9.4.6, 11.4.2]. */
import type { Lane, Semantics } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import { put, sse, toWord, twins, zeroVector } from "./sse-common.ts";

type Direction = "shl" | "shr" | "sar";

/** The count is the low quadword of the source, all 64 bits of it. */
const byVector = (op: Direction, width: Lane): Semantics => (x, dst, src) => {
  const count = toWord(x, x.readVector(src));
  put(x, dst, x.vectorShift(op, width, x.readVector(dst), count));
};
const byImmediate = (op: Direction, width: Lane): Semantics => (x, dst, imm) =>
  put(x, dst, x.vectorShift(op, width, x.readVector(dst), x.read(imm)));

const GROUP: Partial<Record<Lane, string>> = { 16: "71", 32: "72", 64: "73" };
const DIGIT = { shr: 2, sar: 4, shl: 6 };

const shifts = (name: string, opcode: string, op: Direction, width: Lane): Instruction[] => {
  const group = `0F ${GROUP[width]} /${DIGIT[op]}`, run = byImmediate(op, width);
  return [
    ...twins(name, opcode, byVector(op, width)),
    instruction(name, [form(`NP ${group}`, "Nq,Ib", { feature: "mmx" })], run, { unit: "mmx" }),
    instruction(name, [form(`66 ${group}`, "Udq,Ib", { feature: "sse2" })], run, { unit: "sse" }),
  ];
};

/** Bytes of a vector moved up or down by n, with zeros (indices 16 and up) coming in. */
const bytesUp = (n: number) => Array.from({ length: 16 }, (_, i) => (i >= n ? i - n : 16));
const bytesDown = (n: number) => Array.from({ length: 16 }, (_, i) => Math.min(i + n, 16));

export const sseShift: Instruction[] = [
  ...shifts("psllw", "F1", "shl", 16),
  ...shifts("pslld", "F2", "shl", 32),
  ...shifts("psllq", "F3", "shl", 64),
  ...shifts("psrlw", "D1", "shr", 16),
  ...shifts("psrld", "D2", "shr", 32),
  ...shifts("psrlq", "D3", "shr", 64),
  ...shifts("psraw", "E1", "sar", 16),
  ...shifts("psrad", "E2", "sar", 32),
  sse("pslldq", "66 0F 73 /7", "Udq,Ib", (x, dst, imm) => x.writeVector(dst, x.shuffleBy(x.read(imm), x.readVector(dst), zeroVector(x), bytesUp))),
  sse("psrldq", "66 0F 73 /3", "Udq,Ib", (x, dst, imm) => x.writeVector(dst, x.shuffleBy(x.read(imm), x.readVector(dst), zeroVector(x), bytesDown))),
];
