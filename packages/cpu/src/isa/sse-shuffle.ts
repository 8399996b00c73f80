/** Moving lanes about: pack, unpack, shuffle, insert, extract [SDM 1 9.4.4, 10.4.4, 11.4.1]. */
import type { Semantics } from "../core/exec.ts";
import type { Instruction } from "../core/forms.ts";
import { binary, mmx, put, sse, twins, used, type VectorOperation } from "./sse-common.ts";

const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

export const pack = (to: "s" | "u", width: 8 | 16): VectorOperation => (x, a, b, mm) => {
  if (!mm) return x.vectorNarrow(to, width, a, b);
  const both = x.shuffle(a, b, LOW_HALVES);
  return x.vectorNarrow(to, width, both, both);
};

/** Lanes of `a` and `b` in turn, from their low or high halves. */
export const unpack = (half: "low" | "high", width: number): VectorOperation => (x, a, b, mm) => {
  const total = mm ? 8 : 16, bytes = width / 8, first = half === "high" ? total / 2 : 0;
  const indices = Array.from({ length: 16 }, (_, i) => {
    if (i >= total) return 0;
    const lane = Math.floor(i / bytes), from = first + Math.floor(lane / 2) * bytes + (i % bytes);
    return lane % 2 === 0 ? from : 16 + from;
  });
  return x.shuffle(a, b, indices);
};

/** `lanes` lanes of `bytes` bytes each, chosen by fields of an immediate; `from` says where the choices of lane i start. */
const choose = (lanes: number, bytes: number, from: (i: number) => number) => (imm: number): number[] =>
  Array.from({ length: lanes * bytes }, (_, i) => {
    const lane = Math.floor(i / bytes), bits = 31 - Math.clz32(lanes);
    return from(lane) + ((imm >> (bits * lane)) & (lanes - 1)) * bytes + (i % bytes);
  });
const LOW_BYTES = [0, 1, 2, 3, 4, 5, 6, 7], HIGH_BYTES = [8, 9, 10, 11, 12, 13, 14, 15];
const fourWords = choose(4, 2, () => 0);
export const SHUFFLES = {
  pshufd: choose(4, 4, () => 0),
  pshuflw: (imm: number) => [...fourWords(imm), ...HIGH_BYTES],
  pshufhw: (imm: number) => [...LOW_BYTES, ...fourWords(imm).map((n) => n + 8)],
  pshufw: (imm: number) => [...fourWords(imm), ...LOW_BYTES],
  shufps: choose(4, 4, (lane) => (lane < 2 ? 0 : 16)),
  shufpd: choose(2, 8, (lane) => 16 * lane),
};

/** dst = lanes of src. */
const shuffleOne = (bytes: (imm: number) => number[]): Semantics => (x, dst, src, imm) => {
  const v = x.readVector(src);
  put(x, dst, x.shuffleBy(x.read(imm), v, v, bytes));
};
/** dst = lanes of dst, then lanes of src. */
const shuffleTwo = (bytes: (imm: number) => number[]): Semantics => (x, dst, src, imm) => {
  const b = x.readVector(src);
  x.writeVector(dst, x.shuffleBy(x.read(imm), x.readVector(dst), b, bytes));
};

/** All bytes of `a` but the word at imm, which is the low word of `b`; of four words (MMX) or eight. */
const insertWord = (words: number) => (imm: number): number[] =>
  Array.from({ length: 16 }, (_, i) => (i >> 1 === (imm & (words - 1)) ? 16 + (i & 1) : i));
const extractWord = (words: number) => (imm: number): number[] =>
  Array.from({ length: 16 }, (_, i) => 2 * (imm & (words - 1)) + (i & 1));
export const WORD_SELECTORS = {
  insert4: insertWord(4), insert8: insertWord(8), extract4: extractWord(4), extract8: extractWord(8),
};

