import { suite } from "uvu";
import { expect } from "./rig.test-support.ts";

const ONES = 0xffffffffffffffffn, MIN = 1n << 63n;
const test = suite("multiplication and division");

test("MUL: double width, CF and OF where the upper half counts", () => {
  expect("F6 E1", { RAX: 0x12ff, RCX: 0xff }, { RAX: 0xfe01, flags: "CF OF" });
  expect("66 F7 E1", { RAX: ONES, RDX: ONES, RCX: 2 }, { RAX: 0xfffffffffffffffen, RDX: 0xffffffffffff0001n, flags: "CF OF" });
  expect("F7 E1", { RAX: 0x80000000, RCX: 2, RDX: ONES, flags: "SF ZF" }, { RAX: 0, RDX: 1, flags: "CF SF ZF OF" });
  expect("F7 E1", { RAX: 3, RCX: 5, RDX: ONES, flags: "CF OF" }, { RAX: 15, RDX: 0, flags: "" });
  expect("48 F7 E1", { RAX: ONES, RCX: ONES }, { RAX: 1, RDX: ONES - 1n, flags: "CF OF" });
  expect("48 F7 E1", { RAX: 0x123456789abcdef0n, RCX: 0xfedcba9876543210n }, {
    RAX: BigInt.asUintN(64, 0x123456789abcdef0n * 0xfedcba9876543210n), RDX: (0x123456789abcdef0n * 0xfedcba9876543210n) >> 64n, flags: "CF OF",
  });
});

test("IMUL: one operand", () => {
  expect("F6 E9", { RAX: 0xff, RCX: 0x7f }, { RAX: 0xff81 });
  expect("F6 E9", { RAX: 0x80, RCX: 0x80 }, { RAX: 0x4000, flags: "CF OF" });
  expect("F7 E9", { RAX: 0xffffffffn, RCX: 2 }, { RAX: 0xfffffffen, RDX: 0xffffffffn });
  expect("48 F7 E9", { RAX: MIN, RCX: ONES }, { RAX: MIN, RDX: 0, flags: "CF OF" });
  expect("48 F7 E9", { RAX: MIN, RCX: MIN }, { RAX: 0, RDX: 1n << 62n, flags: "CF OF" });
  expect("48 F7 E9", { RAX: ONES, RCX: 5 }, { RAX: ONES - 4n, RDX: ONES });
});

test("IMUL: two and three operands", () => {
  expect("0F AF C1", { RAX: 0x80000000, RCX: 2 }, { RAX: 0, flags: "CF OF" });
  expect("66 0F AF C1", { RAX: 0xff, RCX: 0x80 }, { RAX: 0x7f80 });
  expect("66 0F AF C1", { RAX: 0x100, RCX: 0x80 }, { RAX: 0x8000, flags: "CF OF" });
  expect("6B C1 FE", { RCX: 3, RAX: ONES }, { RAX: 0xfffffffan });
  expect("48 69 C1 00 00 00 80", { RCX: ONES }, { RAX: 0x80000000 });
  expect("48 0F AF C1", { RAX: MIN, RCX: ONES }, { RAX: MIN, flags: "CF OF" });
  expect("48 0F AF C1", { RAX: 1n << 32n, RCX: 1n << 31n }, { RAX: MIN, flags: "CF OF" });
});

test("DIV: #DE for zero and for quotients that do not fit", () => {
  expect("F6 F1", { RAX: 0x0101, RCX: 2 }, { RAX: 0x0180 });
  expect("F6 F1", { RAX: 0x0200, RCX: 2 }, { fault: "DE" });
  expect("66 F7 F1", { RAX: 0x5678, RDX: 0x1234, RCX: 0x1235 }, { RAX: 0xfff6, RDX: 0xc8a });
  expect("F7 F1", { RAX: 0x80, RCX: 3 }, { RAX: 0x2a, RDX: 2 });
  expect("F7 F1", { RDX: 3, RCX: 3 }, { fault: "DE" });
  expect("F7 F1", { RAX: 1, RCX: 0 }, { fault: "DE" });
  expect("48 F7 F1", { RAX: ONES, RDX: 0, RCX: 16 }, { RAX: ONES >> 4n, RDX: 15 });
  expect("48 F7 F1", { RAX: 5, RDX: ONES - 1n, RCX: ONES }, { RAX: ONES, RDX: 4 });
  expect("48 F7 F1", { RDX: 7, RCX: 7 }, { fault: "DE" });
});

