import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answer, type Row, rows } from "./captured.ts";
import { convert, fromInteger, roundToIntegral, toInteger } from "./convert.ts";
import { FpEnv, TOWARD_ZERO } from "./env.ts";
import { F32, F64, F80 } from "./formats.ts";

/** Loads, stores, FRNDINT. */
const X87 = `
  fld32 37f 1 = 3f6a8000000000000000 2  # a denormal becomes a normal number, and is reported
  fld32 37f 7f800001 = 7fffc000010000000000 1  # an SNaN is quieted
  fld32 37f ffc12345 = ffffc123450000000000 0  # a QNaN keeps its payload
  fld64 37f 7fefffffffffffff = 43fefffffffffffff800 0  # largest
  fld64 37f 8000000000000000 = 80000000000000000000 0  # -0
  fst64 37f 3fff8000000000000400 = 3ff0000000000000 20  # tie to even
  fst64 b7f 3fff8000000000000001 = 3ff0000000000001 20+  # rounded up
  fst64 37f 7ffeffffffffffffffff = 7ff0000000000000 28+  # overflow
  fst64 377 7ffeffffffffffffffff = kept 8  # unmasked overflow: nothing is stored, and that is exact [SDM 1 8.5.4]
  fst32 37f 3f698000000000000000 = 0 30  # half the smallest f32 denormal: to even
  fst32 37f 3f6a8000000000000000 = 1 0  # the smallest f32 denormal: exact, no underflow
  fst32 36f 3f6a8000000000000000 = kept 10  # unmasked underflow: nothing is stored
  fst32 37f 3f80ffffffffffffffff = 800000 20+  # rounds up to the smallest normal
  fst32 37f 1 = 0 30  # FST reports no denormal operand
  fst32 37f 7fff8000000000000001 = 7fc00000 1  # SNaN: the payload is cut
  fst32 37f 7fffc000ffffffffffff = 7fc000ff 0  # QNaN: the payload is cut
  fst32 37f 3fff0000000000000001 = ffc00000 1  # unnormal
  fst32 35f 3fff8000000000000001 = 3f800000 20  # unmasked inexact stores all the same
  fist16 37f 400dfffe000000000000 = 7fff 0  # 32767
  fist16 37f 400dffff000000000000 = 8000 1  # 32767.5 is too large after rounding
  fist16 f7f 400dffff000000000000 = 7fff 20  # truncated it fits, 32767.5
  fist16 37f c00e8000000000000000 = 8000 0  # -32768
  fist16 37f c00e8000800000000000 = 8000 20  # -32768.5 to even
  fist16 77f c00e8000800000000000 = 8000 1  # -32768.5 down
  fist32 37f 40008000000000000000 = 2 0  # 2
  fist32 37f 4000a000000000000000 = 2 20  # 2.5 to even
  fist32 37f 4000e000000000000000 = 4 20+  # 3.5 to even
  fist32 77f 80000000000000000001 = ffffffff 20+  # a negative denormal rounded down: -1, no DE
  fist64 37f c03e8000000000000000 = 8000000000000000 0  # -2^63
  fist64 37f 403e8000000000000000 = 8000000000000000 1  # 2^63
  fist64 37e 7fffc000000000000001 = kept 1  # unmasked invalid: nothing is stored
  fist64 37f 7fffc000000000000001 = 8000000000000000 1  # a NaN gives the integer indefinite
  fisttp16 37f 3ffeffffffffffffffff = 0 20  # truncated
  fisttp64 37f c03dffffffffffffffff = 8000000000000001 20  # truncated
  fild16 37f 8000 = c00e8000000000000000 0  # -32768
  fild64 7f 7fffffffffffffff = 403dfffffffffffffffe 0  # exact whatever the precision control
  fild64 37f 8000000000000000 = c03e8000000000000000 0  # -2^63
  fild64 37f 0 = 0 0  # 0
  frndint 37f 3ffe8000000000000000 = 0 20  # 0.5 to even
  frndint b7f 3ffe8000000000000000 = 3fff8000000000000000 20+  # 0.5 up
  frndint 37f bffec000000000000000 = bfff8000000000000000 20+  # -0.75
  frndint 37f bffd8000000000000000 = 80000000000000000000 20  # -0.25 keeps its sign
  frndint 37f 1 = 0 22  # denormal operand
  frndint 7f 403dffffffffffffffff = 403e8000000000000000 20+  # 2^63 - 0.5, not affected by precision control
  frndint 37f 7fff8000000000000001 = 7fffc000000000000001 1  # SNaN
`;