const pinsrw: Semantics = (x, dst, src, imm) => {
  const a = x.readVector(dst), b = x.withLane(a, 16, 0, x.read(src));
  put(x, dst, x.shuffleBy(x.read(imm), a, b, dst.kind === "mm" ? WORD_SELECTORS.insert4 : WORD_SELECTORS.insert8));
};
const pextrw: Semantics = (x, dst, src, imm) => {
  const v = x.readVector(src), bytes = src.kind === "mm" ? WORD_SELECTORS.extract4 : WORD_SELECTORS.extract8;
  x.write(dst, x.lane(x.shuffleBy(x.read(imm), v, v, bytes), 16, 0));
  used(x, src);
};
const pmovmskb: Semantics = (x, dst, src) => {
  x.write(dst, x.vectorSigns(8, x.readVector(src)));
  used(x, src);
};
/** The sign bits of packed floating-point numbers. */
const movmsk = (width: 32 | 64): Semantics => (x, dst, src) => x.write(dst, x.vectorSigns(width, x.readVector(src)));

export const sseShuffle: Instruction[] = [
  ...twins("packsswb", "63", binary(pack("s", 8))),
  ...twins("packuswb", "67", binary(pack("u", 8))),
  ...twins("packssdw", "6B", binary(pack("s", 16))),
  ...twins("punpcklbw", "60", binary(unpack("low", 8)), "mmx", "Qd,Wdq"), // the low forms read 32 bits of memory for MMX
  ...twins("punpcklwd", "61", binary(unpack("low", 16)), "mmx", "Qd,Wdq"),
  ...twins("punpckldq", "62", binary(unpack("low", 32)), "mmx", "Qd,Wdq"),
  ...twins("punpckhbw", "68", binary(unpack("high", 8))),
  ...twins("punpckhwd", "69", binary(unpack("high", 16))),
  ...twins("punpckhdq", "6A", binary(unpack("high", 32))),
  sse("punpcklqdq", "66 0F 6C /r", "Vdq,Wdq", binary(unpack("low", 64))),
  sse("punpckhqdq", "66 0F 6D /r", "Vdq,Wdq", binary(unpack("high", 64))),
  sse("unpcklps", "NP 0F 14 /r", "Vps,Wps", binary(unpack("low", 32)), "sse"),
  sse("unpckhps", "NP 0F 15 /r", "Vps,Wps", binary(unpack("high", 32)), "sse"),
  sse("unpcklpd", "66 0F 14 /r", "Vpd,Wpd", binary(unpack("low", 64))),
  sse("unpckhpd", "66 0F 15 /r", "Vpd,Wpd", binary(unpack("high", 64))),

  mmx("pshufw", "NP 0F 70 /r", "Pq,Qq,Ib", shuffleOne(SHUFFLES.pshufw), "sse"),
  sse("pshufd", "66 0F 70 /r", "Vdq,Wdq,Ib", shuffleOne(SHUFFLES.pshufd)),
  sse("pshufhw", "F3 0F 70 /r", "Vdq,Wdq,Ib", shuffleOne(SHUFFLES.pshufhw)),
  sse("pshuflw", "F2 0F 70 /r", "Vdq,Wdq,Ib", shuffleOne(SHUFFLES.pshuflw)),
  sse("shufps", "NP 0F C6 /r", "Vps,Wps,Ib", shuffleTwo(SHUFFLES.shufps), "sse"),
  sse("shufpd", "66 0F C6 /r", "Vpd,Wpd,Ib", shuffleTwo(SHUFFLES.shufpd)),

  mmx("pinsrw", "NP 0F C4 /r", "Pq,Rd,Ib", pinsrw, "sse"),
  mmx("pinsrw", "NP 0F C4 /r", "Pq,Mw,Ib", pinsrw, "sse"),
  sse("pinsrw", "66 0F C4 /r", "Vdq,Rd,Ib", pinsrw),
  sse("pinsrw", "66 0F C4 /r", "Vdq,Mw,Ib", pinsrw),
  mmx("pextrw", "NP 0F C5 /r", "Gd,Nq,Ib", pextrw, "sse"),
  sse("pextrw", "66 0F C5 /r", "Gd,Udq,Ib", pextrw),
  mmx("pmovmskb", "NP 0F D7 /r", "Gd,Nq", pmovmskb, "sse"),
  sse("pmovmskb", "66 0F D7 /r", "Gd,Udq", pmovmskb),
  sse("movmskps", "NP 0F 50 /r", "Gd,Ups", movmsk(32), "sse"),
  sse("movmskpd", "66 0F 50 /r", "Gd,Upd", movmsk(64)),
];
