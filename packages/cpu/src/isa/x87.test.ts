import { suite } from "uvu";
import * as assert from "uvu/assert";
import { accepts, OpcodeMap } from "../core/opcodes.ts";
import { expect, INDEFINITE, ONE, real } from "./x87.test-support.ts";
import { x87Instructions } from "./x87.ts";

const FULL = [1, 2, 3, 4, 5, 6, 7, 8].map(real), UNMASKED_IE = 0x37e;
const INFINITY = 0x7fff_8000_0000_0000_0000n, NAN = 0x7fff_c000_0000_0000_0001n, SNAN = 0x7fff_8000_0000_0000_0001n;
const DENORMAL = 1n, UNNORMAL = 0x3fff_0000_0000_0000_0001n, MINUS = 1n << 79n;
const test = suite("x87");

// ---- the stack [SDM 1 8.1.2, 8.5.1.1] ----

test("a load pushes; into a full stack it pushes the indefinite, or nothing", () => {
  expect("D9 E8", { st: [real(2)], fsw: "C1" }, { st: [ONE, real(2)], fsw: "TOP=3" });
  expect("D9 E8", { st: FULL }, { st: [INDEFINITE, ...FULL.slice(0, 7)], fsw: "IE SF C1 TOP=3" });
  expect("D9 E8", { st: FULL, fcw: UNMASKED_IE }, { fsw: "IE SF ES C1 B" });
  expect("D9 C1", { st: [real(2), real(3)] }, { st: [real(3), real(2), real(3)], fsw: "TOP=3" });
  expect("D9 C1", { st: [real(2)], fsw: "C1" }, { st: [INDEFINITE, real(2)], fsw: "IE SF TOP=3" });
  expect("D9 C1", { st: [real(2)], fcw: UNMASKED_IE }, { fsw: "IE SF ES B" });
});

test("an empty operand is invalid and C1 says underflow; masked, the result is the indefinite", () => {
  expect("D8 C1", { st: [real(2)], fsw: "C1" }, { st: [INDEFINITE], fsw: "IE SF" });
  expect("D8 C1", { st: [null, real(2)] }, { st: [INDEFINITE, real(2)], fsw: "IE SF" });
  expect("DE C1", { st: [real(2)] }, { st: [INDEFINITE], fsw: "IE SF TOP=5" });
  expect("DE C1", { st: [real(2)], fcw: UNMASKED_IE }, { fsw: "IE SF ES B" });
  expect("D9 FA", {}, { st: [INDEFINITE], fsw: "IE SF" });
  expect("D9 C9", { st: [real(2)] }, { st: [INDEFINITE, real(2)], fsw: "IE SF" });
  expect("D9 C9", { st: [real(2)], fcw: UNMASKED_IE }, { fsw: "IE SF ES B" });
  expect("DA C1", { st: [real(2)] }, { st: [INDEFINITE], fsw: "IE SF" });
  expect("DD D1", {}, { st: [null, INDEFINITE], fsw: "IE SF" });
  expect("D9 F2", {}, { st: [INDEFINITE, INDEFINITE], fsw: "IE SF TOP=3" });
  expect("D9 FB", { st: FULL }, { st: [INDEFINITE, INDEFINITE, ...FULL.slice(1, 7)], fsw: "IE SF C1 TOP=3" });
});

test("an empty ST(0) is stored as the indefinite of the format, or not at all", () => {
  expect("D9 1E", {}, { memory: 0xffc00000n, fsw: "IE SF TOP=5" });
  expect("DD 1E", {}, { memory: 0xfff80000_00000000n, fsw: "IE SF TOP=5" });
  expect("DB 3E", {}, { memory: INDEFINITE, fsw: "IE SF TOP=5" });
  expect("DF 1E", {}, { memory: 0x8000n, fsw: "IE SF TOP=5" });
  expect("DF 36", {}, { memory: 0xffff_c000_0000_0000_0000n, fsw: "IE SF TOP=5" });
  expect("DD 1E", { fcw: UNMASKED_IE, memory: 5n }, { fsw: "IE SF ES B" });
});

test("TOP and tags: FINCSTP, FDECSTP, FFREE, FFREEP, FXCH", () => {
  expect("D9 F7", { st: [real(2)], fsw: "C1" }, { st: [null, null, null, null, null, null, null, real(2)], fsw: "TOP=5" });
  expect("D9 F6", { st: [real(2)] }, { st: [null, real(2)], fsw: "TOP=3" });
  expect("DD C1", { st: [real(2), real(3)] }, { st: [real(2)] });
  expect("DF C1", { st: [real(2), real(3), real(4)] }, { st: [null, real(4)], fsw: "TOP=5" });
  expect("D9 CA", { st: [real(2), real(3), real(4)] }, { st: [real(4), real(3), real(2)] });
});

// ---- results and exceptions [SDM 1 8.5] ----

