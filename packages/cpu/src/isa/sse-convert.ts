/** Conversions between integers and floating-point numbers, and between the floating-point formats [SDM 1 11.4.1.6, figure 11-8]. */
import type { NumberKind, Semantics } from "../core/exec.ts";
import type { Instruction } from "../core/forms.ts";
import { enterMmx, fromWord, put, reportPending, sse, toWord, used } from "./sse-common.ts";

/** Packed: the lanes that do not fit are dropped, those that are missing become zero. */
const packed = (from: NumberKind, to: NumberKind, lanes: number, truncate = false): Semantics => (x, dst, src) =>
  x.writeVector(dst, x.floatConvert(from, to, lanes, x.readVector(src), truncate));

/** The low lane of the destination; the others stay. */
const scalar = (from: NumberKind, to: "f32" | "f64"): Semantics => (x, dst, src) => {
  const result = x.floatConvert(from, to, 1, x.readVector(src)), width = to === "f32" ? 32 : 64;
  x.writeVector(dst, x.withLane(x.readVector(dst), width, 0, x.lane(result, width, 0)));
};
const fromGeneral = (to: "f32" | "f64"): Semantics => (x, dst, src) => {
  const result = x.floatConvert(src.size === 64 ? "i64" : "i32", to, 1, fromWord(x, x.read(src))), width = to === "f32" ? 32 : 64;
  x.writeVector(dst, x.withLane(x.readVector(dst), width, 0, x.lane(result, width, 0)));
};
const toGeneral = (from: "f32" | "f64", truncate: boolean): Semantics => (x, dst, src) =>
  x.write(dst, toWord(x, x.floatConvert(from, dst.size === 64 ? "i64" : "i32", 1, x.readVector(src), truncate)));

/** From two doublewords in an MMX register or memory. */
const cvtpi2ps: Semantics = (x, dst, src) => {
  reportPending(x);
  const result = x.floatConvert("i32", "f32", 2, x.readVector(src));
  enterMmx(x);
  x.writeVector(dst, x.withLane(x.readVector(dst), 64, 0, toWord(x, result)));
};
/** A source in memory leaves the x87 alone [SDM 2A "CVTPI2PD"]. */
const cvtpi2pd: Semantics = (x, dst, src) => {
  if (src.kind === "mm") reportPending(x);
  const result = x.floatConvert("i32", "f64", 2, x.readVector(src));
  used(x, src);
  x.writeVector(dst, result);
};
const toMmx = (from: "f32" | "f64", truncate: boolean): Semantics => (x, dst, src) => {
  reportPending(x);
  put(x, dst, x.floatConvert(from, "i32", 2, x.readVector(src), truncate));
};

/** AMD enters MMX state even if the conversion then raises #XM. Here, as everywhere, a fault leaves all but MXCSR alone. */
const TO_MMX = { vectors: { vendorFault: "FSW FTW" } };
/** The manual has this one enter MMX state always, unlike CVTPI2PD [SDM 2A "CVTPI2PS"]. */
const FROM_MMX = { vectors: {
  ...TO_MMX.vectors,
  vendor: "AMD does not enter MMX state for a source in memory",
  vendorWhen: ({ rm }: { rm: string }) => rm === "mem",
} };

const TO_INTEGER: [name: string, truncate: boolean, opcode: string][] = [["cvtt", true, "2C"], ["cvt", false, "2D"]];

export const sseConvert: Instruction[] = [
  sse("cvtpi2ps", "NP 0F 2A /r", "Vps,Qq", cvtpi2ps, "sse", FROM_MMX),
  sse("cvtpi2pd", "66 0F 2A /r", "Vpd,Qq", cvtpi2pd),
  sse("cvtsi2ss", "F3 0F 2A /r", "Vss,Ey", fromGeneral("f32"), "sse"),
  sse("cvtsi2sd", "F2 0F 2A /r", "Vsd,Ey", fromGeneral("f64")),
  ...TO_INTEGER.flatMap(([name, truncate, opcode]) => [
    sse(`${name}ps2pi`, `NP 0F ${opcode} /r`, "Pq,Wq", toMmx("f32", truncate), "sse", TO_MMX),
    sse(`${name}pd2pi`, `66 0F ${opcode} /r`, "Pq,Wpd", toMmx("f64", truncate), "sse2", TO_MMX),
    sse(`${name}ss2si`, `F3 0F ${opcode} /r`, "Gy,Wss", toGeneral("f32", truncate), "sse"),
    sse(`${name}sd2si`, `F2 0F ${opcode} /r`, "Gy,Wsd", toGeneral("f64", truncate)),
  ]),
  sse("cvtps2pd", "NP 0F 5A /r", "Vpd,Wq", packed("f32", "f64", 2)),
  sse("cvtpd2ps", "66 0F 5A /r", "Vps,Wpd", packed("f64", "f32", 2)),
  sse("cvtss2sd", "F3 0F 5A /r", "Vsd,Wss", scalar("f32", "f64")),
  sse("cvtsd2ss", "F2 0F 5A /r", "Vss,Wsd", scalar("f64", "f32")),
  sse("cvtdq2ps", "NP 0F 5B /r", "Vps,Wdq", packed("i32", "f32", 4)),
  sse("cvtps2dq", "66 0F 5B /r", "Vdq,Wps", packed("f32", "i32", 4)),
  sse("cvttps2dq", "F3 0F 5B /r", "Vdq,Wps", packed("f32", "i32", 4, true)),
  sse("cvttpd2dq", "66 0F E6 /r", "Vdq,Wpd", packed("f64", "i32", 2, true)),
  sse("cvtdq2pd", "F3 0F E6 /r", "Vpd,Wq", packed("i32", "f64", 2)),
  sse("cvtpd2dq", "F2 0F E6 /r", "Vdq,Wpd", packed("f64", "i32", 2)),
];
