/** Packed integer arithmetic, comparison and logic of MMX and SSE2 [SDM 1 9.4, 11.4.2]. */
import type { Lane, VectorBinary, VectorLogic } from "../core/exec.ts";
import type { Instruction } from "../core/forms.ts";
import { binary, twins, type VectorOperation, zeroVector } from "./sse-common.ts";

export const lanewise = (op: VectorBinary, width: Lane): VectorOperation => (x, a, b) => x.vectorBinary(op, width, a, b);
export const bitwise = (op: VectorLogic): VectorOperation => (x, a, b) => x.vectorLogic(op, a, b);

/** High halves of the products of 16-bit lanes: the odd words of the wide products. */
const HIGH_WORDS = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
const pmulh = (lanes: "s" | "u"): VectorOperation => (x, a, b) =>
  x.shuffle(x.vectorMulWide("low", lanes, 16, a, b), x.vectorMulWide("high", lanes, 16, a, b), HIGH_WORDS);

/** The low doubleword of each quadword, moved to the low half. */
const EVEN_DWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
const pmuludq: VectorOperation = (x, a, b) =>
  x.vectorMulWide("low", "u", 32, x.shuffle(a, a, EVEN_DWORDS), x.shuffle(b, b, EVEN_DWORDS));
const pmaddwd: VectorOperation = (x, a, b) => x.vectorDot(a, b);

/** The sum of the absolute differences of eight bytes, in each quadword. */
const psadbw: VectorOperation = (x, a, b) => {
  const difference = x.vectorLogic("or", x.vectorBinary("subSatU", 8, a, b), x.vectorBinary("subSatU", 8, b, a));
  const fours = x.vectorAddPairs("u", 16, x.vectorAddPairs("u", 8, difference));
  const sum = x.vectorBinary("add", 32, fours, x.vectorShift("shr", 64, fours, x.const(32)));
  return x.shuffle(sum, zeroVector(x), [0, 1, 16, 16, 16, 16, 16, 16, 8, 9, 16, 16, 16, 16, 16, 16]);
};

export const sseInteger: Instruction[] = [
  ...twins("paddb", "FC", binary(lanewise("add", 8))),
  ...twins("paddw", "FD", binary(lanewise("add", 16))),
  ...twins("paddd", "FE", binary(lanewise("add", 32))),
  ...twins("paddq", "D4", binary(lanewise("add", 64)), "sse2"),
  ...twins("paddsb", "EC", binary(lanewise("addSatS", 8))),
  ...twins("paddsw", "ED", binary(lanewise("addSatS", 16))),
  ...twins("paddusb", "DC", binary(lanewise("addSatU", 8))),
  ...twins("paddusw", "DD", binary(lanewise("addSatU", 16))),
  ...twins("psubb", "F8", binary(lanewise("sub", 8))),
  ...twins("psubw", "F9", binary(lanewise("sub", 16))),
  ...twins("psubd", "FA", binary(lanewise("sub", 32))),
  ...twins("psubq", "FB", binary(lanewise("sub", 64)), "sse2"),
  ...twins("psubsb", "E8", binary(lanewise("subSatS", 8))),
  ...twins("psubsw", "E9", binary(lanewise("subSatS", 16))),
  ...twins("psubusb", "D8", binary(lanewise("subSatU", 8))),
  ...twins("psubusw", "D9", binary(lanewise("subSatU", 16))),
  ...twins("pmullw", "D5", binary(lanewise("mul", 16))),
  ...twins("pmulhw", "E5", binary(pmulh("s"))),
  ...twins("pmulhuw", "E4", binary(pmulh("u")), "sse"),
  ...twins("pmuludq", "F4", binary(pmuludq), "sse2"),
  ...twins("pmaddwd", "F5", binary(pmaddwd)),
  ...twins("psadbw", "F6", binary(psadbw), "sse"),
  ...twins("pavgb", "E0", binary(lanewise("avgU", 8)), "sse"),
  ...twins("pavgw", "E3", binary(lanewise("avgU", 16)), "sse"),
  ...twins("pminub", "DA", binary(lanewise("minU", 8)), "sse"),
  ...twins("pmaxub", "DE", binary(lanewise("maxU", 8)), "sse"),
  ...twins("pminsw", "EA", binary(lanewise("minS", 16)), "sse"),
  ...twins("pmaxsw", "EE", binary(lanewise("maxS", 16)), "sse"),
  ...twins("pcmpeqb", "74", binary(lanewise("eq", 8))),
  ...twins("pcmpeqw", "75", binary(lanewise("eq", 16))),
  ...twins("pcmpeqd", "76", binary(lanewise("eq", 32))),
  ...twins("pcmpgtb", "64", binary(lanewise("gtS", 8))),
  ...twins("pcmpgtw", "65", binary(lanewise("gtS", 16))),
  ...twins("pcmpgtd", "66", binary(lanewise("gtS", 32))),
  ...twins("pand", "DB", binary(bitwise("and"))),
  ...twins("pandn", "DF", binary(bitwise("andnot"))),
  ...twins("por", "EB", binary(bitwise("or"))),
  ...twins("pxor", "EF", binary(bitwise("xor"))),
];