test("arithmetic takes its operands in both orders, from registers and memory", () => {
  const st = [real(6), real(3)];
  expect("D8 E1", { st }, { st: [real(3), real(3)] });
  expect("D8 E9", { st }, { st: [real(-3), real(3)] });
  expect("DC E9", { st }, { st: [real(6), real(-3)] }); // FSUB ST(1), ST
  expect("DC E1", { st }, { st: [real(6), real(3)] });
  expect("DE F1", { st }, { st: [real(2)], fsw: "TOP=5" }); // FDIVRP: ST(0) / ST(1)
  expect("D8 3E", { st, memory: 0x41400000n }, { st: [real(2), real(3)] }); // FDIVR m32: 12 / 6
  expect("DC 0E", { st, memory: 0xc008000000000000n }, { st: [real(-18), real(3)] });
  expect("DA 06", { st, memory: 0xfffffff9n }, { st: [real(-1), real(3)] });
  expect("DE 2E", { st, memory: 7n }, { st: [real(1), real(3)] });
});

test("an unmasked exception before the operation keeps all operands; one after it is told with the result", () => {
  expect("DE F9", { st: [0n, ONE], fcw: 0x37b }, { fsw: "ZE ES B" });
  expect("DE F9", { st: [0n, ONE] }, { st: [INFINITY], fsw: "ZE TOP=5" });
  expect("DE F9", { st: [real(3), ONE], fcw: 0x35f }, { st: [0x3ffd_aaaa_aaaa_aaaa_aaabn], fsw: "PE ES C1 B TOP=5" });
  expect("D8 C8", { st: [0x7ffe_8000_0000_0000_0000n], fcw: 0x377 }, { st: [0x7ffe_8000_0000_0000_0000n * 2n - (ONE + (24576n << 64n))], fsw: "OE ES B" });
});

test("a store to memory that overflows or underflows unmasked stores and pops nothing", () => {
  const huge = 0x7000_8000_0000_0000_0000n, tiny = 0x1000_8000_0000_0000_0000n;
  expect("D9 1E", { st: [huge], memory: 5n }, { memory: 0x7f800000n, fsw: "OE PE C1 TOP=5", st: [] });
  expect("D9 1E", { st: [huge], memory: 5n, fcw: 0x377 }, { fsw: "OE ES B" });
  expect("DD 1E", { st: [tiny], memory: 5n, fcw: 0x36f }, { fsw: "UE ES B" });
  expect("D9 1E", { st: [ONE | 1n], fcw: 0x35f }, { memory: 0x3f800000n, fsw: "PE ES B TOP=5", st: [] });
  expect("DB 1E", { st: [real(2 ** 31)] }, { memory: 0x80000000n, fsw: "IE TOP=5", st: [] });
  expect("DB 1E", { st: [real(2 ** 31)], memory: 5n, fcw: UNMASKED_IE }, { fsw: "IE ES B" });
});

test("loads: a denormal is pushed even if that is not masked, an SNaN is not", () => {
  expect("D9 06", { memory: 1n, fcw: 0x37d }, { st: [0x3f6a_8000_0000_0000_0000n], fsw: "DE ES B TOP=3" });
  expect("D9 06", { memory: 0x7f800001n }, { st: [0x7fff_c000_0100_0000_0000n], fsw: "IE TOP=3" });
  expect("D9 06", { memory: 0x7f800001n, fcw: UNMASKED_IE }, { fsw: "IE ES B" });
  expect("DB 2E", { memory: SNAN, fcw: 0x340 }, { st: [SNAN], fsw: "TOP=3" }); // 80 bits are only moved
});

test("integers, BCD and constants", () => {
  expect("DF 06", { memory: 0xfffen }, { st: [real(-2)], fsw: "TOP=3" });
  expect("DF 2E", { memory: 1n << 63n }, { st: [0xc03e_8000_0000_0000_0000n], fsw: "TOP=3" });
  expect("DF 3E", { st: [real(-5)] }, { st: [], memory: 0xfffffffffffffffbn, fsw: "TOP=5" });
  expect("DB 0E", { st: [0xc000_e000_0000_0000_0000n] }, { st: [], memory: 0xfffffffdn, fsw: "PE TOP=5" }); // FISTTP of -3.5
  expect("DF 26", { memory: 0x8000_0000_0000_0000_1234n }, { st: [real(-1234)], fsw: "TOP=3" });
  expect("DF 36", { st: [real(-1234)] }, { st: [], memory: 0x8000_0000_0000_0000_1234n, fsw: "TOP=5" });
  expect("D9 EB", { fcw: 0xb7f }, { st: [0x4000_c90f_daa2_2168_c235n], fsw: "TOP=3" }); // pi, rounded up
  expect("D9 EB", { fcw: 0x77f }, { st: [0x4000_c90f_daa2_2168_c234n], fsw: "TOP=3" });
});

// ---- comparison and classification ----

