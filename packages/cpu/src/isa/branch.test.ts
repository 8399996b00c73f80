import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CS, SEG, segment } from "../core/state.ts";
import { decoded, expect } from "./rig.test-support.ts";

const HIGH = 1n << 63n;
const test = suite("branches");

test("JMP: relative to the next instruction, cut to the operand size", () => {
  expect("EB 10", {}, { jump: 0x1012 });
  expect("EB FE", {}, { jump: 0x1000 });
  expect("E9 00 00 00 80", { ip: 0x80001000 }, { jump: 0x1005 });
  expect("66 E9 00 01 00 00", {}, { jump: 0x1106 }); // 64-bit mode: prefix 66 does not count
  expect("66 E9 00 F0", { bits: 32, ip: 0x10005000 }, { jump: 0x4004 });
  expect("E9 00 F0", { bits: 16, ip: 0x800, real: true }, { jump: 0xf803 });
  expect("EB 80", { bits: 16, ip: 0x10 }, { jump: 0xff92 });
  expect("FF E0", { RAX: 0x123456789an }, { jump: 0x123456789a });
  expect("FF 20", { bits: 16, RBX: 0x2000, memory: { 8192: "34 12" } }, { jump: 0x1234 });
  expect("FF E0", { RAX: 1n << 47n }, { fault: "GP(0)" });
  expect("E9 FF FF FF 7F", { ip: 0x7fffffffff00 }, { fault: "GP(0)" });
});

test("Jcc", () => {
  expect("74 10", { flags: "ZF" }, { jump: 0x1012 });
  expect("74 10", {}, {});
  expect("0F 8F 00 01 00 00", { flags: "SF OF" }, { jump: 0x1106 });
  expect("0F 8F 00 01", { bits: 16, ip: 0xfffe, flags: "SF" }, {});
  expect("75 10", { ip: 0x7ffffffffff0 }, { fault: "GP(0)" });
});

test("JCXZ and LOOP count with the address size and leave flags alone", () => {
  expect("E3 10", { RCX: 1n << 32n }, {});
  expect("67 E3 10", { RCX: 1n << 32n }, { jump: 0x1013 });
  expect("E3 10", { bits: 16, RCX: 0x10000 }, { jump: 0x1012 });
  expect("E2 10", { RCX: 1 }, { RCX: 0 });
  expect("E2 10", { RCX: 0 }, { RCX: -1, jump: 0x1012 });
  expect("67 E2 10", { RCX: 1n << 32n }, { RCX: 0xffffffff, jump: 0x1013 });
  expect("E2 10", { bits: 16, RCX: 0x50001 }, { RCX: 0x50000 });
  expect("E1 10", { RCX: 2, flags: "ZF" }, { RCX: 1, jump: 0x1012 });
  expect("E1 10", { RCX: 2 }, { RCX: 1 });
  expect("E0 10", { RCX: 2, flags: "ZF CF" }, { RCX: 1 });
  expect("E0 10", { RCX: 2 }, { RCX: 1, jump: 0x1012 });
  expect("E2 10", { RCX: 5, ip: 0x7ffffffffff0 }, { fault: "GP(0)" });
  assert.is(decoded("67 E3 00"), "jecxz Jb");
});

test("CALL pushes the next offset; a refused target pushes nothing", () => {
  expect("E8 00 01 00 00", {}, { RSP: 0x7ff8, memory: { 32760: "05 10" }, jump: 0x1105 });
  expect("E8 00 01", { bits: 16 }, { RSP: 0x7ffe, memory: { 32766: "03 10" }, jump: 0x1103 });
  expect("66 E8 00 01", { bits: 32, ip: 0x12341000 }, { RSP: 0x7ffe, memory: { 32766: "04 10" }, jump: 0x1104 });
  expect("FF D4", { RSP: 0x4000 }, { RSP: 0x3ff8, memory: { 16376: "02 10" }, jump: 0x4000 }); // CALL RSP: its old value
  expect("FF D0", { RAX: HIGH }, { fault: "GP(0)" });
  expect("FF D0", { RSP: HIGH }, { fault: "SS(0)" });
  expect("E8 00 01 00 00", { bits: 32, prepare: (cpu) => cpu.setU64(segment(CS) + SEG.limit, 0x1100n) }, { fault: "GP(0)" });
});

test("RET takes the offset and frees its arguments", () => {
  const memory = { 32768: "34 12" };
  expect("C3", { memory }, { RSP: 0x8008, jump: 0x1234 });
  expect("C2 10 00", { memory }, { RSP: 0x8018, jump: 0x1234 });
  expect("66 C3", { bits: 32, memory: { 32768: "34 12 55 55" } }, { RSP: 0x8002, jump: 0x1234 });
  expect("C2 FF FF", { bits: 16, RSP: 0x12348000, memory }, { RSP: 0x12348001, jump: 0x1234 });
  expect("C3", { memory: { 32768: "00 00 00 00 00 80" } }, { fault: "GP(0)" });
  expect("C3", { bits: 32, memory: { 32768: "34 12 01" }, prepare: (cpu) => cpu.setU64(segment(CS) + SEG.limit, 0xffffn) }, { fault: "GP(0)" });
});

test.run();
