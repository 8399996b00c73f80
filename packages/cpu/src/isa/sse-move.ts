/** Moves between vector registers, general registers and memory [SDM 1 9.4.1, 10.4.1, 11.4.1]. */

import type { Decoded } from "../core/decode.ts";
import type { Semantics } from "../core/exec.ts";
import { form, type Instruction, instruction, rare } from "../core/forms.ts";
import type { Processor } from "../core/processor.ts";
import { RDI } from "../core/state.ts";
import { enterMmx, fromWord, mmx, put, reportPending, sse, toWord, used } from "./sse-common.ts";

/** Whole registers, and memory as wide as the operand; narrower memory brings zeros above. */
const move: Semantics = (x, dst, src) => { put(x, dst, x.readVector(src)); used(x, src); };
const moveUnaligned: Semantics = (x, dst, src) => x.writeVector(dst, x.readVector(src, false), false);

const fromGeneral: Semantics = (x, dst, src) => put(x, dst, fromWord(x, x.read(src)));
const toGeneral: Semantics = (x, dst, src) => { x.write(dst, toWord(x, x.readVector(src))); used(x, src); };
/** The low quadword, zeros above in a register. */
const moveQuad: Semantics = (x, dst, src) => x.writeVector(dst, fromWord(x, toWord(x, x.readVector(src))));

/** MOVSS, MOVSD: a register source replaces the low lane, a memory source clears the others. */
const moveScalar = (width: 32 | 64): Semantics => (x, dst, src) => {
  const v = x.readVector(src);
  if (dst.kind === "mem" || src.kind === "mem") x.writeVector(dst, v);
  else x.writeVector(dst, x.withLane(x.readVector(dst), width, 0, x.lane(v, width, 0)));
};
/** Quadword `to` of dst = quadword `from` of src; memory has only quadword 0. */
const moveHalf = (to: 0 | 1, from: 0 | 1): Semantics => (x, dst, src) => {
  const quad = x.lane(x.readVector(src), 64, from);
  if (dst.kind === "mem") x.writeVector(dst, fromWord(x, quad));
  else x.writeVector(dst, x.withLane(x.readVector(dst), 64, to, quad));
};

const movq2dq: Semantics = (x, dst, src) => {
  reportPending(x);
  x.writeVector(dst, x.readVector(src));
  enterMmx(x);
};
const movdq2q: Semantics = (x, dst, src) => {
  reportPending(x);
  put(x, dst, x.readVector(src));
};

/**
 * MASKMOVQ, MASKMOVDQU: the bytes whose mask has its top bit set go to [rDI]. All bytes must be writable, if any is written;
 * the manual leaves open what happens to the others.
 */
function storeMasked(cpu: Processor, insn: Decoded): void {
  const { x } = cpu, [source, mask] = insn.operands, bytes = source!.kind === "mm" ? 8 : 16;
  const data = x.readVector(source!), chosen = x.vectorSigns(8, x.readVector(mask!));
  const at = (i: number) => BigInt.asUintN(insn.addressSize, cpu.gpr(RDI) + BigInt(i));
  if (chosen !== 0n) x.probeWrite("operand", at(0), bytes);
  for (let i = 0; i < bytes; i++) if (x.bit(chosen, i) !== 0n) x.store("operand", at(i), 8, x.lane(data, 8, i));
  used(x, source!);
}

/** AMD enters MMX state before it stores. */
const MASKED = { vendorFault: "FSW FTW" };

const both = (name: string, load: string, store: string, operands: string, run: Semantics, feature: "sse" | "sse2" = "sse2"): Instruction => {
  const [v, w] = operands.split(",");
  return instruction(name, [form(load, `${v},${w}`, { feature }), form(store, `${w},${v}`, { feature })], run, { unit: "sse" });
};