/** cvtsi.f64.32 is CVTSD2SI with a 32-bit destination; roundsd.n is ROUNDSD with imm8 n. */
const SSE = `
  cvtss2sd 1f80 1 = 36a0000000000000 2  # denormal
  cvtss2sd 1fc0 80000001 = 8000000000000000 0  # DAZ
  cvtss2sd 1f80 ffa00000 = fffc000000000000 1  # SNaN
  cvtsd2ss 1f80 47efffffe0000000 = 7f7fffff 0  # largest f32
  cvtsd2ss 1f80 47effffff0000000 = 7f800000 28  # overflow
  cvtsd2ss 9f80 3690000000000000 = 0 30  # FTZ
  cvtsd2ss 1f80 7ff0000000000001 = 7fc00000 1  # an SNaN whose payload is lost
  cvtsi.f64.32 1f80 41dfffffffc00000 = 7fffffff 0  # 2^31 - 1
  cvtsi.f64.32 1f80 41e0000000000000 = 80000000 1  # 2^31
  cvtsi.f32.32 1fc0 1 = 0 0  # DAZ: a denormal is exactly 0
  cvtsi.f32.32 5f80 1 = 1 20  # a denormal rounded up, no DE
  cvttsi.f64.64 1f80 c3e0000000000000 = 8000000000000000 0  # -2^63
  cvttsi.f64.64 1f80 3fefffffffffffff = 0 20  # truncated
  cvtsi2sd 1f80 7fffffffffffffff = 43e0000000000000 20  # 2^63 - 1
  cvtsi2ss 7f80 8000000000000001 = deffffff 20  # toward zero
  roundsd.0 1f80 4004000000000000 = 4000000000000000 20  # ROUNDSD nearest
  roundsd.2 1f80 bfe0000000000000 = 8000000000000000 20  # up: -0
  roundsd.10 1f80 3fe0000000000000 = 3ff0000000000000 0  # imm8 bit 3: not inexact
  roundsd.4 3f80 bfe0000000000000 = bff0000000000000 20  # by MXCSR.RC
  roundss.0 1f80 1 = 0 20  # no denormal operand exception
`;

type Operation = (env: FpEnv, a: bigint) => bigint;

const x87Operations: Record<string, Operation> = {
  fld32: (env, a) => convert(env, F32, F80, a),
  fld64: (env, a) => convert(env, F64, F80, a),
  fst32: (env, a) => convert(env, F80, F32, a),
  fst64: (env, a) => convert(env, F80, F64, a),
  fist16: (env, a) => toInteger(env, F80, a, 16),
  fist32: (env, a) => toInteger(env, F80, a, 32),
  fist64: (env, a) => toInteger(env, F80, a, 64),
  fisttp16: (env, a) => toInteger(env, F80, a, 16, TOWARD_ZERO),
  fisttp64: (env, a) => toInteger(env, F80, a, 64, TOWARD_ZERO),
  fild16: (env, a) => fromInteger(env, F80, BigInt.asIntN(16, a)),
  fild64: (env, a) => fromInteger(env, F80, BigInt.asIntN(64, a)),
  frndint: (env, a) => roundToIntegral(env, F80, a),
};

const sseOperations: Record<string, Operation> = {
  cvtss2sd: (env, a) => convert(env, F32, F64, a),
  cvtsd2ss: (env, a) => convert(env, F64, F32, a),
  "cvtsi.f32.32": (env, a) => toInteger(env, F32, a, 32),
  "cvtsi.f64.32": (env, a) => toInteger(env, F64, a, 32),
  "cvttsi.f64.64": (env, a) => toInteger(env, F64, a, 64, TOWARD_ZERO),
  cvtsi2ss: (env, a) => fromInteger(env, F32, BigInt.asIntN(64, a)),
  cvtsi2sd: (env, a) => fromInteger(env, F64, BigInt.asIntN(64, a)),
  "roundsd.0": (env, a) => roundToIntegral(env, F64, a, 0),
  "roundsd.2": (env, a) => roundToIntegral(env, F64, a, 2),
  "roundsd.4": (env, a) => roundToIntegral(env, F64, a),
  "roundsd.10": (env, a) => roundToIntegral(env, F64, a, 2, true),
  "roundss.0": (env, a) => roundToIntegral(env, F32, a, 0),
};

function x87(row: Row): string {
  const env = new FpEnv("x87").loadFcw(row.control);
  const result = x87Operations[row.operation]!(env, row.operands[0]!);
  const isStore = row.operation.startsWith("fst") || row.operation.startsWith("fist");
  return answer(env, result.toString(16), isStore ? env.storeSuppressed : env.suppressed);
}

function sse(row: Row): string {
  const env = new FpEnv("sse").loadMxcsr(row.control);
  return answer(env, sseOperations[row.operation]!(env, row.operands[0]!).toString(16));
}

const x87Suite = suite("x87 conversion");
for (const row of rows(X87)) x87Suite(row.text, () => assert.is(x87(row), row.expected));
x87Suite.run();

const sseSuite = suite("SSE conversion");
for (const row of rows(SSE)) sseSuite(row.text, () => assert.is(sse(row), row.expected));
sseSuite.run();