test("IDIV: toward zero; #DE for -2^n / -1", () => {
  expect("F6 F9", { RAX: 0xff81, RCX: 2 }, { RAX: 0xffc1 }); // -127 / 2 = -63, rest -1
  expect("F6 F9", { RAX: 0xff80, RCX: 0xff }, { fault: "DE" });
  expect("F6 F9", { RAX: 0xff80, RCX: 1 }, { RAX: 0x80 });
  expect("66 F7 F9", { RAX: 0xfff9, RDX: 0xffff, RCX: 2 }, { RAX: 0xfffd, RDX: 0xffff });
  expect("F7 F9", { RAX: 7, RDX: 0, RCX: 0xfffffffen }, { RAX: 0xfffffffdn, RDX: 1 });
  expect("F7 F9", { RAX: 0, RDX: 0x80000000, RCX: 0xffffffffn }, { fault: "DE" });
  expect("F7 F9", { RAX: 0x80000000, RDX: 0xffffffffn, RCX: 0xffffffffn }, { fault: "DE" });
  expect("48 F7 F9", { RAX: MIN, RDX: ONES, RCX: ONES }, { fault: "DE" });
  expect("48 F7 F9", { RAX: MIN, RDX: ONES, RCX: 1 }, { RAX: MIN, RDX: 0 });
  expect("48 F7 F9", { RAX: 1, RDX: MIN, RCX: 1 }, { fault: "DE" });
  expect("48 F7 F9", { RAX: 0, RDX: 1, RCX: 4 }, { RAX: 1n << 62n, RDX: 0 });
  expect("48 F7 F9", { RAX: 0, RDX: 1, RCX: 2 }, { fault: "DE" });
  expect("48 F7 F9", { RAX: 0, RDX: 0xfffffffffffffffen, RCX: 4 }, { RAX: 0x8000000000000000n, RDX: 0 });
  expect("48 F7 F9", { RAX: 5, RCX: 0 }, { fault: "DE" });
});

test("AAM and AAD take any base", () => {
  expect("D4 0A", { bits: 32, RAX: 0x1263 }, { RAX: 0x0909, flags: "PF" });
  expect("D4 10", { bits: 32, RAX: 0xff }, { RAX: 0x0f0f, flags: "PF" });
  expect("D4 00", { bits: 32, RAX: 0xff }, { fault: "DE" });
  expect("D5 0A", { bits: 32, RAX: 0x0909 }, { RAX: 0x63, flags: "PF" });
  expect("D5 10", { bits: 32, RAX: 0x1200 }, { RAX: 0x20 });
  expect("D5 0A", { bits: 64 }, { fault: "UD" });
});

test("AAA and AAS", () => {
  expect("37", { bits: 32, RAX: 0x000a }, { RAX: 0x0100, flags: "CF AF" });
  expect("37", { bits: 32, RAX: 0x00ff }, { RAX: 0x0205, flags: "CF AF" }); // a carry out of AL reaches AH
  expect("37", { bits: 32, RAX: 0x0235, flags: "CF" }, { RAX: 0x0205, flags: "" });
  expect("3F", { bits: 32, RAX: 0x0205, flags: "AF" }, { RAX: 0x000f, flags: "CF AF" });
  expect("3F", { bits: 32, RAX: 0x020f }, { RAX: 0x0109, flags: "CF AF" });
});

test("DAA and DAS", () => {
  expect("27", { bits: 32, RAX: 0xae }, { RAX: 0x14, flags: "CF PF AF" }); // 79 + 35 [SDM 2A "DAA"]
  expect("27", { bits: 32, RAX: 0x2e }, { RAX: 0x34, flags: "AF" });
  expect("27", { bits: 32, RAX: 0x9a }, { RAX: 0x00, flags: "CF PF AF ZF" });
  expect("27", { bits: 32, RAX: 0x10, flags: "CF" }, { RAX: 0x70, flags: "CF" });
  expect("2F", { bits: 32, RAX: 0xee, flags: "CF AF" }, { RAX: 0x88, flags: "CF PF AF SF" }); // 35 - 47 [SDM 2A "DAS"]
  expect("2F", { bits: 32, RAX: 0x05, flags: "AF" }, { RAX: 0xff, flags: "CF PF AF SF" });
  expect("2F", { bits: 32, RAX: 0x0f }, { RAX: 0x09, flags: "PF AF" });
});

test.run();