/** Between a general register or memory and the low part of a vector register: 32 bits, or 64 with REX.W. */
const general = (name: string, e: string, rexW: boolean): Instruction[] => [
  instruction(name, [form("NP 0F 6E /r", `Pq,${e}`, { feature: "mmx", rexW })], fromGeneral, { unit: "mmx" }),
  instruction(name, [form("NP 0F 7E /r", `${e},Pq`, { feature: "mmx", rexW })], toGeneral, { unit: "mmx" }),
  instruction(name, [form("66 0F 6E /r", `Vdq,${e}`, { feature: "sse2", rexW })], fromGeneral, { unit: "sse" }),
  instruction(name, [form("66 0F 7E /r", `${e},Vdq`, { feature: "sse2", rexW })], toGeneral, { unit: "sse" }),
];

export const sseMove: Instruction[] = [
  ...general("movd", "Ed", false),
  ...general("movq", "Eq", true),
  instruction("movq", [form("NP 0F 6F /r", "Pq,Qq", { feature: "mmx" }), form("NP 0F 7F /r", "Qq,Pq", { feature: "mmx" })], move, { unit: "mmx" }),
  both("movq", "F3 0F 7E /r", "66 0F D6 /r", "Vdq,Wq", moveQuad),

  both("movdqa", "66 0F 6F /r", "66 0F 7F /r", "Vdq,Wdq", move),
  both("movdqu", "F3 0F 6F /r", "F3 0F 7F /r", "Vdq,Wdq", moveUnaligned),
  both("movaps", "NP 0F 28 /r", "NP 0F 29 /r", "Vps,Wps", move, "sse"),
  both("movapd", "66 0F 28 /r", "66 0F 29 /r", "Vpd,Wpd", move),
  both("movups", "NP 0F 10 /r", "NP 0F 11 /r", "Vps,Wps", moveUnaligned, "sse"),
  both("movupd", "66 0F 10 /r", "66 0F 11 /r", "Vpd,Wpd", moveUnaligned),
  both("movss", "F3 0F 10 /r", "F3 0F 11 /r", "Vss,Wss", moveScalar(32), "sse"),
  both("movsd", "F2 0F 10 /r", "F2 0F 11 /r", "Vsd,Wsd", moveScalar(64)),

  both("movlps", "NP 0F 12 /r", "NP 0F 13 /r", "Vdq,Mq", moveHalf(0, 0), "sse"),
  both("movlpd", "66 0F 12 /r", "66 0F 13 /r", "Vdq,Mq", moveHalf(0, 0)),
  sse("movhps", "NP 0F 16 /r", "Vdq,Mq", moveHalf(1, 0), "sse"),
  sse("movhps", "NP 0F 17 /r", "Mq,Vdq", moveHalf(0, 1), "sse"),
  sse("movhpd", "66 0F 16 /r", "Vdq,Mq", moveHalf(1, 0)),
  sse("movhpd", "66 0F 17 /r", "Mq,Vdq", moveHalf(0, 1)),
  sse("movhlps", "NP 0F 12 /r", "Vdq,Udq", moveHalf(0, 1), "sse"),
  sse("movlhps", "NP 0F 16 /r", "Vdq,Udq", moveHalf(1, 0), "sse"),

  // Stores that bypass the caches, of which this machine has none.
  mmx("movntq", "NP 0F E7 /r", "Mq,Pq", move, "sse"),
  sse("movntdq", "66 0F E7 /r", "Mdq,Vdq", move),
  sse("movntps", "NP 0F 2B /r", "Mps,Vps", move, "sse"),
  sse("movntpd", "66 0F 2B /r", "Mpd,Vpd", move),
  instruction("movnti", [form("NP 0F C3 /r", "My,Gy", { feature: "sse2" })], (x, dst, src) => x.write(dst, x.read(src))),
  rare("maskmovq", [form("NP 0F F7 /r", "Pq,Nq", { feature: "sse" })], storeMasked, { unit: "mmx", vectors: MASKED }),
  rare("maskmovdqu", [form("66 0F F7 /r", "Vdq,Udq", { feature: "sse2" })], storeMasked, { unit: "sse" }),

  sse("movq2dq", "F3 0F D6 /r", "Vdq,Nq", movq2dq),
  sse("movdq2q", "F2 0F D6 /r", "Pq,Udq", movdq2q),
];