test("FCOM and FUCOM set C3, C2 and C0; only FCOM minds a QNaN [SDM 1 table 8-6]", () => {
  expect("D8 D1", { st: [real(2), real(3)], fsw: "C1 C2 C3" }, { fsw: "C0" });
  expect("D8 D9", { st: [real(3), real(3)] }, { st: [real(3)], fsw: "C3 TOP=5" });
  expect("DE D9", { st: [real(4), real(3)] }, { st: [], fsw: "TOP=6" });
  expect("D8 16", { st: [real(4)], memory: 0x40800000n }, { fsw: "C3" });
  expect("DE 1E", { st: [real(4)], memory: 5n }, { st: [], fsw: "C0 TOP=5" });
  expect("D8 D1", { st: [NAN, real(3)] }, { fsw: "IE C0 C2 C3" });
  expect("DD E1", { st: [NAN, real(3)] }, { fsw: "C0 C2 C3" });
  expect("DA E9", { st: [SNAN, real(3)], fcw: UNMASKED_IE }, { fsw: "IE ES C0 C2 C3 B" }); // no pop
  expect("D9 E4", { st: [MINUS | DENORMAL] }, { fsw: "DE C0" });
});

test("FXAM names the class, and in C1 the sign [SDM 2A FXAM]", () => {
  for (const [value, codes] of [[UNNORMAL, ""], [NAN, "C0"], [SNAN, "C0"], [ONE, "C2"], [INFINITY, "C0 C2"], [0n, "C3"], [DENORMAL, "C2 C3"]] as const) {
    expect("D9 E5", { st: [value] }, { fsw: codes });
    expect("D9 E5", { st: [value | MINUS] }, { fsw: `C1 ${codes}`.trim().split(" ").sort().join(" ") });
  }
  expect("D9 E5", {}, { fsw: "C0 C3" });
});

test("FPREM tells the quotient in C0, C3 and C1, and in C2 that it is not done [SDM 2A FPREM]", () => {
  expect("D9 F8", { st: [real(17), real(3)] }, { st: [real(2), real(3)], fsw: "C0 C1" }); // 5
  expect("D9 F5", { st: [real(17), real(3)] }, { st: [real(-1), real(3)], fsw: "C0 C3" }); // 6
  expect("D9 F8", { st: [0x4100_8000_0000_0000_0000n, real(3)] }, { st: [0x40e0_8000_0000_0000_0000n, real(3)], fsw: "C2" });
  expect("D9 F8", { st: [INFINITY, real(3)], fsw: "C0 C1 C2 C3" }, { st: [INDEFINITE, real(3)], fsw: "IE C0 C3" });
});

test("transcendental instructions: C2 out of range, results in their places", () => {
  expect("D9 FE", { st: [0x403e_8000_0000_0000_0000n] }, { fsw: "C2" });
  expect("D9 F2", { st: [0n], fsw: "C2" }, { st: [ONE, 0n], fsw: "TOP=3" });
  expect("D9 F4", { st: [real(12)] }, { st: [0x3fff_c000_0000_0000_0000n, real(3)], fsw: "TOP=3" });
  expect("D9 F1", { st: [real(8), real(5)] }, { st: [real(15)], fsw: "PE TOP=5" });
  expect("D9 FD", { st: [real(3), real(-2)] }, { st: [0x3ffe_c000_0000_0000_0000n, real(-2)] });
});

// ---- encodings ----

test("aliases do what their models do; D9 D8 does not mind an empty ST(0)", () => {
  const st = [real(2), real(3)];
  expect("DC D1", { st }, { fsw: "C0" });
  expect("DC D9", { st }, { st: [real(3)], fsw: "C0 TOP=5" });
  expect("DE D1", { st }, { st: [real(3)], fsw: "C0 TOP=5" });
  for (const code of ["DD C9", "DF C9"]) expect(code, { st }, { st: [real(3), real(2)] });
  for (const code of ["D9 D9", "DF D1", "DF D9"]) expect(code, { st }, { st: [real(2)], fsw: "TOP=5" });
  expect("DF D1", { st: [null, real(3)] }, { st: [INDEFINITE], fsw: "IE SF TOP=5" });
  expect("D9 D9", { st: [null, real(3)] }, { st: [real(3)], fsw: "TOP=5" });
  for (const code of ["DB E0", "DB E1", "DB E4"]) expect(code, { st, fsw: "C1" }, {});
});

test("what is not defined in D8..DF is undefined: 96 bytes after the opcode", () => {
  const map = new OpcodeMap(x87Instructions), undefinedCodes: string[] = [];
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (const modrm of [...Array(8).keys()].map((digit) => digit << 3).concat([...Array(64).keys()].map((n) => 0xc0 + n))) {
      if (!map.candidates(0, opcode).some(({ form }) => accepts(form, modrm))) undefinedCodes.push(`${opcode.toString(16)} ${modrm.toString(16).padStart(2, "0")}`);
    }
  }
  assert.is(undefinedCodes.length, 96);
  assert.equal(undefinedCodes.filter((code) => code < "da"), "08 d1 d2 d3 d4 d5 d6 d7 e2 e3 e6 e7 ef".split(" ").map((modrm) => `d9 ${modrm}`));
  assert.equal(undefinedCodes.filter((code) => /^db [0-e]/.test(code)), ["db 20", "db 30", "db e5", "db e6", "db e7"]);
});

test.run();
